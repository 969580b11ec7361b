//! `flux-image lint`: each code with its example, on the page and here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr, stdout};
use crate::update::Tree;

const PAGE: &str = "docs/lint.md";

/// One code of the page.
struct Section {
    code: String,
    severity: String,
    files: Files,
    /// What is printed, and where in the page that stands.
    printed: (usize, usize),
    mend: Mend,
}

type Files = BTreeMap<String, String>;

enum Mend {
    TakeOut(String),
    /// By file, the lines before and those after, in pairs.
    Change(Vec<(String, Vec<(String, String)>)>),
}

fn page() -> String {
    std::fs::read_to_string(PAGE).expect("the page")
}

/// The fenced blocks of a text: language, text, and where the text stands.
fn blocks(text: &str, offset: usize) -> Vec<(String, String, (usize, usize))> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("```") {
        let start = at + open + 3;
        let language = text[start..].lines().next().expect("a line").to_owned();
        let body = start + language.len() + 1;
        let end = body + text[body..].find("```").expect("a closing fence");
        let place = (offset + body, offset + end);
        blocks.push((language, text[body..end].to_owned(), place));
        at = end + 3;
    }
    blocks
}

fn file_of(block: &str) -> (String, String) {
    let (first, rest) = block.split_once('\n').expect("two lines");
    let name = first.strip_prefix("# ").expect("a file's name").to_owned();
    // A list that is too long for a page.
    let rest = match rest.find("REPEAT 1200 sha-%07d") {
        None => rest.to_owned(),
        Some(_) => {
            let many: Vec<String> = (0..1200).map(|n| format!("sha-{n:07}")).collect();
            rest.replace("REPEAT 1200 sha-%07d", &many.join(", "))
        }
    };
    (name, rest)
}

/// The files that every example begins with, and the codes.
fn sections(page: &str) -> (Files, Vec<Section>) {
    let starts: Vec<usize> = page.match_indices("\n## `").map(|(at, _)| at + 1).collect();
    let base = blocks(&page[..starts[0]], 0);
    let base = base.iter().map(|(_, text, _)| file_of(text)).collect();
    let ends = starts.iter().skip(1).copied().chain([page.len()]);
    let one = |(start, end): (&usize, usize)| {
        let text = &page[*start..end];
        let title = text.lines().next().expect("a title");
        let severity = title.split(['(', ')']).nth(1).expect("a severity");
        let mut section = Section {
            code: title.split('`').nth(1).expect("a code").to_owned(),
            severity: severity.to_owned(),
            files: Files::new(),
            printed: (0, 0),
            mend: Mend::Change(Vec::new()),
        };
        let taken = text.split("Mended by taking out `").nth(1);
        if let Some(name) = taken.and_then(|rest| rest.split('`').next()) {
            section.mend = Mend::TakeOut(name.to_owned());
        }
        for (language, block, place) in blocks(text, *start) {
            match language.as_str() {
                "yaml" => section.files.extend([file_of(&block)]),
                "text" => section.printed = place,
                "diff" => {
                    let (name, diff) = file_of(&block);
                    if let Mend::Change(changes) = &mut section.mend {
                        changes.push((name, pairs(&diff)));
                    }
                }
                other => panic!("a block of {other}"),
            }
        }
        section
    };
    (base, starts.iter().zip(ends).map(one).collect())
}

/// The lines that a diff takes out, and those that it puts in their place.
fn pairs(diff: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = vec![Default::default()];
    let mut was_new = false;
    for line in diff.lines() {
        let is_new = line.starts_with('+');
        if was_new && !is_new {
            pairs.push(Default::default());
        }
        was_new = is_new;
        let last = pairs.last_mut().expect("one");
        let side = if is_new { &mut last.1 } else { &mut last.0 };
        side.push_str(&line[1..]);
        side.push('\n');
    }
    pairs
}

fn tree(base: &Files, files: &Files) -> Tree {
    let tree = Tree::new(&[(".git/HEAD", "")]);
    for (name, text) in base.iter().chain(files) {
        tree.write(name, text);
    }
    tree
}

fn linted(tree: &Tree, arguments: &[&str]) -> Value {
    let arguments = [&["lint", "-o", "json"], arguments].concat();
    let output = run_in(tree.path(), &arguments, b"");
    assert!(code(&output) < 2, "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn codes(report: &Value) -> BTreeSet<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .map(|one| one["code"].as_str().expect("a code").to_owned())
        .collect()
}

/// Of each code on the page: the example has it, of the severity there, in the words there;
/// what stands as the mend mends it. `LINT=write` writes the words.
#[test]
fn the_page_is_true() {
    let page = page();
    let (base, sections) = sections(&page);
    assert!(sections.len() > 40, "{}", sections.len());
    assert_eq!(
        codes(&linted(&tree(&base, &Files::new()), &[])),
        BTreeSet::new()
    );
    let (mut faults, mut written) = (Vec::new(), page.clone());
    for section in sections.iter().rev() {
        let tree = tree(&base, &section.files);
        let report = linted(&tree, &[]);
        let findings = report["findings"].as_array().expect("findings");
        let Some(found) = findings
            .iter()
            .find(|one| one["code"] == section.code.as_str())
        else {
            faults.push(format!(
                "{} is not found: {:?}",
                section.code,
                codes(&report)
            ));
            continue;
        };
        if found["severity"] != section.severity.as_str() {
            faults.push(format!("{} is {}", section.code, found["severity"]));
        }
        let place = format!(
            "{}:{}:{}",
            found["file"].as_str().unwrap_or_default(),
            found["line"],
            found["column"]
        );
        let word = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        let printed = format!("{place}\n{}\nhint: {}\n", word("message"), word("hint"));
        let (start, end) = section.printed;
        if page[start..end] != printed {
            faults.push(format!("{} prints\n{printed}", section.code));
        }
        written.replace_range(start..end, &printed);
        if word("hint").is_empty() {
            faults.push(format!("{} has no hint", section.code));
        }
        faults.extend(left_by_hint(&base, section, &word("hint")));
        mend(&tree, section);
        let left = linted(&tree, &[]);
        if codes(&left).contains(&section.code) {
            faults.push(format!(
                "{} is still found: {}",
                section.code, left["findings"]
            ));
        }
    }
    if std::env::var_os("LINT").is_some_and(|word| word == "write") {
        let written = with_rows(&written, &sections);
        std::fs::write(PAGE, written).expect("written");
        faults.retain(|fault| !fault.contains(" prints\n"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What is wrong with a hint that writes a policy: followed as it is, it mends nothing.
fn left_by_hint(base: &Files, section: &Section, hint: &str) -> Option<String> {
    if !hint.contains("`policy: {") {
        return None;
    }
    let tree = tree(base, &section.files);
    follow(&tree, hint);
    let left = linted(&tree, &[]);
    let is_left = codes(&left).contains(&section.code);
    is_left.then(|| format!("{}: the hint mends nothing: {left}", section.code))
}

fn mend(tree: &Tree, section: &Section) {
    match &section.mend {
        Mend::TakeOut(name) => std::fs::remove_file(tree.at(name)).expect("removed"),
        Mend::Change(changes) => {
            assert!(!changes.is_empty(), "{} has a mend", section.code);
            for (name, pairs) in changes {
                let mut text = tree.read(name);
                for (before, after) in pairs {
                    assert!(text.contains(before), "{}: {before}", section.code);
                    text = text.replacen(before, after, 1);
                }
                tree.write(name, &text);
            }
        }
    }
}

fn base() -> Files {
    sections(&page()).0
}

fn with(name: &str, change: impl Fn(&str) -> String) -> Tree {
    let base = base();
    let files = Files::from([(name.to_owned(), change(&base[name]))]);
    tree(&base, &files)
}

/// `--fix` writes `v1`, and not one byte besides; what has other fields there stays.
#[test]
fn a_fix_changes_the_version_alone() {
    let tree = with("flux/policy.yaml", |text| {
        let old = text.replace("fluxcd.io/v1", "fluxcd.io/v1beta2 # since 2021");
        format!(
            "# apiVersion: image.toolkit.fluxcd.io/v1beta2\r\n{}",
            old.replace('\n', "\r\n")
        )
    });
    let automation = "apiVersion: image.toolkit.fluxcd.io/v1alpha1
kind: ImageUpdateAutomation
metadata: {name: old, namespace: flux-system}
spec:
  checkout: {gitRepositoryRef: {name: fleet}, branch: main}
  commit: {authorName: flux, authorEmail: flux@example.com}
  update: {path: ./apps, strategy: Setters}
";
    tree.write("flux/old.yaml", automation);
    let before = tree.read("flux/policy.yaml");
    let output = run_in(tree.path(), &["lint", "--fix", "--diff"], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        tree.read("flux/policy.yaml"),
        before,
        "`--diff` edits nothing"
    );
    let report = linted(&tree, &["--fix"]);
    assert_eq!(report["summary"]["fixed"], 1, "{report}");
    let expected = before.replace("fluxcd.io/v1beta2 # since", "fluxcd.io/v1 # since");
    assert_eq!(tree.read("flux/policy.yaml"), expected);
    assert_eq!(tree.read("flux/old.yaml"), automation);
    assert!(
        codes(&report).contains("old-version"),
        "the other one is left"
    );
    let again = linted(&tree, &["--fix"]);
    assert_eq!(again["summary"]["fixed"], 0);
}

/// Further shapes of what the page has one example of; what each hint says is followed.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn other_shapes_of_the_same_faults() {
    let policy = |choice: &str, filter: &str| {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: app, namespace: flux-system}}\nspec:\n  imageRepositoryRef: {{name: app}}\n{filter}  policy: {{{choice}}}\n"
        )
    };
    let tags = |list: &str| {
        format!(
            "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {{name: tags}}\nspec: {{repositories: [{{image: ghcr.io/acme/app, tags: [{list}]}}]}}\n"
        )
    };
    for (choice, filter, list, expected, hint) in [
        (
            "semver: {range: '>=1.0.0-rc.1'}",
            "",
            "1.2.3, 1.3.0-beta.1",
            "accidental-prerelease",
            "`>=1.0.0`",
        ),
        (
            "semver: {range: 1.x}",
            "  filterTags: {pattern: '^v?(?P<v>.*)$', extract: $version}\n",
            "1.2.3, 1.2.4",
            "matches-nothing",
            "name a group",
        ),
        (
            "alphabetical: {order: asc}",
            "",
            "8f2c1d9, 0a1b2c3, 9f8e7d6",
            "unordered-values",
            "RUN_NUMBER",
        ),
        (
            "alphabetical: {order: desc}",
            "",
            "'20240101', '20240201'",
            "oldest-chosen",
            "order: asc",
        ),
        ("semver: {range: ^*}", "", "1.2.3", "odd-range", "`*`"),
        (
            "semver: {range: ~0.0.0}",
            "",
            "1.2.3",
            "odd-range",
            "`>=0.0.0`",
        ),
        (
            "semver: {range: 1.x}",
            "",
            "1.2.3, 1.2.4_5",
            "newest-dropped",
            "filterTags",
        ),
        (
            "semver: {range: 1.x}",
            "",
            "1.2.3, V1.2.4",
            "newest-dropped",
            "filterTags",
        ),
        (
            "numerical: {order: asc}",
            "",
            "'1', latest",
            "not-a-number",
            "pattern",
        ),
    ] {
        let files = Files::from([
            ("flux/policy.yaml".to_owned(), policy(choice, filter)),
            ("flux/tags.yaml".to_owned(), tags(list)),
        ]);
        let report = linted(&tree(&base(), &files), &[]);
        let findings = report["findings"].as_array().expect("findings").iter();
        let found: Vec<&Value> = findings.filter(|one| one["code"] == expected).collect();
        assert_eq!(found.len(), 1, "{choice} {filter} {list}: {report}");
        let said = found[0]["hint"].as_str().unwrap_or_default();
        assert!(said.contains(hint), "{expected}: {said}");
    }
    // What is encrypted is told also where nothing would change.
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: apps}\nstringData:\n  image: ghcr.io/acme/app:1.2.4 # {\"$imagepolicy\": \"flux-system:app\"}\nsops: {mac: 'ENC[x]', version: 3.9.0}\n";
    let files = Files::from([("apps/secret.yaml".to_owned(), secret.to_owned())]);
    assert_eq!(
        codes(&linted(&tree(&base(), &files), &[])),
        BTreeSet::from(["encrypted".to_owned()])
    );
}

/// A template that Flux refuses is written with what is there now, in its own quotes, where
/// it says the same.
#[test]
fn a_fix_migrates_templates() {
    for (written, expected) in [
        (
            "|-\n        Images:\n        {{ range .Updated.Images -}}\n        - {{ . }} # each\n        {{ end -}}",
            "|-\n        Images:\n        {{ range .Changed.Changes -}}\n        - {{ .NewValue }} # each\n        {{ end -}}",
        ),
        (
            "\"{{range .Updated.Images}}{{println .}}{{end}}\"",
            "\"{{range .Changed.Changes}}{{println .NewValue}}{{end}}\"",
        ),
        ("\"{{range .Updated.Images}}{{.Repository}}{{end}}\"", ""),
    ] {
        let tree = with("flux/automation.yaml", |text| {
            text.replace(
                "      author:",
                &format!("      messageTemplate: {written}\n      author:"),
            )
        });
        let before = tree.read("flux/automation.yaml");
        let report = linted(&tree, &["--fix"]);
        let after = tree.read("flux/automation.yaml");
        match expected {
            "" => assert_eq!((after, codes(&report).len()), (before, 1)),
            expected => {
                assert_eq!(after, before.replace(written, expected));
                assert_eq!(codes(&report), BTreeSet::new());
            }
        }
    }
}

#[test]
fn findings_are_ignored_with_a_reason() {
    let insecure = |comment: &str| {
        let comment = comment.to_owned();
        with("flux/repository.yaml", move |text| {
            format!("{text}  {comment}\n")
        })
    };
    for comment in [
        "insecure: true # flux-image: ignore insecure-registry it is on loopback",
        "# flux-image: ignore insecure-registry it is on loopback\n  # and more\n\n  insecure: true",
        "insecure: true # flux-image: ignore old-version,insecure-registry it is on loopback",
    ] {
        let report = linted(&insecure(comment), &["--fail-on", "warning"]);
        let ignored = &report["ignored"][0];
        assert_eq!(ignored["code"], "insecure-registry", "{comment}: {report}");
        assert_eq!(ignored["reason"], "it is on loopback");
        let left = codes(&report);
        let is_second = comment.contains("old-version");
        let expected: BTreeSet<String> = is_second
            .then(|| "unused-ignore".to_owned())
            .into_iter()
            .collect();
        assert_eq!(left, expected);
    }
    for (comment, said) in [
        (
            "insecure: true # flux-image: ignore insecure-registry",
            "without a reason",
        ),
        (
            "insecure: true # flux-image: ignore everything because",
            "no code of a finding",
        ),
    ] {
        let report = linted(&insecure(comment), &[]);
        let expected = BTreeSet::from(["bad-ignore", "insecure-registry"].map(str::to_owned));
        assert_eq!(codes(&report), expected, "{comment}");
        assert!(report["findings"].to_string().contains(said));
    }
    // Prose is none.
    let report = linted(&insecure("x: 1 # see flux-image: ignored things"), &[]);
    assert!(!codes(&report).contains("bad-ignore"), "{report}");
}

#[test]
fn severities_decide_how_it_ends() {
    let tree = with("flux/repository.yaml", |text| {
        format!("{text}  insecure: true\n")
    });
    for (flags, expected) in [
        (&[][..], 0),
        (&["--fail-on", "error"], 0),
        (&["--fail-on", "warning"], 1),
        (&["--fail-on", "info", "-o", "sarif"], 1),
    ] {
        let output = run_in(tree.path(), &[&["lint"], flags].concat(), b"");
        assert_eq!(code(&output), expected, "{flags:?}: {}", stderr(&output));
    }
    let output = run_in(tree.path(), &["lint"], b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("warning[insecure-registry]"), "{text}");
    assert!(text.contains("flux/repository.yaml:7:13"), "{text}");
    assert!(text.contains("^^^^"), "{text}");
    assert!(stderr(&output).contains("0 errors, 1 warning, 0 notes"));
    assert!(stderr(&output).contains("tags of policies: 1 of TagSnapshots"));
    for (format, said) in [
        ("sarif", "\"ruleId\": \"insecure-registry\""),
        ("gitlab", "\"check_name\": \"flux-image/insecure-registry\""),
        (
            "github",
            "::warning file=flux/repository.yaml,line=7,col=13",
        ),
    ] {
        let output = run_in(tree.path(), &["lint", "-o", format], b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(said), "{format}: {text}");
    }
}

/// No line of a Secret is shown, nor what acts on a terminal.
#[test]
fn what_is_secret_or_acts_is_not_shown() {
    let tree = with("apps/app.yaml", |text| {
        format!(
            "{text}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: apps}}\nstringData:\n  image: hunter2 # {{\"$imagepolicy\": \"flux-system:none\"}}\n  text: |\n    hunter3 # {{\"$imagepolicy\": \"flux-system:app\"}}\n"
        )
    });
    tree.write(
        "apps/x\u{1b}[31m.yaml",
        "a: b # {\"$imagepolicy\": \"flux-system:\u{202e}x\"}\n",
    );
    for format in ["text", "json", "sarif", "github", "gitlab"] {
        let output = run_in(tree.path(), &["lint", "-o", format], b"");
        let all = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            stderr(&output)
        );
        assert!(
            all.contains("unknown-policy") || format == "github",
            "{all}"
        );
        for hidden in ["hunter2", "hunter3", "\u{1b}", "\u{202e}"] {
            assert!(!all.contains(hidden), "{format}: {all}");
        }
    }
}

/// What a build that is not seen here completes is no error of the tree.
#[test]
fn parts_of_builds_are_no_errors() {
    let tree = with("flux/policy.yaml", |text| {
        text.replace("  policy:\n    semver: {range: 1.x}\n", "")
    });
    let report = linted(&tree, &[]);
    assert_eq!(report["summary"]["errors"], 0, "{report}");
}

/// Without tags nothing is said of what they would tell, and that is said.
#[test]
fn unknown_tags_are_no_finding() {
    let tree = with("flux/tags.yaml", |_| "kind: None\n".to_owned());
    let report = linted(&tree, &[]);
    let errors = report["summary"]["errors"].as_u64();
    assert_eq!(errors, Some(0), "{report}");
    assert_eq!(report["tags"]["unknown"], 1);
}

const TABLE: &str = "| code | what it is about |\n|---|---|\n";

/// The rows of what lint tells in the words of other commands: of the codes that have no
/// example on the page those that are not about edits.
fn rows(told: &BTreeSet<&str>) -> String {
    /// What is said of edits and commits alone, of which lint makes none, and by `coverage`.
    const OF_OTHERS: [&str; 7] = [
        "outdated",
        "lost-attributes",
        "nothing-bound",
        "conflicting-automations",
        "bad-branch",
        "doubtful-template",
        "unused-exclusion",
    ];
    let output = run_in(std::path::Path::new("."), &["schema", "Report"], b"");
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = schema["$defs"]["Code"]["oneOf"].as_array().expect("codes");
    let word = |one: &Value, key: &str| one[key].as_str().expect("a text").replace('\n', " ");
    let all = all
        .iter()
        .map(|one| (word(one, "const"), word(one, "description")));
    let all: BTreeMap<String, String> = all.collect();
    assert!(all.len() > 60, "{}", all.len());
    assert!(OF_OTHERS.iter().all(|code| all.contains_key(*code)));
    assert!(
        told.iter()
            .all(|code| all.contains_key(*code) && !OF_OTHERS.contains(code))
    );
    let left = all
        .iter()
        .filter(|(code, _)| !told.contains(code.as_str()) && !OF_OTHERS.contains(&code.as_str()));
    left.map(|(code, text)| format!("| `{code}` | {text} |\n"))
        .collect()
}

/// The page with its table as it is to be.
fn with_rows(page: &str, sections: &[Section]) -> String {
    let told = sections.iter().map(|one| one.code.as_str()).collect();
    let (before, _) = page.split_once(TABLE).expect("a table");
    format!("{before}{TABLE}{}", rows(&told))
}

/// The codes of findings are on the page: each with an example, or in the table of those that
/// other commands find as well.
#[test]
fn every_code_of_lint_is_on_the_page() {
    let page = page();
    let (_, sections) = sections(&page);
    assert_eq!(page, with_rows(&page, &sections), "`LINT=write` writes it");
}

/// A ResourceList that is linted: the base tree with a policy and a Deployment.
fn linted_list(policy: &str, app: &str) -> String {
    let item = |text: &str| format!("- {}\n", text.trim_end().replace('\n', "\n  "));
    let documents = ["flux/repository.yaml", "flux/tags.yaml"];
    let items = documents.map(|name| item(&base()[name])).join("");
    let config = "{apiVersion: flux-image.dev/v1alpha1, kind: ImageUpdate, metadata: {name: x}, spec: {lint: true}}";
    format!(
        "apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: {config}\nitems:\n{items}{}{}",
        item(policy),
        item(app)
    )
}

/// The results that the function adds.
fn results_of(list: &str) -> String {
    let output = run_in(std::path::Path::new("."), &["fn"], list.as_bytes());
    let text = String::from_utf8_lossy(&output.stdout);
    let results = text.split("\nresults:").nth(1);
    results.unwrap_or_default().to_owned()
}

/// A line of an item is the list's, also where an orchestrator notes the file of the item.
#[test]
fn a_comment_counts_in_an_item_that_has_a_file() {
    let noted = "annotations: {config.kubernetes.io/path: p.yaml}, name: app";
    let app = base()["apps/app.yaml"].clone();
    for name in ["name: app", noted] {
        for comment in ["", "    # flux-image: ignore odd-range meant so\n"] {
            let policy = base()["flux/policy.yaml"]
                .replacen("name: app", name, 1)
                .replace(
                    "    semver: {range: 1.x}",
                    &format!("{comment}    semver: {{range: '<=1'}}"),
                );
            let results = results_of(&linted_list(&policy, &app));
            assert!(!results.contains("unused-ignore"), "{results}");
            assert_eq!(
                results.contains("odd-range"),
                comment.is_empty(),
                "{results}"
            );
            let field = results.contains("spec.policy.semver.range");
            assert_eq!(field, comment.is_empty(), "{results}");
        }
    }
}

/// With `lint` the function has comments silence what planning finds, too.
#[test]
fn a_comment_silences_results_of_the_function() {
    let list = |comment: &str, image: &str| {
        let app = base()["apps/app.yaml"].replace("app:1.2.3", image);
        let app = app.replace("          image:", &format!("{comment}          image:"));
        linted_list(&base()["flux/policy.yaml"], &app)
    };
    let comment = "          # flux-image: ignore downgrade fork\n";
    for (comment, image, expected) in [
        ("", "app:1.9.0", Some("is lower than")),
        (comment, "app:1.9.0", None),
        (comment, "app:1.2.3", Some("nothing of it is found")),
    ] {
        let results = results_of(&list(comment, image));
        for said in ["is lower than", "nothing of it is found"] {
            assert_eq!(results.contains(said), expected == Some(said), "{results}");
        }
        let has_hint = results.contains("if the lower version is meant");
        assert_eq!(has_hint, results.contains("is lower than"), "{results}");
        if comment.is_empty() || expected.is_some() {
            assert!(results.contains("name: \"app\""), "{results}");
        }
    }
}

/// A policy, a list of tags and a value that belongs to it.
fn policy_tree(choice: &str, filter: &str, list: &str, current: &str) -> Tree {
    let filter = match filter {
        "" => String::new(),
        filter => format!("  filterTags: {{{filter}}}\n"),
    };
    let policy = format!(
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: app, namespace: flux-system}}\nspec:\n  imageRepositoryRef: {{name: app}}\n{filter}  policy: {{{choice}}}\n"
    );
    let tags = format!(
        "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {{name: tags}}\nspec: {{repositories: [{{image: ghcr.io/acme/app, tags: [{list}]}}]}}\n"
    );
    let app = base()["apps/app.yaml"].replace("app:1.2.3", &format!("app:{current}"));
    let files = Files::from([
        ("flux/policy.yaml".to_owned(), policy),
        ("flux/tags.yaml".to_owned(), tags),
        ("apps/app.yaml".to_owned(), app),
    ]);
    tree(&base(), &files)
}

fn hints(report: &Value, code: &str) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let found = findings.filter(|one| one["code"] == code);
    found
        .map(|one| one["hint"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The policy of a hint, put in the place of the one that is there, has no finding of the code,
/// and chooses what is said.
fn follow(tree: &Tree, hint: &str) {
    let text = tree.read("flux/policy.yaml");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for part in hint.split('`').skip(1).step_by(2) {
        let key = part.split(':').next().unwrap_or_default();
        if part.starts_with('^') || key == "order" {
            // A part of the policy in the place of the one that is there.
            let begin = if key == "order" {
                "order: "
            } else {
                "pattern: '"
            };
            let value = part.trim_start_matches("order: ");
            for line in &mut lines {
                let Some(at) = line.find(begin).map(|at| at + begin.len()) else {
                    continue;
                };
                let end = line[at..]
                    .find(['\'', '}'])
                    .map_or(line.len(), |end| at + end);
                line.replace_range(at..end, value);
            }
            continue;
        }
        if !matches!(key, "filterTags" | "policy") {
            continue;
        }
        // What is there goes with all that stands below it.
        let mut is_within = false;
        lines.retain(|line| {
            is_within =
                line.starts_with(&format!("  {key}:")) || (is_within && line.starts_with("   "));
            !is_within
        });
        lines.push(format!("  {part}"));
    }
    tree.write("flux/policy.yaml", &(lines.join("\n") + "\n"));
}

/// What each hint writes is a policy that chooses, and is without what was found.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn hints_are_policies_that_work() {
    for (choice, filter, list, current, expected) in [
        (
            "semver: {range: 1.x}",
            "pattern: '^release-', extract: ''",
            "release-1.2.3, release-1.2.4, 1.0.0",
            "release-1.2.3",
            "matches-nothing",
        ),
        (
            "semver: {range: 1.x}",
            "pattern: '^v\\d+'",
            "app-1.2.3, app-1.2.4, latest",
            "app-1.2.3",
            "matches-nothing",
        ),
        (
            "semver: {range: 1.0.0-2.0.0}",
            "",
            "1.2.3, 1.2.4",
            "1.2.3",
            "matches-nothing",
        ),
        (
            "semver: {range: '>=1.0.0'}",
            "",
            "'1.2', '1.3'",
            "1.2",
            "matches-nothing",
        ),
        (
            "semver: {range: '>=1.0.0'}",
            "",
            "1.2.3.4, 1.2.3.5",
            "1.2.3.4",
            "matches-nothing",
        ),
        (
            "semver: {range: '>=2.0.0'}",
            "",
            "1.2.3, 1.2.4",
            "1.2.3",
            "matches-nothing",
        ),
        (
            "alphabetical: {order: asc}",
            "pattern: '^main-(?P<n>\\d+)$', extract: $n",
            "main-9, main-10",
            "main-9",
            "unordered-values",
        ),
        (
            "alphabetical: {order: asc}",
            "",
            "2024-9-30, 2024-10-1",
            "2024-9-30",
            "unordered-values",
        ),
        (
            "alphabetical: {order: asc}",
            "",
            "20-02-2023, 01-02-2024",
            "20-02-2023",
            "unordered-values",
        ),
        (
            "semver: {range: '>=0.0.0-0'}",
            "",
            "1.2.3-rc9, 1.2.3-rc10",
            "1.2.3-rc9",
            "unordered-values",
        ),
        (
            "numerical: {order: asc}",
            "",
            "main-abc1234-1700000000, main-0bc1234-1700000001, latest",
            "main-abc1234-1700000000",
            "not-a-number",
        ),
        (
            "semver: {range: '>=1.0.0-0'}",
            "pattern: '^1[.]'",
            "1.2.3, 1.2.4, 1.2.5-alpine",
            "1.2.3",
            "variant-changes",
        ),
        (
            "alphabetical: {order: asc}",
            "",
            "1.2.3, 1.2.3-rc1, 1.2.2",
            "1.2.2",
            "accidental-prerelease",
        ),
        (
            "numerical: {order: asc}",
            r"pattern: '^\d+\.\d+$'",
            "'1.8', '1.9', '1.10'",
            "1.8",
            "unordered-values",
        ),
        (
            "numerical: {order: asc}",
            "",
            "'1.2', '1.20'",
            "1.2",
            "equal-versions",
        ),
        (
            "alphabetical: {order: desc}",
            "",
            "2024-01-01, 2024-02-01, latest",
            "2024-01-01",
            "oldest-chosen",
        ),
        (
            "alphabetical: {order: desc}",
            "pattern: '^main-'",
            "main-20240101, main-20240201, main-latest",
            "main-20240101",
            "oldest-chosen",
        ),
        (
            "semver: {range: '>=1.0.0'}",
            "pattern: '^v1'",
            "v1.2.3, v10.0.0",
            "v1.2.3",
            "unanchored-pattern",
        ),
        (
            "semver: {range: '>=1.0.0'}",
            "pattern: '^(v1)'",
            "v1.2.3, v10.0.0",
            "v1.2.3",
            "unanchored-pattern",
        ),
        (
            "semver: {range: '>=1.0.0'}",
            "pattern: '^1.2'",
            "1.2.3, 1.20.0, 112.0.0",
            "1.2.3",
            "unanchored-pattern",
        ),
        // Another variant would be no mend.
        (
            "semver: {range: '>=1.0.0'}",
            "pattern: 'stable$'",
            "1.2.0-stable, 1.3.0-unstable",
            "1.2.0-stable",
            "only-prereleases",
        ),
        (
            "semver: {range: '>=1.0.0-0'}",
            "",
            "v1.2.3-3-gdeadbee, v1.2.3-12-gdeadbe1",
            "v1.2.3-3-gdeadbee",
            "unordered-values",
        ),
        // Numbers without anything between.
        (
            "numerical: {order: asc}",
            r"pattern: '^(?P<y>\d{4})\.(?P<m>\d+)\.(?P<d>\d+)$', extract: $y$m$d",
            "2024.1.9, 2024.1.10, 2024.2.1",
            "2024.1.9",
            "unordered-values",
        ),
    ] {
        let tree = policy_tree(choice, filter, list, current);
        let report = linted(&tree, &[]);
        let found = hints(&report, expected);
        assert_eq!(found.len(), 1, "{choice} {list}: {report}");
        assert!(
            !codes(&report).contains("never-again"),
            "{choice} {list}: {report}"
        );
        follow(&tree, &found[0]);
        let left = linted(&tree, &[]);
        assert_eq!(left["summary"]["errors"], 0, "{}: {left}", found[0]);
        assert!(!codes(&left).contains(expected), "{}: {left}", found[0]);
        assert!(
            !codes(&left).contains("never-again"),
            "{}: {left}",
            found[0]
        );
    }
}

/// What is meant, or said in another finding, is none.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_meant_is_no_finding() {
    for (choice, filter, list, current, allowed) in [
        (
            "alphabetical: {order: asc}",
            "pattern: '^release-'",
            "release-20240101, release-20240102",
            "release-20240101",
            &[][..],
        ),
        // Joined numbers are compared one by one.
        (
            "alphabetical: {order: asc}",
            r"pattern: '^(?P<y>\d{4})\.(?P<m>\d+)\.(?P<d>\d+)$', extract: $y$m$d",
            "2024.1.9, 2024.1.10, 2024.2.1",
            "2024.1.9",
            &[],
        ),
        (
            "numerical: {order: asc}",
            r"pattern: '^(?P<d>\d\d)-(?P<m>\d\d)-(?P<y>\d{4})$', extract: '${y}${m}${d}'",
            "09-01-2024, 01-02-2024",
            "09-01-2024",
            &[],
        ),
        (
            "alphabetical: {order: asc}",
            "pattern: '^RELEASE\\.'",
            "RELEASE.2024-11-07T00-52-20Z, RELEASE.2024-12-07T00-52-20Z",
            "RELEASE.2024-11-07T00-52-20Z",
            &[],
        ),
        (
            "semver: {range: '*'}",
            "pattern: '^1\\.'",
            "1.2.3, 1.2.4, 2.0.0",
            "1.2.3",
            &[],
        ),
        ("semver: {range: ~0}", "", "0.2.3, 0.3.0", "0.2.3", &[]),
        // Two commits of one day.
        (
            "alphabetical: {order: asc}",
            "",
            "main-20240102-1234abc, main-20240102-99999abc",
            "main-20240102-1234abc",
            &[],
        ),
        // Another commit is no other prefix.
        (
            "numerical: {order: asc}",
            "pattern: '^main-[0-9a-f]+-(?P<n>\\d+)$', extract: $n",
            "main-abc1234-1700000000, main-0bc1234-1700000001",
            "main-abc1234-1700000000",
            &[],
        ),
        // The policy's own order tells what is lower.
        (
            "numerical: {order: asc}",
            r"pattern: '^14\.5\.0-debian-11-r(?P<r>\d+)$', extract: $r",
            "14.5.0-debian-11-r9, 14.5.0-debian-11-r10",
            "14.5.0-debian-11-r9",
            &[],
        ),
        (
            "numerical: {order: asc}",
            r"pattern: '^1\.2\.3-[0-9a-f]+-(?P<r>\d+)$', extract: $r",
            "1.2.3-8f2c1d9-9, 1.2.3-1f2c1d9-10",
            "1.2.3-8f2c1d9-9",
            &[],
        ),
        // Others than those of the range that was pinned are not missed.
        (
            "semver: {range: 1.x}",
            "",
            "1.2.3, 1.2.4, '2', '2.0', 2.0.0, V2.0.0",
            "1.2.3",
            &[],
        ),
        (
            "semver: {range: ~1.27.0}",
            "",
            "1.27.3, '1.28'",
            "1.27.3",
            &[],
        ),
        ("semver: {range: 5.0.1}", "", "5.0.1, 5.0.2.1", "5.0.1", &[]),
        // Hashes of digits or letters alone.
        (
            "numerical: {order: asc}",
            r"pattern: '^main-(?P<run>\d+)-.+$', extract: $run",
            "main-99-4417302, main-100-8f2c1d9",
            "main-99-4417302",
            &[],
        ),
        (
            "numerical: {order: asc}",
            r"pattern: '^[0-9a-f]+-(?P<run>\d+)$', extract: $run",
            "8f2c1d9-9, deadbee-11",
            "8f2c1d9-9",
            &[],
        ),
        (
            "semver: {range: '>=1.0.0-0'}",
            "",
            "1.2.3-8f2c1d9, 1.2.5-deadbee",
            "1.2.3-8f2c1d9",
            &[],
        ),
        (
            "semver: {range: '>=1.0.0-0'}",
            "",
            "v1.2.3-1-g8f2c1d9, v1.2.3-3-gdeadbee",
            "v1.2.3-1-g8f2c1d9",
            &[],
        ),
        // What stands for any version until the first update.
        (
            "semver: {range: 1.x}",
            "pattern: '^v', extract: ''",
            "v1.2.3, 0.0.0",
            "0.0.0",
            &[],
        ),
        ("semver: {range: 1.x}", "", "1.2.3", "staging-0.0.0", &[]),
        // Prereleases that somebody asks for.
        (
            "semver: {range: '>=1.0.0-0 <2.0.0-0'}",
            "",
            "1.2.3, 1.3.0-rc.1",
            "1.2.3",
            &[],
        ),
        (
            "semver: {range: '>=1.0.0-0'}",
            r"pattern: '^v\d+\.\d+\.\d+(-beta\.\d+)?$', extract: ''",
            "v1.2.3, v1.3.0-beta.1",
            "v1.2.3",
            &[],
        ),
        // One cause is said once.
        (
            "semver: {range: '>=1.0.0-0'}",
            "pattern: '1[.]'",
            "1.2.3, 1.2.4, 1.2.5-alpine",
            "1.2.3",
            &["variant-changes"],
        ),
        (
            "semver: {range: 1.x}",
            "",
            "'1.2', '1.3', 1.2.4",
            "1.2",
            &["parts-change"],
        ),
        (
            "semver: {range: ^*}",
            "",
            "1.2.3",
            "1.2.3",
            &["matches-nothing", "odd-range"],
        ),
        // A value that is no tag says nothing of tags.
        (
            "semver: {range: 1.x}",
            "",
            "1.2.3, 1.2.4",
            "${TAG}",
            &["part-mismatch"],
        ),
    ] {
        let report = linted(&policy_tree(choice, filter, list, current), &[]);
        let allowed: BTreeSet<String> = allowed.iter().map(|&code| code.to_owned()).collect();
        assert_eq!(
            codes(&report),
            allowed,
            "{choice} {filter} {list}: {report}"
        );
    }
}

/// A policy that chooses nothing is told also where no value is marked with it.
#[test]
fn nothing_is_told_without_values() {
    let tree = policy_tree("semver: {range: '>=2.0.0'}", "", "1.2.3, 1.2.4", "1.2.3");
    tree.write("apps/app.yaml", "kind: None\n");
    let report = linted(&tree, &[]);
    let expected = BTreeSet::from(["matches-nothing", "unused-policy"].map(str::to_owned));
    assert_eq!(codes(&report), expected, "{report}");
    let said = report["findings"].to_string();
    assert!(
        said.contains("the nearest, `1.2.4`, is not in `>=2.0.0`"),
        "{said}"
    );
    assert_eq!(report["summary"]["errors"], 1);
}

/// The hint for hashes keeps to how the tags begin; hashes behind a version have no order.
#[test]
fn hashes_are_told() {
    let order = "alphabetical: {order: asc}";
    let list = "sha-8f2c1d9, sha-0a1b2c3, sha-9f8e7d6";
    let report = linted(&policy_tree(order, "", list, "sha-8f2c1d9"), &[]);
    let said = hints(&report, "unordered-values").join("");
    assert!(said.contains("'^sha-[0-9a-f]+-(?P<number>"), "{said}");
    let range = "semver: {range: '>=1.0.0-0'}";
    let list = "1.2.3-8f2c1d9, 1.2.3-0a1b2c3";
    let report = linted(&policy_tree(range, "", list, "1.2.3-8f2c1d9"), &[]);
    let said = hints(&report, "unordered-values").join("");
    assert!(said.contains("$RUN_NUMBER.$COMMIT"), "{report}");
}

/// The comparator that is to blame is replaced where it stands.
#[test]
fn accidental_prereleases_blame_their_comparator() {
    for (range, list, current, hint) in [
        (
            ">=1.0.0-0 <2 || >=3.0.0-0 <20",
            "3.2.3, 20.0.0-rc.1",
            "3.2.3",
            "`>=1.0.0-0 <2 || >=3.0.0-0 <20-0`",
        ),
        (
            ">=1.0.0 <2.0.0-0",
            "1.2.3, 1.3.0-rc.1",
            "1.2.3",
            "`>=1.0.0 <2.0.0`",
        ),
        (
            "1.0.0 - 2.0.0-0",
            "1.2.3, 1.3.0-rc.1",
            "1.2.3",
            "`1.0.0 - 2.0.0`",
        ),
        (">=1.0.0-0", "1.2.3, 1.3.0-rc.1", "1.2.3", "`>=1.0.0`"),
    ] {
        let choice = format!("semver: {{range: '{range}'}}");
        let report = linted(&policy_tree(&choice, "", list, current), &[]);
        let found = hints(&report, "accidental-prerelease");
        assert_eq!(found.len(), 1, "{range}: {report}");
        assert!(found[0].contains(hint), "{range}: {}", found[0]);
    }
}

/// Comments that are nearly markers, and markers that write another part.
#[test]
fn nearly_markers_are_broken() {
    for (comment, code, hint) in [
        (
            "{\"$imagePolicy\": \"flux-system:app\"}",
            "broken-marker",
            "$imagepolicy",
        ),
        (
            "{\"imagepolicy\": \"flux-system:app\"}",
            "broken-marker",
            "$imagepolicy",
        ),
        (
            "$imagepolicy: flux-system:app",
            "broken-marker",
            "$imagepolicy",
        ),
        (
            "{\"$imagepolicy\": \"flux-system:app:name\"}",
            "part-mismatch",
            "`flux-system:app`",
        ),
        ("see imagepolicy: flux-system:app", "", ""),
        ("{\"image\": \"flux-system:app\"}", "", ""),
    ] {
        let tree = with("apps/app.yaml", |text| {
            let marker = "{\"$imagepolicy\": \"flux-system:app\"}";
            format!(
                "{text}        - image: ghcr.io/acme/app:1.2.3 # {comment}\n        - image: ghcr.io/acme/app:1.2.3 # {marker}\n"
            )
        });
        let report = linted(&tree, &[]);
        let found = hints(&report, code);
        assert_eq!(
            found.len(),
            usize::from(!code.is_empty()),
            "{comment}: {report}"
        );
        assert!(found.iter().all(|said| said.contains(hint)), "{found:?}");
    }
    let tree = with("apps/app.yaml", |text| {
        format!(
            "{text}          env:\n            - name: X\n              value: 1.2.3 # {{\"$imagepolicy\": \"flux-system:app:name\"}}\n"
        )
    });
    let report = linted(&tree, &[]);
    assert_eq!(
        hints(&report, "part-mismatch"),
        ["write `flux-system:app:tag`"]
    );
    // A marker that is commented out is what an unused policy has.
    let tree = with("apps/app.yaml", |text| text.replace("image:", "# image:"));
    let said = hints(&linted(&tree, &[]), "unused-policy").join("");
    assert!(said.contains("apps/app.yaml:9:"), "{said}");
}

/// An exclusion is for all policies of an ImageRepository, and said once.
#[test]
fn long_lists_are_those_of_all_policies() {
    let many: Vec<String> = (0..1200).map(|n| format!("sha-{n:07}")).collect();
    let list = format!("1.2.3, 1.2.4, {}", many.join(", "));
    let tree = policy_tree("semver: {range: 1.x}", "", &list, "1.2.3");
    let second = tree
        .read("flux/policy.yaml")
        .replace("name: app, namespace", "name: second, namespace");
    tree.write("flux/second.yaml", &second);
    let report = linted(&tree, &[]);
    let said = hints(&report, "long-tag-list");
    assert_eq!(said, ["write `exclusionList: ['^.*\\.sig$', '^sha-']`"]);
    let shas = second.replace(
        "  policy: {semver: {range: 1.x}}",
        "  filterTags: {pattern: '^sha-(?P<n>\\d+)$', extract: $n}\n  policy: {numerical: {order: asc}}",
    );
    tree.write("flux/second.yaml", &shas);
    let report = linted(&tree, &[]);
    assert_eq!(hints(&report, "long-tag-list"), [""; 0], "{report}");
}

/// `--fix` leaves what is another document as `v1`.
#[test]
fn a_fix_keeps_the_meaning() {
    for spec in [
        "  gitRepositoryRef: {name: fleet}\n  update: {path: ./apps, strategy: Setters}\n",
        "  sourceRef: {kind: GitRepository, name: fleet}\n  update: {path: ./apps, strategy: Others}\n",
        "  sourceRef: {kind: GitRepository, name: fleet}\n  image: x\n  update: {path: ./apps, strategy: Setters}\n",
        "  update: {path: ./apps, strategy: Setters}\n",
    ] {
        let old = format!(
            "apiVersion: image.toolkit.fluxcd.io/v1beta1\nkind: ImageUpdateAutomation\nmetadata: {{name: old, namespace: flux-system}}\nspec:\n  interval: 1h\n  git: {{commit: {{author: {{email: flux@example.com}}}}}}\n{spec}"
        );
        let tree = tree(
            &base(),
            &Files::from([("flux/old.yaml".to_owned(), old.clone())]),
        );
        let report = linted(&tree, &["--fix"]);
        let lacks_source = !spec.contains("sourceRef");
        let said = report.to_string().contains("has no `spec.sourceRef`");
        assert_eq!(said, lacks_source, "{report}");
        assert_eq!(tree.read("flux/old.yaml"), old, "{spec}");
    }
}

fn found<'r>(report: &'r Value, code: &str) -> Vec<&'r Value> {
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.filter(|one| one["code"] == code).collect()
}

/// A place of a finding, as `file:line:column`.
fn place(finding: &Value) -> String {
    let file = finding["file"].as_str().unwrap_or_default();
    format!("{file}:{}:{}", finding["line"], finding["column"])
}

/// A comment that speaks of markers is none.
#[test]
fn prose_about_markers_is_no_marker() {
    for (comment, expected) in [
        (
            "# builds MUST use the {\"$imagepolicy\": \"...:tag\"} marker",
            0,
        ),
        ("# {\"$imagepolicy\": \"...:tag\"}", 0),
        ("# {\"$imagepolicy\": \"<namespace>:<name>\"}", 0),
        ("# {\"$imagepolicy\": \"flux-system:app\"}", 1),
    ] {
        let tree = with("apps/app.yaml", |text| format!("{comment}\n{text}"));
        let report = linted(&tree, &[]);
        let dead = found(&report, "dead-marker");
        assert_eq!(dead.len(), expected, "{comment}: {report}");
        let places: Vec<String> = dead.into_iter().map(place).collect();
        assert!(
            places.iter().all(|at| at == "apps/app.yaml:1:1"),
            "{places:?}"
        );
    }
}

/// A line that somebody keeps to on purpose, and of which no tag is listed.
#[test]
fn a_line_that_is_not_listed_is_no_misspelling() {
    for (choice, filter, list, current, hint) in [
        (
            "semver: {range: '>=1.0.0-0'}",
            r"pattern: '^v1\.23\.[0-9]+-k3s[0-9]+$', extract: ''",
            "v1.28.5-k3s1",
            "v1.23.1-k3s1",
            "to follow what is listed: ",
        ),
        (
            "semver: {range: 5.0.1}",
            "",
            "6.0.0",
            "5.0.1",
            "to follow what is listed: ",
        ),
        (
            "semver: {range: 1.x}",
            r"pattern: '^v\d+\.\d+\.\d+$'",
            "1.2.3",
            "1.2.2",
            "write ",
        ),
    ] {
        let report = linted(&policy_tree(choice, filter, list, current), &[]);
        let said = hints(&report, "matches-nothing").join("");
        assert!(said.contains(hint), "{choice} {filter}: {said}");
    }
}

/// An empty value is one to an order by bytes, so that Flux chooses something.
#[test]
fn what_flux_resolves_is_no_error() {
    let filter = r"pattern: '^(?P<v>\d+\.\d+\.\d+)$', extract: $version";
    let tree = policy_tree(
        "alphabetical: {order: asc}",
        filter,
        "1.2.3, 1.2.4",
        "1.2.3",
    );
    let report = linted(&tree, &[]);
    assert_eq!(report["summary"]["errors"], 0, "{report}");
    assert_eq!(found(&report, "matches-nothing")[0]["severity"], "warning");
    let tree = policy_tree("semver: {range: 1y}", "", "1.2.3", "1.2.3");
    let report = linted(&tree, &[]);
    let at = place(found(&report, "unresolved-policy")[0]);
    assert_eq!(at, "flux/policy.yaml:6:28", "{report}");
}

/// An ignore counts wherever what it is about is found.
#[test]
fn ignores_are_read_wherever_they_stand() {
    // Without tags nobody knows what needs them.
    let fork =
        "          # flux-image: ignore downgrade, prefix-changes on a fork\n          image:";
    let tree = with("apps/app.yaml", |text| {
        text.replace("          image:", fork)
    });
    let report = linted(&tree, &[]);
    let unused = found(&report, "unused-ignore");
    assert_eq!(unused.len(), 2, "{report}");
    assert_eq!(unused[0]["resource"]["name"], "app");
    tree.write("flux/tags.yaml", "kind: None\n");
    let report = linted(&tree, &[]);
    assert_eq!(codes(&report), BTreeSet::new(), "{report}");
    // A file without markers is read, too.
    let tree = with("flux/tags.yaml", str::to_owned);
    tree.write("apps/other.yaml", "# flux-image: ignore downgrade\na: b\n# flux-image: ignore unparsable why not\n---\nb: c\n");
    let report = linted(&tree, &[]);
    assert_eq!(
        place(found(&report, "bad-ignore")[0]),
        "apps/other.yaml:1:3"
    );
    assert_eq!(
        place(found(&report, "unused-ignore")[0]),
        "apps/other.yaml:3:3"
    );
    // The texts of `--policies` are read as those of the tree.
    let range = "    # flux-image: ignore odd-range meant so\n    semver: {range: \"<=1\"}";
    for (ignore, expected) in [
        ("", 1),
        ("    # flux-image: ignore odd-range meant so\n", 0),
    ] {
        let policy = base()["flux/policy.yaml"].replace(
            "    semver: {range: 1.x}",
            &range.replace("    # flux-image: ignore odd-range meant so\n", ignore),
        );
        let tree = with("flux/tags.yaml", str::to_owned);
        std::fs::remove_file(tree.path().join("flux/policy.yaml")).expect("a file");
        let arguments = ["lint", "--offline", "--policies", "-", "-o"];
        let run = |format: &str| {
            run_in(
                tree.path(),
                &[&arguments[..], &[format]].concat(),
                policy.as_bytes(),
            )
        };
        let report: Value = serde_json::from_slice(&run("json").stdout).expect("JSON");
        let odd = found(&report, "odd-range");
        assert_eq!(odd.len(), expected, "{report}");
        assert!(
            odd.iter()
                .all(|one| place(one) == "<stdin>:7:21" && one["snippet"].is_string()),
            "{report}"
        );
        let sarif = String::from_utf8_lossy(&run("sarif").stdout).into_owned();
        assert!(!sarif.contains("stdin"), "{sarif}");
    }
}

/// A file that cannot be read is told, whatever else it speaks of.
#[test]
fn an_unparsable_file_is_told_beside_misspelled_markers() {
    let tree = with("apps/app.yaml", |_| {
        let right = "a: ghcr.io/acme/app:1.2.3 # {\"$imagepolicy\": \"flux-system:app\"}";
        format!(
            "{right}\n{}\nc: x: y\n",
            right.replace("a: ", "b: ").replace("$imagep", "$imageP")
        )
    });
    assert!(codes(&linted(&tree, &[])).contains("unparsable"));
}

/// Which of two automations comes first by name says nothing of whether they meet.
#[test]
fn automations_meet_whatever_their_names() {
    for name in ["aa", "up"] {
        let second = base()["flux/automation.yaml"]
            .replace("name: all", &format!("name: {name}"))
            .replace("path: ./apps", "path: .");
        let files = Files::from([("flux/second.yaml".to_owned(), second)]);
        let report = linted(&tree(&base(), &files), &[]);
        assert_eq!(
            found(&report, "several-automations").len(),
            1,
            "{name}: {report}"
        );
    }
}

/// Values in each style, and what a marker makes of them.
#[test]
fn values_of_each_style() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let of_tag = "# {\"$imagepolicy\": \"flux-system:app:tag\"}";
    let whole = "# {\"$imagepolicy\": \"flux-system:app\"}";
    let of_digest = "# {\"$imagepolicy\": \"flux-system:app:digest\"}";
    for (value, expected, hint) in [
        (
            format!("{{tag: 1.2.3, {of_tag}\n  digest: '{digest}'}}"),
            &["tag-beside-digest"][..],
            "digest",
        ),
        (
            format!("\n  tag: 1.2.3 {of_tag}\n  'digest': {digest}"),
            &["tag-beside-digest"],
            "digest",
        ),
        (
            format!("\n  - tag: 1.2.3 {of_tag}\n  - digest: {digest}"),
            &[],
            "",
        ),
        (format!("| {whole}\n  ghcr.io/acme/app:1.2.3"), &[], ""),
        (
            format!("1.2.3 {of_digest}"),
            &["part-mismatch"],
            "write `flux-system:app:tag`",
        ),
    ] {
        let tree = with("apps/app.yaml", |text| {
            format!("{text}---\nvalue: {value}\n")
        });
        let report = linted(&tree, &[]);
        let expected: BTreeSet<String> = expected.iter().map(|&code| code.to_owned()).collect();
        assert_eq!(codes(&report), expected, "{value}: {report}");
        let said = report["findings"][0]["hint"].as_str().unwrap_or_default();
        assert!(said.contains(hint), "{said}");
    }
}

/// What fills long lists: attestations, builds of each platform, snapshots.
#[test]
fn long_lists_have_the_usual_culprits() {
    let of = |count: usize, name: &dyn Fn(usize) -> String| -> Vec<String> {
        (0..count).map(name).collect()
    };
    for (many, hint) in [
        (
            of(1200, &|n| format!("sha256-{n:064x}.att")),
            r"'^sha256-[0-9a-f]{64}\.'",
        ),
        (
            [
                of(600, &|n| format!("1.2.{n}-amd64")),
                of(600, &|n| format!("1.2.{n}-arm64")),
            ]
            .concat(),
            "'-amd64$', '-arm64$'",
        ),
        (of(1200, &|n| format!("1.3.{n}-SNAPSHOT")), "'-SNAPSHOT$'"),
    ] {
        let list = format!("1.2.3, 1.2.4, {}", many.join(", "));
        let tree = policy_tree("semver: {range: 1.x}", "", &list, "1.2.3");
        let report = linted(&tree, &[]);
        let said = hints(&report, "long-tag-list").join("");
        assert!(said.contains(hint), "{said}: {:?}", codes(&report));
    }
}

#[test]
fn providers_of_tags_have_an_order() {
    let head = "apiVersion: fluxcd.controlplane.io/v1\nkind: ResourceSetInputProvider\nmetadata: {name: app, namespace: flux-system}\nspec:\n  type: OCIArtifactTag\n  url: oci://ghcr.io/acme/app\n";
    for (filter, hint) in [
        ("", "write `filter: {semver:"),
        ("  filter: {includeTag: '^v'}\n", "add `semver:"),
        (r"  filter: {includeTag: '^\d{4}-\d{2}-\d{2}$'}", ""),
        ("  filter: {semver: 1.x}\n", ""),
    ] {
        let files = Files::from([("flux/inputs.yaml".to_owned(), format!("{head}{filter}"))]);
        let report = linted(&tree(&base(), &files), &[]);
        let said = hints(&report, "text-order");
        assert_eq!(
            said.len(),
            usize::from(!hint.is_empty()),
            "{filter}: {report}"
        );
        assert!(said.iter().all(|said| said.contains(hint)), "{said:?}");
    }
}

/// What forges show: the code, the hint, and files from the root of the repository.
#[test]
fn forges_get_names_from_the_root() {
    let tree = with("flux/repository.yaml", |text| {
        format!("{text}  insecure: true\n")
    });
    let folder = tree.path().join("flux");
    let run = |format: &str| {
        let output = run_in(&folder, &["lint", "--offline", "-o", format], b"");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let github = run("github");
    assert!(
        github.contains(
            "file=flux/repository.yaml,line=7,col=13,title=flux-image insecure-registry::"
        ),
        "{github}"
    );
    let gitlab = run("gitlab");
    assert!(
        gitlab.contains("\"path\": \"flux/repository.yaml\"") && gitlab.contains("certSecretRef"),
        "{gitlab}"
    );
    let sarif: Value = serde_json::from_str(&run("sarif")).expect("JSON");
    let run = &sarif["runs"][0];
    let region = &run["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(region["artifactLocation"]["uri"], "flux/repository.yaml");
    assert_eq!(
        (
            &region["region"]["startColumn"],
            &region["region"]["endColumn"]
        ),
        (&13.into(), &17.into())
    );
    assert!(run["results"][0]["partialFingerprints"].is_object());
    assert!(run["tool"]["driver"]["rules"][0]["shortDescription"]["text"].is_string());
    let output = run_in(tree.path(), &["lint", "--fix", "--diff", "-o", "json"], b"");
    assert_eq!(code(&output), 2, "a diff and a report on one stream");
}

/// A field of an ImagePolicy in an ImageRepository belongs there.
#[test]
fn fields_of_another_document_belong_there() {
    let tree = with("flux/repository.yaml", |text| {
        format!("{text}  filterTags: {{pattern: ^1}}\n")
    });
    let report = linted(&tree, &[]);
    assert_eq!(
        hints(&report, "unknown-field"),
        ["write it under `spec.filterTags` of the ImagePolicy"]
    );
    assert_eq!(
        place(found(&report, "unknown-field")[0]),
        "flux/repository.yaml:7:15"
    );
}

/// Hints name where a field belongs, and who shows a document's schema.
#[test]
fn hints_know_the_document() {
    let automation = with("flux/automation.yaml", |text| {
        text.replace("    push:", "    messageTemplate: up\n    push:")
    });
    let snapshot = with("flux/tags.yaml", |text| {
        text.replace("tags: [1.2.3, 1.2.4]", "tags: {a: b}")
    });
    for (tree, code, said) in [
        (
            automation,
            "unknown-field",
            "write it under `spec.git.commit`",
        ),
        (
            snapshot,
            "bad-document",
            "`flux-image schema TagSnapshot` shows it",
        ),
    ] {
        let report = linted(&tree, &[]);
        let found = hints(&report, code);
        assert!(found.iter().any(|hint| hint.ends_with(said)), "{report}");
    }
}

/// A fault of a template is shown where it stands, also in a block and in an older version.
#[test]
fn a_template_is_shown_at_its_fault() {
    let block = "    commit:\n      messageTemplate: |-\n        up\n\n          {{ .Nope }}\n";
    let of_block = with("flux/automation.yaml", |text| {
        text.replace("    commit:\n", block)
    });
    let old = with("flux/automation.yaml", |text| {
        text.replace("/v1\n", "/v1alpha1\n").replace(
            "  git:\n    commit:\n      author: {email: flux@example.com}\n",
            "  checkout: {gitRepositoryRef: {name: fleet}}\n  commit:\n    authorName: x\n    authorEmail: x@y\n    messageTemplate: '{{ .Nope }}'\n",
        ).replace("    push: {branch: main}\n", "  push: {branch: main}\n")
    });
    for (tree, expected) in [
        (of_block, "flux/automation.yaml:12:14"),
        (old, "flux/automation.yaml:11:22"),
    ] {
        let report = linted(&tree, &[]);
        assert_eq!(
            place(found(&report, "bad-template")[0]),
            expected,
            "{report}"
        );
    }
}

/// The text of a block is one wherever a marker stands in it.
#[test]
fn markers_in_a_block_are_part_of_its_text() {
    let marker = "# {\"$imagepolicy\": \"flux-system:app\"}";
    let tree = with("apps/app.yaml", |text| {
        format!(
            "{text}---\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: x}}\ndata:\n  a.yaml: |-  # text\n    {marker}\n    image:\n      {marker}\n      a: b {marker}\n  b: # none\n    {marker}\n"
        )
    });
    let report = linted(&tree, &[]);
    let found = hints(&report, "dead-marker");
    let in_block = found
        .iter()
        .filter(|hint| hint.contains("a field of its own"));
    assert_eq!(in_block.count(), 3, "{report}");
}

/// A digest marker on a tag asks for another marker, as `lint` says.
#[test]
fn an_update_says_what_a_digest_marker_should_be() {
    let tree = with("apps/app.yaml", |_| {
        "tag: 1.2.3 # {\"$imagepolicy\": \"flux-system:app:digest\"}\n".to_owned()
    });
    let output = run_in(tree.path(), &["update", "--offline", "--dry-run"], b"");
    let said = stderr(&output);
    assert!(said.contains("write `flux-system:app:tag`"), "{said}");
}

/// A marker in a file that cannot be read is one all the same.
#[test]
fn a_policy_of_an_unread_file_is_not_unused() {
    let tree = with("apps/app.yaml", |text| format!("a: [\n{text}"));
    let report = linted(&tree, &[]);
    assert_eq!(
        codes(&report),
        BTreeSet::from(["unparsable".to_owned()]),
        "{report}"
    );
}

/// Code scanning refuses a result without a place.
#[test]
fn every_result_of_sarif_has_a_place() {
    let tree = with("flux/policy.yaml", |text| text.to_owned());
    let policies = base()["flux/policy.yaml"].replace("name: app,", "name: other,");
    let args = ["lint", "--policies", "-", "-o", "sarif"];
    let output = run_in(tree.path(), &args, policies.as_bytes());
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(!results.is_empty(), "{log}");
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].is_string(), "{result}");
    }
}

/// Of a value that nobody writes it is not said what would be written.
#[test]
fn what_nobody_writes_does_not_change() {
    let tree = policy_tree("semver: {range: 1.x}", "", "1.2.3", "v1.9.0");
    let app = tree.read("apps/app.yaml");
    let report = linted(&tree, &[]);
    assert!(codes(&report).contains("downgrade"), "{report}");
    tree.write("apps/app.yaml", "kind: None\n");
    tree.write("other/app.yaml", &app);
    let report = linted(&tree, &[]);
    assert_eq!(
        codes(&report),
        BTreeSet::from(["unreached-marker".to_owned()]),
        "{report}"
    );
}

/// What is said of odd cases of the same faults.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn words_fit_what_is_there() {
    for (choice, filter, list, current, code, said) in [
        (
            "numerical: {order: asc}",
            r"pattern: '^v(?P<v>\d+)$', extract: $vv",
            "v1, v2",
            "v1",
            "matches-nothing",
            "name a group of the pattern: `extract: $v`",
        ),
        // What is not listed cannot be kept to.
        (
            "semver: {range: 1.x}",
            "",
            "1.2.3, 1.2.4",
            "v1.2.3",
            "prefix-changes",
            "no tag like `v1.2.3` is listed",
        ),
        (
            "numerical: {order: asc}",
            r"pattern: '^main-(?P<n>\d+)$', extract: $n",
            "develop-12, develop-13",
            "main-3",
            "matches-nothing",
            "no tag of the line that is asked for is listed",
        ),
        (
            "semver: {range: 5.0.1}",
            "",
            "5.0.0, 5.0.2, 5.0.3",
            "5.0.0",
            "matches-nothing",
            "no tag of the line that is asked for is listed",
        ),
        (
            "numerical: {order: asc}",
            r"pattern: '^v(?P<n>\d*)', extract: $n",
            "v1, vx",
            "v1",
            "not-a-number",
            "`extract` leaves nothing of some tags",
        ),
        (
            "semver: {range: 1.x}",
            "",
            "1.2.3, latest",
            "latest",
            "prefix-changes",
            "take the marker out",
        ),
        (
            "semver: {range: ^*}",
            "",
            "1.2.3",
            "1.2.3",
            "matches-nothing",
            "range: '*'",
        ),
        (
            "semver: {range: '1.x||2.x - 3.x'}",
            "",
            "1.2.3",
            "1.2.3",
            "odd-range",
            "it admits `4.0.0`",
        ),
    ] {
        let report = linted(&policy_tree(choice, filter, list, current), &[]);
        let found = found(&report, code)
            .into_iter()
            .map(Value::to_string)
            .collect::<String>();
        assert!(found.contains(said), "{choice}: {report}");
    }
    let tree = with("flux/repository.yaml", |text| {
        format!("{text}  secretRef: {{name: login}}\n")
    });
    tree.write(
        "flux/login.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: flux-system}\ntype: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: '{\"auths\": {}}'}\n",
    );
    let report = linted(&tree, &[]);
    assert!(
        report.to_string().contains("it has none at all"),
        "{report}"
    );
}

/// The options file is shown as files of the tree are.
#[test]
fn ignores_of_the_options_file_are_shown() {
    let tree = with("flux/tags.yaml", str::to_owned);
    tree.write(
        ".flux-image.yaml",
        "apiVersion: flux-image.dev/v1alpha1\nkind: ImageUpdate\nmetadata: {name: options}\nspec:\n  ignores:\n  - {code: downgrade, reason: never}\n  - {code: nothing, reason: never}\n",
    );
    let report = linted(&tree, &[]);
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 2, "{report}");
    for finding in findings {
        assert!(
            finding["snippet"]
                .as_str()
                .is_some_and(|line| line.contains("reason: never")),
            "{report}"
        );
        assert!(
            !finding["hint"].as_str().unwrap_or_default().contains('#'),
            "{report}"
        );
    }
}

/// What a comment is about is underlined, and no more.
#[test]
fn the_place_is_underlined() {
    let tree = with("apps/app.yaml", |text| {
        let marker = "# {\"$imagepolicy\": \"flux-system:none:tag\"}";
        format!("{text}---\nvalue: {{\n  tag: 1.2.3, {marker}\n  b: c}}\n")
    });
    let output = run_in(tree.path(), &["lint", "--offline"], b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("^^^^^\n") || text.contains("^^^^^ "),
        "{text}"
    );
    assert!(!text.contains("^^^^^^"), "{text}");
}

/// A provider of tags is looked at in the texts of `--policies`, too.
#[test]
fn providers_are_looked_at_in_given_texts() {
    let tree = with("flux/tags.yaml", str::to_owned);
    let provider = "apiVersion: fluxcd.controlplane.io/v1\nkind: ResourceSetInputProvider\nmetadata: {name: app, namespace: flux-system}\nspec:\n  type: OCIArtifactTag\n  url: oci://ghcr.io/acme/app\n";
    let arguments = ["lint", "--offline", "--policies", "-", "-o", "json"];
    let output = run_in(tree.path(), &arguments, provider.as_bytes());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(codes(&report), BTreeSet::from(["text-order".to_owned()]));
}

/// `update` names files for forges from the root of the repository, too.
#[test]
fn updates_for_forges_name_files_from_the_root() {
    let tree = with("flux/tags.yaml", str::to_owned);
    for (format, said) in [
        ("github", "file=apps/app.yaml,"),
        ("gitlab", "\"path\": \"apps/app.yaml\""),
        ("sarif", "\"uri\": \"apps/app.yaml\""),
    ] {
        let arguments = ["update", "--offline", "--dry-run", "-o", format];
        let output = run_in(&tree.path().join("flux"), &arguments, b"");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(said), "{format}: {text} {}", stderr(&output));
    }
}

/// Comments right before and behind a Secret may speak of its values.
#[test]
fn comments_of_a_secret_are_not_shown() {
    let marker = "# {\"$imagepolicy\": \"flux-system:app\"}";
    let list = format!(
        "kind: List\napiVersion: v1\nitems:\n# key: hunterA:1.0 {marker}\n- apiVersion: v1\n  kind: Secret\n  stringData:\n    a: b\n    # token: hunterB:1.0 {marker}\n- kind: Foo\n"
    );
    let alone = format!(
        "# head: hunterC:1.0 {marker}\n---\napiVersion: v1\nkind: Secret\nstringData:\n  a: b\n# trail: hunterD:1.0 {marker}\n\n# trail: hunterE:1.0 {marker}\n---\nkind: Foo\n# shown: app:1.0 {marker}\n"
    );
    let tree = Tree::new(&[
        (".git/HEAD", ""),
        ("list.yaml", &list),
        ("alone.yaml", &alone),
    ]);
    for format in ["text", "json", "sarif", "github", "gitlab"] {
        let output = run_in(tree.path(), &["lint", "--offline", "-v", "-o", format], b"");
        let said = stdout(&output) + &stderr(&output);
        assert!(said.contains("commented"), "{format}: {said}");
        assert!(!said.contains("hunter"), "{format}: {said}");
    }
    let text = stdout(&run_in(tree.path(), &["lint", "--offline", "-v"], b""));
    assert!(text.contains("# shown: app:1.0"), "{text}");
}
