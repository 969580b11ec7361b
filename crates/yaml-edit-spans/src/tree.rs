//! One resource as a tree, for whoever looks for a field by its path rather
//! than for a comment.
//!
//! Trees are made of the resources that are asked for and of no others, one at
//! a time, and hold scalars as they stand in the text.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::walk::{Collection, Step, Value, Walk, by_either};
use super::{ByteSpan, Place, SyntaxError, work};

/// A node and what is below it.
#[derive(Debug)]
pub struct Node<'t> {
    /// Where it begins.
    pub place: Place,
    /// Its bytes; those of a scalar as in [`Value::span`].
    pub span: ByteSpan,
    /// A collection in brackets or braces.
    pub flow: bool,
    /// What it is.
    pub content: Content<'t>,
    /// What it is looked up by, made when somebody first does.
    index: OnceCell<Box<Index<'t>>>,
}

/// Mappings with fewer keys are looked through.
const SMALL: usize = 16;

/// The order in which a collection's children are found.
#[derive(Debug)]
enum Index<'t> {
    /// Numbers of a mapping's entries, by key.
    Keys(Vec<usize>),
    /// The scalars of a sequence's elements: key (`None` where the element itself
    /// is one), text, and the element's number.
    Scalars(Vec<ScalarOf<'t>>),
}

/// Key, text, and the number of the element.
type ScalarOf<'t> = (Option<Cow<'t, str>>, Cow<'t, str>, usize);

/// What a node is.
#[derive(Debug)]
pub enum Content<'t> {
    /// A mapping, in the order of the text; keys that are no scalars, nor aliases of some,
    /// are left out.
    Mapping(Vec<(Cow<'t, str>, Node<'t>)>),
    /// A sequence.
    Sequence(Vec<Node<'t>>),
    /// A scalar.
    Scalar(Box<Value<'t>>),
    /// `*name`; what it stands for is not looked up.
    Alias,
}

impl<'t> Node<'t> {
    /// The value of a key of a mapping; of two equal keys, the first one's.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Content::Mapping(entries) = &self.content else {
            return None;
        };
        if entries.len() < SMALL {
            work::count(entries.len());
            let found = entries.iter().find(|(name, _)| name == key);
            return found.map(|(_, node)| node);
        }
        let index = self.index.get_or_init(|| {
            work::count(entries.len());
            let mut order: Vec<usize> = (0..entries.len()).collect();
            // Equal keys stay in the order of the text.
            order.sort_by(|a, b| entries[*a].0.cmp(&entries[*b].0));
            Box::new(Index::Keys(order))
        });
        let Index::Keys(order) = index.as_ref() else {
            return None;
        };
        let first = order.partition_point(|at| entries[*at].0.as_ref() < key);
        let (name, node) = &entries[*order.get(first)?];
        (name == key).then_some(node)
    }

    /// The numbers of the elements of a sequence whose `key` is the scalar
    /// `text`; with an empty key, of those that are it themselves.
    pub fn elements_with<'n>(&'n self, key: &str, text: &str) -> impl Iterator<Item = usize> + 'n {
        let index = self.index.get_or_init(|| Box::new(self.scalars()));
        let all = match index.as_ref() {
            Index::Scalars(all) => all.as_slice(),
            Index::Keys(_) => &[],
        };
        let wanted = (Some(key).filter(|key| !key.is_empty()), text);
        let is_before = |one: &ScalarOf<'t>| (one.0.as_deref(), one.1.as_ref()) < wanted;
        let is_upto = |one: &ScalarOf<'t>| (one.0.as_deref(), one.1.as_ref()) <= wanted;
        let from = all.partition_point(is_before);
        let to = all.partition_point(is_upto);
        all[from..to].iter().map(|(_, _, at)| *at)
    }

    fn scalars(&self) -> Index<'t> {
        let mut all = Vec::new();
        for (at, element) in self.elements().iter().enumerate() {
            if let Some(text) = element.text() {
                all.push((None, text, at));
            }
            for (key, child) in element.entries() {
                let is_first = || {
                    element
                        .get(key)
                        .is_some_and(|first| std::ptr::eq(first, child))
                };
                if let Some(text) = child.text().filter(|_| !key.is_empty() && is_first()) {
                    all.push((Some(key.clone()), text, at));
                }
            }
        }
        work::count(all.len());
        all.sort();
        Index::Scalars(all)
    }

    /// The entries of a mapping; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[(Cow<'t, str>, Self)] {
        match &self.content {
            Content::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The elements of a sequence; none for anything else.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match &self.content {
            Content::Sequence(elements) => elements,
            _ => &[],
        }
    }

    /// The scalar.
    #[must_use]
    pub fn scalar(&self) -> Option<&Value<'t>> {
        match &self.content {
            Content::Scalar(value) => Some(value),
            _ => None,
        }
    }

    /// What a scalar reads as.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'t, str>> {
        self.scalar().map(|value| value.scalar.value())
    }
}

/// What `take` makes of a tree of each mapping that begins at one of `starts`, one
/// after the other, with that start.
///
/// # Errors
/// Where the text is not valid YAML.
pub fn build_trees<'t, T: Default>(
    text: &'t str,
    starts: &BTreeSet<usize>,
    take: impl Fn(&mut T, usize, &Node<'t>),
) -> Result<T, SyntaxError> {
    // What the first reader had made by where it refused the text is forgotten.
    by_either(text, |walk| {
        let mut made = T::default();
        each(walk, starts, &mut |start, root| {
            take(&mut made, start, &root)
        })
        .map(|()| made)
    })
}

fn each<'t>(
    mut walk: Walk<'t>,
    starts: &BTreeSet<usize>,
    take: &mut dyn FnMut(usize, Node<'t>),
) -> Result<(), SyntaxError> {
    // A node, and the key that it stands under.
    let mut open: Vec<(Option<Cow<'t, str>>, Node<'t>)> = Vec::new();
    while let Some(step) = walk.step()? {
        let mut flow = false;
        let (content, at, span) = match step {
            Step::Enter => {
                let Some(frame) = walk.frames().last() else {
                    continue;
                };
                if open.is_empty() && !starts.contains(&frame.start) {
                    continue;
                }
                let content = match frame.kind {
                    Collection::Mapping => Content::Mapping(Vec::new()),
                    Collection::Sequence => Content::Sequence(Vec::new()),
                };
                flow = frame.flow;
                (content, frame.start, None)
            }
            Step::Leave(_, span) => {
                if let Some((key, mut node)) = open.pop() {
                    node.span = span;
                    match open.last_mut() {
                        Some((_, parent)) => parent.add(key, node),
                        None => take(span.start, node),
                    }
                }
                continue;
            }
            Step::Value(value) if !open.is_empty() => {
                let start = value
                    .scalar
                    .header()
                    .map_or(value.span.start, |h| h.span.start);
                let span = Some(value.span);
                (Content::Scalar(Box::new(value)), start, span)
            }
            Step::Alias(span) if !open.is_empty() => (Content::Alias, span.start, Some(span)),
            _ => continue,
        };
        let node = Node {
            place: walk.place(at),
            span: span.unwrap_or_default(),
            flow,
            content,
            index: OnceCell::new(),
        };
        let is_collection = span.is_none();
        let above = walk.frames().len() - usize::from(is_collection);
        let parent = above.checked_sub(1).and_then(|at| walk.frames().get(at));
        let key = parent.and_then(|parent| parent.any_key().cloned());
        if is_collection {
            open.push((key, node));
        } else if let Some((_, parent)) = open.last_mut() {
            parent.add(key, node);
        }
    }
    Ok(())
}

impl<'t> Node<'t> {
    fn add(&mut self, key: Option<Cow<'t, str>>, node: Self) {
        match (&mut self.content, key) {
            (Content::Mapping(entries), Some(key)) => entries.push((key, node)),
            (Content::Sequence(elements), _) => elements.push(node),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_of_what_was_asked_for() {
        let text = "a: 1\n---\nb:\n- c: [&b x, {d: e}]\n  f: |\n    g\n? [k]\n: v\nh: *b\n";
        let starts = BTreeSet::from([text.find("b:").expect("b")]);
        let mut trees = Vec::new();
        each(Walk::tolerant(text), &starts, &mut |_, tree| {
            trees.push(tree)
        })
        .expect("YAML");
        let [tree] = trees.as_slice() else {
            panic!("{trees:?}");
        };
        let item = &tree.get("b").expect("b").elements()[0];
        let list = item.get("c").expect("c").elements();
        assert_eq!(list[0].text().as_deref(), Some("x"));
        assert_eq!(list[1].get("d").and_then(Node::text).as_deref(), Some("e"));
        let block = item.get("f").expect("f");
        assert_eq!(block.text().as_deref(), Some("g\n"));
        assert_eq!(block.place, Place { line: 5, column: 6 });
        assert!(matches!(tree.get("h").expect("h").content, Content::Alias));
        assert_eq!(tree.entries().len(), 2);
    }

    #[test]
    fn a_key_that_is_an_alias_is_what_it_stands_for() {
        let text =
            "a: &app web\nb:\n  *app :\n    c: 1\n  d: &list [e]\nf: {*app : 2, *list : 3}\n---\n";
        for walk in [Walk::strict(text), Walk::tolerant(text)] {
            let starts = BTreeSet::from([0]);
            let mut trees = Vec::new();
            each(walk, &starts, &mut |_, tree| trees.push(tree)).expect("YAML");
            let [tree] = trees.as_slice() else {
                panic!("{trees:?}");
            };
            let web = tree.get("b").and_then(|b| b.get("web")).expect("web");
            assert_eq!(web.get("c").and_then(Node::text).as_deref(), Some("1"));
            let flow = tree.get("f").expect("f");
            assert_eq!(flow.get("web").and_then(Node::text).as_deref(), Some("2"));
            assert_eq!(flow.entries().len(), 1);
        }
    }
}
