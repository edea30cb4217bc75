//! Codes at the end of their strength: how often they fail is what the binomial distribution says, and what is behind
//! them finds what they take for something else.
//!
//! The same as `cuesta bench strength` and `cuesta bench overload`, with fewer words. That these campaigns can fail is shown by codes with a
//! defect each.

use cuesta::codec::crc::Seed;
use cuesta::codec::{Code, CodeError, Corrections, Ecc, Header, Kind, PageLayout};
use cuesta_hal::Geometry;
use cuesta_sim::bench::{
    measure_strength, overload, repairing_codes, EccVariant, OverloadOptions, OverloadReport,
    StrengthOptions, StrengthReport,
};
use cuesta_sim::{chip, Shard, SplitMix64};

fn portable(code: &'static dyn Code) -> EccVariant {
    EccVariant {
        by: "portable",
        table_bytes: None,
        code,
    }
}

fn strength(codes: &[EccVariant], words: u64) -> Vec<StrengthReport> {
    let options = StrengthOptions {
        words,
        seed: 1,
        shard: Shard::ALL,
    };
    let mut points = Vec::new();
    measure_strength(
        codes,
        &options,
        &mut |point| points.push(point),
        &mut |_, _| (),
    );
    points
}

fn overloaded(ecc: Ecc, variant: &EccVariant, patterns: u64) -> Vec<OverloadReport> {
    let options = OverloadOptions {
        patterns,
        seed: 1,
        shard: Shard::ALL,
    };
    overload(ecc, variant, &options, &mut |_, _| ())
}

#[test]
fn codewords_fail_as_often_as_the_binomial_distribution_says() {
    let codes = repairing_codes();
    assert_eq!(codes.len(), Ecc::ALL.len() - 1, "all but the CRC");
    let fastest: Vec<_> = codes.iter().map(|(_, variant)| *variant).collect();
    let tables: Vec<_> = codes
        .iter()
        .map(|(ecc, _)| portable(ecc.portable()))
        .collect();
    for codes in [fastest, tables] {
        let points = strength(&codes, 300);
        for point in &points {
            assert_eq!(point.objection(), None);
        }
        // Of each code there are points where it fails, and where it does not.
        for variant in &codes {
            let name = variant.code.name();
            let failing = |point: &&StrengthReport| {
                point.code == name && point.failures > 0 && point.failures < point.words
            };
            assert!(points.iter().filter(failing).count() >= 5, "{name}");
        }
    }
}

#[test]
fn more_wrong_bits_than_the_strength_never_become_wrong_data() {
    for (ecc, fastest) in repairing_codes() {
        for variant in [fastest, portable(ecc.portable())] {
            let reports = overloaded(ecc, &variant, 4000);
            assert_eq!(reports.len(), 5);
            for report in reports {
                assert_eq!(report.objection(), None);
                assert_eq!(report.refused + report.miscorrected, report.patterns);
                assert_eq!(report.crc_refused, report.miscorrected);
            }
        }
    }
}

#[test]
fn weak_codes_miscorrect_as_often_as_theory_says() {
    for ecc in [Ecc::Secded, Ecc::Bch4] {
        let reports = overloaded(ecc, &portable(ecc.portable()), 200_000);
        let miscorrected: u64 = reports.iter().map(|report| report.miscorrected).sum();
        assert!(miscorrected > 300, "nothing for the CRC to find");
        for report in reports {
            // An average over codes: a code may differ, but not by much; and so may so few patterns.
            let expected = report.miscorrection_theory * report.patterns as f64;
            let off = (report.miscorrected as f64 - expected).abs();
            assert!(off <= 0.1 * expected + 5.0 * expected.sqrt(), "{report:?}");
        }
    }
}

/// Changes the data that decoding gave, and what it said of it.
type Defect = fn(&mut [u8], Repaired) -> Repaired;
type Repaired = Result<Corrections, CodeError>;

/// A code, but for a defect.
struct Defective {
    code: &'static dyn Code,
    strength: u32,
    defect: Defect,
}

impl Code for Defective {
    fn name(&self) -> &'static str {
        "defective"
    }

    fn data_bytes(&self) -> usize {
        self.code.data_bytes()
    }

    fn data_bytes_max(&self) -> usize {
        self.code.data_bytes_max()
    }

    fn parity_bits(&self) -> usize {
        self.code.parity_bits()
    }

    fn strength(&self) -> u32 {
        self.strength
    }

    fn encode(&self, data: &[u8], parity: &mut [u8]) -> Result<(), CodeError> {
        self.code.encode(data, parity)
    }

    fn is_clean(&self, data: &[u8], parity: &[u8]) -> bool {
        self.code.is_clean(data, parity)
    }

    fn decode(&self, data: &mut [u8], parity: &mut [u8]) -> Repaired {
        let decoded = self.code.decode(data, parity);
        (self.defect)(data, decoded)
    }
}

fn defective(ecc: Ecc, strength: u32, defect: Defect) -> EccVariant {
    portable(Box::leak(Box::new(Defective {
        code: ecc.portable(),
        strength,
        defect,
    })))
}

fn objections(points: &[StrengthReport]) -> usize {
    let objections = points.iter().filter(|point| point.objection().is_some());
    objections.count()
}

#[test]
fn a_code_that_repairs_another_number_of_bits_than_it_says_is_found_out() {
    let sound = defective(Ecc::Bch4, 4, |_, decoded| decoded);
    assert_eq!(objections(&strength(&[sound], 3000)), 0);
    let claims_more = defective(Ecc::Bch4, 5, |_, decoded| decoded);
    assert!(objections(&strength(&[claims_more], 3000)) > 10);
    let claims_less = defective(Ecc::Bch4, 3, |_, decoded| decoded);
    assert!(objections(&strength(&[claims_less], 3000)) > 10);
    // Refuses one word in five with as many wrong bits as it repairs: where the first of them is decides.
    let at_times = defective(Ecc::Bch4, 4, |_, decoded| match decoded {
        Ok(repaired) if repaired.count() == 4 && repaired.bits()[0] % 5 == 0 => {
            Err(CodeError::Uncorrectable)
        }
        _ => decoded,
    });
    assert!(objections(&strength(&[at_times], 3000)) > 3);
}

#[test]
fn a_code_that_lets_garbage_pass_is_found_out_though_the_crc_finds_it() {
    // What is refused is passed on as it is, one time in ten.
    let lenient = defective(Ecc::Bch4, 4, |data, decoded| match decoded {
        Err(CodeError::Uncorrectable) if data[0] % 10 == 0 => Ok(Corrections::none()),
        _ => decoded,
    });
    let reports = overloaded(Ecc::Bch4, &lenient, 4000);
    assert!(reports.iter().all(|report| report.wrong_data == 0));
    let told: Vec<String> = reports
        .iter()
        .filter_map(OverloadReport::objection)
        .collect();
    assert!(told.iter().any(|line| line.contains("theory")), "{told:?}");
}

#[test]
fn wrong_data_that_the_crc_accepts_is_counted() {
    // Repairs up to eight bits, and where they are more than four adds a multiple of the CRC's polynomial, x^32 first.
    let colluding = defective(Ecc::Bch8, 4, |data, decoded| {
        if decoded.as_ref().is_ok_and(|repaired| repaired.count() > 4) {
            let polynomial = 1 | u64::from(0x1EDC_6F41_u32.reverse_bits()) << 1;
            for (byte, multiple) in data.iter_mut().zip(polynomial.to_le_bytes()) {
                *byte ^= multiple;
            }
        }
        decoded
    });
    let reports = overloaded(Ecc::Bch8, &colluding, 2000);
    let one_more = &reports[0];
    assert_eq!(one_more.wrong_data, one_more.patterns, "{one_more:?}");
    let told = one_more.objection().expect("wrong data");
    assert!(told.contains("wrong data was returned"), "{told}");
}

/// A layout of pages that are protected by a code.
fn layout(ecc: Ecc) -> PageLayout {
    let geometry = Geometry {
        spare_bytes: 512,
        ..chip("w25n01gv").expect("a chip of the table").geometry
    };
    let layout = PageLayout::new(&geometry, 2048).and_then(|layout| layout.with(ecc));
    layout.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_page_with_too_many_wrong_bits_is_an_error_and_never_wrong_data() {
    let mut random = SplitMix64::new(4);
    for (ecc, pages) in [
        (Ecc::Bch4, 20_000),
        (Ecc::Bch8, 2000),
        (Ecc::Bch16, 500),
        (Ecc::Bch24, 200),
        (Ecc::Bch40, 100),
        (Ecc::Bch64, 100),
    ] {
        let layout = layout(ecc);
        let code = ecc.portable();
        let bits = code.strength();
        let header = Header {
            kind: Kind::Data,
            level: 0,
            flags: 0,
            span: 0,
            time: 7,
            id: 3,
            birth: 1,
            stream: 0,
            erases: 9,
        };
        let seed = Seed {
            volume: 5,
            place: 77,
        };
        let mut written = vec![0xFF; 2048 + 512];
        random.fill(&mut written[..2048]);
        layout.encode(&mut written, &[header], seed);
        let stretch = code.data_bytes();
        let mut parity = vec![0; code.parity_bytes()];
        let mut miscorrected = 0;
        for _ in 0..pages {
            let mut read = written.clone();
            let at = stretch * random.below((2048 / stretch) as u64) as usize;
            let wrong = u64::from(bits) + 1 + random.below(2 * u64::from(bits));
            let mut flipped = 0;
            while flipped < wrong {
                let bit = random.below(8 * stretch as u64) as usize;
                let (byte, mask) = (at + bit / 8, 0x80 >> (bit % 8));
                if (read[byte] ^ written[byte]) & mask == 0 {
                    read[byte] ^= mask;
                    flipped += 1;
                }
            }
            // What the code alone makes of it.
            let mut codeword = read[at..][..stretch].to_vec();
            code.encode(&written[at..][..stretch], &mut parity)
                .expect("the lengths are the code's own");
            miscorrected += u32::from(code.decode(&mut codeword, &mut parity).is_ok());
            let decoded = layout.decode_unit(&mut read, 0, seed);
            assert!(decoded.is_err(), "{wrong} wrong bits of {bits}");
        }
        // The weakest code takes one in 370 for another codeword: there the check must have found some.
        assert!(bits > 4 || miscorrected > 20, "{miscorrected}");
    }
}
