//! The next page of a list (distribution specification, "Listing Tags"; RFC
//! 8288).
//!
//! The registry's word is followed literally, `last` and all, but only where
//! it stays: on the origin and path that the page itself came from.

use url::Url;

use super::address::scheme_of;

/// Why a `Link` is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It cannot be read.
    #[error("the registry's `Link` header cannot be read")]
    Unreadable,
    /// It leads elsewhere.
    #[error("the registry's `Link` header leads away from the list, to {scheme}://{host}")]
    Elsewhere {
        /// Where to.
        scheme: &'static str,
        /// Where to.
        host: String,
    },
    /// It leads to another list on the same host.
    #[error("the registry's `Link` header leads to another path than the list's")]
    OtherPath,
}

/// The address of the page after the one at `page`, `None` at the end.
///
/// # Errors
/// A link that cannot be read or leads elsewhere.
pub fn next<'h>(
    page: &Url,
    headers: impl IntoIterator<Item = &'h str>,
) -> Result<Option<Url>, BadLink> {
    for header in headers {
        if let Some(target) = next_of(header)? {
            let next = page.join(target).map_err(|_| BadLink::Unreadable)?;
            if next.origin() != page.origin()
                || !next.username().is_empty()
                || next.password().is_some()
            {
                return Err(BadLink::Elsewhere {
                    scheme: scheme_of(&next),
                    host: next.host_str().unwrap_or_default().to_owned(),
                });
            }
            if next.path() != page.path() {
                return Err(BadLink::OtherPath);
            }
            return Ok(Some(next));
        }
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
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn links() {
        let page = Url::parse("https://r.example/v2/acme/app/tags/list?n=1000").expect("a URL");
        let at = |url: &str| Ok(Some(Url::parse(url).expect(url)));
        let list = "https://r.example/v2/acme/app/tags/list";
        for (header, expected) in [
            (
                r#"</v2/acme/app/tags/list?last=b&n=2>; rel="next""#,
                at(&format!("{list}?last=b&n=2")),
            ),
            (r#"<list?last=b>; rel=next"#, at(&format!("{list}?last=b"))),
            (
                r#"<?last=b>;rel="prev next""#,
                at(&format!("{list}?last=b")),
            ),
            (
                &format!("<{list}?last=%2Fo%3D%3D&n=5>; REL=Next"),
                at(&format!("{list}?last=%2Fo%3D%3D&n=5")),
            ),
            (
                r#"</a>; rel="prev", <?last=c>; title="a, b"; rel="next""#,
                at(&format!("{list}?last=c")),
            ),
            (r#"</a>; rel="prev""#, Ok(None)),
            ("", Ok(None)),
            (
                r#"<https://r.example:443/v2/acme/app/tags/list?last=b>; rel="next""#,
                at(&format!("{list}?last=b")),
            ),
            (
                r#"</v2/acme/app/tags/list?last=b; rel="next""#,
                Err(BadLink::Unreadable),
            ),
            ("rel=next", Err(BadLink::Unreadable)),
            (
                r#"<https://evil.example/v2/acme/app/tags/list>; rel="next""#,
                Err(BadLink::Elsewhere {
                    scheme: "https",
                    host: "evil.example".into(),
                }),
            ),
            (
                r#"<http://r.example/v2/acme/app/tags/list>; rel="next""#,
                Err(BadLink::Elsewhere {
                    scheme: "http",
                    host: "r.example".into(),
                }),
            ),
            (
                r#"<https://r.example:8443/v2/acme/app/tags/list>; rel="next""#,
                Err(BadLink::Elsewhere {
                    scheme: "https",
                    host: "r.example".into(),
                }),
            ),
            (
                r#"<//evil.example/v2/acme/app/tags/list>; rel="next""#,
                Err(BadLink::Elsewhere {
                    scheme: "https",
                    host: "evil.example".into(),
                }),
            ),
            (
                r#"<https://u:p@r.example/v2/acme/app/tags/list>; rel="next""#,
                Err(BadLink::Elsewhere {
                    scheme: "https",
                    host: "r.example".into(),
                }),
            ),
            (
                r#"</v2/acme/other/tags/list?last=b>; rel="next""#,
                Err(BadLink::OtherPath),
            ),
            (
                r#"</v2/acme/app/tags/list/../../../other/tags/list>; rel="next""#,
                Err(BadLink::OtherPath),
            ),
        ] {
            assert_eq!(next(&page, [header]), expected, "{header}");
        }
    }
}
