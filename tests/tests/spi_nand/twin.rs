//! The driver on an asynchronous bus sends what the blocking one sends.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::bench::{at, bus, content, open, program, read, serial_chips, with_ecc, PAGES};
use cuesta_hal::spi_nand::{AsyncSpiNand, SpiNandError, SpiNandOptions};
use cuesta_hal::{Buffer, Columns, Completion, ReadStatus};
use cuesta_sim::spi_chip::ControllerFault;

/// Runs a future that an emulated bus never keeps waiting.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("an emulated bus does not keep anybody waiting"),
    }
}

#[test]
fn both_send_the_same_frames() {
    for (chip, row) in serial_chips() {
        let blocking = bus(chip.name);
        let mut memory = PAGES;
        let mut nand = open(&blocking, &with_ecc(), &mut memory).expect(row.name);
        assert_eq!(crate::bench::erase(&mut nand, 1), Ok(Completion::Erased));
        assert_eq!(program(&mut nand, at(1, 0)), Ok(Completion::Programmed));
        let first = read(&mut nand, at(1, 0)).expect("reads");

        let bus = bus(chip.name);
        let mut memory = PAGES;
        let found = run(async {
            let mut nand =
                AsyncSpiNand::new(bus.clone(), bus.delay(), &with_ecc(), &mut memory).await?;
            assert_eq!(nand.part().chip.name, row.name);
            let bytes = content(&blocking_of(row), at(1, 0));
            nand.buffer_mut(Buffer::First).copy_from_slice(&bytes);
            assert_eq!(nand.erase(at(1, 0).block).await?, Completion::Erased);
            assert_eq!(
                nand.program(at(1, 0), Buffer::First).await?,
                Completion::Programmed
            );
            nand.buffer_mut(Buffer::First).fill(0x5A);
            let whole = Columns::whole(nand.geometry());
            let read = nand.read(at(1, 0), whole, Buffer::First).await?;
            assert_eq!(nand.buffer(Buffer::First)[..2048], bytes[..2048]);
            Ok::<_, SpiNandError<_>>(read)
        });
        assert_eq!(found, Ok(first), "{}", row.name);
        assert!(matches!(first, Completion::Read(ReadStatus::Ok(_))));
        assert_eq!(bus.traffic(), blocking.traffic(), "{}", row.name);
        assert_eq!(bus.with_chip(|chip| chip.breaches().to_vec()), []);
    }
}

/// A part of the same shape, to ask for content.
fn blocking_of(row: &'static cuesta_hal::spi_nand::SpiNandChip) -> cuesta_sim::EmulatedNand {
    let (chip, _) = serial_chips()
        .find(|(_, found)| *found == row)
        .expect("in the table");
    cuesta_sim::Builder::new(chip).build()
}

#[test]
fn errors_and_deadlines_are_the_same() {
    let bus = bus("w25n01gv");
    bus.with_chip(|chip| chip.fault(0, ControllerFault::BusyUntilReset));
    bus.with_chip(|chip| chip.fault(2, ControllerFault::BrownOut));
    let mut memory = PAGES;
    run(async {
        let options = SpiNandOptions::default();
        let mut nand = AsyncSpiNand::new(bus.clone(), bus.delay(), &options, &mut memory)
            .await
            .expect("set up");
        let block = at(1, 0).block;
        assert_eq!(nand.erase(block).await, Err(SpiNandError::Timeout));
        assert_eq!(nand.erase(block).await, Ok(Completion::Erased));
        assert_eq!(nand.erase(block).await, Err(SpiNandError::Reset));
        assert_eq!(nand.erase(block).await, Ok(Completion::Erased));
        let beyond = nand.program(at(1024, 0), Buffer::First).await;
        assert_eq!(beyond, Err(SpiNandError::OutOfBounds));
    });
}

/// A future that is dropped while the part erases: the next operation waits for the end of that.
#[test]
fn an_abandoned_operation_is_waited_for() {
    let bus = bus("w25n01gv");
    let mut memory = PAGES;
    run(async {
        let options = SpiNandOptions::default();
        // A delay that never ends, so that the future can be dropped in the middle.
        let delay = Forever(bus.delay());
        let mut nand = AsyncSpiNand::new(bus.clone(), delay, &options, &mut memory)
            .await
            .expect("set up");
        {
            let mut erase = pin!(nand.erase(at(1, 0).block));
            let mut context = Context::from_waker(Waker::noop());
            assert!(erase.as_mut().poll(&mut context).is_pending());
        }
        bus.with_chip(|chip| chip.pass_ns(10_000_000));
        let bytes = [0xA7; 2112];
        nand.buffer_mut(Buffer::First).copy_from_slice(&bytes);
        let mut program = pin!(nand.program(at(1, 0), Buffer::First));
        let mut context = Context::from_waker(Waker::noop());
        // It got past the erase, and waits for itself.
        assert!(program.as_mut().poll(&mut context).is_pending());
    });
    bus.with_chip(|chip| {
        assert_eq!(chip.breaches(), []);
        assert_eq!(chip.nand().erase_count(at(1, 0).block), 1);
    });
}

struct Forever(cuesta_sim::spi_chip::ChipDelay<cuesta_sim::RamMedia>);

impl embedded_hal_async::delay::DelayNs for Forever {
    async fn delay_ns(&mut self, ns: u32) {
        // Short pauses belong to the setting up.
        match ns {
            ..=10_000 => embedded_hal_async::delay::DelayNs::delay_ns(&mut self.0, ns).await,
            _ => std::future::pending().await,
        }
    }
}
