//! The ResourceList around the items, in every style that YAML has for it: what
//! comes out is read by a reader of its own and must be what went in, with the
//! results that the run has and without the items that were to leave.

use flux_image::api::{Emit, ImageUpdateSpec, Mode};
use flux_image::documents::builder::Builder;
use flux_image::finding::Severity;
use flux_image::function::config::Settings;
use flux_image::function::{self, FunctionOptions, Output};
use flux_image::report::results::results;
use flux_image::selection::resolve::Refresh;
use flux_image::selection::tags::Freshness;
use serde_json::{Value, json};

/// A ConfigMap and an ImagePolicy, in braces.
fn braced(kind: char, number: usize) -> String {
    match kind {
        'C' => format!(
            r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "c{number}"}}, "data": {{"a": "[x], {{y}}"}}}}"#
        ),
        _ => format!(
            r#"{{"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy", "metadata": {{"name": "p{number}", "namespace": "flux-system"}}, "status": {{"latestRef": {{"name": "ghcr.io/acme/app", "tag": "1.2.0"}}}}}}"#
        ),
    }
}

/// The same as lines of a block, with the ends that are hard to tell: a block
/// scalar that keeps its line breaks, a comment, a key without a value.
fn block(kind: char, number: usize, end: &str) -> String {
    match kind {
        'C' => format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{number}\ndata:\n  image: ghcr.io/acme/app:1.0.0 # {{\"$imagepolicy\": \"flux-system:p0\"}} keep\n{end}"
        ),
        _ => format!(
            "kind: ImagePolicy\napiVersion: image.toolkit.fluxcd.io/v1\nmetadata:\n  name: p{number}\n  namespace: flux-system\nstatus:\n  latestRef: {{name: ghcr.io/acme/app, tag: 1.2.0}}\n{end}"
        ),
    }
}

/// Lines behind a first one that stands behind `lead`.
fn hung(lead: &str, lines: &str) -> String {
    let pad = " ".repeat(lead.len());
    let mut out = String::new();
    for (n, line) in lines.lines().enumerate() {
        let before = match (n, line.is_empty()) {
            (0, _) => lead,
            (_, true) => "",
            _ => &pad,
        };
        out.push_str(&format!("{before}{line}\n"));
    }
    out
}

const ENDS: &[&str] = &[
    "",
    "extra: |+\n  text\n\n\n",
    "extra: |\n  text\n  # text\n",
    "extra: >-\n  text\n\n",
    "extra:\n",
    "extra: &own\n",
    "extra: x # behind\n# deeper\n",
    "extra: [a,\n  b # inside\n  ]\n",
];

/// Each way to write `items` in a block, from its key on.
fn block_items(pattern: &str) -> Vec<String> {
    let items: Vec<(usize, char)> = pattern.chars().enumerate().collect();
    let each = |one: &dyn Fn(usize, char) -> String| -> String {
        items.iter().map(|(n, kind)| one(*n, *kind)).collect()
    };
    let end = |n: usize| ENDS[(n + pattern.len()) % ENDS.len()];
    let mut all = vec![
        format!(
            "items:\n{}",
            each(&|n, kind| hung("- ", &block(kind, n, "")))
        ),
        format!(
            "\"items\": # keep the key\n{}",
            each(&|n, kind| hung("  - ", &block(kind, n, "")))
        ),
        format!(
            "items: &items !!seq\n{}",
            each(&|n, kind| format!("- &i{n} !!map\n{}", hung("  ", &block(kind, n, ""))))
        ),
        format!(
            "items:\n# keep: above all\n\n{}# keep: below all\n",
            each(&|n, kind| {
                let keep = if kind == 'C' { "keep" } else { "goes" };
                format!(
                    "\n# keep: apart\n\n# {keep}: about {n}\n{}",
                    hung("- ", &block(kind, n, ""))
                )
            })
        ),
        format!(
            "items:\n{}\n\n",
            each(&|n, kind| format!("-   {}\n", braced(kind, n)))
        ),
        format!(
            "? items\n: {}",
            each(
                &|n, kind| hung(if n == 0 { "- " } else { "  - " }, &block(kind, n, ""))
                    .replace("\n  ", if n == 0 { "\n    " } else { "\n  " })
            )
        ),
    ];
    for shift in 0..ENDS.len() {
        let at = |n: usize| end(n + shift);
        all.push(format!(
            "items:\n{}",
            each(&|n, kind| hung("- ", &block(kind, n, at(n))))
        ));
        all.push(format!(
            "items:\n{}",
            each(&|n, kind| hung(" -  ", &block(kind, n, at(n))))
        ));
    }
    all
}

/// Each way to write `items` in brackets, from the bracket on. JSON comes first.
fn flow_items(pattern: &str) -> Vec<String> {
    let items: Vec<String> = (pattern.chars().enumerate())
        .map(|(n, kind)| braced(kind, n))
        .collect();
    let lines = |lead: &str, behind: &str, last: &str| -> String {
        let mut out = String::new();
        for (n, item) in items.iter().enumerate() {
            let behind = if n + 1 == items.len() { last } else { behind };
            out.push_str(&format!("{lead}{item}{behind}\n"));
        }
        out
    };
    let commented: String = (pattern.chars().zip(&items))
        .map(|(kind, item)| {
            let keep = if kind == 'C' { "keep" } else { "goes" };
            format!("  # {keep}: above\n  {item}, # {keep}: behind, and a comma\n")
        })
        .collect();
    vec![
        format!("[{}]", items.join(",")),
        format!("[ {} ]", items.join(" , ")),
        format!("[\n{}  ]", lines("    ", ",", "")),
        format!("[ # keep\n{}  ]", lines("    ", ",", ", ")),
        format!("[\n{commented} # keep: last\n ]"),
        format!(
            "[\n{} ]",
            lines("  ", " # goes, perhaps\n  # perhaps\n ,", " # goes, too\n")
        ),
        format!(
            "[{}]",
            (items
                .iter()
                .enumerate()
                .map(|(n, item)| format!("&i{n} !!map {item}")))
            .collect::<Vec<_>>()
            .join(", ")
        ),
        format!("[{},]", items.join(",\n  ")),
    ]
}

/// Each way to write `results` in a block, and whether it needs one.
fn block_results() -> Vec<String> {
    let mut all: Vec<String> = flow_results()
        .iter()
        .map(|list| format!("results: {list}\n"))
        .collect();
    for text in [
        "",
        "results:\n",
        "results: # keep\n",
        "results: ~\n",
        "results: null # keep\n",
        "\"results\": []\n",
        "'results' : [] # keep\n",
        "results: &r\n",
        "results: &r # keep\n",
        "results:\n- message: old\n",
        "results: # keep\n  # keep\n  - message: old\n    severity: info\n\n",
        "results: !!seq\n- message: old\n",
        "results: &r\n  - message: old\n",
        "? results\n",
        "? results # keep\n",
        "? results\n:\n",
        "? results\n: # keep\n",
        "? results\n: []\n",
        "? results\n: - message: old\n  - message: older\n",
        "? results\n: - message: old\n    severity: info\n",
        "? results\n: ~\n",
        "? \"results\"\n# keep\n: [{message: old}]\n",
        "results:\n  []\n",
        "results:\n  # keep\n  [ {message: old}, ]\n",
        "results:\n  ~\n",
        "!!str results: []\n",
        "&k results: [{message: old}]\n",
    ] {
        all.push(text.to_owned());
    }
    all
}

fn flow_results() -> Vec<String> {
    [
        "[]",
        "[ ]",
        "[\n  ]",
        "[ # keep\n  ]",
        "[{message: old}]",
        "[ {\"message\": \"old\"}, {\"message\": \"older\"} ]",
        "[\n  {message: old}, # keep\n  # keep\n  ]",
        "[ # keep\n  message: old,\n  ]",
        "&r []",
        "!!seq []",
        "&r !!seq [{message: old}]",
        "[~]",
        "[[]]",
        "[\"\"]",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Keys of a root in braces, each as it is written, joined in every way.
fn in_braces(keys: &[String]) -> Vec<String> {
    let one_line = keys.join(", ");
    vec![
        format!("{{{one_line}}}\n"),
        format!("{{ {one_line} }}"),
        format!("{{\n  {}\n}}\n", keys.join(",\n  ")),
        format!(
            "{{ # keep\n  {} # keep: the last\n}} # keep\n",
            keys.join(", # keep\n  ")
        ),
        format!(
            "{{\n  {}, # keep: a comma\n  # keep\n  }}\n",
            keys.join(" # keep\n  ,")
        ),
        format!("{{{one_line},}}\n"),
        format!("{{ # keep\n{one_line}\n\n# keep\n}}\n"),
        format!("--- # keep\n!!map &root {{{one_line}\n}}\n...\n# keep\n"),
    ]
}

fn in_block(keys: &[&str]) -> Vec<String> {
    let text = keys.concat();
    let indented: String = text
        .split_inclusive('\n')
        .map(|line| {
            if line == "\n" {
                line.to_owned()
            } else {
                format!("  {line}")
            }
        })
        .collect();
    vec![
        text.clone(),
        format!("# keep\n\n---\n# keep\n{text}# keep\n...\n"),
        format!("%YAML 1.2\n--- # keep\n{text}...\n# keep\n"),
        format!("--- &root !!map\n{text}"),
        format!("&first {text}"),
        indented,
        text.strip_suffix('\n').unwrap_or(&text).to_owned(),
        format!("? {}", text.replacen(": ", "\n: ", 1)),
    ]
}

const HEAD: &[&str] = &[
    "apiVersion: config.kubernetes.io/v1\n",
    "kind: ResourceList\n",
];

fn settings() -> Vec<(&'static str, ImageUpdateSpec)> {
    let spec = ImageUpdateSpec::default;
    vec![
        ("all", spec()),
        (
            "keepPolicies: false",
            ImageUpdateSpec {
                keep_policies: false,
                ..spec()
            },
        ),
        (
            "emit: None",
            ImageUpdateSpec {
                emit: Emit::None,
                ..spec()
            },
        ),
        (
            "mode: Check",
            ImageUpdateSpec {
                mode: Mode::Check,
                keep_policies: false,
                ..spec()
            },
        ),
    ]
}

fn run<'t>(text: &'t str, spec: &ImageUpdateSpec) -> Output<'t> {
    let options = FunctionOptions {
        config: Some(Settings::try_from(spec.clone()).expect("settings")),
        documents: Builder::default(),
        freshness: Freshness {
            now: jiff::Timestamp::UNIX_EPOCH,
            max_age: std::time::Duration::MAX,
        },
        refresh: Refresh::Nothing,
        read_origin: None,
    };
    function::run(text, options, None).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What an independent reader says. It does not know a carriage return alone as
/// a line break.
fn read(text: &str) -> Value {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn kept_comments(text: &str) -> usize {
    text.matches("keep").count()
}

fn is_policy(item: &Value) -> bool {
    item["kind"] == "ImagePolicy"
}

/// Runs on `text` and compares. Returns what came out.
fn check(text: &str, name: &str, spec: &ImageUpdateSpec) -> String {
    let output = run(text, spec);
    let written = output.text.to_string();
    let told = format!("{name}\n--- in\n{text}\n--- out\n{written}\n---");
    assert_eq!(output.bug, None, "{told}");
    let findings = &output.outcome.findings;
    let errors: Vec<_> = (findings.iter())
        .filter(|finding| {
            finding.severity == Severity::Error && finding.message.contains("refused")
        })
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{told}");
    let mut expected = read(text);
    if let Some(items) = expected.get_mut("items").and_then(Value::as_array_mut) {
        items.retain(|item| spec.emit != Emit::None && (spec.keep_policies || !is_policy(item)));
        for item in items {
            if let Some(image) = item.pointer_mut("/data/image")
                && output
                    .outcome
                    .changes
                    .iter()
                    .any(|change| change.old == *image)
            {
                *image = json!("ghcr.io/acme/app:1.2.0");
            }
        }
    }
    let mut new = results(&output.outcome);
    assert!(
        !new.is_empty(),
        "a run without results shows nothing: {told}"
    );
    if let Some(old) = expected.get("results").and_then(Value::as_array) {
        new.extend(old.iter().cloned());
    }
    expected["results"] = Value::Array(new);
    let got = serde_saphyr::from_str::<Value>(&written.replace("\r\n", "\n").replace('\r', "\n"))
        .unwrap_or_else(|error| panic!("{error}\n{told}"));
    assert_eq!(got, expected, "{told}");
    let is_partial = spec.emit != Emit::None
        && got["items"]
            .as_array()
            .is_some_and(|items| !items.is_empty());
    if is_partial {
        assert_eq!(kept_comments(&written), kept_comments(text), "{told}");
    }
    let again = run(&written, spec);
    assert_eq!(again.outcome.changes, [], "{told}");
    written
}

/// Which of the cases are run: every so many, so that the figures around them
/// meet in ever other ways; all with `ENVELOPE_CASES=all`.
struct Cases {
    every: usize,
    number: usize,
}

impl Cases {
    /// `every` is a prime, which divides none of the counts.
    fn new(every: usize) -> Self {
        let is_all = std::env::var("ENVELOPE_CASES").is_ok_and(|cases| cases == "all");
        Self {
            every: if is_all { 1 } else { every },
            number: 0,
        }
    }

    fn check(&mut self, text: &str, name: &str) {
        for (setting, spec) in settings() {
            self.number += 1;
            if self.number.is_multiple_of(self.every) {
                let name = format!("{name}, {setting}");
                let written = check(text, &name, &spec);
                check(&written, &format!("{name}, again"), &spec);
            }
        }
    }
}

fn patterns() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|one| [format!("{one}C"), format!("{one}P")])
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

#[test]
fn items_of_blocks_in_every_pattern() {
    let mut cases = Cases::new(7);
    for pattern in patterns().iter().filter(|pattern| !pattern.is_empty()) {
        for (n, items) in block_items(pattern).iter().enumerate() {
            for tail in ["", "results: []\n"] {
                let text = [HEAD[0], HEAD[1], items, tail].concat();
                cases.check(&text, &format!("{pattern}, items {n}"));
            }
        }
    }
}

#[test]
fn items_in_brackets_in_every_pattern() {
    let mut cases = Cases::new(3);
    for pattern in patterns().iter().filter(|pattern| !pattern.is_empty()) {
        for (n, items) in flow_items(pattern).iter().enumerate() {
            let name = format!("{pattern}, items {n}");
            cases.check(&[HEAD[0], HEAD[1], "items: ", items, "\n"].concat(), &name);
            let root = format!(
                "{{\"apiVersion\": \"config.kubernetes.io/v1\", \"kind\": \"ResourceList\", \"items\": {items}}}"
            );
            cases.check(&root, &name);
        }
    }
}

#[test]
fn json_stays_json() {
    for pattern in patterns().iter().filter(|pattern| !pattern.is_empty()) {
        for items in &flow_items(pattern)[..3] {
            for (n, results) in [
                "",
                ", \"results\": []",
                ", \"results\": [{\"message\": \"old\"}]",
                ", \"results\": null",
            ]
            .iter()
            .enumerate()
            {
                let root = format!(
                    "{{\"apiVersion\": \"config.kubernetes.io/v1\", \"kind\": \"ResourceList\", \"items\": {items}{results}\n}}\n"
                );
                for (name, spec) in settings() {
                    let written = check(&root, name, &spec);
                    serde_json::from_str::<Value>(&written)
                        .unwrap_or_else(|error| panic!("{pattern} {n} {name}: {error}\n{written}"));
                }
            }
        }
    }
}

#[test]
fn results_of_blocks_in_every_style() {
    let mut cases = Cases::new(53);
    for (n, results) in block_results().iter().enumerate() {
        let mut all = block_items("CPP");
        all.extend(
            flow_items("PCP")
                .iter()
                .map(|list| format!("items: {list}\n")),
        );
        all.extend(["items: []\n", "items:\n", "items: null\n", ""].map(str::to_owned));
        for (m, items) in all.iter().enumerate() {
            let name = format!("results {n} {results:?}, items {m}");
            for keys in [
                [HEAD[0], HEAD[1], items, results],
                [HEAD[0], HEAD[1], results, items],
                [results, items, HEAD[1], HEAD[0]],
            ] {
                cases.check(&keys.concat(), &name);
            }
        }
    }
}

#[test]
fn roots_of_blocks_in_every_style() {
    let mut cases = Cases::new(13);
    for results in block_results() {
        for items in [
            &block_items("PC")[1],
            &block_items("CP")[7],
            &format!("items: {}\n", flow_items("CP")[4]),
        ] {
            for keys in [
                [HEAD[0], HEAD[1], items, &results],
                [HEAD[0], HEAD[1], &results, items],
            ] {
                for (n, root) in in_block(&keys).iter().enumerate() {
                    for (shape, text) in [
                        ("as it is", root.clone()),
                        ("with a mark", format!("\u{feff}{root}")),
                        ("with breaks of Windows", root.replace('\n', "\r\n")),
                        ("with breaks of old Macs", root.replace('\n', "\r")),
                    ] {
                        cases.check(&text, &format!("root {n}, {shape}, results {results:?}"));
                    }
                }
            }
        }
    }
}

/// Each way to write the key `results` of a root in braces.
fn braced_results() -> Vec<String> {
    let lists = flow_results();
    let mut all: Vec<String> = lists
        .iter()
        .map(|list| format!("results: {list}"))
        .collect();
    let nulls = [
        "",
        "results",
        "\"results\"",
        "results:",
        "\"results\":",
        "'results' : ",
        "results: ~",
        "results: null",
        "? results",
        "? results : []",
        "\"results\":[]",
        "results: &r",
        "\"results\": &r # keep\n",
    ];
    all.extend(nulls.map(str::to_owned));
    all
}

#[test]
fn roots_in_braces_in_every_style() {
    let mut cases = Cases::new(53);
    let head = [
        "apiVersion: config.kubernetes.io/v1",
        "\"kind\": ResourceList",
    ];
    let lists = flow_items("PCP")
        .into_iter()
        .chain(["[]".to_owned(), "null".to_owned()]);
    let mut all: Vec<String> = lists.map(|items| format!("items: {items}")).collect();
    all.push("items:".to_owned());
    for results in &braced_results() {
        for items in &all {
            for keys in [
                [head[0], head[1], items, results],
                [results, items, head[1], head[0]],
            ] {
                let keys = keys.iter().filter(|key| !key.is_empty());
                let keys: Vec<String> = keys.map(|key| (*key).to_owned()).collect();
                for (n, root) in in_braces(&keys).iter().enumerate() {
                    for (shape, text) in [
                        ("as it is", root.clone()),
                        ("with a mark", format!("\u{feff}{root}")),
                        ("with breaks of old Macs", root.replace('\n', "\r")),
                    ] {
                        let name =
                            format!("root {n}, {shape}, results {results:?}, items {items:?}");
                        cases.check(&text, &name);
                    }
                }
            }
        }
    }
}

/// What would change elsewhere in the text is not done, and said.
#[test]
fn an_alias_of_what_would_go_or_change_is_refused() {
    let policy = braced('P', 0).replace("\"ghcr.io/acme/app\"", "&name ghcr.io/acme/app");
    for (items, tail, expected) in [
        (
            format!("[{policy}, {{kind: ConfigMap, data: {{a: *name}}}}]\n"),
            "",
            "`*name`",
        ),
        (
            format!("\n- {policy}\n- kind: ConfigMap\n  data:\n    a: *name\n"),
            "",
            "`*name`",
        ),
        (
            format!("[{policy}]\n"),
            "results: &r []\nagain: *r\n",
            "`*r`",
        ),
        (format!("[{policy}]\n"), "results: &r\nagain: *r\n", "`*r`"),
    ] {
        let text = format!("{}{}items: {items}{tail}", HEAD[0], HEAD[1]);
        let (name, spec) = &settings()[1];
        let output = run(&text, spec);
        let said = &output.outcome.findings;
        assert!(
            said.iter()
                .any(|finding| finding.severity == Severity::Error
                    && finding.message.contains(expected)),
            "{name}: {said:?}"
        );
        assert_eq!(
            read(&output.text.to_string())["items"],
            read(&text)["items"]
        );
    }
}
