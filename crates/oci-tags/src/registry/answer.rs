//! What an answer tells that may be said again: little, since a registry can send
//! back whatever it was sent.

use serde::Deserialize;
use url::Url;

use super::address;
use super::transport::Answer;

/// The first error code of the specification in a body ("Error Codes").
pub(super) fn code_of(answer: &Answer) -> Option<String> {
    let code = raw_code(answer)?;
    // Anything else could be what we sent, sent back. Codes are a few words.
    const CODES: &[&str] = &[
        "BLOB_UNKNOWN",
        "DENIED",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "PAGINATION_NUMBER_INVALID",
        "TAG_INVALID",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNAVAILABLE",
        "UNKNOWN",
        "UNSUPPORTED",
    ];
    CODES.contains(&code.as_str()).then_some(code)
}

/// Whether a page of as many tags was refused: 413, or a code of distribution's
/// own for the number of results (`PAGINATION_NUMBER_INVALID`).
pub(super) fn refuses_size(answer: &Answer) -> bool {
    let is_other = matches!(answer.status, 401 | 403 | 404 | 429) || answer.status >= 500;
    let is_of_pages = || raw_code(answer).is_some_and(|code| code.starts_with("PAGINATION"));
    answer.status == 413 || answer.status >= 400 && !is_other && is_of_pages()
}

/// A code as it was sent, which is not to be said again.
fn raw_code(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        code: String,
    }
    let body: Body = serde_json::from_slice(&answer.body).ok()?;
    Some(body.errors.into_iter().next()?.code)
}

/// Host, with the port where it is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Scheme and host: what may be said of an address that a registry gave.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}", address::scheme_of(url), authority(url))
}
