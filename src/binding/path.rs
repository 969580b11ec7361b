//! Field paths as in kustomize's replacements: `spec.template.spec.containers.[name=app].image`.
//!
//! Pieces are parted by dots; `\.` is a dot inside one, and so is a dot in
//! brackets (`metadata.annotations.[example.org/image]`). `[key=value]` takes the
//! elements of a list whose `key` is `value`, `[=value]` those that are `value`,
//! `*` all, and a number one of them.
//!
//! In kustomize `value` is a regular expression that may match anywhere, so that
//! `[name=app]` takes a container `app-sidecar`, too. Here it is a text, unless
//! it holds an operator of expressions besides the dot.

use std::fmt;

use go_regexp::Regex;
use yaml_edit_spans::tree::{Content, Node};
use yaml_edit_spans::work;

/// A path to fields of a resource.
#[derive(Clone, Debug)]
pub struct FieldPath {
    written: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Key(String),
    Index(usize),
    Every,
    Where { key: String, is: Test },
}

#[derive(Clone, Debug)]
enum Test {
    Text(String),
    Pattern(Regex),
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a field path: {why}")]
pub struct BadPath {
    /// The text.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

/// A field that a path leads to.
#[derive(Clone, Debug)]
pub struct FoundField<'n, 't> {
    /// The field.
    pub node: &'n Node<'t>,
    /// Its path, as `spec.containers[0].image`.
    pub path: String,
}

/// Where a path ends that leads to no field: the last place that is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Missing {
    /// Path of that place, empty for the resource itself.
    pub at: String,
    /// The piece that it does not have.
    pub piece: String,
}

impl Missing {
    fn text(&self) -> String {
        let at = match self.at.as_str() {
            "" => "the resource",
            at => &format!("`{at}`"),
        };
        format!("{at} has no `{}`", self.piece)
    }
}

/// What makes a text in `[key=…]` an expression.
const OPERATORS: &[char] = &[
    '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$', '\\',
];

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Where it is empty, or a piece of it is.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let fault = |why: String| BadPath {
            path: text.to_owned(),
            why,
        };
        let pieces = pieces(text)
            .into_iter()
            .map(|piece| Piece::parse(&piece).map_err(fault))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            written: text.to_owned(),
            pieces,
        })
    }

    /// The fields that it leads to, in the order of the text.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find<'n, 't>(&self, root: &'n Node<'t>) -> Result<Vec<FoundField<'n, 't>>, Missing> {
        let mut found = Vec::new();
        let mut missing = None;
        find(root, String::new(), &self.pieces, &mut found, &mut missing);
        match missing {
            Some((_, missing)) if found.is_empty() => Err(missing),
            _ => Ok(found),
        }
    }
}

impl PartialEq for FieldPath {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// The pieces of a path, with brackets only where they hold a `=`.
fn pieces(text: &str) -> Vec<String> {
    let mut split: Vec<String> = Vec::new();
    for piece in text.split('.') {
        match split.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push('.');
                last.push_str(piece);
            }
            _ => split.push(piece.to_owned()),
        }
    }
    let mut joined: Vec<String> = Vec::new();
    let mut open = false;
    for piece in split {
        let closes = piece.ends_with(']');
        if let (true, Some(last)) = (open, joined.last_mut()) {
            last.push('.');
            last.push_str(&piece);
            open = !closes;
        } else {
            open = piece.starts_with('[') && !closes;
            joined.push(piece);
        }
    }
    joined
}

impl Piece {
    fn parse(piece: &str) -> Result<Self, String> {
        let inside = piece
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match (piece, inside.map(|inside| (inside, inside.split_once('=')))) {
            ("", _) => Err("a piece of it is empty".to_owned()),
            ("-", _) => Err("`-` would add to a list".to_owned()),
            ("*", _) => Ok(Self::Every),
            (_, Some((_, Some((key, value))))) => Ok(Self::Where {
                key: key.to_owned(),
                is: Test::parse(value)?,
            }),
            (_, Some((key, None))) if !key.is_empty() => Ok(Self::Key(key.to_owned())),
            (_, Some(_)) => Err("a piece of it is empty".to_owned()),
            _ if piece.starts_with('[') => Err(format!("`{piece}` has no `]`")),
            _ => Ok(piece
                .parse()
                .map_or_else(|_| Self::Key(piece.to_owned()), Self::Index)),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => write!(f, "{index}"),
            Self::Every => f.write_str("*"),
            Self::Where { key, is } => write!(f, "[{key}={is}]"),
        }
    }
}

impl Test {
    fn parse(value: &str) -> Result<Self, String> {
        if !value.contains(OPERATORS) {
            return Ok(Self::Text(value.to_owned()));
        }
        Regex::small(value)
            .map(Self::Pattern)
            .map_err(|error| format!("`{value}`: {error}"))
    }

    fn holds(&self, node: Option<&Node<'_>>) -> bool {
        let Some(text) = node.and_then(Node::text) else {
            return false;
        };
        match self {
            Self::Text(wanted) => *wanted == text,
            Self::Pattern(pattern) => pattern.is_match(&text),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Pattern(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

/// `missing` is the deepest place where a branch ended, with its depth.
fn find<'n, 't>(
    node: &'n Node<'t>,
    path: String,
    pieces: &[Piece],
    found: &mut Vec<FoundField<'n, 't>>,
    missing: &mut Option<(usize, Missing)>,
) {
    work::count(1);
    let Some((piece, rest)) = pieces.split_first() else {
        found.push(FoundField { node, path });
        return;
    };
    let next: Vec<(&Node<'t>, String)> = match (piece, &node.content) {
        (Piece::Key(key), Content::Mapping(_)) => with_key(node, key, &path),
        (Piece::Index(index), Content::Mapping(_)) => with_key(node, &index.to_string(), &path),
        (
            Piece::Where {
                key,
                is: Test::Text(text),
            },
            Content::Sequence(elements),
        ) => node
            .elements_with(key, text)
            .map(|at| (&elements[at], format!("{path}[{at}]")))
            .collect(),
        (Piece::Index(index), Content::Sequence(elements)) => (elements.get(*index).into_iter())
            .map(|element| (element, format!("{path}[{index}]")))
            .collect(),
        (_, Content::Sequence(elements)) => {
            let is_taken = |(_, element): &(usize, &Node<'_>)| match piece {
                Piece::Key(_) | Piece::Index(_) => false,
                Piece::Every => true,
                Piece::Where { key, is } if key.is_empty() => is.holds(Some(element)),
                Piece::Where { key, is } => is.holds(element.get(key)),
            };
            work::count(elements.len());
            let taken = elements.iter().enumerate().filter(is_taken);
            taken
                .map(|(at, element)| (element, format!("{path}[{at}]")))
                .collect()
        }
        _ => Vec::new(),
    };
    if next.is_empty()
        && missing
            .as_ref()
            .is_none_or(|(left, _)| *left > pieces.len())
    {
        let piece = piece.to_string();
        *missing = Some((
            pieces.len(),
            Missing {
                at: path.clone(),
                piece,
            },
        ));
    }
    for (node, path) in next {
        find(node, path, rest, found, missing);
    }
}

fn with_key<'n, 't>(node: &'n Node<'t>, key: &str, path: &str) -> Vec<(&'n Node<'t>, String)> {
    let found = node.get(key).map(|node| (node, below(path, key)));
    found.into_iter().collect()
}

/// The path of what stands under `key` at `path`.
#[must_use]
pub fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path that leads to the scalar that begins at byte `start` of the text
/// that `root` was read from, and to no other: an element of a list by its name
/// where that is its own, else by its number. `None` where there is none.
#[must_use]
pub fn leading_to(root: &Node<'_>, start: usize) -> Option<String> {
    let mut pieces = Vec::new();
    lead(root, start, &mut pieces).then_some(())?;
    let path = pieces.join(".");
    // What cannot be written as a path leads elsewhere, or nowhere.
    let found = FieldPath::parse(&path).ok()?.find(root).ok()?;
    let is_it = |node: &Node<'_>| node.scalar().is_some_and(|value| value.span.start == start);
    matches!(found.as_slice(), [one] if is_it(one.node)).then_some(path)
}

/// The way down to the scalar at `start`: children stand in the order of the
/// text, so one of them can hold it.
fn lead(node: &Node<'_>, start: usize, pieces: &mut Vec<String>) -> bool {
    work::count(1);
    let is_before = |child: &Node<'_>| child.span.start <= start;
    match &node.content {
        Content::Scalar(value) => value.span.start == start,
        Content::Alias => false,
        Content::Mapping(entries) => {
            let behind = entries.partition_point(|(_, child)| is_before(child));
            let Some((key, child)) = entries[..behind].last() else {
                return false;
            };
            pieces.push(key.replace('.', "\\."));
            lead(child, start, pieces)
        }
        Content::Sequence(elements) => {
            let behind = elements.partition_point(is_before);
            let Some(at) = behind.checked_sub(1) else {
                return false;
            };
            pieces.push(element_piece(node, elements, at));
            lead(&elements[at], start, pieces)
        }
    }
}

fn element_piece(list: &Node<'_>, elements: &[Node<'_>], at: usize) -> String {
    let name_of = |node: &Node<'_>| node.get("name").and_then(Node::text).map(String::from);
    let Some(name) = name_of(&elements[at]) else {
        return at.to_string();
    };
    let same = list.elements_with("name", &name).count();
    if same == 1 && !name.is_empty() && !name.contains(OPERATORS) {
        format!("[name={name}]")
    } else {
        at.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use yaml_edit_spans::tree;

    const TEXT: &str = "\
metadata:
  annotations: {example.org/image: a}
spec:
  containers:
  - {image: one, name: app}
  - {name: app-sidecar, image: two}
  - {name: x.y, image: three, args: [-v, '7']}
  values: {7: seven, a: {b: nine}}
";

    fn with_tree<T>(take: impl Fn(&Node<'_>) -> T) -> T {
        let starts = BTreeSet::from([0]);
        let made = tree::build_trees(TEXT, &starts, |made, _, root| *made = Some(take(root)));
        made.expect("YAML").expect("a tree")
    }

    fn found(path: &str) -> String {
        let path = match FieldPath::parse(path) {
            Ok(path) => path,
            Err(error) => return error.to_string(),
        };
        with_tree(|tree| match path.find(tree) {
            Err(missing) => missing.to_string(),
            Ok(found) => {
                let one = |found: &FoundField<'_, '_>| {
                    format!("{} {}", found.path, found.node.text().unwrap_or_default())
                };
                found.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        })
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            (
                "spec.containers.[name=app].image",
                "spec.containers[0].image one",
            ),
            (
                "spec.containers.[name=x.y].image",
                "spec.containers[2].image three",
            ),
            (
                "spec.containers.[name=^app].image",
                "spec.containers[0].image one, spec.containers[1].image two",
            ),
            (
                "spec.containers.*.image",
                "spec.containers[0].image one, spec.containers[1].image two, spec.containers[2].image three",
            ),
            ("spec.containers.1.image", "spec.containers[1].image two"),
            (
                "spec.containers.2.args.[=7]",
                "spec.containers[2].args[1] 7",
            ),
            ("spec.containers.*.args.0", "spec.containers[2].args[0] -v"),
            (
                r"metadata.annotations.example\.org/image",
                "metadata.annotations.example.org/image a",
            ),
            (
                "metadata.annotations.[example.org/image]",
                "metadata.annotations.example.org/image a",
            ),
            ("spec.values.7", "spec.values.7 seven"),
            ("spec.values.a.c", "`spec.values.a` has no `c`"),
            (
                "spec.containers.[name=db].image",
                "`spec.containers` has no `[name=db]`",
            ),
            ("spec.containers.3.image", "`spec.containers` has no `3`"),
            ("spec.containers.image", "`spec.containers` has no `image`"),
            ("status", "the resource has no `status`"),
            ("spec.values.a.b.c", "`spec.values.a.b` has no `c`"),
            (
                "spec..values",
                "`spec..values` is not a field path: a piece of it is empty",
            ),
            ("", "`` is not a field path: a piece of it is empty"),
            (
                "spec.[name=app",
                "`spec.[name=app` is not a field path: `[name=app` has no `]`",
            ),
            (
                "spec.-",
                "`spec.-` is not a field path: `-` would add to a list",
            ),
        ] {
            assert_eq!(found(path), expected, "{path}");
        }
        assert!(found("spec.[name=(].image").contains("missing closing )"));
    }

    #[test]
    fn every_scalar_has_a_path_that_leads_to_it() {
        with_tree(|tree| {
            for (word, path) in [
                ("one", "spec.containers.[name=app].image"),
                ("three", "spec.containers.[name=x.y].image"),
                ("-v", "spec.containers.[name=x.y].args.0"),
                ("a}", r"metadata.annotations.example\.org/image"),
                ("seven", "spec.values.7"),
            ] {
                let start = TEXT.find(word).expect(word);
                assert_eq!(leading_to(tree, start).as_deref(), Some(path));
            }
            assert_eq!(leading_to(tree, 1), None);
        });
    }
}
