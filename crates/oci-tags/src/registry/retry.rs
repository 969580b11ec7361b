//! What is tried again, and when. Pure: times and chance are passed in.

use std::time::{Duration, SystemTime};

/// Requests for one answer, the first included.
pub(super) const ATTEMPTS: u32 = 6;
/// A registry may ask for this much patience at most.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whether an answer of this status is worth asking for again.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long to wait before the attempt after `attempt` (from 1): doubling from
/// `base`, at most ten seconds, of which `chance` (0 to 1) takes off up to
/// half.
pub(super) fn backoff(base: Duration, attempt: u32, chance: f64) -> Duration {
    const MOST: Duration = Duration::from_secs(10);
    let full = base.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    full.min(MOST).mul_f64(1.0 - chance / 2.0)
}

/// What `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date. A date
/// that has passed is no wait; what cannot be read is none asked for.
pub(super) fn after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(header).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        let base = Duration::from_millis(200);
        let full: Vec<u128> = (1..=8).map(|n| backoff(base, n, 0.0).as_millis()).collect();
        assert_eq!(full, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff(base, 1, 1.0).as_millis(), 100);
        assert_eq!(backoff(base, u32::MAX, 0.0).as_millis(), 10_000);
    }

    #[test]
    fn retry_after() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(
                after(header, now).map(|wait| wait.as_secs()),
                seconds,
                "{header}"
            );
        }
    }
}
