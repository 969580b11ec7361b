//! Who is trusted with what: the one place that decides where a credential, a
//! token or a request may go.
//!
//! Two questions are answered here. Who named the way to a registry, and is that
//! good enough for a credential to go along ([`may_travel`]); and where a
//! registry may send us on to ([`realm`], [`redirect`]).
//!
//! A registry names other hosts in three ways: the realm of a challenge, the
//! target of a redirect, and the next page of a list. None of them is the
//! user's word, so each is held against what the user did say: the image's
//! name, and the hosts trusted by name.

mod rank;

use std::collections::BTreeSet;

use url::{Host, Url};

pub use rank::{Barred, Part, Rank, Ranked, may_travel};

use super::address::Reach;

/// A registry, and a host outside it that belongs to it: a whole host, or with
/// a leading `-` or `.` the end of one.
type Pair = (&'static str, &'static str);

/// Token servers that are known to belong to a registry.
const REALMS: &[Pair] = &[
    ("index.docker.io", "auth.docker.io"),
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// Hosts that a registry is known to send lists and manifests from.
const REDIRECTS: &[Pair] = &[("registry.k8s.io", "-docker.pkg.dev")];

/// Domains under which each customer has a host, though the public suffix list
/// does not say so.
const CUSTOMERS: &[&str] = &["azurecr.cn", "azurecr.io", "azurecr.us", "jfrog.io"];

fn is_pair(pairs: &[Pair], registry: &str, other: &str) -> bool {
    pairs.iter().any(|(known, belonging)| {
        let fits = if belonging.starts_with(['-', '.']) {
            other
                .strip_suffix(belonging)
                .is_some_and(|label| !label.is_empty() && !label.contains('.'))
        } else {
            other == *belonging
        };
        *known == registry && fits
    })
}

/// Hosts that the user trusts by name: `HOST` on every port, `HOST:PORT` on
/// one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted(BTreeSet<String>);

impl Trusted {
    /// Trusts these.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self(
            hosts
                .into_iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
        )
    }

    /// Whether a registry, as an image's canonical name has it (`HOST` or
    /// `HOST:PORT`), is one of them.
    #[must_use]
    pub fn has_registry(&self, host: &str) -> bool {
        Url::parse(&format!("https://{host}/")).is_ok_and(|url| self.has(&url))
    }

    fn has(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let port = url.port_or_known_default().unwrap_or_default();
        self.0.contains(host) || self.0.contains(&format!("{host}:{port}"))
    }
}

/// What the token server of a challenge may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// The credential of the repository.
    Credential,
    /// A question without credentials.
    Anonymous,
}

/// Why the token server of a challenge is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRealm {
    /// It cannot be read.
    #[error("it is not a URL")]
    Unreadable,
    /// A user name in it.
    #[error("it has a user name in it")]
    UserInfo,
    /// Neither https, nor http as the registry itself.
    #[error("it does not lead to https")]
    Scheme,
    /// Where nobody is asked.
    #[error("it is a link-local address or a metadata service")]
    Metadata,
    /// An address near this machine, where the registry is far.
    #[error("it leads to a private or loopback address, and the registry is not at one")]
    Address,
}

/// What the realm `realm` of `registry`'s challenge may be given, and how far
/// the request for a token may reach. `registry` is where the request went, in
/// the scheme that was settled; `is_near` says that it is itself at a private or
/// loopback address, so that its token server may be, too.
///
/// # Errors
/// Why it is given nothing at all.
pub fn realm(
    registry: &Url,
    realm: &Url,
    is_near: bool,
    trusted: &Trusted,
) -> Result<(Realm, Reach), NoRealm> {
    if !realm.username().is_empty() || realm.password().is_some() {
        return Err(NoRealm::UserInfo);
    }
    let (Some(home), Some(host)) = (registry.host_str(), realm.host_str()) else {
        return Err(NoRealm::Scheme);
    };
    // No other machine is asked than before.
    let is_home = registry.origin() == realm.origin();
    let reach = if is_near || is_home {
        Reach::Named
    } else {
        Reach::Public
    };
    if !Reach::Named.allows_host(realm) {
        return Err(NoRealm::Metadata);
    }
    match realm.scheme() {
        // In the clear only where the registry itself is, and nowhere else.
        "http" if registry.scheme() == "http" && host == home => {
            return Ok((Realm::Credential, reach));
        }
        "https" => {}
        _ => return Err(NoRealm::Scheme),
    }
    if !is_home && !reach.allows_host(realm) {
        return Err(NoRealm::Address);
    }
    let is_known = host == home
        || is_pair(REALMS, home, host)
        || trusted.has(realm)
        || is_one_owner(registry, realm);
    let realm = if is_known {
        Realm::Credential
    } else {
        Realm::Anonymous
    };
    Ok((realm, reach))
}

/// Whether both hosts lie under one registrable domain, as the public suffix
/// list (its private section included) draws the line.
fn is_one_owner(one: &Url, other: &Url) -> bool {
    let (Some(Host::Domain(one)), Some(Host::Domain(other))) = (one.host(), other.host()) else {
        return false;
    };
    let domain = |name: &str| {
        let domain = psl::domain(name.as_bytes())?;
        // A suffix nobody listed is anybody's.
        let is_listed = domain.suffix().is_known();
        let domain = String::from_utf8_lossy(domain.as_bytes()).into_owned();
        (is_listed && !CUSTOMERS.contains(&domain.as_str())).then_some(domain)
    };
    match (domain(one), domain(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRedirect {
    /// Not https.
    #[error("it does not lead to https")]
    Scheme,
    /// A host that nobody vouched for.
    #[error("its host is neither the registry's nor trusted")]
    Host,
    /// An address near this machine.
    #[error("it leads to a private, loopback or link-local address")]
    Address,
}

/// Whether a redirect of `registry`'s answer may be followed to `target`, and
/// how far it may reach.
///
/// # Errors
/// Why not.
pub fn redirect(registry: &Url, target: &Url, trusted: &Trusted) -> Result<Reach, NoRedirect> {
    // No other machine is asked than before, and in no other way.
    if registry.origin() == target.origin() {
        return Ok(Reach::Named);
    }
    if target.scheme() != "https" {
        return Err(NoRedirect::Scheme);
    }
    if !Reach::Public.allows_host(target) {
        return Err(NoRedirect::Address);
    }
    let (Some(home), Some(host)) = (registry.host_str(), target.host_str()) else {
        return Err(NoRedirect::Host);
    };
    if host == home || is_pair(REDIRECTS, home, host) || trusted.has(target) {
        Ok(Reach::Public)
    } else {
        Err(NoRedirect::Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn realms() {
        let trusted = Trusted::new(["Login.Partner.example".to_owned(), "a.test:8443".to_owned()]);
        for (registry, to, expected) in [
            (
                "https://r.acme.com",
                "https://r.acme.com/token",
                Ok(Realm::Credential),
            ),
            (
                "https://r.acme.com",
                "https://r.acme.com:9443/token",
                Ok(Realm::Credential),
            ),
            (
                "https://r.acme.com",
                "https://auth.acme.com/token",
                Ok(Realm::Credential),
            ),
            (
                "https://r.acme.com",
                "http://r.acme.com/token",
                Err(NoRealm::Scheme),
            ),
            (
                "http://r.acme.com:5000",
                "http://r.acme.com:5001/token",
                Ok(Realm::Credential),
            ),
            (
                "http://r.acme.com:5000",
                "http://auth.acme.com/token",
                Err(NoRealm::Scheme),
            ),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5001/auth",
                Ok(Realm::Credential),
            ),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.2:5001/auth",
                Err(NoRealm::Scheme),
            ),
            (
                "https://r.acme.com",
                "https://acme.com.evil.example/t",
                Ok(Realm::Anonymous),
            ),
            (
                "https://index.docker.io",
                "https://auth.docker.io/token",
                Ok(Realm::Credential),
            ),
            (
                "https://registry.gitlab.com",
                "https://gitlab.com/jwt/auth",
                Ok(Realm::Credential),
            ),
            (
                "https://gitlab.com",
                "https://auth.docker.io/token",
                Ok(Realm::Anonymous),
            ),
            // Customers of one provider are not one owner.
            (
                "https://a.github.io",
                "https://b.github.io/t",
                Ok(Realm::Anonymous),
            ),
            (
                "https://a.azurecr.io",
                "https://b.azurecr.io/t",
                Ok(Realm::Anonymous),
            ),
            (
                "https://a.s3.amazonaws.com",
                "https://b.s3.amazonaws.com/t",
                Ok(Realm::Anonymous),
            ),
            ("https://a.co.uk", "https://b.co.uk/t", Ok(Realm::Anonymous)),
            (
                "https://a.unlisted",
                "https://a.b.unlisted/t",
                Ok(Realm::Anonymous),
            ),
            (
                "https://r.acme.com",
                "https://login.partner.example/t",
                Ok(Realm::Credential),
            ),
            (
                "https://r.acme.com",
                "https://a.test:8443/t",
                Ok(Realm::Credential),
            ),
            (
                "https://r.acme.com",
                "https://a.test/t",
                Ok(Realm::Anonymous),
            ),
            (
                "https://r.acme.com",
                "https://169.254.169.254/t",
                Err(NoRealm::Metadata),
            ),
            (
                "https://r.acme.com",
                "https://u:p@r.acme.com/t",
                Err(NoRealm::UserInfo),
            ),
            (
                "https://r.acme.com",
                "file:///etc/passwd",
                Err(NoRealm::Scheme),
            ),
            (
                "https://r.acme.com",
                "ftp://r.acme.com/t",
                Err(NoRealm::Scheme),
            ),
        ] {
            let (registry, to) = (url(registry), url(to));
            let is_near = !Reach::Public.allows_host(&registry);
            let found = realm(&registry, &to, is_near, &trusted);
            assert_eq!(found.map(|(realm, _)| realm), expected, "{registry} → {to}");
        }
    }

    /// A token server on a private address is one for a registry on a private address.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn near_realms() {
        use NoRealm::{Address, Metadata};
        let trusted = Trusted::new(["10.0.0.9".to_owned(), "auth.acme.com".to_owned()]);
        for (registry, to, is_near, expected) in [
            (
                "https://r.acme.com",
                "https://10.0.0.1/t",
                false,
                Err(Address),
            ),
            (
                "https://r.acme.com",
                "https://10.0.0.9/t",
                false,
                Err(Address),
            ),
            ("https://r.acme.com", "https://127.1/t", false, Err(Address)),
            (
                "https://r.acme.com",
                "https://0x7f000001/t",
                false,
                Err(Address),
            ),
            (
                "https://r.acme.com",
                "https://localhost/t",
                false,
                Err(Address),
            ),
            (
                "https://r.acme.com",
                "https://a.localhost./t",
                false,
                Err(Address),
            ),
            ("https://r.acme.com", "https://[::1]/t", false, Err(Address)),
            (
                "https://r.acme.com",
                "https://[::ffff:10.0.0.1]/t",
                false,
                Err(Address),
            ),
            (
                "https://r.acme.com",
                "https://[64:ff9b::10.0.0.1]/t",
                false,
                Err(Address),
            ),
            (
                "https://r.acme.com",
                "https://[fd12::1]/t",
                false,
                Err(Address),
            ),
            (
                "https://r.acme.com",
                "https://169.254.169.254/t",
                false,
                Err(Metadata),
            ),
            // What a name leads to is looked at when it is resolved.
            (
                "https://r.acme.com",
                "https://auth.acme.com/t",
                false,
                Ok(Reach::Public),
            ),
            (
                "https://r.acme.com",
                "https://auth.acme.com/t",
                true,
                Ok(Reach::Named),
            ),
            (
                "https://r.acme.com",
                "https://r.acme.com/t",
                false,
                Ok(Reach::Named),
            ),
            (
                "https://r.acme.com",
                "https://r.acme.com:8443/t",
                false,
                Ok(Reach::Public),
            ),
            (
                "https://r.acme.com",
                "https://10.0.0.1/t",
                true,
                Ok(Reach::Named),
            ),
            (
                "https://10.0.0.2",
                "https://10.0.0.1/t",
                true,
                Ok(Reach::Named),
            ),
            (
                "https://10.0.0.2",
                "https://169.254.169.254/t",
                true,
                Err(Metadata),
            ),
            (
                "http://localhost:5000",
                "http://localhost:5001/t",
                true,
                Ok(Reach::Named),
            ),
        ] {
            let found = realm(&url(registry), &url(to), is_near, &trusted);
            assert_eq!(found.map(|(_, reach)| reach), expected, "{registry} → {to}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn redirects() {
        use NoRedirect::{Address, Host, Scheme};
        let trusted = Trusted::new(["cdn.partner.example".to_owned(), "10.0.0.9".to_owned()]);
        for (registry, to, expected) in [
            (
                "https://r.acme.com",
                "https://r.acme.com/v2/",
                Ok(Reach::Named),
            ),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5000/v2/",
                Ok(Reach::Named),
            ),
            (
                "https://r.acme.com",
                "https://r.acme.com:8443/v2/",
                Ok(Reach::Public),
            ),
            ("https://r.acme.com", "http://r.acme.com/v2/", Err(Scheme)),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5001/v2/",
                Err(Scheme),
            ),
            (
                "http://127.0.0.1:5000",
                "https://127.0.0.1:5001/v2/",
                Err(Address),
            ),
            ("https://r.acme.com", "https://10.0.0.1/v2/", Err(Address)),
            ("https://r.acme.com", "https://10.0.0.9/v2/", Err(Address)),
            (
                "https://r.acme.com",
                "https://169.254.169.254/",
                Err(Address),
            ),
            ("https://r.acme.com", "https://localhost/", Err(Address)),
            ("https://r.acme.com", "https://evil.example/", Err(Host)),
            ("https://r.acme.com", "https://x.acme.com/", Err(Host)),
            (
                "https://r.acme.com",
                "https://cdn.partner.example/",
                Ok(Reach::Public),
            ),
            (
                "https://registry.k8s.io",
                "https://us-west1-docker.pkg.dev/v2/",
                Ok(Reach::Public),
            ),
            (
                "https://registry.k8s.io",
                "https://a.b-docker.pkg.dev/v2/",
                Err(Host),
            ),
            (
                "https://registry.k8s.io",
                "https://-docker.pkg.dev.evil.example/",
                Err(Host),
            ),
            (
                "https://r.acme.com",
                "https://us-west1-docker.pkg.dev/v2/",
                Err(Host),
            ),
        ] {
            assert_eq!(
                redirect(&url(registry), &url(to), &trusted),
                expected,
                "{registry} → {to}"
            );
        }
    }
}
