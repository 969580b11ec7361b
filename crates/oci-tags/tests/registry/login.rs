//! Challenges and tokens.

use std::sync::atomic::{AtomicUsize, Ordering};

use oci_tags::login::{Credential, Secret};
use oci_tags::registry::{Registries, RegistryError};

use super::client::{
    LONG, PASSWORD, by, list_all, own, quick, run, tags, target, with, with_password,
};
use super::server::{Asked, Reply, Server, identity};

/// printf 'alice:hunter2-s3cret' | base64
const BASIC: &str = "Basic YWxpY2U6aHVudGVyMi1zM2NyZXQ=";

/// A registry with its own token server under `/token`.
fn with_tokens(token: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |asked| {
        if asked.path() == "/token" {
            return token(asked, count.fetch_add(1, Ordering::Relaxed));
        }
        match asked.header("authorization") {
            Some("Bearer good") => Reply::tags(&["1.0.0"]),
            _ => Reply::bearer(&format!(
                "http://{}/token",
                asked.header("host").expect("a host")
            )),
        }
    })
}

#[test]
fn a_token_is_asked_for_with_the_password() {
    for body in [
        r#"{"token":"good"}"#,
        r#"{"access_token":"good"}"#,
        r#"{"token":"","access_token":"good"}"#,
        r#"{"token":"good","access_token":"other","expires_in":300}"#,
    ] {
        let server = with_tokens(move |_, _| Reply::new(200, body));
        assert_eq!(
            tags(&with_password(target(&server.host(), "acme/app"))).expect(body),
            ["1.0.0"]
        );
        assert_eq!(
            server.paths(),
            [
                "GET /v2/acme/app/tags/list?n=1000",
                "GET /token?scope=repository%3Aacme%2Fapp%3Apull&service=test",
                "GET /v2/acme/app/tags/list?n=1000",
            ]
        );
        let asked = server.asked();
        assert_eq!(
            asked[0].header("authorization"),
            None,
            "nothing before the challenge"
        );
        assert_eq!(asked[1].header("authorization"), Some(BASIC));
    }
}

/// Azure wants `metadata_read` for a list, and says so: at once, or to who comes
/// with a token to pull.
#[test]
fn what_a_registry_wants_for_reading_is_asked_for() {
    let own = "repository%3Aacme%2Fapp%3A";
    for (first, then, last) in [
        (
            "repository:acme/app:metadata_read",
            "repository:acme/app:metadata_read",
            true,
        ),
        (
            "repository:acme/app:pull",
            "repository:acme/app:metadata_read",
            true,
        ),
        ("repository:acme/app:metadata_read,pull,push", "", true),
        ("repository:acme/app:delete", "repository:acme/app:*", false),
        (
            "repository:acme/secret:metadata_read",
            "registry:catalog:*",
            false,
        ),
    ] {
        let server = Server::start(move |asked| {
            if asked.path() == "/token" {
                let token = match asked.at.contains("%3Ametadata_read") {
                    true => "both",
                    false => "pull",
                };
                return Reply::new(200, format!("{{\"token\":\"{token}\"}}"));
            }
            let scope = match asked.header("authorization") {
                Some("Bearer both") => return Reply::tags(&["1.0.0"]),
                Some(_) => then,
                None => first,
            };
            let realm = format!("http://{}/token", asked.header("host").expect("a host"));
            Reply::new(401, "").with(
                "www-authenticate",
                format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"{scope}\""),
            )
        });
        let found = tags(&with_password(target(&server.host(), "acme/app")));
        assert_eq!(found.is_ok(), last, "{first} {found:?}");
        let paths = server.paths();
        let tokens: Vec<&String> = paths.iter().filter(|it| it.contains("/token")).collect();
        for token in &tokens {
            assert!(token.contains(&format!("scope={own}pull")), "{token}");
            for bad in ["push", "delete", "secret", "catalog", "*"] {
                assert!(!token.contains(bad), "{token}");
            }
        }
        if last {
            assert!(tokens[tokens.len() - 1].contains(&format!("scope={own}metadata_read")));
        }
    }
}

/// One repository's odd challenge is its own trouble: its neighbours on the host
/// ask as if they were alone.
#[test]
fn an_odd_challenge_is_no_neighbours_trouble() {
    for odd in [
        "Bearer realm=\"http://169.254.169.254/token\"",
        "Bearer realm=\"http://{}/token?odd=404\"",
        "Bearer realm=\"http://{}/token?odd=401\"",
        "Bearer realm=\"http://{}/token?odd=200\"",
        "Bearer realm=\"http://{}/token?odd=403\"",
        "Bearer realm=\"::::\"",
        "Bearer realm=\"https://127.0.0.1:1/token\"",
        "Basic realm=\"x\"",
    ] {
        let server = Server::start(move |asked| {
            let host = asked.header("host").expect("a host");
            let sent = asked.header("authorization").unwrap_or_default();
            match asked.path() {
                "/token" if asked.at.contains("odd=404") => Reply::new(404, ""),
                "/token" if asked.at.contains("odd=401") => Reply::new(401, ""),
                "/token" if asked.at.contains("odd") => Reply::new(200, r#"{"token":"odd"}"#),
                "/token" => Reply::new(200, r#"{"token":"good"}"#),
                "/v2/acme/app/tags/list" if sent == "Bearer good" => Reply::tags(&["1.0.0"]),
                "/v2/acme/app/tags/list" if sent == "Bearer odd" && odd.contains("403") => {
                    Reply::new(403, "")
                }
                "/v2/acme/app/tags/list" => Reply::bearer(&format!("http://{host}/token")),
                _ => Reply::new(401, "").with("www-authenticate", odd.replace("{}", host)),
            }
        });
        let registries = Registries::new(quick());
        run(async {
            for _ in 0..2 {
                let strange = with_password(target(&server.host(), "acme/odd"));
                let asked = registries.tags(&strange, LONG, &[]).await;
                asked.expect_err("odd");
                let plain = with_password(target(&server.host(), "acme/app"));
                let found = registries.tags(&plain, LONG, &[]).await;
                assert_eq!(found.expect(odd).into_tags(), ["1.0.0"], "{odd}");
            }
        });
    }
}

/// Who asked first and was told to wait hears late: what others have learned of
/// the host meanwhile stays.
#[test]
fn a_late_answer_forgets_no_challenge() {
    for late in [
        || Reply::tags(&["1.0.0"]),
        || Reply::new(404, ""),
        || Reply::new(401, ""),
    ] {
        let firsts = AtomicUsize::new(0);
        let logins = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&logins);
        let server = Server::start(move |asked| {
            let host = asked.header("host").expect("a host");
            match (asked.path(), asked.header("authorization")) {
                ("/token", _) => Reply::new(200, r#"{"token":"good"}"#),
                ("/v2/acme/first/tags/list", _) => {
                    if firsts.fetch_add(1, Ordering::SeqCst) == 0 {
                        return Reply::new(503, "");
                    }
                    for _ in 0..1000 {
                        if counted.load(Ordering::SeqCst) > 0 {
                            break;
                        }
                        std::thread::sleep(std::time::Duration::from_millis(5));
                    }
                    late()
                }
                (_, Some("Bearer good")) => {
                    counted.fetch_add(1, Ordering::SeqCst);
                    Reply::tags(&["1.0.0"])
                }
                _ => Reply::bearer(&format!("http://{host}/token")),
            }
        });
        let registries = Registries::new(quick());
        let [first, second, third] = ["first", "second", "third"]
            .map(|name| with_password(target(&server.host(), &format!("acme/{name}"))));
        run(async {
            _ = tokio::join!(
                registries.tags(&first, LONG, &[]),
                registries.tags(&second, LONG, &[])
            );
            let found = registries.tags(&third, LONG, &[]).await;
            found.expect("a list");
        });
        assert_eq!(logins.load(Ordering::SeqCst), 2);
        let lists = |name: &str| {
            let of = format!("GET /v2/acme/{name}/");
            let paths = server.paths();
            paths.iter().filter(|path| path.starts_with(&of)).count()
        };
        assert_eq!((lists("second"), lists("third")), (2, 1));
    }
}

/// A token server of a neighbour that never answers costs half of the time.
#[test]
fn a_challenge_that_leads_nowhere_leaves_time() {
    let server = Server::start(|asked| {
        let host = asked.header("host").expect("a host");
        match (asked.path(), asked.header("authorization")) {
            ("/hang", _) => Reply::Hang(std::time::Duration::from_secs(4)),
            ("/token", _) => Reply::new(200, r#"{"token":"good"}"#),
            ("/v2/acme/app/tags/list", Some("Bearer good")) => Reply::tags(&["1.0.0"]),
            ("/v2/acme/app/tags/list", _) => Reply::bearer(&format!("http://{host}/token")),
            _ => Reply::bearer(&format!("http://{host}/hang")),
        }
    });
    let registries = Registries::new(quick());
    let within = std::time::Duration::from_secs(2);
    run(async {
        let strange = target(&server.host(), "acme/odd");
        let asked = registries.tags(&strange, within, &[]).await;
        asked.expect_err("no answer");
        let plain = target(&server.host(), "acme/app");
        let found = registries.tags(&plain, within, &[]).await;
        assert_eq!(found.expect("a list").into_tags(), ["1.0.0"]);
    });
}

/// `echo hunter2 | base64`, and a password that is longer than it should be.
#[test]
fn a_password_that_ends_in_a_line_break_is_named() {
    let server =
        Server::start(|_| Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""));
    for (end, said) in [("\n", true), ("\r\n", true), ("", false)] {
        let target = with(
            target(&server.host(), "acme/app"),
            Credential::Basic {
                username: "alice".to_owned(),
                password: Secret::new(format!("{PASSWORD}{end}")),
            },
        );
        let error = tags(&target).expect_err("refused");
        let all = format!("{error} {}", error.hint());
        assert_eq!(all.contains("line break"), said, "{all}");
        assert!(!all.contains(PASSWORD), "{all}");
    }
    // At a token server, too, and as a token of either kind.
    let server = with_tokens(|_, _| Reply::new(401, ""));
    for credential in [
        Credential::Basic {
            username: "alice".to_owned(),
            password: Secret::new(format!("{PASSWORD}\n")),
        },
        Credential::IdentityToken(Secret::new(format!("{PASSWORD}\n"))),
        Credential::RegistryToken(Secret::new(format!("{PASSWORD}\n"))),
    ] {
        let target = with(target(&server.host(), "acme/app"), credential);
        let error = tags(&target).expect_err("refused");
        let all = format!("{error} {}", error.hint());
        assert!(all.contains("ends in a line break"), "{all}");
        assert!(!all.contains(PASSWORD), "{all}");
    }
}

#[test]
fn nobody_gets_a_token_too() {
    let server = with_tokens(|_, _| Reply::new(200, r#"{"token":"good"}"#));
    assert_eq!(
        tags(&target(&server.host(), "acme/app")).expect("a list"),
        ["1.0.0"]
    );
    assert_eq!(server.asked()[1].header("authorization"), None);
}

#[test]
fn an_identity_token_goes_by_post() {
    let server = with_tokens(|_, _| Reply::new(200, r#"{"access_token":"good"}"#));
    let mut target = target(&server.host(), "acme/app");
    target = with(target, Credential::IdentityToken(Secret::new("refresh-me")));
    assert_eq!(tags(&target).expect("a list"), ["1.0.0"]);
    let asked = &server.asked()[1];
    assert_eq!(
        (asked.method.as_str(), asked.at.as_str()),
        ("POST", "/token")
    );
    assert_eq!(
        asked.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        asked.body,
        "scope=repository%3Aacme%2Fapp%3Apull&service=test&grant_type=refresh_token&client_id=flux-image&refresh_token=refresh-me"
    );
}

#[test]
fn a_registry_token_goes_as_it_is() {
    let server = with_tokens(|_, _| Reply::new(500, ""));
    let mut target = target(&server.host(), "acme/app");
    target = with(target, Credential::RegistryToken(Secret::new("good")));
    assert_eq!(tags(&target).expect("a list"), ["1.0.0"]);
}

#[test]
fn basic_where_that_is_all_there_is() {
    let server = Server::start(|asked| match asked.header("authorization") {
        Some(BASIC) => Reply::tags(&["1"]),
        _ => Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""),
    });
    assert_eq!(
        tags(&with_password(target(&server.host(), "acme/app"))).expect("a list"),
        ["1"]
    );
    let error = tags(&target(&server.host(), "acme/app")).expect_err("nothing to present");
    assert!(
        matches!(
            error,
            RegistryError::Denied {
                anonymous: true,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_refused_password_is_refused_once() {
    let server =
        Server::start(|_| Reply::new(401, "").with("www-authenticate", "Basic realm=\"x\""));
    let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err("refused");
    assert!(
        matches!(
            error,
            RegistryError::Denied {
                anonymous: false,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(server.paths().len(), 2);

    let server = with_tokens(|_, _| Reply::new(401, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#));
    let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err("refused");
    assert!(
        matches!(
            error,
            RegistryError::Denied {
                anonymous: false,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(server.paths().len(), 2);
}

#[test]
fn a_token_that_ran_out_is_asked_for_anew_once() {
    let server = with_tokens(|_, n| {
        let token = if n == 0 { "stale" } else { "good" };
        Reply::new(200, format!("{{\"token\":\"{token}\"}}"))
    });
    assert_eq!(
        tags(&with_password(target(&server.host(), "acme/app"))).expect("a list"),
        ["1.0.0"]
    );
    assert_eq!(server.paths().len(), 5);

    let server = with_tokens(|_, n| Reply::new(200, format!("{{\"token\":\"never-{n}\"}}")));
    let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err("refused");
    assert!(
        matches!(
            error,
            RegistryError::Denied {
                anonymous: false,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(server.paths().len(), 5);
}

#[test]
fn a_token_is_used_until_it_runs_out() {
    for (life, tokens) in [("300", 1), ("0.001", 2)] {
        let server = with_tokens(move |_, _| {
            Reply::new(200, format!("{{\"token\":\"good\",\"expires_in\":{life}}}"))
        });
        let target = with_password(target(&server.host(), "acme/app"));
        let registries = Registries::new(quick());
        run(async {
            for _ in 0..2 {
                registries.tags(&target, LONG, &[]).await.expect("a list");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let asked = server
            .paths()
            .iter()
            .filter(|path| path.contains("/token"))
            .count();
        assert_eq!(asked, tokens, "{life}");
    }
}

/// The fewest requests: one a list, one token a scope, one challenge and one
/// failed handshake a host, however many ask at once.
#[test]
fn no_request_is_made_twice() {
    let server = with_tokens(|_, _| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        Reply::new(200, r#"{"token":"good"}"#)
    });
    // Thirty lists of ten repositories: the scopes are ten.
    list_all(
        (0..30).map(|n| with_password(target(&server.host(), &format!("acme/app{}", n % 10)))),
    );
    let paths = server.paths();
    let tokens = paths.iter().filter(|path| path.contains("/token")).count();
    assert_eq!((tokens, paths.len() - tokens), (10, 31));
    assert_eq!(server.broken(), 1, "one handshake that came to nothing");
}

#[test]
fn two_credentials_share_no_token() {
    let server = with_tokens(|_, n| {
        Reply::new(
            200,
            format!("{{\"token\":\"{}\"}}", if n == 0 { "good" } else { "bad" }),
        )
    });
    let registries = Registries::new(quick());
    let nobody = target(&server.host(), "acme/app");
    run(async {
        registries
            .tags(&with_password(nobody.clone()), LONG, &[])
            .await
            .expect("a list");
        registries
            .tags(&nobody, LONG, &[])
            .await
            .expect_err("another token");
    });
}

#[test]
fn token_servers_that_make_no_sense() {
    let long = format!("{{\"token\":\"{}\"}}", "x".repeat((64 << 10) + 1));
    for (status, body, said) in [
        (200, "<html>", "without a token"),
        (200, "{}", "without a token"),
        (200, r#"{"token":5}"#, "without a token"),
        (200, r#"{"token":"a\nb"}"#, "does not fit in a header"),
        (200, &long, "more than 64 KiB"),
        (404, "", "answered 404"),
        (302, "", "redirects (302), which is not followed"),
    ] {
        let body = body.to_owned();
        let server = with_tokens(move |_, _| {
            Reply::new(status, body.clone()).with("location", "/elsewhere")
        });
        let error = tags(&target(&server.host(), "acme/app"))
            .expect_err(said)
            .to_string();
        assert!(error.contains(said), "{error}");
        assert!(!server.paths().iter().any(|path| path.contains("elsewhere")));
    }
}

#[test]
fn client_certificates_and_an_authority_of_ones_own() {
    let (ours, theirs) = (identity(), identity());
    let server = Server::start_tls(&theirs, Some(&ours.ca), |_| Reply::tags(&["1"]));
    let mut target = target(&server.host(), "acme/app");
    target = by(&target, |way| way.ca = own(theirs.ca.clone()));
    target = by(&target, |way| {
        way.identity = own(Secret::new(format!("{}{}", ours.certificate, ours.key)))
    });
    assert_eq!(tags(&target).expect("a list"), ["1"]);

    // A certificate of the wrong authority, or none.
    target = by(&target, |way| {
        way.identity = own(Secret::new(format!("{}{}", theirs.certificate, theirs.key)))
    });
    let error = tags(&target).expect_err("the wrong authority");
    assert!(!error.to_string().contains("PRIVATE"), "{error}");
    target = by(&target, |way| way.identity = None);
    tags(&target).expect_err("none");

    target = by(&target, |way| way.identity = own(Secret::new(PASSWORD)));
    let error = tags(&target).expect_err("no PEM").to_string();
    assert!(
        error.contains("not a certificate and its key in PEM"),
        "{error}"
    );
    assert!(!error.contains(PASSWORD), "{error}");
}
