//! What an attacker would try: a registry that lies, or somebody on the way.

use std::sync::Arc;

use oci_tags::login::Secret;
use oci_tags::registry::trust::{Rank, Trusted};
use oci_tags::registry::{Limits, ProxySettings, Registries, RegistryError};

use super::client::{LONG, PASSWORD, by, list, own, quick, run, tags, target, with_password};
use super::server::{Reply, Server, identity};

/// Whether the server was ever shown a credential, in whatever form.
fn saw_secret(server: &Server) -> bool {
    // base64 of `alice:hunter2-s3cret`, and the password itself.
    server.asked().iter().any(|asked| {
        let all = format!("{asked:?}");
        all.contains("YWxpY2U6")
            || all.contains(PASSWORD)
            || asked.header("authorization").is_some()
    })
}

#[test]
fn an_unknown_realm_is_asked_without_the_password() {
    let id = identity();
    let thief = Arc::new(Server::start_tls(&id, None, |_| {
        Reply::new(200, r#"{"token":"t"}"#)
    }));
    let realm = format!("https://localhost:{}/token", thief.address.port());
    let server = Server::start(move |_| Reply::bearer(&realm));
    let mut target = with_password(target(&server.host(), "acme/app"));
    target = by(&target, |way| way.ca = own(id.ca.clone()));
    let error = tags(&target).expect_err("no password, no tags");
    let RegistryError::UntrustedRealm { realm, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*realm, format!("localhost:{}", thief.address.port()));
    assert!(error.hint().contains("--trust-host localhost:"));
    assert!(!saw_secret(&thief), "{:?}", thief.asked());
    assert_eq!(thief.paths().len(), 1, "asked as nobody, once");

    // Trusted by name it gets it.
    let limits = Limits {
        trusted: Trusted::new([realm.clone()]),
        ..quick()
    };
    run(Registries::new(limits).tags(&target, LONG, &[])).expect_err("its token is no good");
    assert!(saw_secret(&thief));
}

#[test]
fn a_realm_in_the_clear_elsewhere_is_never_asked() {
    let thief = Server::start(|_| Reply::new(200, r#"{"token":"t"}"#));
    let port = thief.address.port();
    for realm in [
        format!("http://localhost:{port}/token"),
        format!("http://127.0.0.2:{port}/token"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://169.254.169.254/token".to_owned(),
        "https://metadata.google.internal/token".to_owned(),
        format!("http://alice:{PASSWORD}@127.0.0.1:{port}/token"),
        "file:///etc/passwd".to_owned(),
    ] {
        let to = realm.clone();
        let server = Server::start(move |_| Reply::bearer(&to));
        let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err(&realm);
        assert!(
            matches!(error, RegistryError::ForbiddenRealm { .. }),
            "{realm}: {error}"
        );
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
    assert!(thief.paths().is_empty());
}

#[test]
fn a_realm_of_a_tls_registry_may_not_be_in_the_clear() {
    let id = identity();
    let server = Server::start_tls(&id, None, |asked| {
        Reply::bearer(&format!(
            "http://{}/token",
            asked.header("host").expect("a host")
        ))
    });
    let mut target = with_password(target(&server.host(), "acme/app"));
    target = by(&target, |way| way.ca = own(id.ca.clone()));
    target = by(&target, |way| way.insecure = Some(Rank::User));
    let error = tags(&target).expect_err("a downgrade");
    assert!(
        matches!(error, RegistryError::ForbiddenRealm { .. }),
        "{error}"
    );
}

/// A registry that is somewhere else may not send us to a private address for a token. It is
/// behind a proxy here, since nothing else is far from a test.
#[test]
fn a_far_registry_has_no_realm_next_door() {
    let thief = Arc::new(Server::start(|_| Reply::new(200, r#"{"token":"t"}"#)));
    let port = thief.address.port();
    for realm in [
        format!("https://127.0.0.1:{port}/token"),
        format!("https://localhost:{port}/token"),
        format!("https://a.localhost:{port}/token"),
        format!("https://[::1]:{port}/token"),
        format!("https://[::ffff:127.0.0.1]:{port}/token"),
        format!("https://[64:ff9b::7f00:1]:{port}/token"),
        format!("https://2130706433:{port}/token"),
        "https://10.0.0.1/token".to_owned(),
        "https://192.168.0.1/token".to_owned(),
        "https://100.64.0.1/token".to_owned(),
        "https://[fd12::1]/token".to_owned(),
        "//10.0.0.1/token".to_owned(),
    ] {
        let to = realm.clone();
        let proxy = Server::start(move |asked| match asked.at.starts_with("http://registry") {
            true => Reply::bearer(&to),
            false => Reply::Close,
        });
        let settings = ProxySettings {
            address: Secret::new(format!("http://{}", proxy.host())),
            username: None,
            password: None,
        };
        let target = with_password(target("registry.example", "acme/app"));
        let target = by(&target, |way| {
            way.insecure = Some(Rank::User);
            way.proxy = own(settings);
        });
        let limits = Limits {
            trusted: Trusted::new(["127.0.0.1".to_owned(), "10.0.0.1".to_owned()]),
            ..quick()
        };
        let error = run(Registries::new(limits).tags(&target, LONG, &[])).expect_err(&realm);
        assert!(
            matches!(error, RegistryError::ForbiddenRealm { .. }),
            "{realm}: {error}"
        );
        assert!(!saw_secret(&proxy), "{realm}");
    }
    assert!(thief.connections() == 0);
}

#[test]
fn token_requests_follow_no_redirect() {
    let thief = Arc::new(Server::start(|_| Reply::new(200, r#"{"token":"good"}"#)));
    let to = format!("http://{}/steal", thief.host());
    for status in [301, 302, 303, 307, 308] {
        let to = to.clone();
        let server = Server::start(move |asked| match asked.path() {
            "/token" => Reply::new(status, "").with("location", to.clone()),
            _ => Reply::bearer(&format!(
                "http://{}/token",
                asked.header("host").expect("a host")
            )),
        });
        tags(&with_password(target(&server.host(), "acme/app"))).expect_err("a redirect");
    }
    assert!(thief.paths().is_empty());
}

#[test]
fn redirects_leave_everything_behind() {
    // To the same origin: followed, and without Authorization.
    let server = Server::start(
        |asked| match (asked.path(), asked.header("authorization")) {
            ("/v2/acme/app/tags/list", None) => {
                Reply::new(401, "").with("www-authenticate", "Basic")
            }
            ("/v2/acme/app/tags/list", Some(_)) => Reply::new(307, "")
                .with("location", "/v2/moved/tags/list")
                .with("set-cookie", "session=1"),
            ("/v2/moved/tags/list", None) => Reply::tags(&["moved"]),
            _ => Reply::new(500, "a credential went along"),
        },
    );
    assert_eq!(
        tags(&with_password(target(&server.host(), "acme/app"))).expect("a list"),
        ["moved"]
    );
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.header("cookie").is_none())
    );

    // To anywhere else on this machine: not followed.
    let thief = Arc::new(Server::start(|_| Reply::tags(&["9.9.9"])));
    let id = identity();
    let tls = Arc::new(Server::start_tls(&id, None, |_| Reply::tags(&["9.9.9"])));
    for to in [
        format!("http://{}/v2/x/tags/list", thief.host()),
        format!("https://{}/v2/x/tags/list", tls.host()),
        format!("https://localhost:{}/v2/x/tags/list", tls.address.port()),
        "https://10.0.0.1/v2/x/tags/list".to_owned(),
        "https://169.254.169.254/".to_owned(),
        "https://[::ffff:169.254.169.254]/".to_owned(),
        "https://evil.example/v2/x/tags/list".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let location = to.clone();
        let server = Server::start(move |_| Reply::new(302, "").with("location", location.clone()));
        let mut target = target(&server.host(), "acme/app");
        target = by(&target, |way| way.ca = own(id.ca.clone()));
        let error = tags(&target).expect_err(&to);
        assert!(
            matches!(error, RegistryError::Redirect { .. }),
            "{to}: {error}"
        );
    }
    assert!(thief.paths().is_empty() && tls.paths().is_empty());
}

/// A challenge behind a redirect is answered as nobody, whoever we are.
#[test]
fn a_challenge_behind_a_redirect_is_answered_as_nobody() {
    let server = Server::start(
        |asked| match (asked.path(), asked.header("authorization")) {
            ("/v2/acme/app/tags/list", None) => Reply::bearer(&format!(
                "http://{}/token",
                asked.header("host").expect("a host")
            )),
            ("/v2/acme/app/tags/list", Some("Bearer ours")) => {
                Reply::new(307, "").with("location", "/moved/list")
            }
            ("/moved/list", None) => Reply::bearer(&format!(
                "http://{}/token?moved",
                asked.header("host").expect("a host")
            )),
            ("/moved/list", Some("Bearer nobodys")) => Reply::tags(&["moved"]),
            ("/token", sent) if asked.at.contains("moved") => {
                assert_eq!(sent, None);
                Reply::new(200, r#"{"token":"nobodys"}"#)
            }
            ("/token", Some(_)) => Reply::new(200, r#"{"token":"ours"}"#),
            _ => Reply::new(500, ""),
        },
    );
    let target = with_password(target(&server.host(), "acme/app"));
    assert_eq!(tags(&target).expect("a list"), ["moved"]);
}

/// A host that the user trusts by name, whose name leads to a private address.
#[test]
fn a_redirect_by_name_to_a_near_address() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let near = |line: &&str| line.starts_with("127.") || line.starts_with("::1");
    let mut names = hosts.lines().filter(near).flat_map(str::split_whitespace);
    let is_name = |name: &&str| !name.contains(['.', ':']) && *name != "localhost";
    let Some(name) = names.find(is_name).map(str::to_owned) else {
        return super::client::skipped(
            "a_redirect_by_name_to_a_near_address",
            "no name here leads to loopback but localhost",
        );
    };
    let to = format!("https://{name}:1/v2/x");
    let server = Server::start(move |_| Reply::new(302, "").with("location", to.clone()));
    let limits = Limits {
        trusted: Trusted::new([name]),
        ..quick()
    };
    let registries = Registries::new(limits);
    let target = target(&server.host(), "acme/app");
    let error = run(registries.tags(&target, LONG, &[])).expect_err("a private address");
    assert!(matches!(error, RegistryError::Forbidden(_)), "{error}");
}

#[test]
fn redirects_end() {
    let server = Server::start(|asked| {
        let n: usize = asked.path().trim_start_matches("/r").parse().unwrap_or(0);
        Reply::new(302, "").with("location", format!("/r{}", n + 1))
    });
    let error = tags(&target(&server.host(), "acme/app")).expect_err("a chain");
    assert!(error.to_string().contains("more than 3 times"), "{error}");
    assert_eq!(server.paths().len(), 4);
    let server = Server::start(|_| Reply::new(302, ""));
    tags(&target(&server.host(), "acme/app")).expect_err("to nowhere");
}

#[test]
fn a_page_link_stays_where_it_is() {
    let thief = Arc::new(Server::start(|_| Reply::tags(&["9.9.9"])));
    let host = thief.host();
    for link in [
        format!("http://{host}/v2/acme/app/tags/list?last=1"),
        format!("//{host}/v2/acme/app/tags/list?last=1"),
        "https://169.254.169.254/v2/acme/app/tags/list".to_owned(),
        "/v2/acme/secret/tags/list".to_owned(),
        "/v2/acme/app/tags/list/../../../secret/tags/list".to_owned(),
    ] {
        let header = format!("<{link}>; rel=\"next\"");
        let server = Server::start(move |asked| match asked.header("authorization") {
            Some(_) => Reply::tags(&["1"]).with("link", header.clone()),
            None => Reply::new(401, "").with("www-authenticate", "Basic"),
        });
        let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err(&link);
        // A query is asked for at home, where it leads round and round; without
        // one there is nothing to ask for.
        let requests = if link.contains('?') {
            assert!(
                matches!(error, RegistryError::Endless(_)),
                "{link}: {error}"
            );
            3
        } else {
            assert!(matches!(error, RegistryError::Link(_)), "{link}: {error}");
            2
        };
        let asked = server.asked();
        assert_eq!(asked.len(), requests, "{link}");
        assert!(
            asked
                .iter()
                .all(|asked| asked.path() == "/v2/acme/app/tags/list")
        );
    }
    assert!(thief.paths().is_empty());
}

/// A certificate that does not fit is no reason to go on in the clear, whatever
/// the user allows where nobody speaks TLS.
#[test]
fn a_failed_handshake_never_falls_back() {
    let id = identity();
    let server = Server::start_tls(&id, None, |_| Reply::tags(&["9.9.9"]));
    for insecure in [false, true] {
        let mut target = with_password(target(&server.host(), "acme/app"));
        target = by(&target, |way| way.insecure = insecure.then_some(Rank::User));
        let error = list(&target).expect_err("an unknown authority");
        assert!(matches!(error, RegistryError::Tls { .. }), "{error}");
    }
    assert_eq!(
        server.connections(),
        2,
        "one handshake each, and nothing after it"
    );
    assert!(server.paths().is_empty());

    // A client certificate that is missing.
    let server = Server::start_tls(&id, Some(&identity().ca), |_| Reply::tags(&["9.9.9"]));
    let mut target = target(&server.host(), "acme/app");
    target = by(&target, |way| way.ca = own(id.ca.clone()));
    target = by(&target, |way| way.insecure = Some(Rank::User));
    list(&target).expect_err("no certificate");
    assert!(server.paths().is_empty());
}

#[test]
fn plain_http_only_where_it_was_allowed() {
    let server = Server::start(|_| Reply::tags(&["1"]));
    // On loopback, without a word from the user.
    assert_eq!(
        tags(&target(&server.host(), "acme/app")).expect("a list"),
        ["1"]
    );
    // Anywhere else only where the user said so; nobody is asked here.
    let bases = |host: &str, insecure: bool| {
        let mut target = target(host, "acme/app");
        target = by(&target, |way| way.insecure = insecure.then_some(Rank::User));
        target.origins()
    };
    assert_eq!(bases("10.0.0.5:5000", false), ["https://10.0.0.5:5000"]);
    assert_eq!(
        bases("10.0.0.5:5000", true),
        ["https://10.0.0.5:5000", "http://10.0.0.5:5000"]
    );
    assert_eq!(bases("registry.local", false), ["https://registry.local"]);
    assert_eq!(
        bases("localhost:5000", false),
        ["https://localhost:5000", "http://localhost:5000"]
    );
    assert_eq!(
        bases("localhost.evil.example", false),
        ["https://localhost.evil.example"]
    );
    assert_eq!(
        bases("127.0.0.1.evil.example", false),
        ["https://127.0.0.1.evil.example"]
    );
}

#[test]
fn metadata_services_are_no_registries() {
    for host in [
        "169.254.169.254",
        "169.254.170.2:80",
        "metadata.google.internal",
        "[fd00:ec2::254]",
    ] {
        let mut target = target(host, "latest/meta-data");
        target = by(&target, |way| way.insecure = Some(Rank::User));
        let error = list(&target).expect_err(host);
        assert!(
            matches!(error, RegistryError::Forbidden(_)),
            "{host}: {error}"
        );
    }
}

/// A registry that sends back what it was sent cannot make us print it.
#[test]
fn what_is_sent_back_is_not_said() {
    let server = Server::start(|asked| {
        let sent = asked.header("authorization").unwrap_or("none").to_owned();
        if sent == "none" {
            return Reply::new(401, "").with("www-authenticate", "Basic");
        }
        let body =
            format!("{{\"errors\":[{{\"code\":\"{sent}\",\"message\":\"{sent} {PASSWORD}\"}}]}}");
        Reply::new(403, body).with("content-type", sent)
    });
    let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err("refused");
    let all = format!("{error} {error:?} {:?}", error.hint());
    assert!(
        !all.contains(PASSWORD) && !all.contains("YWxpY2U6"),
        "{all}"
    );
    let target = with_password(target(&server.host(), "acme/app"));
    assert!(!format!("{target:?}").contains(PASSWORD));
}

/// Nor as the name of a host, or as a kind of content.
#[test]
fn what_is_sent_back_in_other_places_is_not_said() {
    let base64 = "YWxpY2U6aHVudGVyMi1zM2NyZXQ=";
    for reply in [
        Reply::new(302, "").with("location", format!("https://{PASSWORD}.evil.example/")),
        Reply::new(302, "").with(
            "location",
            "https://YWxpY2U6aHVudGVyMi1zM2NyZXQ.evil.example/",
        ),
        Reply::new(200, "<html>").with("content-type", format!("text/{base64}")),
        Reply::new(200, "<html>").with("content-type", base64),
        Reply::tags(&["1"]).with(
            "link",
            format!("<https://{PASSWORD}.evil.example/>; rel=next"),
        ),
        Reply::tags(&["1"]).with("link", format!("<{PASSWORD}://x/>; rel=next")),
        Reply::bearer(&format!("{PASSWORD}://evil.example/")),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let server = Server::start(move |asked| match asked.header("authorization") {
            None => Reply::new(401, "").with("www-authenticate", "Basic"),
            Some(_) => reply
                .lock()
                .expect("unpoisoned")
                .take()
                .unwrap_or(Reply::Close),
        });
        let error = tags(&with_password(target(&server.host(), "acme/app"))).expect_err("refused");
        let all = format!("{error} {error:?} {}", error.hint()).to_lowercase();
        assert!(!all.contains(PASSWORD), "{all}");
        assert!(!all.contains("ywxpy2u6"), "{all}");
    }
}

#[test]
fn a_proxy_password_is_not_said() {
    for address in [
        format!("ftp://u:{PASSWORD}@proxy.example"),
        format!("u:{PASSWORD}@::"),
        format!("http://u:{PASSWORD}@127.0.0.1:1"),
    ] {
        let mut target = target("registry.example", "acme/app");
        let settings = ProxySettings {
            address: Secret::new(address),
            username: Some("u".to_owned()),
            password: Some(Secret::new(PASSWORD)),
        };
        target = by(&target, |way| way.proxy = own(settings));
        let error = list(&target).expect_err("no such proxy");
        let all = format!("{error} {error:?}");
        assert!(!all.contains(PASSWORD), "{all}");
    }
}

#[test]
fn a_proxy_is_used() {
    // In the clear the whole address goes to the proxy.
    let proxy = Server::start(
        |asked| match asked.at.starts_with("http://registry.example/") {
            true => Reply::tags(&["by-proxy"]),
            false => Reply::Close,
        },
    );
    let mut target = target("registry.example", "acme/app");
    target = by(&target, |way| way.insecure = Some(Rank::User));
    let settings = ProxySettings {
        address: Secret::new(format!("http://{}", proxy.host())),
        username: Some("u".to_owned()),
        password: Some(Secret::new(PASSWORD)),
    };
    target = by(&target, |way| way.proxy = own(settings));
    assert_eq!(tags(&target).expect("a list"), ["by-proxy"]);
    let asked = proxy.asked();
    assert_eq!(asked[0].method, "CONNECT");
    assert!(
        asked
            .iter()
            .all(|asked| asked.header("proxy-authorization").is_some())
    );
}

/// A gzip bomb is counted as it comes out.
#[test]
fn a_bomb_is_not_unpacked() {
    use std::io::Write as _;
    let mut gzip = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut stdin = gzip.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        for _ in 0..64 {
            stdin.write_all(&[b' '; 1 << 20]).expect("a pipe");
        }
    });
    let bomb = gzip.wait_with_output().expect("gzip").stdout;
    writer.join().expect("written");
    let server = Server::start(move |asked| {
        assert!(
            asked
                .header("accept-encoding")
                .is_some_and(|v| v.contains("gzip"))
        );
        Reply::new(200, bomb.clone()).with("content-encoding", "gzip")
    });
    let error = list(&target(&server.host(), "acme/app")).expect_err("64 MiB");
    assert!(error.to_string().contains("more than 16 MiB"), "{error}");
}

/// A name with steps in it would be asked for as another repository, with the
/// credential that was found for this one.
#[test]
fn names_take_no_steps() {
    let server = Server::start(|_| Reply::tags(&["9.9.9"]));
    let registries = Registries::new(quick());
    // The host is known by then, so nothing is asked on the way.
    run(registries.tags(&target(&server.host(), "acme/app"), LONG, &[])).expect("a list");
    for path in ["acme/../secret", "acme/./app", "../app", "acme/app/.."] {
        let target = with_password(target(&server.host(), path));
        let error = run(registries.tags(&target, LONG, &[])).expect_err(path);
        assert!(matches!(error, RegistryError::Name(_)), "{path}: {error}");
    }
    assert_eq!(server.paths().len(), 1);
}
