//! Which cloud a registry's host belongs to.

use std::fmt;

/// `spec.provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Amazon Elastic Container Registry.
    Aws,
    /// Google Artifact Registry and Container Registry.
    Gcp,
    /// Azure Container Registry.
    Azure,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
        })
    }
}

/// A host that one login is for, with what that login depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A private registry of ECR: one login for all of a region.
    Ecr {
        /// The region.
        region: String,
        /// Where its API is.
        api: String,
    },
    /// `public.ecr.aws`
    EcrPublic,
    /// Artifact Registry or Container Registry: one login for all.
    Google,
    /// A registry of ACR: each has a login of its own.
    Acr {
        /// The registry's host.
        host: String,
        /// What the token of the cloud is for.
        resource: &'static str,
        /// Who gives it.
        authority: &'static str,
    },
}

impl Host {
    /// The host in the eyes of `provider`; `None` where it is none of its own.
    #[must_use]
    pub fn of(provider: Provider, host: &str) -> Option<Self> {
        match provider {
            Provider::Aws => ecr(host),
            Provider::Gcp => is_google(host).then_some(Self::Google),
            Provider::Azure => acr(host),
        }
    }

    /// The cloud.
    #[must_use]
    pub fn provider(&self) -> Provider {
        match self {
            Self::Ecr { .. } | Self::EcrPublic => Provider::Aws,
            Self::Google => Provider::Gcp,
            Self::Acr { .. } => Provider::Azure,
        }
    }
}

/// Lower-case letters, digits and inner hyphens.
fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// `ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn]`, or
/// `ACCOUNT.dkr-ecr[-fips].REGION.on.aws`.
fn ecr(host: &str) -> Option<Host> {
    if host == "public.ecr.aws" {
        return Some(Host::EcrPublic);
    }
    let (account, rest) = host.split_once('.')?;
    if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (is_fips, rest) = [
        (true, "dkr.ecr-fips."),
        (false, "dkr.ecr."),
        (true, "dkr-ecr-fips."),
        (false, "dkr-ecr."),
    ]
    .iter()
    .find_map(|(is_fips, prefix)| Some((*is_fips, rest.strip_prefix(prefix)?)))?;
    let (region, domain) = rest.split_once('.')?;
    let domain = match domain {
        "amazonaws.com" | "on.aws" => "amazonaws.com",
        "amazonaws.com.cn" | "on.amazonwebservices.com.cn" => "amazonaws.com.cn",
        _ => return None,
    };
    let service = if is_fips { "ecr-fips" } else { "api.ecr" };
    is_label(region).then(|| Host::Ecr {
        region: region.to_owned(),
        api: format!("https://{service}.{region}.{domain}/"),
    })
}

fn is_google(host: &str) -> bool {
    let is_gcr = host == "gcr.io" || host.strip_suffix(".gcr.io").is_some_and(is_label);
    is_gcr || host.strip_suffix("-docker.pkg.dev").is_some_and(is_label)
}

fn acr(host: &str) -> Option<Host> {
    let (resource, authority) = match host.split_once('.')?.1 {
        "azurecr.io" => (
            "https://management.azure.com",
            "https://login.microsoftonline.com",
        ),
        "azurecr.cn" => (
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
        ),
        "azurecr.us" => (
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
        ),
        _ => return None,
    };
    let is_name = host.split('.').next().is_some_and(is_label);
    is_name.then(|| Host::Acr {
        host: host.to_owned(),
        resource,
        authority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn hosts_are_anchored() {
        use Provider::{Aws, Azure, Gcp};
        for (provider, host, is_own) in [
            (Aws, "123456789012.dkr.ecr.us-east-1.amazonaws.com", true),
            (
                Aws,
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                true,
            ),
            (
                Aws,
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                true,
            ),
            (Aws, "123456789012.dkr-ecr.eu-west-1.on.aws", true),
            (Aws, "public.ecr.aws", true),
            (Aws, "1.dkr.ecr.us-east-1.amazonaws.com.evil.example", false),
            (
                Aws,
                "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
                false,
            ),
            (
                Aws,
                "123456789012.dkr.ecr.us-east-1.amazonaws.com:5000",
                false,
            ),
            (
                Aws,
                "123456789012.dkr.ecr.us-east-1.evil.amazonaws.com",
                false,
            ),
            (
                Aws,
                "123456789012.dkr.ecr.evil.example/.amazonaws.com",
                false,
            ),
            (Aws, "x123456789012.dkr.ecr.us-east-1.amazonaws.com", false),
            (Aws, "123456789012.dkrxecr.us-east-1.amazonaws.com", false),
            (Aws, "123456789012.dkr.ecr.us-east-1.amazonawsxcom", false),
            (Aws, "evil.public.ecr.aws", false),
            (Aws, "public.ecr.aws.evil.example", false),
            (Aws, "ghcr.io", false),
            (Gcp, "gcr.io", true),
            (Gcp, "eu.gcr.io", true),
            (Gcp, "us-west1-docker.pkg.dev", true),
            (Gcp, "docker.pkg.dev", false),
            (Gcp, "evilgcr.io", false),
            (Gcp, "a.b.gcr.io", false),
            (Gcp, "gcr.io.evil.example", false),
            (Gcp, "us-docker.pkg.dev.evil.example", false),
            (Gcp, "evil.us-docker.pkg.dev", false),
            (Gcp, "gcr.io:8080", false),
            (Azure, "acme.azurecr.io", true),
            (Azure, "acme.azurecr.cn", true),
            (Azure, "acme.azurecr.us", true),
            (Azure, "azurecr.io", false),
            (Azure, "a.b.azurecr.io", false),
            (Azure, "acme.azurecr.io.evil.example", false),
            (Azure, "acme.evilazurecr.io", false),
            (Azure, "acme.azurecr.io:444", false),
            (Azure, "gcr.io", false),
        ] {
            assert_eq!(
                Host::of(provider, host).is_some(),
                is_own,
                "{provider}: {host}"
            );
        }
    }

    #[test]
    fn the_api_is_the_regions_own() {
        let api = |host| match Host::of(Provider::Aws, host) {
            Some(Host::Ecr { api, .. }) => api,
            other => panic!("{other:?}"),
        };
        for (host, expected) in [
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "https://api.ecr.us-east-1.amazonaws.com/",
            ),
            (
                "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com",
                "https://ecr-fips.us-east-1.amazonaws.com/",
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "https://api.ecr.cn-north-1.amazonaws.com.cn/",
            ),
            (
                "123456789012.dkr-ecr.eu-west-1.on.aws",
                "https://api.ecr.eu-west-1.amazonaws.com/",
            ),
        ] {
            assert_eq!(api(host), expected);
        }
    }
}
