//! Ctrl-C, SIGTERM and SIGHUP: where something would be left behind, the run is asked to stop; everywhere
//! else it ends at once, as it always did.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Exit;
use crate::checkout::write::Interrupted;

/// Whether Ctrl-C is caught now.
static IS_CAUGHT: AtomicBool = AtomicBool::new(false);
/// Whether what it does was ever set.
static IS_WATCHED: OnceLock<()> = OnceLock::new();

/// Temporary folders that a run which ends at once is not to leave behind.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Has a temporary folder removed where the run ends at once.
pub(super) fn remove_at_the_end(folder: &Path) {
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    folders.push(folder.to_path_buf());
    drop(folders);
    catch();
    release();
}

fn remove_folders() {
    let folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    for folder in folders.iter() {
        // Nobody is left to be told.
        _ = std::fs::remove_dir_all(folder);
    }
}

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
            false => {
                remove_folders();
                std::process::exit(Exit::Interrupted.code())
            }
        });
    });
}

/// Has Ctrl-C end the process again: there is nothing that could be left behind.
pub(super) fn release() {
    IS_CAUGHT.store(false, Ordering::SeqCst);
}
