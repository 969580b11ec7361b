//! The expressions that regex-automata takes, of the library that has them.

pub(crate) use regex_syntax::hir::{
    Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition,
};
pub(crate) use regex_syntax::parse;
