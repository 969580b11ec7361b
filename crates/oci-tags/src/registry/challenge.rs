//! `WWW-Authenticate`: how a registry wants to be asked (RFC 9110, 11.6.1, and
//! the distribution project's token authentication).

/// A way in that a registry offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token of a token server.
    Bearer(Bearer),
    /// User name and password in each request.
    Basic,
}

/// Where a token is to be had, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The token server's address as written.
    pub realm: String,
    /// Whom the token is for.
    pub service: Option<String>,
    /// What the registry says is needed for this request.
    pub scope: Option<String>,
}

/// The way to take of all that the headers offer: Bearer before Basic.
pub(super) fn choose<'h>(headers: impl IntoIterator<Item = &'h str>) -> Option<Challenge> {
    let all: Vec<Challenge> = headers.into_iter().flat_map(parse).collect();
    let bearer = all
        .iter()
        .find(|challenge| matches!(challenge, Challenge::Bearer(_)));
    bearer.or(all.first()).cloned()
}

/// The challenges of one header that are known here.
fn parse(header: &str) -> Vec<Challenge> {
    let mut rest = header;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((scheme, after)) = token(rest) else {
            return found;
        };
        rest = after.trim_start_matches([' ', '\t']);
        let mut params = Vec::new();
        while let Some((name, value, after)) = param(rest) {
            params.push((name.to_ascii_lowercase(), value));
            rest = after;
        }
        // What is not a parameter (a token68) says nothing to us.
        if params.is_empty() && !rest.is_empty() && !rest.starts_with(',') && !is_scheme(rest) {
            rest = rest.find(',').map_or("", |at| &rest[at..]);
        }
        found.extend(known(scheme, params));
    }
}

fn known(scheme: &str, params: Vec<(String, String)>) -> Option<Challenge> {
    let get = |name: &str| {
        let found = params.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.clone())
            .filter(|value| !value.is_empty())
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Challenge::Bearer(Bearer {
            realm: get("realm")?,
            service: get("service"),
            scope: get("scope"),
        }));
    }
    scheme
        .eq_ignore_ascii_case("basic")
        .then_some(Challenge::Basic)
}

/// Whether a scheme, rather than a token68, stands here.
fn is_scheme(text: &str) -> bool {
    token(text).is_some_and(|(_, after)| after.starts_with([' ', '\t']))
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `name=value` or `name="value"`, and what comes after it and its comma.
fn param(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(text.trim_start_matches([' ', '\t', ',']))?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let Some(quoted) = rest.strip_prefix('"') else {
        // Registries leave the quotes out of values that need them, too.
        let end = rest.find([',', ' ', '\t']).unwrap_or(rest.len());
        let is_token68 = rest.is_empty() || rest.starts_with(['=', ',']);
        return (!is_token68).then(|| (name, rest[..end].to_owned(), &rest[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((name, value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    /// Headers as registries send them, and as RFC 9110 allows.
    #[test]
    fn headers() {
        for (headers, expected) in [
            (
                vec![
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull""#,
                ],
                Some(bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:library/alpine:pull"),
                )),
            ),
            (
                vec![r#"Basic realm="Registry", Bearer realm="https://r.example/t""#],
                Some(bearer("https://r.example/t", None, None)),
            ),
            (
                vec![
                    r#"Basic realm="x""#,
                    r#"bearer REALM="https://r.example/t" , service = s"#,
                ],
                Some(bearer("https://r.example/t", Some("s"), None)),
            ),
            (
                vec![r#"Basic realm="a, Bearer realm=b""#],
                Some(Challenge::Basic),
            ),
            (vec!["Basic"], Some(Challenge::Basic)),
            (vec!["Negotiate, Basic realm=x"], Some(Challenge::Basic)),
            (
                vec!["Negotiate YWJj==, Basic realm=\"x\""],
                Some(Challenge::Basic),
            ),
            (
                vec![r#"Bearer realm="a\"b""#],
                Some(bearer("a\"b", None, None)),
            ),
            (vec![r#"Bearer realm="https://unclosed"#], None),
            (vec![r#"Bearer service="x""#], None),
            (vec!["Digest realm=\"x\""], None),
            (vec![""], None),
            (vec!["====, ,,"], None),
            (vec![], None),
        ] {
            assert_eq!(choose(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
