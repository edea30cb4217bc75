//! What only the tests across the crates of Cuesta need: hosts, gates and parts of another kind. The rigs are those of `cuesta_sim::campaign`.

pub mod foreign;
pub mod full;
pub mod gate;
pub mod host;
pub mod nor_part;
pub mod program;
pub mod recorded;
pub mod resource_contract;
pub mod tools;
