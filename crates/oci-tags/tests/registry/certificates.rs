//! Which certificates are accepted, and what is said where one is not.

use oci_tags::registry::{RegistryError, TlsFault};

use super::client::{by, list, own, tags, target};
use super::server::{Identity, Reply, Server, identity, self_signed};

const HERE: &[&str] = &["localhost", "127.0.0.1"];

fn server(identity: &Identity) -> Server {
    Server::start_tls(identity, None, |_| Reply::tags(&["1.0.0", "1.1.0"]))
}

/// What a server's certificate comes to where `ca` is trusted.
fn fault(server: &Server, ca: Option<&str>) -> Option<TlsFault> {
    let target = target(&server.host(), "acme/app");
    let target = by(&target, |way| way.ca = ca.map(str::to_owned).and_then(own));
    match list(&target) {
        Ok(_) => None,
        Err(RegistryError::Tls { what, .. }) => Some(what),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_certificate_that_was_given_needs_nobody_to_vouch_for_it() {
    use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};
    let unlimited = self_signed(HERE, |_| {});
    let limited = self_signed(HERE, |it| {
        it.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))
    });
    let no_authority = self_signed(HERE, |it| it.is_ca = IsCa::NoCa);
    let explicit = self_signed(HERE, |it| it.is_ca = IsCa::ExplicitNoCa);
    let for_servers = self_signed(HERE, |it| {
        it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for alone in [&unlimited, &limited, &no_authority, &explicit, &for_servers] {
        let server = server(alone);
        assert_eq!(fault(&server, Some(&alone.ca)), None);
        // Among others, and not where it is another that was given.
        let bundle = format!("{}{}", identity().ca, alone.ca);
        assert_eq!(fault(&server, Some(&bundle)), None);
        let other = self_signed(HERE, |_| {});
        assert!(fault(&server, Some(&other.ca)).is_some());
        assert!(fault(&server, None).is_some());
    }
    // One that an authority signed will do by itself, too.
    let signed = identity();
    let server = server(&signed);
    assert_eq!(fault(&server, Some(&signed.certificate)), None);
    assert_eq!(fault(&server, Some(&signed.ca)), None);
}

#[test]
fn its_name_and_dates_count_all_the_same() {
    let past = rcgen::date_time_ymd(2001, 2, 3);
    let future = rcgen::date_time_ymd(2999, 2, 3);
    let expired = self_signed(HERE, |it| it.not_after = past);
    let early = self_signed(HERE, |it| it.not_before = future);
    let other = self_signed(&["harbor.internal", "*.acme.example", "10.0.0.1"], |_| {});
    // `-subj /CN=127.0.0.1`, and no more.
    let nameless = self_signed(&[], |it| {
        it.distinguished_name
            .push(rcgen::DnType::CommonName, "127.0.0.1");
    });
    for (alone, said, hint) in [
        (
            &expired,
            "expired at 2001-02-03T00:00:00Z (the clock here says 2",
            "renew",
        ),
        (&early, "valid from 2999-02-03T00:00:00Z on", "clock"),
        (
            &other,
            "is for `harbor.internal`, `*.acme.example`, `10.0.0.1`, not for this name",
            "by a name of its certificate",
        ),
        (&nameless, "a common name does not count", "subjectAltName"),
    ] {
        let server = server(alone);
        let fault = fault(&server, Some(&alone.ca)).expect(said);
        assert!(fault.to_string().contains(said), "{fault}");
        assert!(fault.hint().contains(hint), "{}", fault.hint());
        assert!(server.paths().is_empty());
    }
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let (ours, theirs) = (identity(), identity());
    let alone = self_signed(HERE, |_| {});
    let wants_ours = Server::start_tls(&theirs, Some(&ours.ca), |_| Reply::tags(&["1"]));
    for (server, ca, said) in [
        // Made anew, with another key.
        (
            &server(&ours),
            &theirs.ca,
            "another authority of the same name",
        ),
        (
            &server(&ours),
            &alone.ca,
            "not signed by an authority that is trusted here",
        ),
        (
            &server(&alone),
            &theirs.ca,
            "self-signed or an authority's own",
        ),
        (
            &wants_ours,
            &theirs.ca,
            "wants a certificate of its clients",
        ),
    ] {
        let target = target(&server.host(), "acme/app");
        let target = by(&target, |way| way.ca = own(ca.clone()));
        let error = tags(&target).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
        // What only those who wrote a library would say.
        for word in ["Error", "Other(", "UnknownIssuer", "invalid peer", "CaUsed"] {
            assert!(!error.contains(word), "{error}");
        }
    }
}

/// What people run who need a certificate.
#[test]
fn as_openssl_makes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let made = std::process::Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=registry",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .arg("-keyout")
        .arg(path("key.pem"))
        .arg("-out")
        .arg(path("ca.pem"))
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        return super::client::skipped("as_openssl_makes_it", "no openssl");
    }
    let read = |name| std::fs::read_to_string(path(name)).expect("made");
    let own = Identity {
        ca: read("ca.pem"),
        certificate: read("ca.pem"),
        key: read("key.pem"),
    };
    let server = server(&own);
    assert_eq!(fault(&server, Some(&own.ca)), None);
    let other = fault(&server, Some(&identity().ca)).expect("not trusted");
    assert_eq!(other, TlsFault::OwnAuthority);
}
