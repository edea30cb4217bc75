//! Time in storage at a temperature: how many days of retention a day there is worth.
//!
//! Source: Arrhenius' law with the activation energy of 1.1 eV that JEDEC JESD218 (Solid-State Drive Requirements and Endurance Test
//! Method) takes for retention: it lets 96 hours at 66 °C stand for three months at 40 °C (enterprise), and 500 hours at 52 °C for a year at
//! 30 °C (client).
//! The law is a convention and not the last word: it says how to add up temperatures, not how one particular part behaves.

use crate::emulator::Emulator;
use crate::media::Media;

/// Boltzmann's constant in eV/K (CODATA 2018).
const BOLTZMANN_EV_PER_K: f64 = 8.617_333_262e-5;

/// 0 °C in kelvin.
const ZERO_CELSIUS_K: f64 = 273.15;

const NS_PER_DAY: f64 = 86_400.0 * 1e9;

/// Arrhenius' law: time passes `exp(Ea/k · (1/reference − 1/temperature))` times as fast as at the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrhenius {
    /// Activation energy Ea in eV.
    pub activation_ev: f64,
    /// The temperature, in °C, at which a day is a day: the one that
    /// [`retention_per_day`](crate::AgingModel::retention_per_day) was given for.
    pub reference_celsius: f64,
}

impl Arrhenius {
    /// Of charge loss, in eV: JEDEC JESD218.
    pub const RETENTION_EV: f64 = 1.1;

    /// Reference 30 °C: where JESD218 stores drives of clients.
    pub const AT_30: Self = Self::retention(30.0);

    /// Reference 40 °C: where JESD218 stores drives of enterprises and uses those of clients.
    pub const AT_40: Self = Self::retention(40.0);

    /// Reference 55 °C: where JESD218 uses drives of enterprises.
    pub const AT_55: Self = Self::retention(55.0);

    /// Charge loss, with a reference of one's own.
    #[must_use]
    pub const fn retention(reference_celsius: f64) -> Self {
        Self {
            activation_ev: Self::RETENTION_EV,
            reference_celsius,
        }
    }

    /// How many days at the reference a day at `celsius` is worth: above 1 where it is hotter, below where it is colder.
    #[must_use]
    pub fn acceleration(&self, celsius: f64) -> f64 {
        let per_k = |celsius: f64| 1.0 / (celsius + ZERO_CELSIUS_K);
        let span = per_k(self.reference_celsius) - per_k(celsius);
        (self.activation_ev / BOLTZMANN_EV_PER_K * span).exp()
    }
}

impl<M: Media> Emulator<M> {
    /// Stores the part for `days` at `celsius`: the clock moves by these days, and what is programmed ages by as many days at the
    /// reference as `law` makes of them.
    ///
    /// What is in flight goes on and a cut planned for that time happens, as in [`advance`](Self::advance). Without an
    /// [aging model](crate::Builder::aging) nothing ages. A negative time is none.
    pub fn store(&mut self, days: f64, celsius: f64, law: &Arrhenius) {
        let days = days.max(0.0);
        self.advance((days * NS_PER_DAY) as u64);
        if let Some(aging) = &mut self.aging {
            aging.heat(days * (law.acceleration(celsius) - 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::{assert_rate, at, distance, erase, program, read};
    use crate::{AgingModel, EmulatedNand};
    use cuesta_hal::BlockAddress;

    const PAGES: u16 = 64;
    const PAGE_BYTES: usize = 4320;

    /// A block at its rated wear of which nothing but time flips bits.
    fn programmed() -> EmulatedNand {
        let mut nand = EmulatedNand::builder("mlc")
            .expect("in the table")
            .seed(8)
            .aging(AgingModel {
                fresh: 1e-15,
                worn: 1e-15,
                retention_per_day: 1e-5,
                disturb_per_read: 0.0,
                spread: 1.0,
                noise: 0.0,
                life: (10.0, 10.0),
            })
            .build();
        fill(&mut nand);
        nand
    }

    fn fill(nand: &mut EmulatedNand) {
        let block = BlockAddress::new(0, 0);
        nand.preset_erase_count(block, 5000).expect("memory");
        for page in 0..PAGES {
            program(nand, at(0, page), 0).expect("programs");
        }
    }

    fn wrong_bits(nand: &mut EmulatedNand) -> u64 {
        (0..PAGES)
            .map(|page| read(nand, at(0, page)).expect("reads"))
            .map(|bytes| u64::from(distance(&bytes, &[0; PAGE_BYTES])))
            .sum()
    }

    #[test]
    fn the_bakes_of_the_standard_are_worth_the_storage_they_stand_for() {
        let months = Arrhenius::AT_40.acceleration(66.0) * 96.0 / (365.25 * 24.0 / 12.0);
        assert!((2.9..3.1).contains(&months), "{months} months at 40 °C");
        let years = Arrhenius::AT_30.acceleration(52.0) * 500.0 / (365.25 * 24.0);
        assert!((0.95..1.05).contains(&years), "{years} years at 30 °C");
        assert!((Arrhenius::AT_55.acceleration(55.0) - 1.0).abs() < 1e-12);
        assert!(Arrhenius::AT_55.acceleration(40.0) < 0.2);
    }

    #[test]
    fn bits_flip_at_the_rate_of_the_days_at_the_reference() {
        let bits = u64::from(PAGES) * PAGE_BYTES as u64 * 8;
        for (days, celsius, law) in [
            (30.0, 40.0, Arrhenius::AT_40),
            (3.0, 66.0, Arrhenius::AT_40),
            (90.0, 40.0, Arrhenius::AT_55),
            (10.0, 70.0, Arrhenius::AT_55),
        ] {
            let mut nand = programmed();
            nand.store(days, celsius, &law);
            let rate = 1e-5 * days * law.acceleration(celsius);
            assert_rate(wrong_bits(&mut nand), bits, rate);
        }
    }

    #[test]
    fn heat_makes_the_same_bits_wrong_as_the_time_it_stands_for() {
        let (mut hot, mut old) = (programmed(), programmed());
        hot.store(10.0, 60.0, &Arrhenius::AT_40);
        let days = 10.0 * Arrhenius::AT_40.acceleration(60.0);
        old.store(days, 40.0, &Arrhenius::AT_40);
        for page in 0..PAGES {
            let both = [&mut hot, &mut old].map(|nand| read(nand, at(0, page)).expect("reads"));
            assert_eq!(both[0], both[1]);
        }
        assert!(wrong_bits(&mut hot) > 100);
        assert_eq!(hot.now_ns() / 1_000_000_000 / 86_400, 10);
    }

    #[test]
    fn heat_before_a_program_does_not_count() {
        let mut nand = programmed();
        nand.store(100.0, 85.0, &Arrhenius::AT_40);
        assert!(wrong_bits(&mut nand) > 1000);
        erase(&mut nand, BlockAddress::new(0, 0)).expect("erases");
        fill(&mut nand);
        assert_eq!(wrong_bits(&mut nand), 0);
    }

    #[test]
    fn a_part_that_does_not_age_is_not_harmed_by_heat() {
        let mut nand = crate::steps::part("tiny");
        program(&mut nand, at(0, 0), 0).expect("programs");
        nand.store(3650.0, 125.0, &Arrhenius::AT_30);
        let bytes = read(&mut nand, at(0, 0)).expect("reads");
        assert!(crate::steps::all(&bytes, 0));
    }
}
