//! What keeps a part busy.

use super::controller_fault::ControllerFault;

/// What it is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Read { plane: usize },
    ParameterPage,
    Program,
    Erase,
    Reset,
}

/// What keeps the part busy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) task: Task,
    /// Not over before this.
    pub(super) until_ns: u64,
    /// The array has done its share.
    pub(super) is_settled: bool,
    pub(super) fault: Option<ControllerFault>,
}
