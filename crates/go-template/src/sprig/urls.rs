//! URLs, as `net/url` takes them apart and puts them together: more loosely
//! than browsers do.

use super::super::budget::Fault;
use super::super::function::{Args, Function, Run, text};
use super::super::value::{Entries, Key, Map, Value};
use crate::functions;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "urlJoin": (Dict) => join;
    "urlParse": (String) => parse;
};

fn parse(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let url = Url::parse(&args.text(0));
    let url = url.map_err(|fault| format!("unable to parse url: {fault}"))?;
    let hostname = url.hostname().to_owned();
    let entries: Entries = [
        ("scheme", url.scheme),
        ("host", url.host),
        ("hostname", hostname),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", url.user.unwrap_or_default()),
    ]
    .into_iter()
    .map(|(key, value)| (Key::text(key), Value::text(value)))
    .collect();
    Ok(Value::Map(run.budget.dict(entries)))
}

/// The parts of a URL; those of the path, the host and the fragment unescaped.
#[derive(Default)]
struct Url {
    scheme: String,
    opaque: String,
    /// Escaped, as `Userinfo.String` gives it.
    user: Option<String>,
    host: String,
    path: String,
    query: String,
    fragment: String,
}

/// Which part of a URL is escaped; each has its own characters that need not
/// be.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    User,
    Host,
    Path,
    Fragment,
}

impl Url {
    fn parse(text: &str) -> Result<Self, String> {
        let of = |fault: &str| format!("parse {text:?}: {fault}");
        if text.bytes().any(|b| b < b' ' || b == 0x7f) {
            return Err(of("net/url: invalid control character in URL"));
        }
        let mut url = Self::default();
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        url.fragment = unescaped(fragment, Part::Fragment).map_err(|fault| of(&fault))?;
        if rest.is_empty() && text.is_empty() {
            return Ok(url);
        }
        if rest == "*" {
            "*".clone_into(&mut url.path);
            return Ok(url);
        }
        let (scheme, rest) = scheme(rest).map_err(of)?;
        url.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = match rest.strip_suffix('?') {
            Some(before) if !before.contains('?') => (before, ""),
            _ => rest.split_once('?').unwrap_or((rest, "")),
        };
        query.clone_into(&mut url.query);
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err(of("first path segment in URL cannot contain colon"));
            }
        }
        let mut path = rest;
        let has_authority =
            rest.starts_with("//") && (!url.scheme.is_empty() || !rest.starts_with("///"));
        if has_authority {
            let authority = &rest[2..];
            let end = authority.find('/').unwrap_or(authority.len());
            url.authority(&authority[..end])
                .map_err(|fault| of(&fault))?;
            path = &authority[end..];
        }
        url.path = unescaped(path, Part::Path).map_err(|fault| of(&fault))?;
        Ok(url)
    }

    fn authority(&mut self, authority: &str) -> Result<(), String> {
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        self.host = host_of(host)?;
        let Some(user) = user else { return Ok(()) };
        let is_sound = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
        if !user.chars().all(is_sound) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        let again = |text: &str| -> Result<String, String> {
            Ok(escaped(&unescaped(text, Part::User)?, Part::User))
        };
        let mut shown = again(name)?;
        if let Some(password) = password {
            shown.push(':');
            shown.push_str(&again(password)?);
        }
        self.user = Some(shown);
        Ok(())
    }

    fn hostname(&self) -> &str {
        let host = match self.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => &self.host,
        };
        let inner = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        inner.unwrap_or(host)
    }

    fn print(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            let has_authority =
                !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some();
            if has_authority {
                let is_bare = self.host.is_empty() && self.path.is_empty() && self.user.is_none();
                if !is_bare {
                    out.push_str("//");
                }
                if let Some(user) = &self.user {
                    out.push_str(user);
                    out.push('@');
                }
                out.push_str(&escaped(&self.host, Part::Host));
            }
            let path = escaped(&self.path, Part::Path);
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            let first = path.split('/').next().unwrap_or_default();
            if out.is_empty() && first.contains(':') {
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escaped(&self.fragment, Part::Fragment));
        }
        out
    }
}

fn scheme(text: &str) -> Result<(&str, &str), &'static str> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn host_of(host: &str) -> Result<String, String> {
    let port = if host.starts_with('[') {
        let end = host.rfind(']').ok_or("missing ']' in host")?;
        &host[end + 1..]
    } else {
        host.rfind(':').map_or("", |at| &host[at..])
    };
    let digits = port.strip_prefix(':');
    let is_port =
        port.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    if !is_port {
        return Err(format!("invalid port {port:?} after host"));
    }
    unescaped(host, Part::Host)
}

fn unescaped(text: &str, part: Part) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = text.get(at + 1..at + 3);
                let byte = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let shown = || {
                    text.get(at..)
                        .map_or("%", |rest| rest.get(..3).unwrap_or(rest))
                };
                let byte = byte.ok_or_else(|| format!("invalid URL escape {:?}", shown()))?;
                // A host is UTF-8 or has no escapes.
                if part == Part::Host && byte < 0x80 && byte != b'%' {
                    return Err(format!("invalid URL escape {:?}", shown()));
                }
                out.push(byte);
                at += 3;
            }
            byte => {
                if part == Part::Host && byte < 0x80 && !is_plain(byte, part) {
                    let shown = char::from(byte).to_string();
                    return Err(format!("invalid character {shown:?} in host name"));
                }
                out.push(byte);
                at += 1;
            }
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Whether a byte stands for itself in a part of a URL.
fn is_plain(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    match part {
        Part::User => b"$&+,;=".contains(&byte),
        Part::Host => b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::Path => b"$&+,/:;=@".contains(&byte),
        Part::Fragment => b"$&+,/:;=?@!()*".contains(&byte),
    }
}

fn escaped(text: &str, part: Part) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte, part) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A part of a URL in a dict.
fn part(dict: Option<&Map>, key: &str) -> Result<String, Fault> {
    let value = dict.and_then(|dict| dict.get(&Key::text(key)));
    match value {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Some(other) => {
            let kind = other.kind();
            let message =
                format!("unable to parse {key} key, must be of type string, but {kind} found");
            Err(message.into())
        }
    }
}

fn join(run: &mut Run<'_>, args: &Args<'_>) -> Result<Value, Fault> {
    let dict = args.dict(0);
    let mut url = Url {
        scheme: part(dict, "scheme")?,
        host: part(dict, "host")?,
        path: part(dict, "path")?,
        query: part(dict, "query")?,
        opaque: part(dict, "opaque")?,
        fragment: part(dict, "fragment")?,
        user: None,
    };
    let user = part(dict, "userinfo")?;
    if !user.is_empty() {
        let parsed = Url::parse(&format!("proto://{user}@host"));
        let fault = |fault: String| format!("unable to parse userinfo in dict: {fault}");
        url.user = parsed.map_err(fault)?.user;
    }
    text(run, url.print())
}
