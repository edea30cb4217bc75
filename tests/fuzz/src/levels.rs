//! Levels as text: what is read is printed so that it is read as the same.

use cuesta::codec::Ecc;
use cuesta::volume::Level;

use crate::input::Input;

/// The first byte chooses the code of a level that names none, all others are the text.
pub fn levels(data: &[u8]) {
    let mut input = Input(data);
    let ecc = input.of(&Ecc::ALL);
    let text = String::from_utf8_lossy(input.rest());
    match Level::parse(&text, ecc) {
        Ok(level) => is_printed_as_it_is(level),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match Level::parse_unnamed(&text, ecc) {
        Ok(level) => {
            assert_eq!(level.name(), Level::plain(ecc).name());
            is_printed_as_it_is(level);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Whatever code is the default when it is read again.
fn is_printed_as_it_is(level: Level) {
    assert!(level.redundancy.is_possible());
    assert_eq!(
        Level::new(level.name(), level.ecc, level.redundancy),
        Some(level)
    );
    let text = level.to_string();
    for ecc in Ecc::ALL {
        assert_eq!(Level::parse(&text, ecc), Ok(level));
    }
    // An unnamed level is what stands behind the name.
    if let Some((_, words)) = text.split_once('=') {
        let unnamed = Level::parse_unnamed(words, level.ecc);
        assert_eq!(
            unnamed.map(|found| (found.ecc, found.redundancy)),
            Ok((level.ecc, level.redundancy))
        );
    }
}
