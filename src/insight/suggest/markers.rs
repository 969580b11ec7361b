//! The edits that put markers behind values.

use super::Candidate;
use crate::binding::marker::ImagePart;
use crate::finding::Location;
use crate::insight::coverage::found::{Found, MarkPlace};
use crate::resource_list;
use yaml_edit_spans::ByteSpan;
use yaml_edit_spans::patch::{Edit, Patched};

/// Where a marker would stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkAt {
    /// The end of the line of the value.
    at: usize,
    /// Whether white space stands before that.
    is_behind_space: bool,
    /// What the marker would write.
    part: ImagePart,
}

/// Why a value gets no marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmarkable {
    /// A user named it.
    NotInAFile,
    /// More than an image or its tag is in its value.
    More,
    /// A digest stands in the tag.
    DigestInTag,
    /// It goes over several lines.
    Block,
    /// A comment is behind it.
    Comment,
    /// Something else is behind it.
    Behind,
    /// A marker there would not be read.
    Unread,
}

impl Unmarkable {
    /// Why, to follow "this value gets no marker:".
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::NotInAFile => "it stands in no file",
            Self::More => "there is more in its value than the image",
            Self::DigestInTag => {
                "a digest in its tag pins it, and a marker of the tag would take it away"
            }
            Self::Block => "it is not written on one line",
            Self::Comment => "a comment is there already",
            Self::Behind => "something else is behind it on its line",
            Self::Unread => "a marker there would not be read",
        }
    }

    /// What would help.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::DigestInTag => "give the digest a field of its own, where the chart has one",
            Self::Comment => "put the comment on a line of its own above it",
            _ => "write the image, or its tag, as a value on a line of its own",
        }
    }
}

/// Where the markers of an image would stand.
///
/// # Errors
/// Why none can.
pub(super) fn marks_of(text: &str, found: &Found) -> Result<Vec<MarkAt>, Unmarkable> {
    let place = |part| found.marks.iter().find(|mark| mark.part == part);
    if let Some(whole) = place(ImagePart::Image) {
        return Ok(vec![mark_at(text, whole)?]);
    }
    let tag = place(ImagePart::Tag).ok_or(Unmarkable::More)?;
    let mut marks = vec![mark_at(text, tag)?];
    match (place(ImagePart::Digest), &found.digest) {
        (Some(digest), _) => marks.push(mark_at(text, digest)?),
        (None, Some(_)) => {
            return Err(Unmarkable::DigestInTag);
        }
        (None, None) => {}
    }
    Ok(marks)
}

fn mark_at(text: &str, place: &MarkPlace) -> Result<MarkAt, Unmarkable> {
    let value = text.get(place.span.start..place.span.end);
    if !place.is_on_a_line || value.is_none_or(|value| value.contains('\n')) {
        return Err(Unmarkable::Block);
    }
    let behind = &text[place.span.end..];
    let space = behind.len() - behind.trim_start_matches([' ', '\t']).len();
    match behind[space..].bytes().next() {
        None | Some(b'\n' | b'\r') => Ok(MarkAt {
            at: place.span.end + space,
            is_behind_space: space > 0,
            part: place.part,
        }),
        Some(b'#') => Err(Unmarkable::Comment),
        Some(_) => Err(Unmarkable::Behind),
    }
}

impl MarkAt {
    /// Whether a marker would write the name of the image, too.
    pub(super) fn writes_name(&self) -> bool {
        self.part == ImagePart::Image
    }

    fn edit(&self, policy: &str) -> Edit {
        let part = match self.part {
            ImagePart::Image => "",
            ImagePart::Tag => ":tag",
            ImagePart::Name => ":name",
            ImagePart::Digest => ":digest",
        };
        let space = if self.is_behind_space { "" } else { " " };
        Edit {
            span: ByteSpan::new(self.at, self.at),
            text: format!("{space}# {{\"$imagepolicy\": \"{policy}{part}\"}}"),
        }
    }
}

/// A value that gets no marker, and why.
pub type Unmarked = (Location, Unmarkable);

/// The edits that mark values of a text with their policies; and those that cannot be marked.
#[must_use]
pub fn markers(text: &str, values: &[(&Candidate, String)]) -> (Vec<Edit>, Vec<Unmarked>) {
    let (mut edits, mut left) = (Vec::new(), Vec::new());
    for (one, policy) in values {
        match &one.marks {
            Ok(marks) => edits.extend(marks.iter().map(|mark| mark.edit(policy))),
            Err(why) => left.push((one.location.clone(), *why)),
        }
    }
    let count = |edits: &[Edit]| {
        let patched = Patched::new(text, edits.to_vec()).ok()?.to_string();
        let outline = resource_list::read(&patched).ok()?;
        let marked = outline.documents.iter().flat_map(|one| &one.marked);
        Some(marked.filter(|one| one.is_reached).count())
    };
    // All of them are read as markers of a value each, or none is written.
    if count(&edits) != count(&[]).map(|before| before + edits.len()) {
        let why = Unmarkable::Unread;
        let marked = values.iter().filter(|(one, _)| one.marks.is_ok());
        left.extend(marked.map(|(one, _)| (one.location.clone(), why)));
        edits.clear();
    }
    (edits, left)
}
