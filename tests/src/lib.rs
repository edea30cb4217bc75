//! What is tested across the crates of Cuesta: rigs that hold a part, memory and a model together.

pub mod aftermath;
pub mod aged;
pub mod change;
pub mod damage;
pub mod driver;
pub mod full;
pub mod gate;
pub mod host;
pub mod model;
pub mod nor_part;
pub mod oracle;
pub mod rig;
pub mod tear;
pub mod verdict;
