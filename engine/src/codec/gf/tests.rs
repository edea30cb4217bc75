use super::*;

/// Elements enough to meet every kind, few enough for every pair of them.
fn sample<F: Field>() -> impl Iterator<Item = u16> + Clone {
    let last = F::ORDER as u16;
    (0..=last)
        .step_by(if F::M == 13 { 37 } else { 83 })
        .chain([1, 2, last])
}

fn powers_run_through_all_elements<F: Field>(stride: u32) {
    let mut expected = 1;
    for power in 0..F::ORDER {
        if power % stride == 0 {
            assert_eq!(F::exp(power), expected);
            assert_eq!(F::log(expected), power);
            assert_eq!(F::exp(power + F::ORDER), expected);
        }
        expected = product(F::M, F::POLY, expected, 2);
        assert_eq!(expected == 1, power + 1 == F::ORDER);
    }
}

#[test]
fn powers_of_alpha_run_through_all_elements_but_zero() {
    powers_run_through_all_elements::<Gf13>(1);
    powers_run_through_all_elements::<Gf14>(1);
    powers_run_through_all_elements::<CompactGf13>(97);
    powers_run_through_all_elements::<CompactGf14>(97);
}

fn agrees_with_shift_and_add<F: Field>() {
    for a in sample::<F>() {
        assert_eq!(F::square(F::sqrt(a)), a);
        for b in sample::<F>() {
            let expected = product(F::M, F::POLY, a, b);
            assert_eq!(F::mul(a, b), expected);
            let mut sum = [7, 7];
            F::add_scaled(&mut sum, a, &[b]);
            assert_eq!(sum, [7 ^ expected, 7]);
            if b != 0 {
                assert_eq!(product(F::M, F::POLY, F::div(a, b), b), a);
            }
        }
    }
}

#[test]
fn products_quotients_and_roots_agree_with_shift_and_add() {
    agrees_with_shift_and_add::<Gf13>();
    agrees_with_shift_and_add::<Gf14>();
    agrees_with_shift_and_add::<CompactGf13>();
    agrees_with_shift_and_add::<CompactGf14>();
}

fn odd_powers_are_recognised<F: Field>() {
    for x in sample::<F>().filter(|&x| x != 0).step_by(9) {
        let cube = F::mul(F::square(x), x);
        let mut odd = [x, cube, F::mul(cube, F::square(x))];
        assert!(F::odd_powers_are(x, &odd));
        assert!(F::odd_power_sums_are([x, 1], &odd.map(|power| power ^ 1)));
        odd[2] ^= 2;
        assert!(!F::odd_powers_are(x, &odd));
        assert!(!F::odd_power_sums_are([x, 1], &odd.map(|power| power ^ 1)));
    }
}

#[test]
fn odd_powers_and_their_sums_are_recognised() {
    odd_powers_are_recognised::<Gf13>();
    odd_powers_are_recognised::<Gf14>();
    odd_powers_are_recognised::<CompactGf13>();
    odd_powers_are_recognised::<CompactGf14>();
}

fn half_have_two_roots<F: Field>() {
    let mut solved = 0;
    for b in 0..=F::ORDER as u16 {
        if let Some([x, y]) = roots_of_quadratic::<F>(77, b) {
            assert_eq!((x ^ y, F::mul(x, y)), (77, b));
            solved += 1;
        }
    }
    assert_eq!(solved, F::ORDER.div_ceil(2));
}

#[test]
fn half_of_all_quadratics_have_two_roots() {
    half_have_two_roots::<Gf13>();
    half_have_two_roots::<Gf14>();
}

fn roots_come_back<F: Field>() {
    for p in sample::<F>().step_by(5) {
        for q in sample::<F>().step_by(7).filter(|&q| q != p) {
            for r in sample::<F>().step_by(11).filter(|&r| r != p && r != q) {
                let (a, b) = (p ^ q ^ r, F::mul(p, q) ^ F::mul(p, r) ^ F::mul(q, r));
                let c = F::mul(F::mul(p, q), r);
                let mut roots = roots_of_cubic::<F>(a, b, c).unwrap();
                let mut expected = [p, q, r];
                roots.sort_unstable();
                expected.sort_unstable();
                assert_eq!(roots, expected);

                for s in [a, 5, 4711] {
                    let quartic = [a ^ s, b ^ F::mul(a, s), c ^ F::mul(b, s), F::mul(c, s)];
                    let [c3, c2, c1, c0] = quartic;
                    let roots = roots_of_quartic::<F>(c3, c2, c1, c0);
                    if expected.contains(&s) {
                        assert_eq!(roots, None, "{s} is a double root besides {expected:?}");
                        continue;
                    }
                    let mut roots = roots.unwrap();
                    let mut expected = [p, q, r, s];
                    roots.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(roots, expected);
                }
            }
        }
    }
}

#[test]
fn cubics_and_quartics_give_back_the_roots_they_were_made_of() {
    roots_come_back::<Gf13>();
    roots_come_back::<Gf14>();
}
