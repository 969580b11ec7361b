//! The next page of a list (distribution specification, "Listing Tags"; RFC
//! 8288).
//!
//! Of the registry's word only the query counts, literally, `last` and all: it is
//! asked for at the list's own address. Proxies spoil the rest (Nexus names a
//! path that its port does not serve, others their own port or `http`), and
//! nothing of ours can be led away.

use url::Url;

use super::address::scheme_of;
use super::answer::authority;

/// Why a `Link` is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It cannot be read.
    #[error("the registry's `Link` header cannot be read")]
    Unreadable,
    /// It leads elsewhere, and has no query to go on with.
    #[error(
        "the registry's `Link` header leads away from the list, to {scheme}://{host}, and has no query"
    )]
    Elsewhere {
        /// Where to.
        scheme: &'static str,
        /// Where to, with the port where it is not the scheme's own.
        host: String,
    },
    /// It leads to another path on the same host, and has no query.
    #[error("the registry's `Link` header leads to another path than the list's, and has no query")]
    OtherPath,
}

/// The query of the page after the one at `page`: `None` at the end, and
/// `Some(None)` for the list's address as it is. A link that cannot be
/// read, or that has no query and leads elsewhere, is an error.
pub(super) fn next<'h>(
    page: &Url,
    headers: impl IntoIterator<Item = &'h str>,
) -> Result<Option<Option<&'h str>>, BadLink> {
    for header in headers {
        let Some(target) = next_of(header)? else {
            continue;
        };
        let target = target.split('#').next().unwrap_or_default();
        if let Some((_, query)) = target.split_once('?') {
            return Ok(Some(Some(query)));
        }
        let next = page.join(target).map_err(|_| BadLink::Unreadable)?;
        if next.origin() != page.origin() || !next.username().is_empty() {
            return Err(BadLink::Elsewhere {
                scheme: scheme_of(&next),
                host: authority(&next),
            });
        }
        if next.path() != page.path() {
            return Err(BadLink::OtherPath);
        }
        return Ok(Some(None));
    }
    Ok(None)
}

/// The target whose relation is `next`.
fn next_of(header: &str) -> Result<Option<&str>, BadLink> {
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Ok(None);
        }
        let (target, after) = rest
            .strip_prefix('<')
            .and_then(|inside| inside.split_once('>'))
            .ok_or(BadLink::Unreadable)?;
        let end = end_of_params(after);
        if is_next(&after[..end]) {
            return Ok(Some(target.trim()));
        }
        rest = &after[end..];
    }
}

/// Where the parameters of a link end: at a comma outside quotes.
fn end_of_params(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_next(params: &str) -> bool {
    params.split(';').any(|param| {
        let Some((name, value)) = param.split_once('=') else {
            return false;
        };
        let relations = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel")
            && relations
                .split_ascii_whitespace()
                .any(|relation| relation.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_counts() {
        let page = Url::parse("https://r.example/v2/acme/app/tags/list?n=1000").expect("a URL");
        for (target, query) in [
            ("/v2/acme/app/tags/list?last=b&n=2", "last=b&n=2"),
            ("list?last=b", "last=b"),
            ("?last=b", "last=b"),
            ("?last=%2Fo%3D%3D&n=5", "last=%2Fo%3D%3D&n=5"),
            ("?last=a?b", "last=a?b"),
            ("?last=b#end", "last=b"),
            ("?", ""),
            // What proxies make of it.
            (
                "https://r.example:443/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            ("http://r.example/v2/acme/app/tags/list?last=b", "last=b"),
            (
                "http://localhost:8081/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            (
                "https://r.example:8443/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            (
                "https://r.example:8443:8443/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            (
                "https://r.example/repository/docker/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            (
                "/artifactory/api/docker/local/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            ("//nexus/v2/acme/app/tags/list?last=b", "last=b"),
            ("https://:8081/v2/acme/app/tags/list?last=b", "last=b"),
            // What an attacker makes of it.
            (
                "https://evil.example/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            (
                "https://u:p@r.example/v2/acme/app/tags/list?last=b",
                "last=b",
            ),
            ("/v2/acme/other/tags/list?last=b", "last=b"),
            ("file:///etc/passwd?last=b", "last=b"),
        ] {
            let header = format!("<{target}>; rel=\"next\"");
            assert_eq!(
                next(&page, [header.as_str()]),
                Ok(Some(Some(query))),
                "{target}"
            );
        }
    }

    #[test]
    fn headers() {
        let page = Url::parse("https://r.example/v2/acme/app/tags/list?n=1000").expect("a URL");
        for (header, expected) in [
            (r#"<?last=b>;rel="prev next""#, Ok(Some(Some("last=b")))),
            (r#"<?last=b>; REL=Next"#, Ok(Some(Some("last=b")))),
            (
                r#"</a?last=a>; rel="prev", <?last=c>; title="a, b"; rel="next""#,
                Ok(Some(Some("last=c"))),
            ),
            (r#"</a>; rel="prev""#, Ok(None)),
            ("", Ok(None)),
            (r#"</v2/acme/app/tags/list>; rel="next""#, Ok(Some(None))),
            (
                r#"</v2/acme/app/tags/list?last=b; rel="next""#,
                Err(BadLink::Unreadable),
            ),
            ("rel=next", Err(BadLink::Unreadable)),
        ] {
            assert_eq!(next(&page, [header]), expected, "{header}");
        }
    }

    #[test]
    fn without_a_query_it_leads_nowhere() {
        let page = Url::parse("https://r.example/v2/acme/app/tags/list?n=1000").expect("a URL");
        let elsewhere = |scheme, host: &str| BadLink::Elsewhere {
            scheme,
            host: host.to_owned(),
        };
        for (target, expected) in [
            (
                "https://evil.example/v2/acme/app/tags/list",
                elsewhere("https", "evil.example"),
            ),
            (
                "http://r.example/v2/acme/app/tags/list",
                elsewhere("http", "r.example"),
            ),
            (
                "https://r.example:8443/v2/x",
                elsewhere("https", "r.example:8443"),
            ),
            (
                "//localhost:8081/v2/x",
                elsewhere("https", "localhost:8081"),
            ),
            (
                "https://u:p@r.example/v2/acme/app/tags/list",
                elsewhere("https", "r.example"),
            ),
            ("/v2/acme/other/tags/list", BadLink::OtherPath),
            (
                "/v2/acme/app/tags/list/../../../other/tags/list",
                BadLink::OtherPath,
            ),
        ] {
            let header = format!("<{target}>; rel=\"next\"");
            assert_eq!(next(&page, [header.as_str()]), Err(expected), "{target}");
        }
    }
}
