//! The images that a Dockerfile (or Containerfile) is built from: of its `FROM` lines, and of
//! `COPY --from=` where that names no stage. Values of `ARG` before the first `FROM` are put
//! in by their defaults.

use std::collections::{BTreeSet, HashMap, VecDeque};

use yaml_edit_spans::Place;

/// An image that a Dockerfile names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Where the name begins.
    pub(super) place: Place,
    /// `FROM` or `COPY --from`.
    pub(super) field: &'static str,
    /// The image with variables put in; `Err` with what is written where one has no default.
    pub(super) image: Result<String, String>,
}

/// So many values are known: each may be much longer than what is written.
const MOST_ARGUMENTS: usize = 1000;

/// A word of an instruction, and where it begins.
type Word<'t> = (Place, &'t str);

/// The images of a Dockerfile, in its order.
#[must_use]
pub(super) fn bases(text: &str) -> Vec<Base> {
    let mut found = Vec::new();
    let mut arguments: HashMap<String, String> = HashMap::new();
    let mut stages: BTreeSet<String> = BTreeSet::new();
    let mut has_from = false;
    for instruction in instructions(text) {
        let Some(((_, name), words)) = instruction.split_first() else {
            continue;
        };
        match name.to_ascii_uppercase().as_str() {
            "ARG" if !has_from && arguments.len() < MOST_ARGUMENTS => {
                for (_, word) in words {
                    if let Some((key, value)) = word.split_once('=') {
                        let value = value.trim_matches(['"', '\'']);
                        let value = expanded(value, &arguments).unwrap_or_else(|| value.to_owned());
                        arguments.insert(key.to_owned(), value);
                    }
                }
            }
            "FROM" => {
                has_from = true;
                from(words, &arguments, &mut stages, &mut found);
            }
            "COPY" => found.extend(copied(words, &arguments, &stages)),
            _ => {}
        }
    }
    found
}

fn from(
    words: &[Word<'_>],
    arguments: &HashMap<String, String>,
    stages: &mut BTreeSet<String>,
    found: &mut Vec<Base>,
) {
    let mut words = words.iter().filter(|(_, word)| !word.starts_with("--"));
    let Some((place, written)) = words.next() else {
        return;
    };
    let image = expanded(written, arguments).ok_or_else(|| (*written).to_owned());
    let is_image =
        |image: &String| image != "scratch" && !stages.contains(&image.to_ascii_lowercase());
    if image.as_ref().map_or(true, is_image) {
        found.push(Base {
            place: *place,
            field: "FROM",
            image,
        });
    }
    if words
        .next()
        .is_some_and(|(_, word)| word.eq_ignore_ascii_case("as"))
    {
        let stage = words.next().map(|(_, stage)| stage.to_ascii_lowercase());
        stages.extend(stage);
    }
}

fn copied(
    words: &[Word<'_>],
    arguments: &HashMap<String, String>,
    stages: &BTreeSet<String>,
) -> Option<Base> {
    const FLAG: &str = "--from=";
    let (place, word) = words.iter().find(|(_, word)| word.starts_with(FLAG))?;
    let written = &word[FLAG.len()..];
    let image = expanded(written, arguments).ok_or_else(|| written.to_owned());
    let is_stage = image.as_ref().is_ok_and(|image| {
        let is_number = image.bytes().all(|byte| byte.is_ascii_digit());
        is_number || stages.contains(&image.to_ascii_lowercase())
    });
    (!is_stage).then(|| Base {
        place: Place {
            column: place.column + FLAG.len(),
            ..*place
        },
        field: "COPY --from",
        image,
    })
}

/// A text with the values of its variables; `None` where one has none.
fn expanded(text: &str, arguments: &HashMap<String, String>) -> Option<String> {
    /// Values may hold what others do, and so grow.
    const LONGEST: usize = 4096;
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, default) = if let Some(braced) = rest.strip_prefix('{') {
            let (inner, behind) = braced.split_once('}')?;
            rest = behind;
            let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
            let (name, operator) = inner.split_at(end);
            let default = operator.strip_prefix(":-").or(operator.strip_prefix('-'));
            if default.is_none() && !operator.is_empty() {
                return None;
            }
            (name, default)
        } else {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            rest = behind;
            (name, None)
        };
        let value = arguments.get(name).map(String::as_str);
        out.push_str(value.filter(|value| !value.is_empty()).or(default)?);
        if out.len() > LONGEST {
            return None;
        }
    }
    out.push_str(rest);
    Some(out.trim_matches(['"', '\'']).to_owned())
}

/// The instructions, each as its words: without comments, continued lines put together, and
/// without the bodies of here-documents.
fn instructions(text: &str) -> Vec<Vec<Word<'_>>> {
    let text = text.trim_start_matches('\u{feff}');
    let escape = escape_of(text);
    let mut all = Vec::new();
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut bodies: VecDeque<String> = VecDeque::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(end) = bodies.front() {
            if line.trim_start_matches('\t') == end {
                bodies.pop_front();
            }
            continue;
        }
        // A comment may stand between continued lines.
        if line.trim_start().starts_with('#') {
            continue;
        }
        let trimmed = line.trim_end();
        let (content, goes_on) = match trimmed.strip_suffix(escape) {
            Some(content) => (content, true),
            None => (trimmed, false),
        };
        words.extend(words_of(content, number + 1));
        if goes_on || (content.trim().is_empty() && !words.is_empty()) {
            continue;
        }
        let opens = |word: &str| {
            let name = word.strip_prefix("<<")?;
            let name = name.trim_start_matches('-').trim_matches(['"', '\'']);
            (!name.is_empty()).then(|| name.to_owned())
        };
        bodies.extend(words.iter().filter_map(|(_, word)| opens(word)));
        all.push(std::mem::take(&mut words));
    }
    all.push(words);
    all.retain(|words| !words.is_empty());
    all
}

/// The character that a line goes on with: `\`, or what `# escape=` says at the top.
fn escape_of(text: &str) -> char {
    let top = text
        .lines()
        .take_while(|line| line.trim_start().starts_with('#'));
    let mut said = top.filter_map(|line| {
        let (key, value) = line.trim_start().trim_start_matches('#').split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("escape")
            .then(|| value.trim())
    });
    said.next()
        .and_then(|value| value.chars().next())
        .unwrap_or('\\')
}

fn words_of(line: &str, number: usize) -> impl Iterator<Item = Word<'_>> {
    let mut column = 1;
    let pieces = line.split_inclusive(char::is_whitespace);
    pieces.filter_map(move |piece| {
        let place = Place {
            line: number,
            column,
        };
        column += piece.chars().count();
        let word = piece.trim_end();
        (!word.is_empty()).then_some((place, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_once_and_no_stage() {
        let text = r#"# syntax=docker/dockerfile:1
ARG GO=1.25.3
ARG BASE="gcr.io/distroless/static"
FROM --platform=$BUILDPLATFORM golang:${GO}-alpine AS build
COPY . .
RUN <<EOF
FROM not:this
EOF
from \
  # between
  ${BASE}:nonroot
COPY --from=build /app /app
COPY --from=0 /x /x
  COPY --chown=1 --from=ghcr.io/acme/tool:1.2 /t /t
FROM Build
FROM scratch
FROM ${NONE}
FROM ${NONE:-busybox}:1.37
ADD --from=ghcr.io/acme/none:1 a b
"#;
        let found: Vec<(String, &str, Result<String, String>)> = bases(text)
            .into_iter()
            .map(|base| (base.place.to_string(), base.field, base.image))
            .collect();
        let ok = |image: &str| Ok(image.to_owned());
        assert_eq!(
            found,
            [
                ("4:32".to_owned(), "FROM", ok("golang:1.25.3-alpine")),
                (
                    "11:3".to_owned(),
                    "FROM",
                    ok("gcr.io/distroless/static:nonroot")
                ),
                (
                    "14:25".to_owned(),
                    "COPY --from",
                    ok("ghcr.io/acme/tool:1.2")
                ),
                ("17:6".to_owned(), "FROM", Err("${NONE}".to_owned())),
                ("18:6".to_owned(), "FROM", ok("busybox:1.37")),
            ]
        );
    }

    #[test]
    fn values_do_not_grow_without_end() {
        let mut text = "ARG A=aaaaaaaaaa\n".to_owned();
        for _ in 0..64 {
            text.push_str("ARG A=$A$A\n");
        }
        text.push_str("FROM $A\n");
        assert_eq!(bases(&text).len(), 1);
    }
}
