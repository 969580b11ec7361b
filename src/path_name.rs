//! Paths as texts, in reports, messages and patches.
//!
//! A path is bytes, and need not be UTF-8. One that is not is written as git
//! writes it, in double quotes with octal escapes (`"caf\351.yaml"`), so that two
//! files never share a name; all others are written as they are.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// A path as a text. No two paths have the same.
#[must_use]
pub fn shown(path: &Path) -> String {
    match path.to_str() {
        // A quote in front says that the rest is escaped.
        Some(text) if !text.starts_with('"') => text.to_owned(),
        _ => quoted(path.as_os_str().as_bytes()),
    }
}

/// The bytes of the path that [`shown`] made a text of.
#[must_use]
pub fn bytes(name: &str) -> Cow<'_, [u8]> {
    let inner = name
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner.filter(|_| name.len() > 1) else {
        return Cow::Borrowed(name.as_bytes());
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next() {
            Some(b't') => out.push(b'\t'),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(high @ b'0'..=b'3') => {
                let digits = [Some(high), rest.next(), rest.next()];
                let digits = digits.into_iter().flatten();
                out.push(digits.fold(0, |sum, digit| sum << 3 | digit & 7));
            }
            other => out.extend(other),
        }
    }
    Cow::Owned(out)
}

/// A path in double quotes, as git writes it.
#[must_use]
pub fn quoted(path: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in path {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            0x20..0x7f => out.push(char::from(*byte)),
            // Writing to a String cannot fail.
            byte => _ = write!(out, "\\{byte:03o}"),
        }
    }
    out.push('"');
    out
}

/// The folder that a path stands in.
#[must_use]
pub fn folder(path: &Path) -> &Path {
    let folder = path.parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Whether Flux would read a file of this name.
#[must_use]
pub fn is_manifest_name(path: &Path) -> bool {
    let name = path.file_name().map_or(&b""[..], |name| name.as_bytes());
    name.ends_with(b".yaml") || name.ends_with(b".yml") || name == b"Kustomization"
}

/// Whether a Dockerfile or Containerfile has such a name.
#[must_use]
pub fn is_container_file_name(path: &Path) -> bool {
    const NAMES: [&[u8]; 2] = [b"Dockerfile", b"Containerfile"];
    let name = path.file_name().map_or(&b""[..], |name| name.as_bytes());
    let is_one = |whole: &[u8]| {
        let variant = name.strip_prefix(whole);
        variant.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
    };
    let ends = name.ends_with(b".Dockerfile") || name.ends_with(b".dockerfile");
    (NAMES.into_iter().any(is_one) || ends)
        && !name.ends_with(b".dockerignore")
        && !is_manifest_name(path)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_path_that_is_not_utf_8_is_quoted_as_git_does() {
        for (path, expected) in [
            (&b"apps/a.yaml"[..], "apps/a.yaml"),
            ("apps/ü.yaml".as_bytes(), "apps/ü.yaml"),
            (b"caf\xe9.yaml", r#""caf\351.yaml""#),
            (b"caf\xe8.yaml", r#""caf\350.yaml""#),
            (
                b"a \xe9\t\n\r\x07\"\\.yaml",
                r#""a \351\t\n\r\007\"\\.yaml""#,
            ),
            // What looks like one of these is quoted, too.
            (br#""caf\351.yaml""#, r#""\"caf\\351.yaml\"""#),
            (br#"""#, r#""\"""#),
            (br#"a"b\.yaml"#, r#"a"b\.yaml"#),
        ] {
            let shown = shown(Path::new(OsStr::from_bytes(path)));
            assert_eq!(shown, expected);
            assert_eq!(&*bytes(&shown), path, "{shown}");
        }
    }
}
