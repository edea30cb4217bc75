//! Feature registers over a wire that may flip a bit now and then.

use super::frame::Frame;
use super::wire::Wire;

/// Readings of a register before the last one is believed.
const READINGS_MAX: u32 = 6;

/// Reads a register once.
pub(super) async fn get<W: Wire>(wire: &mut W, register: u8) -> Result<u8, W::Error> {
    let mut answer = [0xFF];
    wire.read(Frame::get_feature(register), &mut answer).await?;
    let [value] = answer;
    Ok(value)
}

/// Reads a register until two readings in a row agree.
pub(super) async fn get_agreed<W: Wire>(wire: &mut W, register: u8) -> Result<u8, W::Error> {
    let mut value = get(wire, register).await?;
    for _ in 1..READINGS_MAX {
        let again = get(wire, register).await?;
        if again == value {
            break;
        }
        value = again;
    }
    Ok(value)
}

/// Writes a register and reads it back, up to three times. Gives what it reads in the end.
pub(super) async fn set<W: Wire>(wire: &mut W, register: u8, value: u8) -> Result<u8, W::Error> {
    let mut found = !value;
    for _ in 0..3 {
        wire.write(Frame::set_feature(register, value), &[]).await?;
        found = get_agreed(wire, register).await?;
        if found == value {
            break;
        }
    }
    Ok(found)
}
