//! The two readers say the same of every text that both of them read, and the
//! fast one reads nothing that the other refuses.

use std::fmt::Write as _;

use flux_image::resource_list;
use flux_image::resource_list::chunks;
use flux_image::resource_list::outline::{Document, Outline};
use proptest::prelude::*;
use yaml_edit_spans::{EventKind, Events, Style, SyntaxError};

use crate::corpora;
use crate::generated;

/// An event as text, with all that anything depends on.
fn shown(text: &str, events: Events<'_>) -> Result<Vec<String>, SyntaxError> {
    let mut all = Vec::new();
    for event in events {
        let event = event?;
        let span = (event.span.start, event.span.end);
        all.push(match event.kind {
            // A marker of documents may be seen as part of it or not.
            EventKind::DocumentStart => "document".to_owned(),
            EventKind::DocumentEnd => "document end".to_owned(),
            EventKind::MappingStart(flow) => format!("mapping {flow} {}", span.0),
            EventKind::SequenceStart(flow) => format!("sequence {flow} {}", span.0),
            EventKind::MappingEnd => "mapping end".to_owned(),
            EventKind::SequenceEnd => "sequence end".to_owned(),
            EventKind::Alias => format!("alias {span:?}"),
            EventKind::Scalar(scalar) => {
                let tag = scalar
                    .tag()
                    .map(|tag| (tag.span, tag.is_string, tag.is_non_string));
                // A value that is written as nothing has no place that counts.
                let is_nothing = span.0 == span.1
                    || scalar.header().is_some() && scalar.value().trim().is_empty();
                if is_nothing && scalar.style == Style::Plain {
                    all.push(format!("nothing {tag:?}"));
                    continue;
                }
                // Blank lines at the end of a block may be its own or not.
                let end = span.0 + event.span.of(text).trim_end().len();
                let place = (!is_nothing).then_some((span.0, end, scalar.start));
                // Without content there is no telling its indentation.
                let header = scalar.header().map(|header| {
                    let has_content = !scalar.value().trim().is_empty();
                    (header.span, has_content.then_some(header.indent))
                });
                let value = scalar.value();
                // At the end of a text they count blank lines differently.
                let value = match header {
                    Some(_) => value.trim_end(),
                    None => &value,
                };
                format!("{:?} {value:?} {tag:?} {header:?} {place:?}", scalar.style)
            }
        });
    }
    Ok(all)
}

/// # Panics
/// Where the readers differ.
fn compare(text: &str) {
    // A text with a carriage return alone is refused by the slower reader; and
    // `[?]` holds an empty key, not
    // a text. A byte order mark before a later document is allowed, and the
    // slower reader refuses it.
    let odd_key = ["?]", "?}", "?,", "?\n"];
    let has_inner_mark = text.rfind('\u{feff}').is_some_and(|at| at > 0);
    if text.replace("\r\n", "").contains('\r')
        || odd_key.iter().any(|key| text.contains(key))
        || has_inner_mark
    {
        return;
    }
    let strict = shown(text, Events::strict(text));
    let tolerant = shown(text, Events::tolerant(text));
    match (strict, tolerant) {
        (Ok(strict), Ok(tolerant)) => {
            for (n, (one, other)) in strict.iter().zip(&tolerant).enumerate() {
                assert_eq!(one, other, "event {n} of\n{text}");
            }
            assert_eq!(strict.len(), tolerant.len(), "{text}");
        }
        (Ok(_), Err(error)) => panic!("only the fast one reads this: {error}\n{text:?}"),
        (Err(_), _) => {}
    }
}

/// A carriage return alone is a line break like any other, also behind a comment
/// and in a block scalar.
#[test]
fn of_line_breaks_of_old_macs() {
    let marker = "# {\"$imagepolicy\": \"a:b\"}";
    let text = format!(
        "a: x # y\nb: c:1 {marker}\nd: |\n  e\n\n  f\n# g\nitems:\n- kind: K\n  metadata:\n    name: n\n  i: c:1 {marker}\n"
    );
    let old = text.replace('\n', "\r");
    assert_eq!(
        summary(&resource_list::read(&old).expect("YAML")).replace('\r', "\n"),
        summary(&resource_list::read(&text).expect("YAML"))
    );
    // What only the other reader would take is refused, with its place.
    let error = resource_list::read("a: [\rb\r]\r").expect_err("not strict");
    assert_eq!((error.place.line, error.place.column), (1, 5));
    assert!(error.message.contains("carriage return"), "{error}");
}

#[test]
fn of_the_corpora() {
    for file in corpora::files("readers::of_the_corpora") {
        println!("{}", file.display());
        compare(&std::fs::read_to_string(file).expect("UTF-8"));
    }
}

/// All that anything depends on in an outline.
fn summary(outline: &Outline<'_>) -> String {
    let mut out = format!("dead {:?}\n", outline.dead);
    for document in &outline.documents {
        let Document {
            root,
            items,
            envelope,
            marked,
        } = document;
        _ = writeln!(out, "{root:?}\n{items:#?}\n{envelope:?}");
        for marked in marked {
            let value = &marked.value;
            _ = writeln!(
                out,
                "{} {} {:?} {:?} {} {} {:?} {:?} {:?} {:?}",
                marked.text,
                marked.place,
                marked.comment,
                marked.item,
                marked.path,
                marked.is_reached,
                value.span,
                value.position,
                value.scalar.header(),
                value.scalar.tag(),
            );
        }
    }
    out
}

/// A ResourceList of documents, some keys before the items and some behind.
fn list(documents: &[String], before: &str, behind: &str, indent: usize) -> String {
    let mut out =
        format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{before}items:\n");
    let pad = " ".repeat(indent);
    for document in documents {
        let document = document
            .replace("# first\n---\n", "")
            .replace(['\r', '\u{feff}'], "");
        for (n, line) in document.lines().enumerate() {
            let lead = if n == 0 { "- " } else { "  " };
            out.push_str(format!("{pad}{lead}{line}").trim_end());
            out.push('\n');
        }
    }
    out + behind
}

/// Read in chunks, a text says what it says as a whole.
fn compare_chunks(text: &str, count: usize) -> bool {
    let Some(in_chunks) = chunks::read_in(text, count) else {
        return false;
    };
    let whole = resource_list::read(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    assert_eq!(summary(&in_chunks), summary(&whole), "{text}");
    true
}

#[test]
fn a_list_is_read_in_chunks() {
    let text = list(&vec!["a: b\n".to_owned(); 20], "", "results: []\n", 0);
    assert!(compare_chunks(&text, 2));
    assert!(compare_chunks(&text, 7));
    assert!(compare_chunks(&"a: b\n---\n".repeat(20), 3));
    // Not what it looks like: the cut would be in a block scalar or in quotes.
    for odd in [
        "items:\n- a: |\n    - b\n".to_owned() + &"    - c\n".repeat(50),
        "items:\n- a: \"x\n".to_owned() + &"- c\n".repeat(50) + "  \"\n",
        "items:\n- &a a\n".to_owned() + &"- *a\n".repeat(50),
    ] {
        assert!(!compare_chunks(&odd, 4), "{odd}");
    }
}

proptest! {
    #![proptest_config(crate::config(500))]

    #[test]
    fn of_generated_documents(text in generated::text()) {
        compare(&text);
    }

    /// Documents with some characters put in, taken out or replaced.
    #[test]
    fn of_broken_documents(
        text in generated::text(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[-\\[\\]{}:,#&*!|>'\" \\na]{0,2}", 0..3_usize), 1..4),
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        for (index, put, gone) in changes {
            let at = index.index(chars.len() + 1);
            let end = (at + gone).min(chars.len());
            chars.splice(at..end, put.chars());
        }
        compare(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn lists_in_chunks(
        documents in prop::collection::vec(generated::text(), 2..8),
        before in prop::sample::select(vec!["", "functionConfig:\n  kind: X\n", "results:\n- a\n- b\n"]),
        behind in prop::sample::select(vec!["", "functionConfig: {a: b}\n", "results:\n- message: a\n- b: c\n", "items: []\n", "...\n", "kind: X\n", "# a: comment\n"]),
        indent in 0..3_usize,
        count in 2..6_usize,
    ) {
        compare_chunks(&list(&documents, before, behind, indent), count);
    }

    #[test]
    fn streams_in_chunks(
        documents in prop::collection::vec(generated::text(), 2..8),
        separator in prop::sample::select(vec!["\n---\n", "\n--- # c\n", "\n...\n---\n", "\n...\n%YAML 1.2\n---\n", "\n# $imagepolicy\n---\n# \"$imagepolicy\"\n"]),
        count in 2..6_usize,
    ) {
        compare_chunks(&documents.join(separator), count);
    }

    #[test]
    fn of_soup(text in "([a-c:#\\-\\[\\]{}|>'\" ,?&*!]|\\n|\\n  ){0,30}") {
        compare(&text);
    }
}
