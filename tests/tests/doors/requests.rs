//! Traces, and what they leave.

use cuesta_sim::SplitMix64;

/// What a host does. A sector is filled with one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A sector is written.
    Write(u32, u8),
    /// So many sectors from one on are trimmed.
    Trim(u32, u32),
    /// What was done before is durable.
    Flush,
    /// So many sectors from one on are written at once.
    Batch(u32, u32, u8),
    /// There is time.
    Idle,
    /// The power goes, and comes back. What was done before was flushed.
    Cut,
    /// The session ends, and another one begins.
    Remount,
}

/// The byte of each sector, if it was written.
pub type State = Vec<Option<u8>>;

/// Writes and flushes: what every door knows.
pub fn writes(seed: u64, sectors: u32, count: u32) -> Vec<Request> {
    let mut random = SplitMix64::derive(seed, 1);
    let sector = |random: &mut SplitMix64| random.below(sectors.into()) as u32;
    let mut trace: Vec<Request> = (0..count)
        .map(|_| match random.below(20) {
            0 => Request::Flush,
            _ => Request::Write(sector(&mut random), 1 + random.below(255) as u8),
        })
        .collect();
    trace.push(Request::Flush);
    trace
}

/// Everything that a volume can be asked for.
pub fn mixture(seed: u64, sectors: u32, count: u32) -> Vec<Request> {
    let mut random = SplitMix64::derive(seed, 2);
    let mut trace = Vec::new();
    for _ in 0..count {
        let few = 1 + random.below(4) as u32;
        let first = random.below(u64::from(sectors - few)) as u32;
        let byte = 1 + random.below(255) as u8;
        match random.below(40) {
            0..=27 => trace.push(Request::Write(first, byte)),
            28..=31 => trace.push(Request::Trim(first, few)),
            32..=34 => trace.push(Request::Batch(first, few, byte)),
            35..=36 => trace.push(Request::Flush),
            37 => trace.push(Request::Idle),
            38 => trace.extend([Request::Flush, Request::Cut]),
            _ => trace.push(Request::Remount),
        }
    }
    // There is at least one.
    trace.extend([Request::Flush, Request::Cut]);
    trace
}

/// What a trace leaves.
pub fn outcome(trace: &[Request], sectors: u32) -> State {
    let mut state = vec![None; sectors as usize];
    let range = |first: u32, count: u32| first as usize..(first + count) as usize;
    for &request in trace {
        match request {
            Request::Write(sector, byte) => state[sector as usize] = Some(byte),
            Request::Trim(first, count) => state[range(first, count)].fill(None),
            Request::Batch(first, count, byte) => state[range(first, count)].fill(Some(byte)),
            Request::Flush | Request::Idle | Request::Cut | Request::Remount => {}
        }
    }
    state
}

/// The byte that a sector is filled with; nothing for zeros, which no trace writes.
pub fn filled(sector: &[u8]) -> Option<u8> {
    let byte = sector[0];
    assert!(sector.iter().all(|&other| other == byte), "{sector:x?}");
    (byte != 0).then_some(byte)
}
