//! Counted work, so that a test can see what grows with the square of its
//! input: whoever scans a stretch of a text, or looks through a list, counts it.
//! A clock would tell the same less surely. Only builds with debug assertions
//! count; in a release there is nothing of it.

#[cfg(debug_assertions)]
static COUNTED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Counts so many bytes or elements that were looked at.
#[inline]
pub fn count(steps: usize) {
    #[cfg(debug_assertions)]
    COUNTED.fetch_add(steps as u64, std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(debug_assertions))]
    let _ = steps;
}

/// All that was counted by this process; 0 where nothing counts.
#[must_use]
pub fn counted() -> u64 {
    #[cfg(debug_assertions)]
    return COUNTED.load(std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(debug_assertions))]
    0
}
