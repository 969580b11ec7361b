//! Every message that a run can print, once, in `tests/messages.txt`: so that a reader
//! can go through them all, and a change of one is seen.
//!
//! They are read from the sources, so none can be forgotten: every text between quotes
//! that has two words or more and stands in no test, and the help of each flag and of its
//! values. Their placeholders are as in the source.
//!
//!     MESSAGES=write cargo test --test messages

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

const SNAPSHOT: &str = "tests/messages.txt";

/// The texts of a file, in their order.
#[derive(Default)]
struct Texts {
    found: Vec<String>,
    /// Comments are the help of flags.
    has_help: bool,
}

impl Texts {
    fn note(&mut self, text: &str) {
        if is_said(text) {
            self.found.push(text.to_owned());
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.note(&text.value());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether the variants are values of a flag.
fn is_flag(item: &syn::ItemEnum) -> bool {
    let derives = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.tokens.to_string().contains("ValueEnum"),
        _ => false,
    };
    item.attrs.iter().any(derives)
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    };
    attributes.iter().any(is_test)
}

impl<'s> Visit<'s> for Texts {
    fn visit_item_mod(&mut self, module: &'s syn::ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_enum(&mut self, item: &'s syn::ItemEnum) {
        if self.has_help || !is_flag(item) {
            return visit::visit_item_enum(self, item);
        }
        for variant in &item.variants {
            let is_value = |attribute: &syn::Attribute| attribute.path().is_ident("value");
            // A help of its own goes before the comment.
            self.has_help = !variant.attrs.iter().any(is_value);
            self.visit_variant(variant);
        }
        self.has_help = false;
    }

    fn visit_lit_str(&mut self, text: &'s syn::LitStr) {
        self.note(&text.value());
    }

    fn visit_macro(&mut self, called: &'s syn::Macro) {
        // What these hold is for nobody who runs the program.
        let name = called
            .path
            .segments
            .last()
            .map(|last| last.ident.to_string());
        let name = name.unwrap_or_default();
        if !(name.starts_with("debug_assert") || name == "include_str") {
            self.tokens(called.tokens.clone());
        }
    }

    fn visit_attribute(&mut self, attribute: &'s syn::Attribute) {
        if let (true, syn::Meta::NameValue(named)) = (self.has_help, &attribute.meta)
            && named.path.is_ident("doc")
        {
            visit::visit_expr(self, &named.value);
        }
        // An error's own message, and the help of a flag's value.
        if (attribute.path().is_ident("error") || attribute.path().is_ident("value"))
            && let syn::Meta::List(list) = &attribute.meta
        {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_expr_method_call(&mut self, call: &'s syn::ExprMethodCall) {
        // Said of a bug alone.
        if call.method != "expect" {
            visit::visit_expr_method_call(self, call);
        }
    }
}

/// Whether a text holds words, one after the other.
fn is_said(text: &str) -> bool {
    let words = text.split_whitespace();
    let is_word = |word: &str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphabetic() || c == '\'' || c == '-')
    };
    words.filter(|word| is_word(word)).count() >= 2
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn snapshot(root: &Path) -> String {
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        sources(&entry.expect("an entry").path().join("src"), &mut files);
    }
    files.sort();
    // Names of characters, which nobody is told.
    files.retain(|file| !(file.ends_with("class.rs") || file.ends_with("unicode.rs")));
    let mut known = BTreeSet::new();
    let mut out = String::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let parsed = syn::parse_file(&text).expect("Rust");
        let mut texts = Texts {
            has_help: file.ends_with("src/cli/args.rs"),
            ..Texts::default()
        };
        texts.visit_file(&parsed);
        let new: Vec<String> = texts
            .found
            .into_iter()
            .filter(|one| known.insert(one.clone()))
            .collect();
        if new.is_empty() {
            continue;
        }
        let name = file.strip_prefix(root).expect("inside").display();
        _ = writeln!(out, "# {name}");
        for text in new {
            _ = writeln!(out, "{}", text.trim_start().replace('\n', "\\n"));
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_message_stands_in_the_snapshot() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let now = snapshot(root);
    let path = root.join(SNAPSHOT);
    if std::env::var_os("MESSAGES").is_some_and(|value| value == "write") {
        fs::write(&path, &now).expect("written");
    }
    let before = fs::read_to_string(&path).unwrap_or_default();
    let (lines, known): (BTreeSet<&str>, BTreeSet<&str>) =
        (now.lines().collect(), before.lines().collect());
    let added: Vec<&&str> = lines.difference(&known).collect();
    let gone: Vec<&&str> = known.difference(&lines).collect();
    assert!(
        lines.len() > 400,
        "only {} messages were found",
        lines.len()
    );
    assert!(
        now == before,
        "messages have changed; read them, and write the snapshot with `MESSAGES=write cargo test --test messages`\nadded: {added:#?}\ngone: {gone:#?}"
    );
}
