//! The two questions: which tags there are, and what a tag's digest is
//! (distribution specification, "Listing Tags" and "Checking if content
//! exists").

use std::collections::{BTreeMap, HashSet};

use data_encoding::HEXLOWER;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::answer::{authority, code_of};
use super::error::RegistryError;
use super::link;
use super::session::{Question, Session};
use super::transport::Answer;
use crate::image::{is_digest, is_tag};

/// Tags that are asked for at a time. A registry may give fewer, and that says
/// nothing.
const PAGE: usize = 1000;
const MOST_PAGES: usize = 1000;
const MOST_TAGS: usize = 1_000_000;

const JSON: &str = "application/json";
/// Manifests and indexes of every kind.
pub(super) const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
application/vnd.docker.distribution.manifest.list.v2+json, \
application/vnd.oci.image.manifest.v1+json, \
application/vnd.docker.distribution.manifest.v2+json, \
application/vnd.docker.distribution.manifest.v1+prettyjws";

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Page {
    /// Where it was asked for: path and query, or a whole address where the
    /// registry had sent us elsewhere.
    pub at: String,
    /// Its ETag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its tags, in the grammar of tags.
    pub tags: Vec<String>,
    /// What was no tag.
    #[serde(default)]
    pub dropped: usize,
    /// Where the page after it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A whole list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its pages, in the registry's order.
    pub pages: Vec<Page>,
}

impl Listing {
    /// How many entries were no tags.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.pages.iter().map(|page| page.dropped).sum()
    }

    /// The tags, sorted by bytes, each once.
    #[must_use]
    pub fn into_tags(self) -> Vec<String> {
        let mut pages = self.pages.into_iter().map(|page| page.tags);
        let mut tags = pages.next().unwrap_or_default();
        for more in pages {
            tags.extend(more);
        }
        tags.sort_unstable();
        tags.dedup();
        tags
    }
}

/// Lists the tags of the session's repository.
pub async fn tags(session: &Session<'_>, known: &[Page]) -> Result<Listing, RegistryError> {
    let path = session.target.repository.path();
    let mut at = format!("/v2/{path}/tags/list?n={PAGE}");
    let known: BTreeMap<&str, &Page> = known.iter().map(|page| (page.at.as_str(), page)).collect();
    let mut listing = Listing::default();
    let (mut seen, mut count) = (HashSet::new(), 0);
    loop {
        if !seen.insert(at.clone()) {
            return Err(RegistryError::Endless(
                "its pages lead back to an earlier one",
            ));
        }
        if listing.pages.len() == MOST_PAGES {
            return Err(RegistryError::Endless("it has more than 1,000 pages"));
        }
        let old = known.get(at.as_str()).filter(|page| page.etag.is_some());
        let question = Question {
            method: Method::GET,
            at: at.clone(),
            accept: JSON,
            etag: old.and_then(|page| page.etag.clone()),
        };
        let answer = session.ask(&question).await?;
        let page = match (answer.status, old) {
            (304, Some(old)) => (*old).clone(),
            _ => page(session, &answer, at)?,
        };
        count += page.tags.len() + page.dropped;
        if count > MOST_TAGS {
            return Err(RegistryError::Endless("it has more than 1,000,000 tags"));
        }
        let next = page.next.clone();
        listing.pages.push(page);
        match next {
            None => return Ok(listing),
            Some(next) => at = next,
        }
    }
}

/// Reads the answer to a question for a page.
fn page(session: &Session<'_>, answer: &Answer, at: String) -> Result<Page, RegistryError> {
    #[derive(Deserialize)]
    struct Body {
        tags: Option<Vec<String>>,
        name: Option<serde::de::IgnoredAny>,
    }
    if answer.status != 200 {
        return Err(failure(session, answer));
    }
    let no_list = |what: String| RegistryError::NoRegistry {
        host: authority(&answer.url),
        what,
    };
    // The content type is wrong often enough to say nothing; the body tells.
    let body: Body = serde_json::from_slice(&answer.body).map_err(|_| {
        let kind = media_type(answer);
        no_list(format!("200 with {kind} that is no list of tags"))
    })?;
    if body.tags.is_none() && body.name.is_none() {
        return Err(no_list("200 with JSON that is no list of tags".to_owned()));
    }
    let mut tags = body.tags.unwrap_or_default();
    let all = tags.len();
    // Flux's own reading is wider: it takes a point or hyphen to begin with.
    tags.retain(|tag| is_tag(tag) && !tag.starts_with(['.', '-']));
    let next = link::next(&answer.url, answer.texts("link"))?;
    Ok(Page {
        etag: answer.text("etag").map(str::to_owned),
        dropped: all - tags.len(),
        tags,
        next: next.map(|next| session.relative(&next)),
        at,
    })
}

/// The media type of an answer, if it is one that people know. Any other text
/// could be what we sent, sent back.
fn media_type(answer: &Answer) -> String {
    const KNOWN: &[&str] = &[
        "application/json",
        "application/octet-stream",
        "application/xhtml+xml",
        "application/xml",
        "text/html",
        "text/plain",
        "text/xml",
    ];
    let kind = answer.text("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(kind));
    known.map_or_else(|| "a body".to_owned(), |known| format!("`{known}`"))
}

/// What an answer that is no success means.
pub(super) fn failure(session: &Session<'_>, answer: &Answer) -> RegistryError {
    let (host, status, code) = (authority(&answer.url), answer.status, code_of(answer));
    match status {
        401 | 403 => RegistryError::Denied {
            host,
            status,
            code,
            anonymous: session.target.credential().is_anonymous(),
        },
        404 => RegistryError::NotFound { host, code },
        _ => RegistryError::Status { host, status, code },
    }
}

/// The digest of a tag: what HEAD says, else that of the manifest itself.
pub async fn digest(session: &Session<'_>, tag: &str) -> Result<String, RegistryError> {
    let path = session.target.repository.path();
    let mut question = Question {
        method: Method::HEAD,
        at: format!("/v2/{path}/manifests/{tag}"),
        accept: MANIFESTS,
        etag: None,
    };
    let head = session.ask(&question).await?;
    match (head.status, told(&head)) {
        (200, Some(digest)) => return Ok(digest),
        // A registry that does not answer HEAD still answers GET.
        (200 | 400 | 405 | 501, _) => {}
        _ => return Err(failure(session, &head)),
    }
    question.method = Method::GET;
    let answer = session.ask(&question).await?;
    if answer.status != 200 {
        return Err(failure(session, &answer));
    }
    let kind = answer.text("content-type").unwrap_or_default();
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok();
    if !is_json {
        return Err(RegistryError::NoRegistry {
            host: authority(&answer.url),
            what: format!("200 with {} that is no manifest", media_type(&answer)),
        });
    }
    let told = told(&answer);
    // A signed manifest of the first schema is digested without its signature,
    // so there the registry's word is all there is.
    if let (true, Some(told)) = (kind.contains("manifest.v1"), &told) {
        return Ok(told.clone());
    }
    let own = sha256(&answer.body);
    match told {
        Some(told) if told != own => Err(RegistryError::WrongDigest {
            host: authority(&answer.url),
        }),
        _ => Ok(own),
    }
}

fn told(answer: &Answer) -> Option<String> {
    let digest = answer.text("docker-content-digest")?.trim();
    is_digest(digest).then(|| digest.to_owned())
}

/// `sha256:…` of some bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    format!("sha256:{}", HEXLOWER.encode(digest.as_ref()))
}
