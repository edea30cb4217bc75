use super::*;
use crate::codec::gf::Gf13;
use crate::codec::tests::Random;

fn remainder_of(pieces: &[&[u8]]) -> Remainder<2> {
    let mut remainder = [0; 2];
    for piece in pieces {
        Divider::<OddRoots<Gf13, 8>, 2>::feed(&Slicing::<8>, &mut remainder, piece);
    }
    remainder
}

#[test]
fn the_generators_are_those_of_the_specification() {
    // 0x14523043AB86AB is x^52 + …: what follows the leading one, left-aligned.
    let bch4 = <OddRoots<Gf13, 4> as Generator<1>>::FRACTION;
    assert_eq!(bch4, [0x4_5230_43AB_86AB << 12]);
    // (x^13 + x^4 + x^3 + x + 1) (x + 1)
    let secded = <EvenRoots<Gf13> as Generator<1>>::FRACTION;
    assert_eq!(secded, [((0x201b ^ (0x201b << 1)) & 0x3fff) << 50]);
}

#[test]
fn the_remainder_does_not_depend_on_how_the_data_is_cut_into_pieces() {
    let mut random = Random(1);
    for _ in 0..2000 {
        let length = 1 + random.below(80);
        let data = random.bytes(length);
        let (head, tail) = data.split_at(random.below(length));
        let (body, tail) = tail.split_at(random.below(tail.len()));
        assert_eq!(remainder_of(&[head, body, tail]), remainder_of(&[&data]));
    }
}
