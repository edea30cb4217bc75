//! Proof under fire: disks that are used, cut, corrupted and worn out, judged by oracles that never ask the engine whether it is right.
//!
//! What a case is made of:
//! * [`rig`]: a formatted part and the memory of its volume; [`aged`]: one in the middle of its life;
//! * [`change`]: what a host does, drawn from a seed; [`driver`]: carries it out, several requests in flight;
//! * [`model`]: what the disk may hold, before and after a cut; [`verdict`], [`oracle`]: hold the disk against it;
//! * [`tear`]: the ways in which a cut hits an operation; [`damage`]: media changed behind everyone's back;
//! * [`aftermath`]: what must hold from the first mount after a cut to the sessions that follow.

pub mod aftermath;
pub mod aged;
pub mod change;
pub mod damage;
pub mod driver;
pub mod model;
pub mod oracle;
pub mod rig;
pub mod tear;
pub mod verdict;
