//! The kernels, written once for any width of vectors.

/// Defines `products` of a module that has
///
/// * `Vector`, and `zero() -> Vector`;
/// * `UNITS`, the vectors that the slots of a step fill, each by its index;
/// * `chunks(&[u8; STEP], unit) -> [Vector; 2]`: of each group c2 and c3, then c0 and c1, complemented;
/// * `constant(&Slot, unit) -> Vector`;
/// * `sum(Vector, Vector)`, `low_words(Vector, Vector)` and `high_words(Vector, Vector)`, which put together the low, or
///   high, words of each group, and `swapped(Vector)`, which exchanges them;
/// * `product::<IMM>(Vector, Vector)`, where the lower hexadecimal digit of IMM chooses the word of the first;
/// * `words(Vector) -> [u64; 2]`: the sum over all groups.
macro_rules! kernel {
    ($features:literal) => {
        /// The sum of the products of the complemented bytes of `steps` and the constants of their places.
        #[target_feature(enable = $features)]
        pub(super) fn products<G: Places<WORDS>, const WORDS: usize>(steps: Steps<'_>) -> Sum {
            let mut to = [0; SUM_WORDS];
            match WORDS {
                1 => add_single_chunks::<G, WORDS>(steps, &mut to),
                2 => add_pairs_of_chunks::<G, WORDS>(steps, &mut to),
                _ => {
                    let mut slot = 0;
                    let mut low = 0;
                    while low + 4 <= WORDS {
                        add_four_words::<G, WORDS>(steps, slot, &mut to[low..]);
                        slot += 5;
                        low += 4;
                    }
                    if low + 2 <= WORDS {
                        add_two_words::<G, WORDS>(steps, slot, &mut to[low..]);
                        slot += 2;
                        low += 2;
                    }
                    if low < WORDS {
                        add_one_word::<G, WORDS>(steps, slot, &mut to[low..]);
                    }
                }
            }
            to
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn put(to: &mut [u64], at: usize, product: Vector) {
            let [low, high] = words(product);
            to[at] ^= low;
            to[at + 1] ^= high;
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_single_chunks<G: Places<WORDS>, const WORDS: usize>(steps: Steps<'_>, to: &mut Sum) {
            let (mut even, mut odd) = (zero(), zero());
            let mut walk = steps.walk::<G, WORDS, 2>(0);
            while let Some((bytes, slots)) = walk.step() {
                for unit in 0..UNITS {
                    let [c23, c01] = chunks(bytes, unit);
                    let (k23, k01) = (constant(&slots[0], unit), constant(&slots[1], unit));
                    even = sum(even, product::<0x00>(c23, k23));
                    odd = sum(odd, product::<0x11>(c23, k23));
                    even = sum(even, product::<0x00>(c01, k01));
                    odd = sum(odd, product::<0x11>(c01, k01));
                }
            }
            put(to, 0, sum(even, odd));
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_pairs_of_chunks<G: Places<WORDS>, const WORDS: usize>(
            steps: Steps<'_>,
            to: &mut Sum,
        ) {
            let (mut low, mut high, mut both) = (zero(), zero(), zero());
            let mut walk = steps.walk::<G, WORDS, 3>(0);
            while let Some((bytes, slots)) = walk.step() {
                for unit in 0..UNITS {
                    let [c23, c01] = chunks(bytes, unit);
                    let pairs = sum(low_words(c01, c23), high_words(c01, c23));
                    let (k23, k01) = (constant(&slots[0], unit), constant(&slots[1], unit));
                    let k = constant(&slots[2], unit);
                    low = sum(low, product::<0x00>(c23, k23));
                    high = sum(high, product::<0x11>(c23, k23));
                    both = sum(both, product::<0x00>(pairs, k));
                    low = sum(low, product::<0x00>(c01, k01));
                    high = sum(high, product::<0x11>(c01, k01));
                    both = sum(both, product::<0x11>(pairs, k));
                }
            }
            put(to, 0, low);
            put(to, 1, sum(both, sum(low, high)));
            put(to, 2, high);
        }

        /// Karatsuba's way twice: 9 products of words instead of 16.
        #[inline]
        #[target_feature(enable = $features)]
        fn add_four_words<G: Places<WORDS>, const WORDS: usize>(
            steps: Steps<'_>,
            slot: usize,
            to: &mut [u64],
        ) {
            let mut low = [zero(); 3];
            let mut high = [zero(); 3];
            let mut both = [zero(); 3];
            let mut walk = steps.walk::<G, WORDS, 5>(slot);
            while let Some((bytes, slots)) = walk.step() {
                for unit in 0..UNITS {
                    let [c23, c01] = chunks(bytes, unit);
                    let across = sum(c23, c01);
                    let pairs = sum(low_words(c01, c23), high_words(c01, c23));
                    let all = sum(pairs, swapped(pairs));
                    let k = [
                        constant(&slots[0], unit),
                        constant(&slots[1], unit),
                        constant(&slots[2], unit),
                        constant(&slots[3], unit),
                        constant(&slots[4], unit),
                    ];
                    low[0] = sum(low[0], product::<0x00>(c01, k[0]));
                    low[1] = sum(low[1], product::<0x11>(c01, k[0]));
                    low[2] = sum(low[2], product::<0x00>(pairs, k[3]));
                    high[0] = sum(high[0], product::<0x00>(c23, k[1]));
                    high[1] = sum(high[1], product::<0x11>(c23, k[1]));
                    high[2] = sum(high[2], product::<0x11>(pairs, k[3]));
                    both[0] = sum(both[0], product::<0x00>(across, k[2]));
                    both[1] = sum(both[1], product::<0x11>(across, k[2]));
                    both[2] = sum(both[2], product::<0x00>(all, k[4]));
                }
            }
            for i in 0..3 {
                both[i] = sum(both[i], sum(low[i], high[i]));
            }
            for (at, [even, odd, mixed]) in [(0, low), (2, both), (4, high)] {
                put(to, at, even);
                put(to, at + 1, sum(mixed, sum(even, odd)));
                put(to, at + 2, odd);
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_two_words<G: Places<WORDS>, const WORDS: usize>(
            steps: Steps<'_>,
            slot: usize,
            to: &mut [u64],
        ) {
            let mut low = [zero(); 3];
            let mut high = [zero(); 3];
            let mut walk = steps.walk::<G, WORDS, 2>(slot);
            while let Some((bytes, slots)) = walk.step() {
                for unit in 0..UNITS {
                    let [c23, c01] = chunks(bytes, unit);
                    let pairs = sum(low_words(c01, c23), high_words(c01, c23));
                    let k = constant(&slots[0], unit);
                    let k_sum = constant(&slots[1], unit);
                    low[0] = sum(low[0], product::<0x00>(c01, k));
                    low[1] = sum(low[1], product::<0x11>(c01, k));
                    low[2] = sum(low[2], product::<0x00>(pairs, k_sum));
                    high[0] = sum(high[0], product::<0x00>(c23, k));
                    high[1] = sum(high[1], product::<0x11>(c23, k));
                    high[2] = sum(high[2], product::<0x01>(pairs, k_sum));
                }
            }
            for (at, [even, odd, mixed]) in [(0, low), (2, high)] {
                put(to, at, even);
                put(to, at + 1, sum(mixed, sum(even, odd)));
                put(to, at + 2, odd);
            }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn add_one_word<G: Places<WORDS>, const WORDS: usize>(
            steps: Steps<'_>,
            slot: usize,
            to: &mut [u64],
        ) {
            let mut products = [zero(); 4];
            let mut walk = steps.walk::<G, WORDS, 1>(slot);
            while let Some((bytes, slots)) = walk.step() {
                for unit in 0..UNITS {
                    let [c23, c01] = chunks(bytes, unit);
                    let k = constant(&slots[0], unit);
                    products[0] = sum(products[0], product::<0x00>(c01, k));
                    products[1] = sum(products[1], product::<0x01>(c01, k));
                    products[2] = sum(products[2], product::<0x00>(c23, k));
                    products[3] = sum(products[3], product::<0x01>(c23, k));
                }
            }
            for (at, product) in products.into_iter().enumerate() {
                put(to, at, product);
            }
        }
    };
}

pub(super) use kernel;
