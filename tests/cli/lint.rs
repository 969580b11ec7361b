//! `flux-image lint`: each code with its example, on the page and here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::run_in;
use crate::support::{code, stderr};
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
        std::fs::write(PAGE, written).expect("written");
        faults.retain(|fault| !fault.contains(" prints\n"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
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

/// The codes of findings are on the page, or are not lint's.
#[test]
fn every_code_of_lint_is_on_the_page() {
    /// What other commands say, and lint as they do.
    const OTHERS: [&str; 30] = [
        "outdated",
        "digest-dropped",
        "lost-text",
        "digest-missing",
        "namespace-guessed",
        "unanswered-policy",
        "suspended",
        "old-snapshot",
        "conflicting-documents",
        "unusable-file",
        "lost-attributes",
        "other-repository",
        "nothing-bound",
        "bad-binding",
        "conflicting-bindings",
        "ambiguous-policy",
        "skipped-automation",
        "conflicting-automations",
        "bad-branch",
        "doubtful-template",
        "registry-failed",
        "registry",
        "login",
        "kept-previous",
        "built-clusters",
        "build-failed",
        "not-followed",
        "unset-variable",
        "unknown-variable",
        "unused-exclusion",
    ];
    let output = run_in(std::path::Path::new("."), &["schema", "Report"], b"");
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = schema["$defs"]["Code"]["oneOf"]
        .as_array()
        .expect("codes")
        .iter();
    let all: BTreeSet<&str> = all.filter_map(|one| one["const"].as_str()).collect();
    assert!(all.len() > 60, "{}", all.len());
    let page = page();
    let (_, sections) = sections(&page);
    let told: BTreeSet<&str> = sections.iter().map(|one| one.code.as_str()).collect();
    let others: BTreeSet<&str> = OTHERS.into_iter().collect();
    let both: BTreeSet<&str> = told.union(&others).copied().collect();
    assert_eq!(all, both);
    assert_eq!(told.intersection(&others).count(), 0);
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
        if !matches!(key, "filterTags" | "policy") {
            continue;
        }
        lines.retain(|line| !line.trim_start().starts_with(&format!("{key}:")));
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
