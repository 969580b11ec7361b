//! Names, resolved with care: what they lead to is looked at before anybody is
//! asked, and what they led to is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::dns;
use url::Url;

use super::address::Reach;
use super::lock;

/// What names led to, whoever asked: whether to private and loopback addresses
/// alone. A name that ever led to a public one is far for good, so that a name
/// server which answers in turns gains nothing by it.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved(Arc<Mutex<BTreeMap<String, bool>>>);

impl Resolved {
    /// Whether the host of `url` is at a private or loopback address: by its
    /// name, or by all that the name led to. A name that nobody has resolved
    /// here, since a proxy did, is not.
    pub(super) fn is_near(&self, url: &Url) -> bool {
        let seen = |name: &str| lock(&self.0).get(name).copied();
        !Reach::Public.allows_host(url) || url.host_str().and_then(seen).unwrap_or(false)
    }

    fn note(&self, name: &str, found: &[SocketAddr]) {
        let is_near = found
            .iter()
            .all(|address| !Reach::Public.allows(address.ip()));
        let mut names = lock(&self.0);
        let known = names.entry(name.to_ascii_lowercase()).or_insert(is_near);
        *known &= is_near;
    }
}

/// Resolves names, and leaves out what may not be reached.
pub(super) struct Guard {
    /// How far a request may reach.
    pub reach: Reach,
    /// Names of proxies, which may be near.
    pub near: BTreeSet<String>,
    /// Where it is kept what names led to.
    pub resolved: Resolved,
}

impl dns::Resolve for Guard {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let reach = if self.near.contains(name.as_str()) {
            Reach::Named
        } else {
            self.reach
        };
        let resolved = self.resolved.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let all: Vec<SocketAddr> = found.collect();
            if all.is_empty() {
                return Ok(Box::new(all.into_iter()) as dns::Addrs);
            }
            resolved.note(name.as_str(), &all);
            let mut allowed = all;
            allowed.retain(|address| reach.allows(address.ip()));
            if allowed.is_empty() {
                return Err(Box::new(NotAsked) as Box<dyn Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as dns::Addrs)
        })
    }
}

/// The name leads to an address that is not asked.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not asked")]
pub(super) struct NotAsked;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_ever_far_is_not_near() {
        let (near, far) = ("10.0.0.5:0", "8.8.8.8:0");
        for (answers, expected) in [
            (&[&[near][..]][..], true),
            (&[&[near], &["127.0.0.1:0"]], true),
            (&[&[far]], false),
            (&[&[near, far]], false),
            (&[&[far], &[near]], false),
            (&[&[near], &[far], &[near]], false),
            (&[], false),
        ] {
            let resolved = Resolved::default();
            for answer in answers {
                let answer: Vec<SocketAddr> = answer
                    .iter()
                    .map(|address| address.parse().expect("an address"))
                    .collect();
                resolved.note("Registry.example", &answer);
            }
            let url = Url::parse("https://registry.example:5000/").expect("a URL");
            assert_eq!(resolved.is_near(&url), expected, "{answers:?}");
        }
    }

    /// A name is public until it is resolved; then it is what it leads to.
    #[test]
    fn a_name_next_door_is_left_out() {
        use dns::Resolve as _;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let resolve = |reach, near: &[&str]| {
            let guard = Guard {
                reach,
                near: near.iter().map(|name| (*name).to_owned()).collect(),
                resolved: Resolved::default(),
            };
            let name = "localhost".parse().expect("a name");
            let found = runtime.block_on(guard.resolve(name));
            found
                .map(Iterator::count)
                .map_err(|error| error.is::<NotAsked>())
        };
        assert_eq!(resolve(Reach::Public, &[]), Err(true));
        assert!(resolve(Reach::Named, &[]).is_ok());
        assert!(resolve(Reach::Public, &["localhost"]).is_ok());
    }

    #[test]
    fn some_names_say_it_themselves() {
        let resolved = Resolved::default();
        for (url, expected) in [
            ("https://10.0.0.5", true),
            ("https://localhost:5000", true),
            ("https://[::1]", true),
            ("https://8.8.8.8", false),
            ("https://registry.example", false),
        ] {
            let parsed = Url::parse(url).expect(url);
            assert_eq!(resolved.is_near(&parsed), expected, "{url}");
        }
    }
}
