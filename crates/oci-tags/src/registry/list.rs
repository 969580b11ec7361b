//! The two questions: which tags there are, and what a tag's digest is
//! (distribution specification, "Listing Tags" and "Checking if content
//! exists").

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use data_encoding::HEXLOWER;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::answer::{authority, code_of, refuses_size};
use super::auth::denied;
use super::error::RegistryError;
use super::link;
use super::session::{Question, Session};
use super::transport::Answer;
use crate::image::{Repository, is_digest, is_tag};

/// Tags that are asked for at a time, as many as a registry takes; the last is
/// its own choice. It may give fewer, and that says nothing.
const SIZES: [&str; 3] = ["?n=1000", "?n=100", ""];
const MOST_PAGES: usize = 1000;
const MOST_TAGS: usize = 1_000_000;
/// A longer ETag is none, in bytes.
const MOST_ETAG: usize = 1000;

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
    /// A list of `repository` that was kept where others may have been at it:
    /// `None` where it is none that a registry could have given here.
    #[must_use]
    pub fn of_kept(pages: Vec<Page>, repository: &Repository) -> Option<Self> {
        let list = format!("/v2/{}/tags/list", repository.path());
        let sizes = SIZES.iter();
        let mut at = sizes.map(|size| format!("{list}{size}"));
        let first = pages.first()?;
        let is_whole = at.any(|at| at == first.at)
            && pages
                .windows(2)
                .all(|pair| pair[0].next.as_ref() == Some(&pair[1].at))
            && pages.last()?.next.is_none();
        let count = pages.iter().try_fold(0usize, |count, page| {
            count
                .checked_add(page.tags.len())?
                .checked_add(page.dropped)
        })?;
        let is_sound =
            pages.len() <= MOST_PAGES && count <= MOST_TAGS && pages.iter().all(Page::is_sound);
        (is_whole && is_sound).then_some(Self { pages })
    }

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

impl Page {
    fn is_sound(&self) -> bool {
        let is_short = self.etag.as_ref().is_none_or(|it| it.len() <= MOST_ETAG);
        is_short && self.tags.iter().all(|tag| is_kept(tag))
    }
}

/// Whether an entry of a list is a tag. Flux's own reading is wider: it takes a
/// point or hyphen to begin with.
fn is_kept(tag: &str) -> bool {
    is_tag(tag) && !tag.starts_with(['.', '-'])
}

type Known<'p> = BTreeMap<&'p str, &'p Page>;

/// Lists the tags of the session's repository.
pub(super) async fn tags(session: &Session<'_>, known: &[Page]) -> Result<Listing, RegistryError> {
    let known: Known<'_> = known.iter().map(|page| (page.at.as_str(), page)).collect();
    let mut page = first(session, &known).await?;
    let mut listing = Listing::default();
    let (mut seen, mut count) = (HashSet::new(), 0);
    loop {
        seen.insert(page.at.clone());
        count += page.tags.len() + page.dropped;
        if count > MOST_TAGS {
            return Err(RegistryError::Endless("it has more than 1,000,000 tags"));
        }
        let next = page.next.clone();
        listing.pages.push(page);
        let Some(at) = next else {
            return Ok(listing);
        };
        if seen.contains(&at) {
            return Err(RegistryError::Endless(
                "its pages lead back to an earlier one",
            ));
        }
        if listing.pages.len() == MOST_PAGES {
            return Err(RegistryError::Endless("it has more than 1,000 pages"));
        }
        let answer = ask(session, &at, &known).await?;
        page = self::page(session, &answer, at, &known)?;
    }
}

/// The first page, of as many tags as the registry takes.
async fn first(session: &Session<'_>, known: &Known<'_>) -> Result<Page, RegistryError> {
    let list = format!("/v2/{}/tags/list", session.target.repository.path());
    loop {
        let size = session.host.size.load(Ordering::Relaxed);
        let at = format!("{list}{}", SIZES[size]);
        let answer = ask(session, &at, known).await?;
        if size + 1 < SIZES.len() && refuses_size(&answer) {
            // What one repository learns of the host is for all.
            session.host.size.fetch_max(size + 1, Ordering::Relaxed);
            continue;
        }
        return page(session, &answer, at, known);
    }
}

async fn ask(session: &Session<'_>, at: &str, known: &Known<'_>) -> Result<Answer, RegistryError> {
    let question = Question {
        method: Method::GET,
        at: at.to_owned(),
        accept: JSON,
        etag: known.get(at).and_then(|page| page.etag.clone()),
    };
    session.ask(&question).await
}

/// Reads the answer to a question for a page.
fn page(
    session: &Session<'_>,
    answer: &Answer,
    at: String,
    known: &Known<'_>,
) -> Result<Page, RegistryError> {
    #[derive(Deserialize)]
    struct Body {
        tags: Option<Vec<String>>,
        name: Option<serde::de::IgnoredAny>,
    }
    let old = known.get(at.as_str()).filter(|page| page.etag.is_some());
    if let (304, Some(old)) = (answer.status, old) {
        // What was kept says how to go on, but not where.
        let query = old.next.as_ref().map(|next| next.split_once('?'));
        let next = query.map(|query| session.page_after(&answer.url, query.map(|(_, it)| it)));
        return Ok(Page {
            next,
            ..(*old).clone()
        });
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
        no_list(format!("200 with {kind} that is not a list of tags"))
    })?;
    if body.tags.is_none() && body.name.is_none() {
        return Err(no_list(
            "200 with JSON that is not a list of tags".to_owned(),
        ));
    }
    let mut tags = body.tags.unwrap_or_default();
    let all = tags.len();
    tags.retain(|tag| is_kept(tag));
    let next = link::next(&answer.url, answer.texts("link"))?;
    let etag = answer.text("etag").filter(|etag| etag.len() <= MOST_ETAG);
    Ok(Page {
        etag: etag.map(str::to_owned),
        dropped: all - tags.len(),
        tags,
        next: next.map(|query| session.page_after(&answer.url, query)),
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
        401 | 403 => denied(answer, session.target.credential()),
        404 => RegistryError::NotFound {
            host,
            manifest: None,
            code,
        },
        _ => RegistryError::Status { host, status, code },
    }
}

/// What it means that a manifest is not had. The list has the tag, so the
/// repository is there: only its own word for that says otherwise.
pub(super) fn no_manifest(
    session: &Session<'_>,
    answer: &Answer,
    reference: &str,
) -> RegistryError {
    match failure(session, answer) {
        RegistryError::NotFound { host, code, .. } if code.as_deref() != Some("NAME_UNKNOWN") => {
            RegistryError::NotFound {
                host,
                manifest: Some(reference.to_owned()),
                code,
            }
        }
        other => other,
    }
}

/// The digest of a tag: what HEAD says, else that of the manifest itself.
pub(super) async fn digest(session: &Session<'_>, tag: &str) -> Result<String, RegistryError> {
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
        _ => return Err(no_manifest(session, &head, tag)),
    }
    question.method = Method::GET;
    let answer = session.ask(&question).await?;
    if answer.status != 200 {
        return Err(no_manifest(session, &answer, tag));
    }
    let kind = answer.text("content-type").unwrap_or_default();
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok();
    if !is_json {
        return Err(RegistryError::NoRegistry {
            host: authority(&answer.url),
            what: format!("200 with {} that is not a manifest", media_type(&answer)),
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
