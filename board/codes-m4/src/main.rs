//! Runs every code and prints a line, an object of JSON, for each operation that `count.c` will have reported a count for. Ends with a
//! status other than 0 when a result is wrong.

#![no_std]
#![no_main]

mod subject;
mod vectors;

use core::hint::black_box;
use core::panic::PanicInfo;

use cortex_m as _;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use cuesta::codec::code::STRENGTH_MAX;
use cuesta::codec::Code;
use m4_marks as mark;

use subject::Subject;

/// Codewords that an operation is repeated with, each with other data and other errors.
const CODEWORDS: usize = 8;

/// Room for the data, and for the parity, of any code.
const BYTES_MAX: usize = 1024;

#[entry]
fn main() -> ! {
    mark::known();
    mark::report();
    hprintln!("{{\"known\":{}}}", mark::KNOWN);
    subject::each(|subject| measure(&subject));
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::nop();
    }
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::nop();
    }
}

fn measure(subject: &Subject) {
    // Not known to the compiler: what is measured is a call, as from a volume.
    let code = black_box(subject.code);
    assert!(
        vectors::hold(code),
        "{}, {} a step: not the parity of the specification",
        code.name(),
        subject.step
    );
    let mut random = Random(1);

    for _ in 0..CODEWORDS {
        encode(code, &mut random);
    }
    print(subject, "encode");

    let strength = code.strength();
    for (errors, operation) in [
        (0, "clean"),
        (1, "1 wrong"),
        (2, "2 wrong"),
        (strength, "t wrong"),
    ] {
        // What is not repaired is not measured, and nothing twice.
        if errors <= strength && (strength > 2 || operation != "t wrong") {
            for _ in 0..CODEWORDS {
                decode(code, errors as usize, &mut random);
            }
            print(subject, operation);
        }
    }
}

/// One codeword is made, and counted.
fn encode(code: &dyn Code, random: &mut Random) {
    let mut codeword = Codeword::random(code, random);
    let (data, parity) = codeword.parts(code);
    let done = mark::counted(|| code.encode(data, parity));
    assert!(
        done.is_ok() && code.is_clean(data, parity),
        "{}: not a codeword",
        code.name()
    );
}

/// One codeword is repaired, and counted.
fn decode(code: &dyn Code, errors: usize, random: &mut Random) {
    let mut codeword = Codeword::random(code, random);
    let (data, parity) = codeword.parts(code);
    assert!(
        code.encode(data, parity).is_ok(),
        "{}: no parity",
        code.name()
    );
    let intended = codeword.clone();

    let bits = 8 * code.data_bytes() + code.parity_bits();
    let mut wrong = [usize::MAX; STRENGTH_MAX];
    for i in 0..errors {
        while wrong[i] == usize::MAX {
            let bit = random.below(bits);
            if !wrong.contains(&bit) {
                wrong[i] = bit;
            }
        }
        codeword.flip(code, wrong[i]);
    }
    let (data, parity) = codeword.parts(code);
    let done = mark::counted(|| code.decode(data, parity));

    let found = done.is_ok_and(|corrections| {
        corrections.bits().len() == errors
            && corrections
                .bits()
                .iter()
                .all(|&bit| wrong.contains(&usize::from(bit)))
    });
    assert!(found, "{}: {errors} wrong bits were not found", code.name());
    assert!(
        codeword == intended,
        "{}: {errors} wrong bits were not repaired",
        code.name()
    );
}

fn print(subject: &Subject, operation: &str) {
    mark::report();
    hprintln!(
        "{{\"code\":\"{}\",\"step\":\"{}\",\"tables\":{},\"repair_tables\":{},\"operation\":\"{}\",\"codewords\":{},\"bytes\":{}}}",
        subject.code.name(),
        subject.step,
        subject.tables,
        subject.repair_tables,
        operation,
        CODEWORDS,
        subject.code.data_bytes()
    );
}

/// Data and parity of any code.
#[derive(Clone, PartialEq)]
struct Codeword {
    data: [u8; BYTES_MAX],
    parity: [u8; BYTES_MAX],
}

impl Codeword {
    /// Random data without its parity.
    fn random(code: &dyn Code, random: &mut Random) -> Self {
        let mut codeword = Self {
            data: [0; BYTES_MAX],
            parity: [0; BYTES_MAX],
        };
        for chunk in codeword.parts(code).0.chunks_mut(8) {
            let random = random.next().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        codeword
    }

    /// As much of the data and of the parity as the code takes.
    fn parts(&mut self, code: &dyn Code) -> (&mut [u8], &mut [u8]) {
        (
            &mut self.data[..code.data_bytes()],
            &mut self.parity[..code.parity_bytes()],
        )
    }

    /// Turns the bit that the code counts as this.
    fn flip(&mut self, code: &dyn Code, bit: usize) {
        let (data, parity) = self.parts(code);
        let byte = match (bit / 8).checked_sub(data.len()) {
            None => &mut data[bit / 8],
            Some(byte) => &mut parity[byte],
        };
        *byte ^= 0x80 >> (bit % 8);
    }
}

/// splitmix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
