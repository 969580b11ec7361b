//! Hosts and addresses: which are this machine, which are near it, and which
//! are never asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Names and addresses of the services that hand a machine its own
/// credentials.
const METADATA_NAMES: &[&str] = &["metadata.google.internal", "metadata.goog", "metadata"];
const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// Which addresses a request may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All but link-local ones and metadata services.
    Named,
    /// Public ones only: where a registry, not the user, named the host.
    Public,
}

impl Reach {
    /// Whether `address` may be asked.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        !is_never_asked(address) && (self == Self::Named || is_public(address))
    }

    /// Whether the host of `url` may be asked, as far as its name tells; what
    /// the name resolves to is looked at when it is resolved.
    #[must_use]
    pub fn allows_host(self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                let is_metadata = METADATA_NAMES.contains(&name);
                !is_metadata && (self == Self::Named || !is_loopback_name(name))
            }
            None => false,
        }
    }
}

/// Whether `url` is on this machine, as its name says.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => unmapped(address.into()).is_loopback(),
        Some(Host::Domain(name)) => is_loopback_name(name),
        None => false,
    }
}

/// The scheme, if it is one that a registry has; else nothing of it is said.
pub(super) fn scheme_of(url: &Url) -> &'static str {
    match url.scheme() {
        "https" => "https",
        "http" => "http",
        _ => "…",
    }
}

/// RFC 6761, 6.3.
fn is_loopback_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// An IPv4 address in an IPv6 one is that IPv4 address: mapped and compatible
/// ones (RFC 4291, 2.5.5), those of NAT64 (RFC 6052, RFC 8215) and of 6to4
/// (RFC 3056).
fn unmapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let octets = v6.octets();
    let v4 = |at: usize| {
        let [a, b, c, d] = [at, at + 1, at + 2, at + 3].map(|at| octets[at]);
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0 | 1, ..] => v4(12),
        [0x2002, ..] => v4(2),
        _ => address,
    }
}

fn is_never_asked(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || METADATA_V4.contains(&v4),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || METADATA_V6.contains(&v6),
    }
}

fn is_public(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_benchmark = a == 198 && (18..20).contains(&b);
            let is_protocol = matches!(v4.octets(), [192, 0, 0, _]);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || is_shared
                || is_benchmark
                || is_protocol
                || a == 0
                || a >= 240)
        }
        IpAddr::V6(v6) => {
            // Global unicast is 2000::/3 (RFC 4291), of which 2001::/23 belongs to
            // protocols and 2001:db8::/32 to documentation.
            let [a, b, ..] = v6.segments();
            let is_global = (0x2000..0x4000).contains(&a);
            is_global && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x3fff
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges of the IANA special-purpose address registries.
    #[test]
    fn addresses() {
        for (address, named, public) in [
            ("192.0.2.1", true, false),
            ("8.8.8.8", true, true),
            ("10.1.2.3", true, false),
            ("172.31.0.1", true, false),
            ("192.168.0.1", true, false),
            ("127.0.0.1", true, false),
            ("100.64.0.1", true, false),
            ("0.0.0.0", true, false),
            ("169.254.169.254", false, false),
            ("169.254.170.2", false, false),
            ("100.100.100.200", false, false),
            ("168.63.129.16", false, false),
            ("::1", true, false),
            ("::", true, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
            ("fd12::1", true, false),
            ("2606:4700::1", true, true),
            ("::ffff:169.254.169.254", false, false),
            ("::ffff:10.0.0.1", true, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b::a00:1", true, false),
            ("64:ff9b::808:808", true, true),
            ("64:ff9b:1::a9fe:a9fe", false, false),
            ("64:ff9b:1::a00:1", true, false),
            ("::a9fe:a9fe", false, false),
            ("::7f00:1", true, false),
            ("2002:a9fe:a9fe::1", false, false),
            ("2002:a00:1::1", true, false),
            ("2001::1", true, false),
            ("2001:db8::1", true, false),
            ("3fff::1", true, false),
            ("fec0::1", true, false),
            ("100::1", true, false),
            ("fd00:ec2::23", false, false),
            ("fd20:ce::254", false, false),
            ("fd00:42::42", false, false),
            ("192.0.0.8", true, false),
        ] {
            let address: IpAddr = address.parse().expect(address);
            assert_eq!(Reach::Named.allows(address), named, "{address}");
            assert_eq!(Reach::Public.allows(address), public, "{address}");
        }
    }

    #[test]
    fn hosts_as_urls_spell_them() {
        for (url, named, public) in [
            ("https://registry.example/", true, true),
            ("https://metadata.google.internal/", false, false),
            ("https://METADATA.google.internal./", false, false),
            ("https://0xA9FEA9FE/", false, false),
            ("https://2852039166/", false, false),
            ("https://[::ffff:a9fe:a9fe]/", false, false),
            ("https://localhost/", true, false),
            ("https://a.localhost/", true, false),
            ("https://127.1/", true, false),
        ] {
            let parsed = Url::parse(url).expect(url);
            assert_eq!(Reach::Named.allows_host(&parsed), named, "{url}");
            assert_eq!(Reach::Public.allows_host(&parsed), public, "{url}");
        }
    }
}
