//! The cache and the execution of requests at persistence levels, through the doors. Names carry the number of the feature that they show.

mod faults;
mod levels;
mod model;
mod nand;
mod pages;
mod policy;
mod quick;
mod repage;
mod restart;
mod rig;
mod snapshots;
mod storm;
mod whole;
mod writes;
