//! What is tested across the crates of Cuesta: rigs that hold a part, memory and a model together.

pub mod model;
pub mod rig;
