//! Ctrl-C, SIGTERM and SIGHUP: where something would be left behind, the run is asked to stop; everywhere
//! else it ends at once, as it always did.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Exit;
use crate::checkout::write::Interrupted;

/// Whether Ctrl-C is caught now.
static IS_CAUGHT: AtomicBool = AtomicBool::new(false);
/// Whether what it does was ever set.
static IS_WATCHED: OnceLock<()> = OnceLock::new();

/// What Ctrl-C sets while it is caught.
pub(super) fn flag() -> Interrupted {
    static INTERRUPTED: OnceLock<Interrupted> = OnceLock::new();
    Interrupted::clone(INTERRUPTED.get_or_init(Interrupted::default))
}

/// Has Ctrl-C set the flag from now on.
pub(super) fn catch() {
    IS_CAUGHT.store(true, Ordering::SeqCst);
    IS_WATCHED.get_or_init(|| {
        let set = flag();
        // Where no handler can be set, Ctrl-C ends the process as it always did.
        _ = ctrlc::set_handler(move || match IS_CAUGHT.load(Ordering::SeqCst) {
            true => set.store(true, Ordering::Relaxed),
            false => std::process::exit(Exit::Interrupted.code()),
        });
    });
}

/// Has Ctrl-C end the process again: there is nothing that could be left behind.
pub(super) fn release() {
    IS_CAUGHT.store(false, Ordering::SeqCst);
}
