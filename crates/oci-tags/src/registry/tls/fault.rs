//! What is wrong where TLS fails, in the words of who runs a registry. No library's
//! own text gets out: it is for its authors, and changes with them.

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::{NoRoots, webpki_error};

/// What went wrong with TLS. No library's own words: those are for its authors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// Something else is spoken.
    #[error("it does not speak TLS")]
    NotTls,
    /// The handshake broke off.
    #[error("the connection was closed")]
    Closed,
    /// There is nothing to check certificates with.
    #[error("no certificate authority is known on this machine, so no certificate can be checked")]
    NoRoots,
    /// Nobody who is trusted has signed it.
    #[error("its certificate is not signed by an authority that is trusted here")]
    UnknownIssuer,
    /// An authority's certificate, or a self-signed one, that is not trusted.
    #[error("its certificate is self-signed or an authority's own, and not among the trusted ones")]
    OwnAuthority,
    /// Past its last day.
    #[error("its certificate expired at {at} (the clock here says {now})")]
    Expired {
        /// Its last moment.
        at: Timestamp,
        /// The moment of the check.
        now: Timestamp,
    },
    /// Before its first day.
    #[error("its certificate is valid from {at} on (the clock here says {now})")]
    NotYetValid {
        /// Its first moment.
        at: Timestamp,
        /// The moment of the check.
        now: Timestamp,
    },
    /// Another host's.
    #[error("its certificate is for {names}, not for this name")]
    OtherName {
        /// Whose.
        names: String,
    },
    /// Nobody's.
    #[error("its certificate names no host in `subjectAltName`; a common name does not count")]
    NoName,
    /// Any other trouble with its certificate.
    #[error("its certificate {0}")]
    Certificate(&'static str),
    /// It does not want to talk to us.
    #[error("it {0}")]
    Refused(&'static str),
    /// Any other trouble.
    #[error("{0}")]
    Protocol(&'static str),
}

impl TlsFault {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRoots => {
                "install the system's certificates (`ca-certificates`), or name a file of them with `SSL_CERT_FILE`"
            }
            Self::Expired { .. } | Self::NotYetValid { .. } => {
                "renew the registry's certificate, or set the clock of this machine"
            }
            Self::OtherName { .. } | Self::NoName => {
                "ask for the registry by a name of its certificate, or give it one with this name in `subjectAltName`"
            }
            Self::Refused(_) => {
                "a registry that wants a certificate of its clients needs `certSecretRef` with `tls.crt` and `tls.key`"
            }
            _ => {
                "a registry with a certificate of its own needs `certSecretRef` with its `ca.crt`, or `SSL_CERT_FILE`; plain http is only spoken with `insecure: true`"
            }
        }
    }

    /// The text that a server has a say in.
    pub(in super::super) fn text(&mut self) -> Option<&mut String> {
        match self {
            Self::OtherName { names } => Some(names),
            _ => None,
        }
    }
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(error) => Self::from(error),
            E::AlertReceived(alert) => alert_received(*alert),
            E::InvalidMessage(_) => Self::NotTls,
            E::NoCertificatesPresented => Self::Protocol("it shows no certificate"),
            E::PeerIncompatible(_) => {
                Self::Protocol("it speaks no version or cipher of TLS that is safe enough")
            }
            E::UnsupportedNameType => Self::Protocol("its name cannot be in a certificate"),
            E::NoApplicationProtocol => Self::Protocol("it speaks no HTTP over TLS"),
            E::DecryptError => Self::Protocol("what it sends cannot be decrypted"),
            E::FailedToGetCurrentTime | E::FailedToGetRandomBytes => {
                Self::Protocol("this machine gives no time or no random numbers")
            }
            _ => Self::Protocol("it does not keep to the protocol"),
        }
    }
}

impl From<&CertificateError> for TlsFault {
    fn from(error: &CertificateError) -> Self {
        use CertificateError as E;
        let moment = |time: &UnixTime| {
            let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
        };
        match error {
            E::UnknownIssuer => Self::UnknownIssuer,
            E::ExpiredContext { time, not_after } => Self::Expired {
                at: moment(not_after),
                now: moment(time),
            },
            E::NotValidYetContext { time, not_before } => Self::NotYetValid {
                at: moment(not_before),
                now: moment(time),
            },
            E::NotValidForNameContext { presented, .. } => other_name(presented),
            E::Other(other) if other.0.is::<NoRoots>() => Self::NoRoots,
            E::Other(other) => {
                webpki_error(other).map_or(Self::Certificate("is refused"), of_webpki)
            }
            other => Self::Certificate(match other {
                E::BadEncoding => "cannot be read",
                E::Expired => "has expired",
                E::NotValidYet => "is not valid yet",
                E::NotValidForName => "is for another name",
                E::Revoked => "has been revoked",
                E::BadSignature => {
                    "is signed by another authority of the same name as a trusted one"
                }
                E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
                    "is not meant for servers (its extended key usage)"
                }
                E::UnsupportedSignatureAlgorithmContext { .. }
                | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                    "is signed in a way that is not supported, or is too weak"
                }
                E::UnhandledCriticalExtension => "has a critical extension that is not known",
                _ => "is refused",
            }),
        }
    }
}

fn of_webpki(error: &webpki::Error) -> TlsFault {
    use webpki::Error as E;
    TlsFault::Certificate(match error {
        E::CaUsedAsEndEntity => return TlsFault::OwnAuthority,
        E::EndEntityUsedAsCa => "is signed by one that may not sign others",
        E::NameConstraintViolation => "is for a name that its issuer may not sign for",
        E::PathLenConstraintViolated => "has more issuers in a row than they allow",
        E::UnsupportedCertVersion => "is not of version 3 of X.509",
        E::UnsupportedCriticalExtension => "has a critical extension that is not known",
        E::MaximumNameConstraintComparisonsExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumSignatureChecksExceeded => "comes with too many others to check",
        _ => "is malformed",
    })
}

/// Names come from whoever answers: only what names of hosts are made of is
/// said again, and no long list.
fn other_name(presented: &[String]) -> TlsFault {
    const MOST: usize = 5;
    let inside = |name: &String| {
        let (_, name) = name.split_once('(')?;
        let name = name.strip_suffix(')')?.trim_matches('"').to_owned();
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".*-:".contains(c);
        (name.len() < 254 && name.chars().all(is_host)).then(|| format!("`{name}`"))
    };
    let mut names: Vec<String> = presented.iter().filter_map(inside).collect();
    if names.is_empty() {
        return TlsFault::NoName;
    }
    if names.len() > MOST {
        let more = names.len() - MOST;
        names.truncate(MOST);
        names.push(format!("{more} more"));
    }
    TlsFault::OtherName {
        names: names.join(", "),
    }
}

fn alert_received(alert: AlertDescription) -> TlsFault {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired | A::NoCertificate => {
            TlsFault::Refused("wants a certificate of its clients, and none was shown")
        }
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => TlsFault::Refused("does not accept our certificate"),
        A::HandshakeFailure | A::InsufficientSecurity => TlsFault::Refused(
            "ended the handshake: there may be no cipher in common, or it wants a certificate of its clients",
        ),
        A::ProtocolVersion => TlsFault::Protocol("it speaks no version of TLS that is safe enough"),
        A::UnrecognisedName => TlsFault::Protocol("it has no certificate for this name"),
        A::InternalError => TlsFault::Protocol("it is in trouble itself"),
        _ => TlsFault::Protocol("it ended the handshake"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn names_that_are_said_again() {
        let fault = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            other_name(&names).to_string()
        };
        assert_eq!(
            fault(&["DnsName(\"harbor.local\")", "IpAddress(10.0.0.1)"]),
            "its certificate is for `harbor.local`, `10.0.0.1`, not for this name"
        );
        for names in [&[][..], &["DirectoryName"], &["DnsName(\"a\n::error::b\")"]] {
            assert!(fault(names).contains("names no host"), "{names:?}");
        }
        let many = ["DnsName(\"a\")"; 9];
        assert!(
            fault(&many).contains("`a`, 4 more, not"),
            "{}",
            fault(&many)
        );
    }

    /// No library's own words get out.
    #[test]
    fn every_trouble_has_words() {
        let other = |error: webpki::Error| CertificateError::Other(OtherError(Arc::new(error)));
        for (error, said) in [
            (
                CertificateError::UnknownIssuer,
                "not signed by an authority",
            ),
            (other(webpki::Error::CaUsedAsEndEntity), "self-signed"),
            (
                other(webpki::Error::NameConstraintViolation),
                "may not sign",
            ),
            (other(webpki::Error::BadDer), "malformed"),
            (CertificateError::InvalidPurpose, "not meant for servers"),
            (
                CertificateError::ApplicationVerificationFailure,
                "is refused",
            ),
            (
                CertificateError::Other(OtherError(Arc::new(NoRoots))),
                "no certificate authority",
            ),
        ] {
            let fault = TlsFault::from(&rustls::Error::InvalidCertificate(error)).to_string();
            assert!(fault.contains(said), "{fault}");
            assert!(!fault.contains("Error"), "{fault}");
        }
        for (alert, said) in [
            (AlertDescription::CertificateRequired, "wants a certificate"),
            (
                AlertDescription::UnknownCA,
                "does not accept our certificate",
            ),
            (AlertDescription::ProtocolVersion, "no version of TLS"),
            (AlertDescription::Unknown(200), "ended the handshake"),
        ] {
            let fault = TlsFault::from(&rustls::Error::AlertReceived(alert)).to_string();
            assert!(fault.contains(said), "{fault}");
        }
    }
}
