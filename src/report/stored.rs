//! The form in which git stores a text, where that of the work tree is another:
//! line ends of `eol=crlf` and `core.autocrlf`, keywords of `ident`.
//!
//! A patch is applied to what git stores. Which form that is, no attribute and
//! no configuration need tell: the index holds the name of the stored blob, which
//! is a hash of its bytes, and so the form that has this hash is the one. What a
//! filter makes of a text is not known here; it is said.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;

use aws_lc_rs::digest;

use crate::checkout::git::index::{Index, IndexEntry};
use crate::finding::{Code, Finding, Location};
use crate::plan::planned::{Planned, Replacement};

/// What is different in the stored text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Lines end in a line feed alone.
    has_line_feeds: bool,
    /// `$Id: … $` is `$Id$`.
    has_bare_keywords: bool,
}

/// The forms of the files that change, by their names in the outcome. A file that
/// has the same form in both is not among them.
pub type Forms = BTreeMap<String, Form>;

/// The forms of all files that change, with a warning for each that git stores in
/// a form that is not known here.
#[must_use]
pub fn forms(planned: &Planned, index: &Index) -> (Forms, Vec<Finding>) {
    let index = index.by_path();
    let (mut forms, mut findings) = (Forms::new(), Vec::new());
    for file in &planned.replacements {
        let inside = file.path.strip_prefix(&planned.root).ok();
        let entry = inside.and_then(|inside| index.get(inside.as_os_str().as_bytes()));
        let Some(entry) = entry else { continue };
        match Form::of(&file.old, &entry.id) {
            Some(form) if form == Form::default() => {}
            Some(form) => _ = forms.insert(file.name.clone(), form),
            // Edited since it was added: the patch is for the work tree alone.
            None if !is_as_added(file, entry) => {}
            None => findings.push(unknown(file)),
        }
    }
    (forms, findings)
}

/// Whether a file is as git last saw it, by what the system says.
fn is_as_added(file: &Replacement, entry: &IndexEntry) -> bool {
    // As the index keeps them: their lower 32 bits.
    let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default();
    let now = &file.status.identity;
    let seconds = low(now.modified.0.cast_unsigned());
    let nanoseconds = low(now.modified.1.cast_unsigned());
    let (modified, length) = (entry.modified, low(now.length));
    // git may keep no fractions of seconds.
    entry.length == length && modified.0 == seconds && [0, nanoseconds].contains(&modified.1)
}

fn unknown(file: &Replacement) -> Finding {
    let message = "git stores this file in another form than that of the work tree, so its patch may not apply with `git apply --index`";
    Finding::warning(Code::UnusableFile, message, Location::file(&file.name))
        .hint("a `filter` or `working-tree-encoding` of .gitattributes makes it so; commit the edited files instead of applying the patch")
}

impl Form {
    const ALL: [Self; 4] = [
        Self::new(false, false),
        Self::new(true, false),
        Self::new(false, true),
        Self::new(true, true),
    ];

    const fn new(has_line_feeds: bool, has_bare_keywords: bool) -> Self {
        Self {
            has_line_feeds,
            has_bare_keywords,
        }
    }

    /// The form of `text` that is the blob of this name.
    fn of(text: &str, id: &[u8]) -> Option<Self> {
        let is_it = |form: &Self| blob_id(&form.of_text(text), id.len()).as_ref() == id;
        Self::ALL.into_iter().find(is_it)
    }

    /// A text of the work tree as git stores it.
    #[must_use]
    pub fn of_text(self, text: &str) -> Cow<'_, str> {
        let mut stored = Cow::Borrowed(text);
        if self.has_line_feeds && text.contains("\r\n") {
            stored = text.replace("\r\n", "\n").into();
        }
        if self.has_bare_keywords && stored.contains("$Id:") {
            stored = bare_keywords(&stored).into();
        }
        stored
    }
}

/// `$Id: … $`, where that is on one line, as `$Id$`.
fn bare_keywords(text: &str) -> String {
    const KEYWORD: &str = "$Id:";
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(KEYWORD) {
        let (before, from) = rest.split_at(at);
        bare.push_str(before);
        let value = &from[KEYWORD.len()..];
        rest = match value.find(['$', '\n']) {
            Some(end) if value[end..].starts_with('$') => {
                bare.push_str("$Id$");
                &value[end + 1..]
            }
            _ => {
                bare.push_str(KEYWORD);
                value
            }
        };
    }
    bare + rest
}

/// The name that git gives a blob, of 20 bytes or of 32.
fn blob_id(text: &str, length: usize) -> digest::Digest {
    let algorithm = match length {
        32 => &digest::SHA256,
        _ => &digest::SHA1_FOR_LEGACY_USE_ONLY,
    };
    let mut context = digest::Context::new(algorithm);
    context.update(format!("blob {}\0", text.len()).as_bytes());
    context.update(text.as_bytes());
    context.finish()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// As `git hash-object` prints them.
    #[test]
    fn names_of_blobs() {
        for (text, length, expected) in [
            ("", 20, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            ("hello\n", 20, "ce013625030ba8dba906f756967f9e9ca394464a"),
            (
                "",
                32,
                "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
            ),
        ] {
            assert_eq!(HEXLOWER.encode(blob_id(text, length).as_ref()), expected);
        }
    }

    #[test]
    fn the_form_is_the_one_with_the_name() {
        let text = "a: 1\r\n# $Id: 0123 $ $Id: open\r\n\r\r\nb\r";
        for (stored, form) in [
            (text, Form::new(false, false)),
            (
                "a: 1\n# $Id: 0123 $ $Id: open\n\r\nb\r",
                Form::new(true, false),
            ),
            (
                "a: 1\r\n# $Id$ $Id: open\r\n\r\r\nb\r",
                Form::new(false, true),
            ),
            ("a: 1\n# $Id$ $Id: open\n\r\nb\r", Form::new(true, true)),
        ] {
            for length in [20, 32] {
                let id = blob_id(stored, length);
                assert_eq!(Form::of(text, id.as_ref()), Some(form), "{stored:?}");
            }
            assert_eq!(form.of_text(text), stored);
        }
        assert_eq!(Form::of(text, blob_id("else", 20).as_ref()), None);
    }
}
