//! Lists: every page, to the end, and nothing that is none.

use super::client::{digest, list, tags, target};
use super::server::{Asked, Reply, Server};

const HUNDRED: usize = 100;

/// Pages of a list with `Link`s as `link` spells them.
fn paged(link: impl Fn(&Asked, usize) -> Option<String> + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        let last = asked.at.split("last=").nth(1);
        let page: usize = last
            .and_then(|last| last.split('&').next()?.parse().ok())
            .unwrap_or(0);
        let reply = Reply::tags(&[&format!("t{page}a"), &format!("t{page}b")]);
        match link(asked, page) {
            Some(link) => reply.with("link", link),
            None => reply,
        }
    })
}

#[test]
fn the_link_is_followed_literally() {
    for link in [
        "</v2/acme/app/tags/list?n=1000&last={}>; rel=\"next\"",
        "<list?last={}>; rel=next",
        "<?last={}&opaque=%2F%3D>; rel=\"next\"",
        "<http://{host}/v2/acme/app/tags/list?last={}>; rel=\"next\"",
    ] {
        let server = paged(move |asked, page| {
            (page < 3).then(|| {
                let host = asked.header("host").expect("a host");
                link.replace("{}", &(page + 1).to_string())
                    .replace("{host}", host)
            })
        });
        let found = tags(&target(&server.host(), "acme/app")).expect(link);
        assert_eq!(found.len(), 8, "{link}");
        let paths = server.paths();
        assert_eq!(paths[0], "GET /v2/acme/app/tags/list?n=1000");
        assert_eq!(paths.len(), 4, "{paths:?}");
        if link.contains("opaque") {
            assert_eq!(paths[1], "GET /v2/acme/app/tags/list?last=1&opaque=%2F%3D");
        }
    }
}

/// What proxies make of an address in a `Link` (Nexus behind one, on a port of
/// its own; Artifactory).
#[test]
fn a_link_that_a_proxy_spoilt_is_followed_at_home() {
    for link in [
        "<http://localhost:8081/v2/acme/app/tags/list?n=1000&last={}>; rel=\"next\"",
        "<http://{host}/repository/docker/v2/acme/app/tags/list?n=1000&last={}>; rel=\"next\"",
        "<https://{host}/v2/acme/app/tags/list?last={}>; rel=\"next\"",
        "<http://127.0.0.1/v2/acme/app/tags/list?last={}>; rel=\"next\"",
        "<http://{host}:8443/v2/acme/app/tags/list?last={}>; rel=\"next\"",
        "</artifactory/api/docker/local/v2/acme/app/tags/list?last={}>; rel=\"next\"",
        "<//nexus.internal/v2/acme/app/tags/list?last={}>; rel=\"next\"",
    ] {
        let server = paged(move |asked, page| {
            (page < 3).then(|| {
                let host = asked.header("host").expect("a host");
                link.replace("{}", &(page + 1).to_string())
                    .replace("{host}", host)
            })
        });
        let found = tags(&target(&server.host(), "acme/app")).expect(link);
        assert_eq!(found.len(), 8, "{link}");
        let asked = server.asked();
        assert_eq!(asked.len(), 4, "{link}");
        assert!(
            asked
                .iter()
                .all(|asked| asked.path() == "/v2/acme/app/tags/list"),
            "{link}"
        );
    }
    // Without `last` it is the first page again, and with no query it is nothing.
    for (link, said) in [
        (
            "<http://localhost:8081/v2/acme/app/tags/list?n=1000>; rel=next",
            "lead back to an earlier one",
        ),
        (
            "<http://localhost:8081/v2/acme/app/tags/list>; rel=next",
            "to http://localhost:8081, and has no query",
        ),
    ] {
        let server = paged(move |_, _| Some(link.to_owned()));
        let error = tags(&target(&server.host(), "acme/app")).expect_err(link);
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Some registries refuse a large page rather than give a smaller one.
#[test]
fn a_page_that_is_too_large_is_asked_for_smaller() {
    let code = r#"{"errors":[{"code":"PAGINATION_NUMBER_INVALID","detail":{"n":1000}}]}"#;
    for (status, body) in [(413, ""), (413, "<html>"), (400, code), (422, code)] {
        for (most, asked) in [
            (100, &["?n=1000", "?n=100", "?last=a"][..]),
            (0, &["?n=1000", "?n=100", "", "?last=a"]),
        ] {
            let server = Server::start(move |asked| {
                let n = asked.at.split("?n=").nth(1);
                let n: usize = n.and_then(|n| n.parse().ok()).unwrap_or_default();
                match asked.at.contains("last=") {
                    true => Reply::tags(&["b"]),
                    false if n > most => Reply::new(status, body),
                    false => Reply::tags(&["a"]).with("link", "<?last=a>; rel=next"),
                }
            });
            let registries = oci_tags::registry::Registries::new(super::client::quick());
            let target = target(&server.host(), "acme/app");
            let listing = super::client::run(registries.tags(&target, super::client::LONG, &[]));
            assert_eq!(listing.expect("a list").into_tags(), ["a", "b"]);
            let list = "GET /v2/acme/app/tags/list";
            let expected: Vec<String> = asked.iter().map(|it| format!("{list}{it}")).collect();
            assert_eq!(server.paths(), expected, "{status}");
            // The host has said it once for all.
            let other = super::client::target(&server.host(), "acme/other");
            super::client::run(registries.tags(&other, super::client::LONG, &[])).expect("a list");
            assert_eq!(server.paths().len(), asked.len() + 2, "{status}");
        }
    }
    // Where it is not about the size, it is asked once.
    for (status, body) in [
        (400, r#"{"errors":[{"code":"NAME_INVALID"}]}"#),
        (403, code),
        (404, code),
    ] {
        let server = Server::start(move |_| Reply::new(status, body));
        tags(&target(&server.host(), "acme/app")).expect_err("refused");
        assert_eq!(server.paths().len(), 1, "{status}");
    }
    let server = Server::start(|_| Reply::new(413, ""));
    let error = tags(&target(&server.host(), "acme/app")).expect_err("refused");
    assert!(error.to_string().ends_with("answered 413"), "{error}");
    assert_eq!(server.paths().len(), 3);
    // A later page is the registry's own choice.
    let server = Server::start(|asked| match asked.at.contains("last=") {
        true => Reply::new(413, ""),
        false => Reply::tags(&["a"]).with("link", "<?last=a>; rel=next"),
    });
    tags(&target(&server.host(), "acme/app")).expect_err("half a list is none");
    assert_eq!(server.paths().len(), 2);
}

#[test]
fn a_short_or_empty_page_is_not_the_end() {
    let server = Server::start(|asked| match asked.at.split("last=").nth(1) {
        None => Reply::tags(&[]).with("link", "<?last=1>; rel=next"),
        Some("1") => Reply::tags(&["a"]).with("link", "<?last=2>; rel=next"),
        Some("2") => {
            Reply::new(200, r#"{"name":"x","tags":null}"#).with("link", "<?last=3>; rel=next")
        }
        _ => Reply::tags(&["b", "a", "A"]),
    });
    let found = tags(&target(&server.host(), "acme/app")).expect("a list");
    assert_eq!(found, ["A", "a", "b"], "sorted by bytes, each once");
}

#[test]
fn a_full_page_without_a_link_is_the_end() {
    let thousand: Vec<String> = (0..1000).map(|n| format!("v{n}")).collect();
    let server = Server::start(move |_| {
        Reply::tags(&thousand.iter().map(String::as_str).collect::<Vec<_>>())
    });
    assert_eq!(
        tags(&target(&server.host(), "acme/app"))
            .expect("a list")
            .len(),
        1000
    );
    assert_eq!(server.paths().len(), 1);
}

#[test]
fn what_is_no_tag_is_dropped_and_counted() {
    let long = "x".repeat(129);
    let server = Server::start(move |_| {
        Reply::tags(&[
            "ok", "", "a b", "a/b", "ä", &long, "1.0+x", "..", ".dot", "_under",
        ])
    });
    let listing = list(&target(&server.host(), "acme/app")).expect("a list");
    assert_eq!(listing.dropped(), 8);
    assert_eq!(listing.into_tags(), ["_under", "ok"]);
}

#[test]
fn no_tags_are_an_answer() {
    for body in [
        r#"{"name":"x","tags":null}"#,
        r#"{"name":"x","tags":[]}"#,
        r#"{"name":"x"}"#,
    ] {
        let server = Server::start(move |_| Reply::new(200, body));
        assert_eq!(
            tags(&target(&server.host(), "acme/app")).expect(body),
            [""; 0]
        );
    }
}

#[test]
fn the_content_type_says_nothing_and_the_body_all() {
    let server = Server::start(|_| {
        Reply::new(200, r#"{"name":"x","tags":["1"]}"#).with("content-type", "text/plain")
    });
    assert_eq!(
        tags(&target(&server.host(), "acme/app")).expect("a list"),
        ["1"]
    );
    for (body, kind, said) in [
        (
            "<html>Sign in</html>",
            "text/html; charset=utf-8",
            "`text/html`",
        ),
        ("<html>", "application/json", "`application/json`"),
        ("", "", "a body"),
        (r#"{"tags":[1]}"#, "application/json", "not a list of tags"),
        (r#"{"errors":[]}"#, "application/json", "not a list of tags"),
        ("[]", "application/json", "not a list of tags"),
        ("\u{0}", "x/\u{e9};[31m", "a body"),
    ] {
        let server = Server::start(move |_| Reply::new(200, body).with("content-type", kind));
        let error = tags(&target(&server.host(), "acme/app"))
            .expect_err(body)
            .to_string();
        assert!(error.contains("does not answer as a registry"), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn statuses_have_their_own_words() {
    for (status, body, said) in [
        (
            404,
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"x"}]}"#,
            "no such repository (404 NAME_UNKNOWN)",
        ),
        (
            403,
            r#"{"errors":[{"code":"DENIED"}]}"#,
            "403 DENIED: access without credentials is denied",
        ),
        (401, "", "401: access without credentials is denied"),
        (418, r#"{"errors":[{"code":"HUNTER2"}]}"#, "answered 418"),
        (204, "", "answered 204"),
    ] {
        let server = Server::start(move |_| Reply::new(status, body));
        let error = tags(&target(&server.host(), "acme/app"))
            .expect_err(said)
            .to_string();
        assert!(error.ends_with(said), "{error}");
    }
}

const DIGEST: &str = "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

#[test]
fn a_digest_is_asked_for_by_head() {
    let server = Server::start(|_| Reply::new(200, "").with("docker-content-digest", DIGEST));
    assert_eq!(
        digest(&target(&server.host(), "acme/app"), "1.0").as_deref(),
        Ok(DIGEST)
    );
    assert_eq!(server.paths(), ["HEAD /v2/acme/app/manifests/1.0"]);
    let asked = server.asked();
    let accept = asked[0].header("accept").expect("Accept");
    for kind in [
        "image.index.v1",
        "manifest.list.v2",
        "image.manifest.v1",
        "distribution.manifest.v2",
    ] {
        assert!(accept.contains(kind), "{accept}");
    }
}

/// A tag that the list has, whose manifest was deleted or never came.
#[test]
fn a_manifest_that_is_missing_is_said_to_be() {
    for (head, code, said) in [
        (
            404,
            "MANIFEST_UNKNOWN",
            "has no manifest for the tag `1.0` (404)",
        ),
        (
            405,
            "MANIFEST_UNKNOWN",
            "has no manifest for the tag `1.0` (404 MANIFEST_UNKNOWN)",
        ),
        (
            405,
            "NAME_UNKNOWN",
            "has no such repository (404 NAME_UNKNOWN)",
        ),
    ] {
        let body = format!(r#"{{"errors":[{{"code":"{code}"}}]}}"#);
        let server = Server::start(move |asked| match asked.method.as_str() {
            "HEAD" => Reply::new(head, ""),
            _ => Reply::new(404, body.clone()),
        });
        let error = digest(&target(&server.host(), "acme/app"), "1.0").expect_err(said);
        assert!(error.to_string().ends_with(said), "{error}");
    }
}

#[test]
fn where_head_tells_nothing_the_manifest_does() {
    for head in [200, 400, 405, 501] {
        let server = Server::start(move |asked| match asked.method.as_str() {
            "HEAD" => Reply::new(head, "").with("docker-content-digest", "sha256:nonsense"),
            _ => Reply::new(200, "{\"a\":1}"),
        });
        let digest = digest(&target(&server.host(), "acme/app"), "1.0").expect("a digest");
        // printf '{"a":1}' | sha256sum
        assert_eq!(
            digest,
            "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
        );
    }
}

#[test]
fn a_manifest_that_does_not_fit_its_digest_is_refused() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "HEAD" => Reply::new(405, ""),
        _ => Reply::new(200, "{\"a\":1}").with("docker-content-digest", DIGEST),
    });
    let error = digest(&target(&server.host(), "acme/app"), "1.0").expect_err("a lie");
    assert!(
        error.to_string().contains("does not match its digest"),
        "{error}"
    );
}

#[test]
fn a_page_that_has_not_changed_is_not_sent_again() {
    let server = Server::start(|asked| {
        if asked.header("if-none-match").is_some() {
            return Reply::new(304, "");
        }
        match asked.at.contains("last=") {
            false => Reply::tags(&["a"])
                .with("etag", "\"one\"")
                .with("link", "<?last=1>; rel=next"),
            true => Reply::tags(&["b"]).with("etag", "W/\"two\""),
        }
    });
    let target = target(&server.host(), "acme/app");
    let first = list(&target).expect("a list");
    let again = super::client::run(
        oci_tags::registry::Registries::new(super::client::quick()).tags(
            &target,
            super::client::LONG,
            &first.pages,
        ),
    );
    assert_eq!(again.as_ref(), Ok(&first));
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    assert_eq!(asked[2].header("if-none-match"), Some("\"one\""));
    assert_eq!(asked[3].header("if-none-match"), Some("W/\"two\""));
}

#[test]
fn lists_end() {
    // Round and round.
    let server = paged(|_, page| Some(format!("<?last={}>; rel=next", (page + 1) % 3)));
    let error = tags(&target(&server.host(), "acme/app")).expect_err("a cycle");
    assert!(
        error.to_string().contains("lead back to an earlier one"),
        "{error}"
    );
    // Ever new pages.
    let server = paged(|_, page| Some(format!("<?last={}>; rel=next", page + 1)));
    let error = tags(&target(&server.host(), "acme/app")).expect_err("1,001 pages");
    assert!(
        error.to_string().contains("more than 1,000 pages"),
        "{error}"
    );
    assert_eq!(server.paths().len(), 10 * HUNDRED);
    // Few pages of very many tags.
    let many: Vec<String> = (0..100_001).map(|n| format!("t{n}")).collect();
    let server = Server::start(move |asked| {
        let page: usize = asked
            .at
            .split("last=")
            .nth(1)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        Reply::tags(&many).with("link", format!("<?last={}>; rel=next", page + 1))
    });
    let error = tags(&target(&server.host(), "acme/app")).expect_err("a million");
    assert!(
        error.to_string().contains("more than 1,000,000 tags"),
        "{error}"
    );
    assert_eq!(server.paths().len(), 10);
    // One page without an end.
    let server = Server::start(|_| Reply::new(200, vec![b' '; (16 << 20) + 1]));
    let error = tags(&target(&server.host(), "acme/app")).expect_err("17 MiB");
    assert!(error.to_string().contains("more than 16 MiB"), "{error}");
}
