//! What is asked again, and when it is given up.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use oci_tags::registry::{Registries, RegistryError};

use super::client::{LONG, list, list_all, quick, run, tags, target};
use super::server::{Reply, Server};

/// A server that fails `n` times and then answers.
fn failing(n: usize, fail: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |_| {
        if count.fetch_add(1, Ordering::Relaxed) < n {
            fail()
        } else {
            Reply::tags(&["1.0.0"])
        }
    })
}

#[test]
fn passing_trouble_is_waited_out() {
    for status in [408, 429, 500, 502, 503, 504] {
        let server = failing(3, move || Reply::new(status, "busy"));
        let found = tags(&target(&server.host(), "acme/app"));
        assert_eq!(found.expect("a list"), ["1.0.0"], "{status}");
        assert_eq!(server.paths().len(), 4);
    }
    let server = failing(2, || Reply::Close);
    assert_eq!(
        tags(&target(&server.host(), "acme/app")).expect("a list"),
        ["1.0.0"]
    );
}

#[test]
fn lasting_trouble_is_not() {
    for status in [400, 403, 404, 405, 501] {
        let server = failing(3, move || Reply::new(status, ""));
        tags(&target(&server.host(), "acme/app")).expect_err("refused");
        assert_eq!(server.paths().len(), 1, "{status}");
    }
    let server = failing(99, || Reply::new(503, ""));
    let error = tags(&target(&server.host(), "acme/app")).expect_err("down");
    assert!(
        matches!(error, RegistryError::Status { status: 503, .. }),
        "{error}"
    );
    assert_eq!(server.paths().len(), 6);
}

#[test]
fn retry_after_is_honoured_or_said() {
    let server = failing(1, || Reply::new(429, "").with("retry-after", "1"));
    let before = std::time::Instant::now();
    tags(&target(&server.host(), "acme/app")).expect("a list");
    assert!(before.elapsed() >= Duration::from_secs(1));

    // A date that has passed is no wait, and nonsense is as if unsaid.
    for header in ["Sun, 06 Nov 1994 08:49:37 GMT", "soon"] {
        let server = failing(1, move || Reply::new(503, "").with("retry-after", header));
        tags(&target(&server.host(), "acme/app")).expect("a list");
    }

    // More patience than there is time for is said at once.
    let server = failing(1, || Reply::new(429, "").with("retry-after", "3600"));
    let error = tags(&target(&server.host(), "acme/app")).expect_err("an hour");
    assert!(
        error.to_string().ends_with("asks clients to wait 3600 s"),
        "{error}"
    );
    assert_eq!(server.paths().len(), 1);
}

#[test]
fn the_deadline_ends_everything() {
    let within = Duration::from_millis(300);
    for reply in [
        || Reply::Hang(Duration::from_secs(5)),
        || Reply::new(503, ""),
        || Reply::Close,
    ] {
        let server = Server::start(move |_| reply());
        let limits = oci_tags::registry::Limits {
            backoff: Duration::from_millis(200),
            ..quick()
        };
        let before = std::time::Instant::now();
        let result =
            run(Registries::new(limits).tags(&target(&server.host(), "acme/app"), within, &[]));
        result.expect_err("no list");
        assert!(before.elapsed() < Duration::from_secs(3));
    }
}

/// Three hundred repositories of a host that is down are not three hundred
/// times the wait.
#[test]
fn a_dead_host_is_asked_once() {
    let server = Server::start(|_| Reply::Close);
    let registries = Registries::new(quick());
    let targets: Vec<_> = (0..5)
        .map(|n| target(&server.host(), &format!("acme/app{n}")))
        .collect();
    run(async {
        for target in &targets {
            registries.tags(target, LONG, &[]).await.expect_err("down");
        }
    });
    // Six attempts, each by TLS and in the clear.
    assert_eq!(server.connections(), 12);
}

/// A repository whose list drips, or whose document has no patience, is no
/// neighbour's trouble.
#[test]
fn one_slow_repository_is_its_own_trouble() {
    let within = Duration::from_secs(2);
    let server = Server::start(|asked| match asked.path() {
        "/v2/acme/slow/tags/list" => Reply::Drip(Duration::from_millis(20)),
        _ => Reply::tags(&["1.0.0"]),
    });
    let slow = target(&server.host(), "acme/slow");
    let neighbour = target(&server.host(), "acme/app");
    let registries = std::sync::Arc::new(Registries::new(quick()));
    run(async {
        let first = std::sync::Arc::clone(&registries);
        let dripping = tokio::spawn(async move { first.tags(&slow, within, &[]).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let second = registries.tags(&neighbour, Duration::from_secs(1), &[]);
        second.await.expect("a list");
        dripping.await.expect("no panic").expect_err("no list");
    });

    // The first gives up before the host has said a word.
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::Hang(Duration::from_secs(2)),
        _ => Reply::tags(&["1.0.0"]),
    });
    let registries = Registries::new(quick());
    let target = target(&server.host(), "acme/app");
    run(async {
        let hasty = registries.tags(&target, Duration::from_secs(1), &[]);
        hasty.await.expect_err("no list");
        let same = registries.tags(&target, Duration::from_secs(1), &[]);
        let error = same.await.expect_err("one wait is enough");
        assert!(error.to_string().contains("an earlier request"), "{error}");
        let patient = registries.tags(&target, LONG, &[]);
        patient.await.expect("a list");
    });
}

/// At most eight requests at a host at a time.
#[test]
fn a_host_is_not_overrun() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: Mutex<usize> = Mutex::new(0);
    let server = Server::start(|_| {
        let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
        {
            let mut most = MOST.lock().expect("unpoisoned");
            *most = now.max(*most);
        }
        std::thread::sleep(Duration::from_millis(20));
        NOW.fetch_sub(1, Ordering::SeqCst);
        Reply::tags(&["1"])
    });
    list_all((0..40).map(|n| target(&server.host(), &format!("acme/app{n}"))));
    let most = *MOST.lock().expect("unpoisoned");
    assert!((2..=8).contains(&most), "{most}");
    // Forty lists, and one failed handshake.
    assert_eq!(server.paths().len(), 40);
}

#[test]
fn a_port_that_nobody_has_is_an_error() {
    let error = list(&target("127.0.0.1:1", "acme/app")).expect_err("nobody there");
    assert!(
        matches!(error, RegistryError::Unreachable { .. }),
        "{error}"
    );
}

/// At most thirty-two in all.
#[test]
fn nobody_else_is_overrun_either() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let start = |_| {
        Server::start(|_| {
            let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
            MOST.fetch_max(now, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(100));
            NOW.fetch_sub(1, Ordering::SeqCst);
            Reply::tags(&["1"])
        })
    };
    let servers: Vec<Server> = (0..48).map(start).collect();
    list_all(
        servers
            .iter()
            .map(|server| target(&server.host(), "acme/app")),
    );
    let most = MOST.load(Ordering::SeqCst);
    assert!((9..=32).contains(&most), "{most}");
}
