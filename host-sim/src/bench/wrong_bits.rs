//! Codewords with bits that went wrong, in data and parity, given to a code.

use cuesta::codec::Code;

use crate::prng::SplitMix64;

/// What a code made of a codeword with wrong bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The codeword as it was written.
    Repaired,
    /// An error.
    Refused,
    /// Another codeword, passed off as the one that was written.
    Miscorrected,
}

/// A codeword as it was written, and as it is read.
///
/// Bits count as [`Code`] has it: from the most significant bit of the first data byte on through the parity.
pub struct WrongBits {
    code: &'static dyn Code,
    /// Data, then parity.
    written: Vec<u8>,
    read: Vec<u8>,
    wrong: u64,
}

impl WrongBits {
    /// Codewords of this code, of the length that it is meant for. The first one is erased: all ones.
    #[must_use]
    pub fn of(code: &'static dyn Code) -> Self {
        let bytes = code.data_bytes() + code.parity_bytes();
        Self {
            code,
            written: vec![0xFF; bytes],
            read: vec![0xFF; bytes],
            wrong: 0,
        }
    }

    /// Bits of a codeword, parity included and padding not.
    #[must_use]
    pub fn bits(&self) -> u64 {
        bits(self.code)
    }

    /// Wrong bits that the code repairs.
    #[must_use]
    pub fn strength(&self) -> u64 {
        u64::from(self.code.strength())
    }

    /// Writes another codeword, of this data, and reads it back as it was written.
    ///
    /// Data of a length other than the code is meant for makes a codeword of what there is.
    pub fn write(&mut self, data: &[u8]) {
        let (to, parity) = self.written.split_at_mut(self.code.data_bytes());
        for (to, &byte) in to.iter_mut().zip(data) {
            *to = byte;
        }
        // The lengths are the code's own.
        let _ = self.code.encode(to, parity);
        self.restore();
    }

    /// Writes a codeword of random data.
    pub fn write_random(&mut self, random: &mut SplitMix64) {
        let mut data = vec![0; self.code.data_bytes()];
        random.fill(&mut data);
        self.write(&data);
    }

    /// Reads the codeword as it was written.
    pub fn restore(&mut self) {
        self.read.copy_from_slice(&self.written);
        self.wrong = 0;
    }

    /// Bits that are wrong in what is read.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.wrong
    }

    /// The data that was written.
    #[must_use]
    pub fn written_data(&self) -> &[u8] {
        &self.written[..self.code.data_bytes()]
    }

    /// The data that is read; after [`decode`](Self::decode), what the code says it is.
    #[must_use]
    pub fn read_data(&self) -> &[u8] {
        &self.read[..self.code.data_bytes()]
    }

    /// Makes a bit wrong; false if it was already.
    fn flip(&mut self, bit: u64) -> bool {
        let (byte, mask) = ((bit / 8) as usize, 0x80 >> (bit % 8));
        if (self.read[byte] ^ self.written[byte]) & mask != 0 {
            return false;
        }
        self.read[byte] ^= mask;
        self.wrong += 1;
        true
    }

    /// Makes so many bits wrong that were right, anywhere; all of them if there are no more.
    pub fn flip_some(&mut self, count: u64, random: &mut SplitMix64) {
        let goal = self.bits().min(self.wrong.saturating_add(count));
        while self.wrong < goal {
            self.flip(random.below(self.bits()));
        }
    }

    /// Makes every bit wrong with a chance of its own, in a codeword read as it was written.
    ///
    /// The bits between two wrong ones are drawn at once: their count is the geometric distribution's.
    pub fn flip_each(&mut self, chance: f64, random: &mut SplitMix64) {
        let ln_right = (-chance).ln_1p();
        let mut bit = 0;
        loop {
            // In (0, 1]: its logarithm is finite.
            let drawn = 1.0 - random.unit();
            let right = (drawn.ln() / ln_right).floor();
            if right >= (self.bits() - bit) as f64 {
                return;
            }
            bit += right as u64;
            self.flip(bit);
            bit += 1;
            if bit == self.bits() {
                return;
            }
        }
    }

    /// Makes the ends of a stretch of so many bits wrong, and of those between each with a chance of one half.
    pub fn flip_burst(&mut self, length: u64, random: &mut SplitMix64) {
        let length = length.clamp(1, self.bits());
        let start = random.below(self.bits() - length + 1);
        for at in 0..length {
            if at == 0 || at == length - 1 || random.chance(1, 2) {
                self.flip(start + at);
            }
        }
    }

    /// Reads random bits in place of the codeword.
    pub fn garble(&mut self, random: &mut SplitMix64) {
        random.fill(&mut self.read);
        let padding = 8 * self.read.len() as u64 - self.bits();
        if let (Some(last), Some(written)) = (self.read.last_mut(), self.written.last()) {
            let mask = (1_u16 << padding) as u8;
            let mask = mask.wrapping_sub(1);
            *last = *last & !mask | written & mask;
        }
        let differing = self.read.iter().zip(&self.written);
        self.wrong = differing
            .map(|(read, written)| u64::from((read ^ written).count_ones()))
            .sum();
    }

    /// Lets the code repair what is read.
    pub fn decode(&mut self) -> Outcome {
        let (data, parity) = self.read.split_at_mut(self.code.data_bytes());
        match self.code.decode(data, parity) {
            Err(_) => Outcome::Refused,
            Ok(_) if self.read == self.written => Outcome::Repaired,
            Ok(_) => Outcome::Miscorrected,
        }
    }
}

/// Bits of a codeword of the length that a code is meant for, parity included.
#[must_use]
pub fn bits(code: &dyn Code) -> u64 {
    8 * code.data_bytes() as u64 + code.parity_bits() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuesta::codec::Ecc;

    fn wrong_places(word: &WrongBits) -> Vec<u64> {
        let wrong = |bit: &u64| {
            let byte = (bit / 8) as usize;
            (word.read[byte] ^ word.written[byte]) & (0x80 >> (bit % 8)) != 0
        };
        (0..8 * word.read.len() as u64).filter(wrong).collect()
    }

    #[test]
    fn as_many_bits_are_wrong_as_were_asked_for_and_any_of_them_can_be() {
        let mut word = WrongBits::of(Ecc::Bch4.portable());
        let mut random = SplitMix64::new(1);
        word.write_random(&mut random);
        let mut seen = vec![0_u32; 8 * word.read.len()];
        for _ in 0..5000 {
            word.restore();
            word.flip_some(40, &mut random);
            assert_eq!((word.wrong(), wrong_places(&word).len()), (40, 40));
            for bit in wrong_places(&word) {
                seen[bit as usize] += 1;
            }
        }
        let bits = word.bits() as usize;
        assert_eq!(bits, 512 * 8 + 52);
        // The padding is never wrong; every other bit 48 times on average.
        assert!(seen[bits..].iter().all(|&times| times == 0));
        assert!(seen[..bits].iter().all(|times| (10..120).contains(times)));
    }

    #[test]
    fn every_bit_has_the_same_chance_to_be_wrong() {
        let mut word = WrongBits::of(Ecc::Bch8.portable());
        let mut random = SplitMix64::new(2);
        let mut seen = vec![0_u32; 8 * word.read.len()];
        let (words, chance) = (20_000_u32, 0.01);
        let mut all = 0;
        for _ in 0..words {
            word.restore();
            word.flip_each(chance, &mut random);
            all += word.wrong();
            for bit in wrong_places(&word) {
                seen[bit as usize] += 1;
            }
        }
        let bits = word.bits();
        let mean = f64::from(words) * bits as f64 * chance;
        assert!((all as f64 - mean).abs() < 6.0 * mean.sqrt(), "{all}");
        let within = |times: &u32| (100..320).contains(times);
        assert!(seen[..bits as usize].iter().all(within));
        assert!(seen[bits as usize..].iter().all(|&times| times == 0));
    }

    #[test]
    fn a_burst_begins_and_ends_with_a_wrong_bit() {
        let mut word = WrongBits::of(Ecc::Bch16.portable());
        let mut random = SplitMix64::new(3);
        for length in 1..200 {
            word.restore();
            word.flip_burst(length, &mut random);
            let places = wrong_places(&word);
            assert_eq!(places[places.len() - 1] - places[0] + 1, length);
        }
    }

    #[test]
    fn what_a_code_does_is_told_apart() {
        let mut word = WrongBits::of(Ecc::Secded.portable());
        let mut random = SplitMix64::new(4);
        word.write_random(&mut random);
        let mut after = |count| {
            word.restore();
            word.flip_some(count, &mut random);
            word.decode()
        };
        assert_eq!(after(0), Outcome::Repaired);
        assert_eq!(after(1), Outcome::Repaired);
        assert_eq!(after(2), Outcome::Refused);
        assert!((0..50).any(|_| after(3) == Outcome::Miscorrected));
    }

    #[test]
    fn garbage_leaves_the_padding_alone() {
        let mut word = WrongBits::of(Ecc::Bch4.portable());
        let mut random = SplitMix64::new(5);
        for _ in 0..100 {
            word.garble(&mut random);
            assert_eq!(wrong_places(&word).len() as u64, word.wrong());
            assert!(wrong_places(&word).iter().all(|&bit| bit < word.bits()));
        }
    }
}
