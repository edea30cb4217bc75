//! Proof under fire: disks that are used, cut, corrupted and worn out, judged by oracles that never ask the engine whether it is right.
//!
//! What a case is made of:
//! * [`rig`]: a formatted part and the memory of its volume; [`aged`]: one in the middle of its life;
//! * [`change`]: what a host does, drawn from a seed; [`driver`]: carries it out, several requests in flight; [`session`]: from the mount to
//!   the unmount; [`witness`]: takes every moment of it in which the power could have gone;
//! * [`model`]: what the disk may hold, before and after a cut; [`verdict`], [`oracle`]: hold the disk against it;
//! * [`tear`]: the ways in which a cut hits an operation; [`damage`]: media changed behind everyone's back;
//! * [`aftermath`]: what must hold from the first mount after a cut to the sessions that follow.

pub mod aftermath;
pub mod aged;
pub mod attempt;
pub mod change;
pub mod crash;
pub mod damage;
pub mod driver;
pub mod fuzz;
pub mod jobs;
pub mod model;
pub mod oracle;
pub mod report;
pub mod rig;
pub mod session;
pub mod soak;
pub mod subject;
pub mod tear;
pub mod verdict;
pub mod witness;
