//! Commands on an emulated part, typed and carried out; and what `cut` finds.

use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

use cuesta_application::ledger::{self, Kept};
use cuesta_application::{resume, run, Board, Failure, LineEditor, Room, Terminal};
use cuesta_hal::{BlockAddress, Buffer, Columns, Completion, Die, Geometry, Nand, PageAddress};
use cuesta_sim::EmulatedNand;

/// Most operations until a reset.
const OPERATIONS_MAX: u32 = 300;

/// What a reset of the processor is here: everything on the stack is gone, the part stays.
struct Reset;

thread_local! {
    /// Operations until the reset, if there is to be one.
    static OPERATIONS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// A part on a board that can be reset.
struct Part(EmulatedNand);

fn count_operation() {
    match OPERATIONS_LEFT.get() {
        None => {}
        Some(0) => {
            OPERATIONS_LEFT.set(None);
            resume_unwind(Box::new(Reset));
        }
        Some(left) => OPERATIONS_LEFT.set(Some(left - 1)),
    }
}

impl Nand for Part {
    type Error = <EmulatedNand as Nand>::Error;

    fn geometry(&self) -> &Geometry {
        self.0.geometry()
    }

    fn buffer(&self, die: Die, buffer: Buffer) -> &[u8] {
        self.0.buffer(die, buffer)
    }

    fn buffer_mut(&mut self, die: Die, buffer: Buffer) -> &mut [u8] {
        self.0.buffer_mut(die, buffer)
    }

    fn start_read(
        &mut self,
        page: PageAddress,
        columns: Columns,
        buffer: Buffer,
    ) -> Result<(), Self::Error> {
        count_operation();
        self.0.start_read(page, columns, buffer)
    }

    fn start_program(&mut self, page: PageAddress, buffer: Buffer) -> Result<(), Self::Error> {
        count_operation();
        self.0.start_program(page, buffer)
    }

    fn start_erase(&mut self, block: BlockAddress) -> Result<(), Self::Error> {
        count_operation();
        self.0.start_erase(block)
    }

    fn poll(&mut self, die: Die) -> nb::Result<Completion, Self::Error> {
        self.0.poll(die)
    }

    fn wait(&mut self) {
        self.0.wait();
    }
}

/// A board whose clock goes on by a microsecond each time.
struct TestBoard {
    us: u32,
    kept: &'static Kept,
}

impl TestBoard {
    fn new() -> Self {
        let kept = Box::leak(Box::new(ledger::blank()));
        Self { us: 0, kept }
    }
}

impl Board for TestBoard {
    fn now_us(&mut self) -> u32 {
        self.us += 1;
        self.us
    }

    fn reset_soon(&mut self, draw: u32) {
        OPERATIONS_LEFT.set(Some(draw % OPERATIONS_MAX));
    }

    fn kept(&self) -> &'static Kept {
        self.kept
    }
}

/// A line on a part; what it tells.
fn told(part: &mut Part, board: &mut TestBoard, line: &str) -> Result<String, String> {
    let mut told = String::new();
    let mut room = Box::new(Room::new());
    run(part, &mut room, board, line, &mut told)
        .map(|()| told)
        .map_err(|failure| failure.to_string())
}

fn formatted() -> (Part, TestBoard) {
    let mut part = Part(EmulatedNand::of("w25n01gv").unwrap());
    let mut board = TestBoard::new();
    told(&mut part, &mut board, "format 1").unwrap();
    (part, board)
}

/// True when what was done was ended by a reset; what was in flight has ended by itself then.
fn is_reset(part: &mut Part, act: impl FnOnce(&mut Part)) -> bool {
    let ended = catch_unwind(AssertUnwindSafe(|| act(part)));
    while part.poll(Die(0)).is_ok() {}
    match ended {
        Ok(()) => false,
        Err(what) if what.is::<Reset>() => true,
        Err(what) => resume_unwind(what),
    }
}

/// Goes on after resets until `cut` has come to its end.
fn until_the_end(part: &mut Part, board: &mut TestBoard) -> (Result<bool, String>, String) {
    let mut told = String::new();
    loop {
        let mut ended = Err(String::new());
        let reset = is_reset(part, |part| {
            let mut room = Box::new(Room::new());
            ended =
                resume(part, &mut room, board, &mut told).map_err(|failure| failure.to_string());
        });
        if !reset {
            return (ended, told);
        }
    }
}

#[test]
fn cut_counts_its_resets_and_finds_everything_there() {
    let (mut part, mut board) = formatted();
    assert!(is_reset(&mut part, |part| {
        told(part, &mut board, "cut 200 5").unwrap();
    }));
    let (ended, told) = until_the_end(&mut part, &mut board);
    assert_eq!(ended, Ok(true));
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("reset 200 of 200: all of "), "{last}");
    // Some resets came before there was anything to tell.
    assert!((100..200).contains(&told.lines().count()));
    assert_eq!(until_the_end(&mut part, &mut board).0, Ok(false));
}

#[test]
fn cut_finds_what_is_not_there() {
    let (mut part, mut board) = formatted();
    assert!(is_reset(&mut part, |part| {
        told(part, &mut board, "cut 10 5").unwrap();
    }));
    let forged = "write 0 40 4000000";
    told(&mut part, &mut TestBoard::new(), forged).unwrap();
    let (ended, _) = until_the_end(&mut part, &mut board);
    assert!(ended
        .unwrap_err()
        .starts_with("sector 0 reads 4000000 after the reset; "));
    assert_eq!(
        until_the_end(&mut part, &mut board).0,
        Ok(false),
        "it is over"
    );
}

#[test]
fn what_a_board_forgets_is_not_gone_on_with() {
    let (mut part, mut board) = formatted();
    assert!(is_reset(&mut part, |part| {
        told(part, &mut board, "cut 10 5").unwrap();
    }));
    ledger::forget(board.kept);
    assert_eq!(until_the_end(&mut part, &mut board).0, Ok(false));
}

#[test]
fn bench_times_every_request_and_leaves_sectors_that_can_be_read() {
    let (mut part, mut board) = formatted();
    let told = told(&mut part, &mut board, "bench 5;read 0 5;wear").unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines[0],
        "write in order: 5 sectors in 5 us, 2048000 kB/s, 1 us each, 1 us at most"
    );
    assert!(lines[3].starts_with("read at random: 5 sectors in 5 us"));
    assert!(lines[4].starts_with("sector 0 "));
    assert!(lines[9].ends_with(" segments"));
    let segments = |line: &&str| -> u32 {
        let words: Vec<_> = line.split(' ').collect();
        words[words.len() - 2].parse().unwrap()
    };
    let bars = &lines[9..lines.len() - 1];
    assert_eq!(bars.iter().map(segments).sum::<u32>(), 1024);
}

#[test]
fn a_line_that_cannot_be_read_says_what_there_is() {
    let (mut part, mut board) = formatted();
    let unknown = told(&mut part, &mut board, "fromat 1").unwrap_err();
    assert!(unknown.starts_with("\"fromat\" is no command; there are info, format,"));
    let few = told(&mut part, &mut board, "cut 1").unwrap_err();
    assert_eq!(few, "cut takes 2 numbers");
    let nothing = told(&mut part, &mut board, "bench 0;bench 70000");
    assert!(nothing.is_err(), "{nothing:?}");
    assert!(matches!(
        run(
            &mut part,
            &mut Room::new(),
            &mut board,
            "x",
            &mut String::new()
        ),
        Err(Failure::Command(_))
    ));
}

#[test]
fn a_terminal_shows_what_is_typed_and_what_is_taken_back() {
    let mut editor = LineEditor::new();
    let mut shown = Terminal(String::new());
    let mut lines = Vec::new();
    for byte in *b"infx\x7fo\r\r\x1b[\x08\x08\x08write\x03\xFF read\n" {
        lines.extend(editor.push(byte, &mut shown).unwrap().map(String::from));
    }
    assert_eq!(lines, ["info", "", " read"]);
    assert_eq!(
        shown.0,
        "infx\u{8} \u{8}o\r\n\r\n[\u{8} \u{8}write\r\n>  read\r\n"
    );
    for _ in 0..500 {
        assert_eq!(editor.push(b'a', &mut shown), Ok(None));
    }
    let line = editor.push(b'\n', &mut shown).unwrap().unwrap();
    assert_eq!(line.len(), cuesta_application::LINE_BYTES);
}
