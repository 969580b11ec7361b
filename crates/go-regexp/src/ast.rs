//! The parsed pattern: just enough of Go's `syntax.Regexp` to check its limits
//! and to build the automata's HIR.

use super::hir::{Capture, Class, ClassUnicode, Hir, Look, Repetition};

/// One node of a parsed pattern.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    Literal(String),
    Class(ClassUnicode),
    Assertion(Look),
    Capture {
        index: u32,
        inner: Box<Node>,
    },
    Repeat {
        min: u32,
        max: Option<u32>,
        greedy: bool,
        /// Written with braces; only these count towards Go's limit of 1000.
        counted: bool,
        inner: Box<Node>,
    },
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
}

impl Node {
    pub(super) fn concat(mut nodes: Vec<Node>) -> Node {
        match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Concat(nodes),
        }
    }

    pub(super) fn alternate(mut nodes: Vec<Node>) -> Node {
        if nodes.len() == 1 {
            nodes.remove(0)
        } else {
            Node::Alternate(nodes)
        }
    }

    fn children(&self) -> &[Node] {
        match self {
            Node::Empty | Node::Literal(_) | Node::Class(_) | Node::Assertion(_) => &[],
            Node::Capture { inner, .. } | Node::Repeat { inner, .. } => std::slice::from_ref(inner),
            Node::Concat(nodes) | Node::Alternate(nodes) => nodes,
        }
    }

    /// Levels of nesting, as Go counts them.
    pub(super) fn height(&self) -> usize {
        1 + self.children().iter().map(Node::height).max().unwrap_or(0)
    }

    /// Whether nested counted repeats stay within `budget` copies in total
    /// (Go's `repeatIsValid`).
    pub(super) fn repeats_within(&self, mut budget: u32) -> bool {
        if let Node::Repeat {
            min,
            max,
            counted: true,
            ..
        } = self
        {
            let copies = max.unwrap_or(*min);
            if *max == Some(0) {
                return true;
            }
            if copies > budget {
                return false;
            }
            budget = budget.checked_div(copies).unwrap_or(budget);
        }
        self.children().iter().all(|n| n.repeats_within(budget))
    }

    /// The automata's form of the node.
    pub(super) fn to_hir(&self) -> Hir {
        match self {
            Node::Empty => Hir::empty(),
            Node::Literal(text) => Hir::literal(text.as_bytes()),
            Node::Class(class) => Hir::class(Class::Unicode(class.clone())),
            Node::Assertion(look) => Hir::look(*look),
            Node::Capture { index, inner } => Hir::capture(Capture {
                index: *index,
                name: None,
                sub: Box::new(inner.to_hir()),
            }),
            Node::Repeat {
                min,
                max,
                greedy,
                inner,
                ..
            } => Hir::repetition(Repetition {
                min: *min,
                max: *max,
                greedy: *greedy,
                sub: Box::new(inner.to_hir()),
            }),
            Node::Concat(nodes) => Hir::concat(nodes.iter().map(Node::to_hir).collect()),
            Node::Alternate(nodes) => Hir::alternation(nodes.iter().map(Node::to_hir).collect()),
        }
    }
}
