//! Who named what: a credential never travels over a connection that somebody
//! less trusted named a part of.
//!
//! A proxy, a CA, a client certificate and plain http each let whoever names
//! them read or answer what goes over the connection. A pull request can name
//! all four, so what the user has logged in to must not go that way. What the
//! environment and the flags name (`HTTPS_PROXY`, `SSL_CERT_FILE`,
//! `--trust-host`) is the user's own, and bars nothing.

use std::fmt;

/// Who said something, the least trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rank {
    /// The checkout, or the items of a ResourceList: whoever may propose a
    /// change to it.
    Tree,
    /// The functionConfig.
    FunctionConfig,
    /// `--policies` and `--secret`.
    Given,
    /// The flags and the environment of the run: Docker's logins, a cloud's
    /// identity, `--trust-connection`.
    User,
}

/// Something, and who said it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ranked<T> {
    /// What was said.
    pub value: T,
    /// Who said it.
    pub by: Rank,
}

impl<T> Ranked<T> {
    /// `value`, as `by` said it.
    pub fn new(value: T, by: Rank) -> Self {
        Self { value, by }
    }
}

/// A part of a connection that a document can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// `proxySecretRef`: everything goes through it.
    Proxy,
    /// `ca.crt` of `certSecretRef`: whoever has its key can be the registry.
    Ca,
    /// `tls.crt` and `tls.key` of `certSecretRef`: as whom we connect.
    ClientCertificate,
    /// `insecure`: everything may go in the clear.
    Insecure,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proxy => "proxy",
            Self::Ca => "CA",
            Self::ClientCertificate => "client certificate",
            Self::Insecure => "plain http",
        })
    }
}

/// What keeps a credential from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {part} of its connection was named by somebody less trusted than the credential")]
pub struct Barred {
    /// The part.
    pub part: Part,
    /// Who named it.
    pub by: Rank,
    /// Whose credential it is.
    pub credential: Rank,
}

/// Whether a credential that `credential` gave may travel over a connection
/// with these parts, each with who named it.
///
/// # Errors
/// The part of the least trusted who bars it, the first of several.
pub fn may_travel(
    credential: Rank,
    parts: impl IntoIterator<Item = (Part, Rank)>,
) -> Result<(), Barred> {
    let lower = parts.into_iter().filter(|(_, by)| *by < credential);
    match lower.min_by_key(|(part, by)| (*by, *part)) {
        None => Ok(()),
        Some((part, by)) => Err(Barred {
            part,
            by,
            credential,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANKS: [Rank; 4] = [Rank::Tree, Rank::FunctionConfig, Rank::Given, Rank::User];
    const PARTS: [Part; 4] = [
        Part::Proxy,
        Part::Ca,
        Part::ClientCertificate,
        Part::Insecure,
    ];

    /// For each who gives a credential (a row) and each who names a part (a
    /// column, the least trusted first): whether it travels.
    const TABLE: [(Rank, [bool; 4]); 4] = [
        (Rank::Tree, [true, true, true, true]),
        (Rank::FunctionConfig, [false, true, true, true]),
        (Rank::Given, [false, false, true, true]),
        (Rank::User, [false, false, false, true]),
    ];

    #[test]
    fn all_pairs() {
        for (credential, row) in TABLE {
            assert_eq!(may_travel(credential, []), Ok(()), "{credential:?}");
            for (by, expected) in RANKS.into_iter().zip(row) {
                for part in PARTS {
                    let barred = Barred {
                        part,
                        by,
                        credential,
                    };
                    let wanted = if expected { Ok(()) } else { Err(barred) };
                    let given = may_travel(credential, [(part, by)]);
                    assert_eq!(given, wanted, "{credential:?} over {part:?} of {by:?}");
                }
            }
        }
    }

    /// One part that is the user's own does not make up for another.
    #[test]
    fn all_pairs_of_parts() {
        for (credential, row) in TABLE {
            for (one, may_one) in RANKS.into_iter().zip(row) {
                for (other, may_other) in RANKS.into_iter().zip(row) {
                    for (first, second) in PARTS.into_iter().flat_map(|a| PARTS.map(|b| (a, b))) {
                        let given = may_travel(credential, [(first, one), (second, other)]);
                        assert_eq!(given.is_ok(), may_one && may_other);
                        if let Err(barred) = given {
                            assert_eq!(barred.by, one.min(other));
                        }
                    }
                }
            }
        }
    }
}
