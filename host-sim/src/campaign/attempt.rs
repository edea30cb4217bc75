//! Cases that may fail: the engine, the referee or an oracle panics, and the campaign goes on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static ATTEMPTING: Cell<bool> = const { Cell::new(false) };
    /// What the panic of this thread's attempt said, with its place.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Keeps what a panic within an attempt says; all others are told as before.
fn listen() {
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if ATTEMPTING.get() {
                SAID.set(Some(panic.to_string()));
            } else {
                others(panic);
            }
        }));
    });
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// Runs a case.
///
/// # Errors
/// What it said when it panicked.
pub fn attempt<T>(case: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    ATTEMPTING.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(case));
    ATTEMPTING.set(false);
    result.map_err(|cause| SAID.take().unwrap_or_else(|| message(&*cause)))
}

#[cfg(test)]
mod tests {
    use super::attempt;

    #[test]
    fn a_case_that_panics_says_what_and_where_and_others_go_on() {
        let said = attempt(|| panic!("number {}", 7)).unwrap_err();
        assert!(
            said.contains("number 7") && said.contains("attempt.rs"),
            "{said}"
        );
        assert_eq!(attempt(|| 3), Ok(3));
    }
}
