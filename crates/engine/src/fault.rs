//! Where a test may end this process: before each change that it makes to a store.
//!
//! The program itself installs nothing here; then a change costs one atomic load beside its system
//! call. No environment variable and no setting reaches it.

use std::sync::OnceLock;

static HOOK: OnceLock<fn(&'static str)> = OnceLock::new();

/// Calls `hook` from now on before each change that this process makes to a store, with a word for
/// the change. For tests that end the process there.
///
/// # Panics
///
/// If there is a hook already.
pub fn before_each_change(hook: fn(&'static str)) {
    HOOK.set(hook).expect("one hook a process");
}

/// A change is about to be made.
pub(crate) fn point(change: &'static str) {
    if let Some(hook) = HOOK.get() {
        hook(change);
    }
}
