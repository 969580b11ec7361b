//! How much the patterns of one run may take when they are compiled.
//!
//! A pattern of fourteen bytes can take megabytes and a second, and a
//! repository can name hundreds. So what compiling makes is counted, in bytes
//! and not by a clock: the same documents always end the same way.

use super::COMPILED_SIZE_LIMIT;

/// What the patterns of a run may take in all when compiled, in bytes. Usual
/// ones take some ten thousand.
pub const RUN_LIMIT: usize = 512 << 20;

/// What is left for the patterns of a run.
#[derive(Clone, Debug)]
pub struct Budget {
    left: usize,
    compiled: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(RUN_LIMIT)
    }
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self {
            left: bytes,
            compiled: 0,
        }
    }

    /// How many patterns were compiled.
    #[must_use]
    pub fn compiled(&self) -> usize {
        self.compiled
    }

    /// What the next pattern may take, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.left.min(COMPILED_SIZE_LIMIT)
    }

    /// Counts a pattern that was compiled and takes so many bytes.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.compiled += 1;
    }
}
