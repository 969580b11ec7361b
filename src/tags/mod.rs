//! What is known of tags, wherever it came from.

mod book;

pub use book::{Answer, Blame, Failure, Known, Labels, Present, Question, TagBook};
