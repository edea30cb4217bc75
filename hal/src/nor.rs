//! A NOR part as a NAND.
use crate::NandErrorKind;
/// x
pub struct NorNand<F> {
    _f: F,
}
/// x
pub type NorNandError = NandErrorKind;
