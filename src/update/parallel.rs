//! Work on a slice, shared among the cores, results in the slice's order.

use std::thread;

/// Shares smaller than this are not worth a thread.
const SMALLEST_SHARE: usize = 32;
const MAX_WORKERS: usize = 8;

/// `work` over shares of `items`, its results one after the other. A panic in a
/// share goes on in the caller.
pub fn map<T: Sync, R: Send>(items: &[T], work: &(impl Fn(&[T]) -> Vec<R> + Sync)) -> Vec<R> {
    let workers = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_WORKERS);
    let share = items.len().div_ceil(workers).max(SMALLEST_SHARE);
    if items.len() <= share {
        return work(items);
    }
    thread::scope(|scope| {
        let handles: Vec<_> = items
            .chunks(share)
            .map(|share| scope.spawn(move || work(share)))
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}
