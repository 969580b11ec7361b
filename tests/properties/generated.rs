//! Generated documents: every style and position that a marked scalar may
//! have, between every kind of neighbour.

use flux_image::documents::builder::Builder;
use flux_image::function::{self, FunctionOptions};
use flux_image::selection::tags::Freshness;
use proptest::prelude::*;
use std::fmt::Write as _;

use crate::promises::{Policy, check};

/// How a marked scalar is written, `{}` for the old text.
const STYLES: &[&str] = &[
    "{}",
    "'{}'",
    "\"{}\"",
    "&anchor {}",
    "&anchor '{}'",
    "!!str {}",
    "!custom {}",
    "&a !!str \"{}\"",
    "!!float 1.5",
    "!!int 7",
    "1.5",
    "true",
    "~",
    "null",
    "2024-01-01",
    "'it''s {}'",
    "\"\\u00fc {}\"",
    "grüße-{}-🦀",
    "!  {}",
];

/// Block scalars: header, and the lines of the content without indentation.
const BLOCKS: &[(&str, &str)] = &[
    ("|", "{}\n"),
    ("|-", "{}\n"),
    ("|+", "{}\n\n"),
    (">", "{}\nfolded on\n"),
    (">-", "{}\n"),
    ("&a |", "{}\n  deeper\n"),
    ("!custom >", "{}\n\nafter a blank line\n"),
];

/// Lines that stand between the marked ones, `{i}` for the indentation.
const NEIGHBOURS: &[&str] = &[
    "",
    "{i}# a comment about $imagepolicy and \"quotes\"\n",
    "{i}plain{n}: text # with a comment\n",
    "{i}quoted{n}:   'two  blanks'\t# and a tab\n",
    "{i}flow{n}: {a: [1, 2,3 ], b: {c: d}}   \n",
    "{i}list{n}:\n{i}- one\n{i}-   two\n{i}  # between\n{i}- {x: y}\n",
    "{i}deep{n}:\n{i}    far:\n{i}      - in: side\n",
    "{i}block{n}: |\n{i}  image: x # {\"$imagepolicy\": \"ns:p0\"}\n\n{i}  last\n",
    "{i}folded{n}: >-\n{i}  one\n{i}  two\n",
    "{i}multi{n}: one\n{i}  two\n{i}  three\n",
    "{i}dquoted{n}: \"one\n{i}  two\\\n{i}  three\"\n",
    "{i}anchor{n}: &x{n} {k: v}\n{i}alias{n}: *x{n}\n",
    "{i}nothing{n}:\n",
    "{i}nothing{n}: # a comment\n",
    "{i}? complex{n}\n{i}: value\n",
    "{i}umlaut{n}: \"ü\\u00fc\" # ü\n",
    "{i}emoji{n}: 🦀🦀 # 🦀\n",
    "\n\n",
    "   \n",
];

/// Tags as registries and people have them, and as YAML readers misread them.
fn tag() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "1.10",
        "1.0",
        "2024",
        "1e5",
        "0x1f",
        "0o17",
        "017",
        "1_000",
        "0b11",
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "true",
        "null",
        "nan",
        "inf",
        "2024-01-01",
        "12345678901234567890",
        "0123456",
        "1.2.3",
        "v1.2.3-rc.1",
        "1.",
        "1e400",
        "7e5",
        "__1__",
        "1__0",
        "0_",
        "latest",
        "1.2e3",
        "0.1_0",
    ]);
    prop_oneof![
        3 => odd.prop_map(str::to_owned),
        2 => "[A-Za-z0-9_][A-Za-z0-9._-]{0,12}",
        2 => "[0-9]{1,4}[._-][0-9]{1,3}",
    ]
}

#[derive(Clone, Debug)]
enum Line {
    Neighbour(usize),
    /// A mapping entry or a sequence item with a marker.
    Marked {
        style: usize,
        policy: usize,
        part: usize,
        spaces: usize,
        is_item: bool,
    },
    Block {
        block: usize,
        policy: usize,
        indent: usize,
    },
    /// `key: [x, # marker` and so on.
    Flow {
        policy: usize,
        quoted: bool,
    },
    /// The marker on a line of its own above an item.
    Above {
        policy: usize,
    },
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        4 => (0..NEIGHBOURS.len()).prop_map(Line::Neighbour),
        5 => (0..STYLES.len(), 0..3_usize, 0..4_usize, 1..4_usize, any::<bool>()).prop_map(
            |(style, policy, part, spaces, is_item)| Line::Marked { style, policy, part, spaces, is_item }
        ),
        2 => (0..BLOCKS.len(), 0..3_usize, 1..5_usize)
            .prop_map(|(block, policy, indent)| Line::Block { block, policy, indent }),
        1 => (0..3_usize, any::<bool>()).prop_map(|(policy, quoted)| Line::Flow { policy, quoted }),
        1 => (0..3_usize).prop_map(|policy| Line::Above { policy }),
    ]
}

#[derive(Clone, Debug)]
struct Layout {
    windows: bool,
    byte_order_mark: bool,
    final_break: bool,
    start: bool,
    indent: usize,
    tight: bool,
}

fn layout() -> impl Strategy<Value = Layout> {
    (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        1..5_usize,
        any::<bool>(),
    )
        .prop_map(
            |(windows, byte_order_mark, final_break, start, indent, tight)| Layout {
                windows,
                byte_order_mark,
                final_break,
                start,
                indent,
                tight,
            },
        )
}

const PARTS: &[&str] = &["", ":tag", ":name", ":digest"];
const OLD: &str = "ghcr.io/acme/app:0.0.1@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Any of the documents.
pub fn text() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(line(), 1..10);
    (lines, layout()).prop_map(|(lines, layout)| render(&lines, &layout).0)
}

/// The text, and how many scalars in it are marked.
#[expect(clippy::too_many_lines, reason = "one shape of line after the other")]
fn render(lines: &[Line], layout: &Layout) -> (String, usize) {
    let (mut out, mut marked) = (String::new(), 0);
    if layout.start {
        out.push_str("# first\n---\n");
    }
    out.push_str("first: entry\nnested:\n");
    let pad = " ".repeat(layout.indent);
    let hash = if layout.tight { "#" } else { "# " };
    let marker =
        |policy: usize, part: &str| format!("{hash}{{\"$imagepolicy\": \"ns:p{policy}{part}\"}}");
    for (n, line) in lines.iter().enumerate() {
        match line {
            Line::Neighbour(index) => {
                let text = NEIGHBOURS[*index]
                    .replace("{i}", &pad)
                    .replace("{n}", &n.to_string());
                out.push_str(&text);
            }
            Line::Marked {
                style,
                policy,
                part,
                spaces,
                is_item,
            } => {
                let value = STYLES[*style]
                    .replace("{}", OLD)
                    .replace("&a ", &format!("&m{n} "))
                    .replace("&anchor", &format!("&n{n}"));
                let gap = " ".repeat(*spaces);
                let lead = if *is_item {
                    format!("{pad}k{n}:\n{pad}- x\n{pad}- ")
                } else {
                    format!("{pad}k{n}: ")
                };
                _ = writeln!(out, "{lead}{value}{gap}{}", marker(*policy, PARTS[*part]));
                marked += 1;
            }
            Line::Block {
                block,
                policy,
                indent,
            } => {
                let (header, content) = BLOCKS[*block];
                let header = header.replace("&a ", &format!("&b{n} "));
                _ = writeln!(out, "{pad}k{n}: {header} {}", marker(*policy, ""));
                let inner = " ".repeat(layout.indent + indent);
                for line in content.replace("{}", OLD).lines() {
                    if line.is_empty() {
                        out.push('\n')
                    } else {
                        _ = writeln!(out, "{inner}{line}")
                    }
                }
                marked += 1;
            }
            Line::Flow { policy, quoted } => {
                let value = if *quoted {
                    format!("'{OLD}'")
                } else {
                    OLD.to_owned()
                };
                _ = writeln!(
                    out,
                    "{pad}k{n}: [a, {value}, {}\n{pad}  'b' ]",
                    marker(*policy, "")
                );
                _ = writeln!(
                    out,
                    "{pad}m{n}: {{a: b, c: {value} {}\n{pad}  }}",
                    marker(*policy, ":tag")
                );
                marked += 2;
            }
            Line::Above { policy } => {
                _ = writeln!(
                    out,
                    "{pad}k{n}:\n{pad}- x\n\n{pad}{}\n{pad}- {OLD}",
                    marker(*policy, "")
                );
                marked += 1;
            }
        }
    }
    if !layout.final_break {
        out.truncate(out.trim_end_matches('\n').len());
    }
    if layout.windows {
        out = out.replace('\n', "\r\n");
    }
    if layout.byte_order_mark {
        out.insert(0, '\u{feff}');
    }
    (out, marked)
}

fn digest() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[0-9a-f]{64}".prop_map(|hex| format!("sha256:{hex}")))
}

proptest! {
    #![proptest_config(crate::config(400))]

    /// Promises 1 to 4 over documents of which every marker is live.
    #[test]
    fn every_marked_scalar_is_written_and_nothing_else(
        lines in prop::collection::vec(line(), 1..14),
        layout in layout(),
        tags in prop::collection::vec((tag(), digest()), 3),
    ) {
        let (text, marked) = render(&lines, &layout);
        let policies: Vec<Policy> = tags.iter().enumerate().map(|(n, (tag, digest))| {
            let mut policy = Policy::new(&format!("ns:p{n}"), tag);
            policy.digest.clone_from(digest);
            policy
        }).collect();
        let output = check(&text, &policies);
        let missing = output.outcome.findings.iter()
            .filter(|finding| finding.code == flux_image::finding::Code::DigestMissing)
            .count();
        // What the new value equals the old one needs no change.
        let written = output.outcome.changes.len();
        let same = unchanged(&lines, &policies);
        prop_assert_eq!(written + missing + same, marked, "{}\n->\n{}", text, output.text.to_string());
    }

    /// Promise 5: whatever comes in, there is an error or a text, and no panic.
    #[test]
    fn any_text_at_all(text in "(\\PC|[\\n\\t :#\\-\\[\\]{}&*!|>'\"%@`,?]){0,80}") {
        if let Ok(output) = function::run(&text, nothing(), None) {
            prop_assert!(!output.text.to_string().is_empty());
            prop_assert_eq!(output.text.to_string(), text);
        }
    }

    /// The same for a list whose items and results are any text.
    #[test]
    fn any_list(body in "([a-c:#\\-\\[\\]{}|>'\" ,?&*!]|\\n){0,60}") {
        let text = format!("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{body}");
        if let Ok(output) = function::run(&text, nothing(), None) {
            // Results were added, and what came out can be read again.
            let written = output.text.to_string();
            let again = function::run(&written, nothing(), None);
            prop_assert!(again.is_ok(), "{}\n->\n{}\n{:?}", text, output.text.to_string(), again.err());
        }
    }
}

fn nothing() -> FunctionOptions<'static> {
    FunctionOptions {
        refresh: flux_image::selection::resolve::Refresh::Nothing,
        read_origin: None,
        config: None,
        documents: Builder::default(),
        freshness: Freshness {
            now: jiff::Timestamp::UNIX_EPOCH,
            max_age: std::time::Duration::MAX,
        },
    }
}

/// Marked scalars whose old value the policy happens to choose again.
fn unchanged(lines: &[Line], policies: &[Policy]) -> usize {
    let same = |line: &&Line| match line {
        Line::Marked {
            style,
            policy,
            part,
            ..
        } => {
            let old = match STYLES[*style] {
                "!!float 1.5" | "1.5" => "1.5",
                "!!int 7" => "7",
                "true" => "true",
                "~" => "~",
                "null" => "null",
                "2024-01-01" => "2024-01-01",
                _ => return false,
            };
            PARTS[*part] == ":tag" && policies[*policy].tag == old
        }
        _ => false,
    };
    lines.iter().filter(same).count()
}
