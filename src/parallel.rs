//! Work spread over the cores, results in order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Chunks smaller than this are not worth a thread.
const SMALLEST_CHUNK: usize = 32;
const MAX_WORKERS: usize = 8;

/// How many threads work at once.
#[must_use]
pub(crate) fn workers() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_WORKERS)
}

/// `work` over chunks of `items`, its results one after the other. A panic in a
/// chunk goes on in the caller.
pub(crate) fn map<'i, T: Sync, R: Send>(
    items: &'i [T],
    work: &(impl Fn(&'i [T]) -> Vec<R> + Sync),
) -> Vec<R> {
    let chunk = items.len().div_ceil(workers()).max(SMALLEST_CHUNK);
    if items.len() <= chunk {
        return work(items);
    }
    let chunks: Vec<&'i [T]> = items.chunks(chunk).collect();
    each(&chunks, &|chunk| work(chunk))
        .into_iter()
        .flatten()
        .collect()
}

/// `work` on each of `items`, on every core.
pub(crate) fn for_each<'i, T: Sync>(items: &'i [T], work: &(impl Fn(&'i T) + Sync)) {
    let chunk = |chunk: &'i [T]| -> Vec<()> {
        chunk.iter().for_each(work);
        Vec::new()
    };
    map(items, &chunk);
}

/// `work` on each of `items`, on every core, each core taking the next one that is
/// left. For few items that take long.
pub(crate) fn queue<T: Sync, R: Send>(items: &[T], work: &(impl Fn(&T) -> R + Sync)) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let one = |_: &usize| {
        let mut done = Vec::new();
        while let Some((number, item)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            items.get(number).map(|item| (number, item))
        } {
            done.push((number, work(item)));
        }
        done
    };
    let count = workers().min(items.len());
    let mut done: Vec<(usize, R)> = each(&(0..count).collect::<Vec<_>>(), &one)
        .into_iter()
        .flatten()
        .collect();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Both at the same time, the second in this thread. A panic goes on in the
/// caller.
pub(crate) fn both<A: Send, B>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B,
) -> (A, B) {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        let first = first
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (first, second)
    })
}

/// `work` on each of `items` in a thread of its own. A panic goes on in the
/// caller.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: &(impl Fn(&T) -> R + Sync)) -> Vec<R> {
    thread::scope(|scope| {
        let handles: Vec<_> = items
            .iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        handles
            .into_iter()
            .map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}
