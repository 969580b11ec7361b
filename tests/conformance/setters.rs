//! The `setters/` cases: a tree and policies go in, and the tree must come out
//! as Flux's own run left it, or as this project differs on purpose.
//!
//! Every difference is a rule on what a case *contains* ([`Difference`]), never
//! on its name, so that cases nobody here has seen are judged by the same
//! rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flux_image::api::{OnUnresolved, TagSource};
use flux_image::checkout::request::GivenText;
use flux_image::checkout::source_files;
use flux_image::checkout::write::{self, Lock, Staged};
use flux_image::checkout::{self, Request};
use flux_image::path_name;
use flux_image::plan::planned::Planned;
use flux_image::resource_list;
use flux_image::selection::resolve::Refresh;
use flux_image::selection::tags::Freshness;
use serde_json::Value;

use crate::{Case, Verdict};

/// One case for each folder.
pub fn cases(folder: &Path) -> Result<Vec<Case>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    let case = |path: PathBuf| -> Case {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        (name, Box::new(move || check(&path)))
    };
    Ok(paths
        .into_iter()
        .filter(|path| path.is_dir())
        .map(case)
        .collect())
}

/// Where this project differs from Flux on purpose (ARCHITECTURE.md lists why
/// for each), by what a file of the case contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// A `:digest` marker whose policy has no digest: refused with an error,
    /// where Flux empties the field.
    DigestMissing,
    /// `x-k8s-cli` or `$ref` in a comment: nothing is injected.
    Injection,
    /// `kind: List` or `ResourceList`: edited in place, where Flux writes a new
    /// file for each item.
    List,
    /// A file that Flux cannot read and that is YAML all the same (a root that
    /// is not a mapping, `%YAML`, odd `metadata`, odd keys): edited in place.
    ReadableAnyway,
    /// A file that is no YAML at all: reported.
    Unreadable,
    /// A policy whose image is not a reference fails Flux's whole run: here its
    /// own markers alone are refused.
    BadPolicy,
    /// A file whose name or annotations fail Flux's whole run.
    OddFile,
    /// A marked line with other spacing than single blanks: kept as it is, where
    /// Flux writes single ones.
    Spacing,
    /// A document with a `sops` mapping: refused.
    Encrypted,
    /// A symbolic link to a file: not written through.
    Link,
}

struct Setup {
    policies: Value,
    case: Value,
    result: Value,
    before: BTreeMap<String, Vec<u8>>,
    expected: BTreeMap<String, Vec<u8>>,
    links: BTreeSet<String>,
}

impl Setup {
    fn read(folder: &Path) -> Result<Self, String> {
        let json = |name: &str| -> Result<Value, String> {
            let text = std::fs::read_to_string(folder.join(name))
                .map_err(|error| format!("{name}: {error}"))?;
            serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
        };
        let mut links = BTreeSet::new();
        Ok(Self {
            policies: json("policies.json")?,
            case: json("case.json")?,
            result: json("result.json")?,
            before: read_tree(&folder.join("in"), &mut links),
            expected: read_tree(&folder.join("expected"), &mut BTreeSet::new()),
            links,
        })
    }

    /// The policies as documents, as a cluster would hold them.
    fn documents(&self) -> String {
        let mut out = String::new();
        for policy in self.policies.as_array().into_iter().flatten() {
            let text = |name: &str| policy[name].as_str().unwrap_or_default();
            if policy["noLatestRef"] == true {
                continue;
            }
            out.push_str(&format!(
                "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  namespace: {}\n  name: {}\nstatus:\n  latestRef: {}\n",
                policy["namespace"],
                policy["name"],
                serde_json::json!({"name": text("image"), "tag": text("tag"), "digest": text("digest")}),
            ));
        }
        out
    }

    /// Changes by file, as (setter, old, new), in order.
    fn changes(&self) -> BTreeMap<String, Vec<(String, String, String)>> {
        let mut changes: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for file in self.result["files"].as_array().into_iter().flatten() {
            let path = file["path"].as_str().unwrap_or_default().to_owned();
            for object in file["objects"].as_array().into_iter().flatten() {
                for change in object["changes"].as_array().into_iter().flatten() {
                    let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
                    changes.entry(path.clone()).or_default().push((
                        text("setter"),
                        text("old"),
                        text("new"),
                    ));
                }
            }
        }
        for list in changes.values_mut() {
            list.sort();
        }
        changes
    }

    fn digestless(&self) -> BTreeSet<String> {
        let policies = self.policies.as_array().into_iter().flatten();
        let bare =
            policies.filter(|policy| policy["digest"].as_str().unwrap_or_default().is_empty());
        bare.map(|policy| {
            format!(
                "{}:{}:digest",
                policy["namespace"].as_str().unwrap_or_default(),
                policy["name"].as_str().unwrap_or_default()
            )
        })
        .collect()
    }

    fn has_bad_policy(&self) -> bool {
        self.result["error"]
            .as_str()
            .is_some_and(|error| error.contains("invalid image ref"))
    }

    /// The rules that a file falls under.
    fn differences(&self, name: &str, text: &[u8]) -> BTreeSet<Difference> {
        let mut found = BTreeSet::new();
        let mut note = |yes: bool, difference: Difference| {
            if yes {
                found.insert(difference);
            }
        };
        let text = String::from_utf8_lossy(text);
        let problem = self.result["problemFiles"]
            .as_array()
            .is_some_and(|files| files.iter().any(|file| file == name));
        note(self.links.contains(name), Difference::Link);
        note(
            self.digestless()
                .iter()
                .any(|setter| text.contains(setter.as_str())),
            Difference::DigestMissing,
        );
        note(
            text.contains("x-k8s-cli") || text.contains("\"$ref\""),
            Difference::Injection,
        );
        note(
            text.lines()
                .any(|line| matches!(line.trim(), "kind: List" | "kind: ResourceList")),
            Difference::List,
        );
        note(
            text.lines().any(|line| line.starts_with("sops:"))
                && !text
                    .lines()
                    .any(|line| line.trim() == "mac_only_encrypted: true"),
            Difference::Encrypted,
        );
        note(text.lines().any(has_odd_spacing), Difference::Spacing);
        note(
            problem && resource_list::read(&text).is_ok() && !text.contains('\u{fffd}'),
            Difference::ReadableAnyway,
        );
        note(
            problem && (resource_list::read(&text).is_err() || text.contains('\u{fffd}')),
            Difference::Unreadable,
        );
        note(self.has_bad_policy(), Difference::BadPolicy);
        note(
            self.result["error"].is_string() && !self.has_bad_policy(),
            Difference::OddFile,
        );
        found
    }
}

/// Whether a marked line has runs of blanks before its comment.
fn has_odd_spacing(line: &str) -> bool {
    let before = line
        .split_once('#')
        .filter(|(_, comment)| comment.contains("imagepolicy"))
        .map(|(before, _)| before.trim_start());
    before.is_some_and(|before| before.contains("  ") || before.contains('\t'))
}

fn read_tree(root: &Path, links: &mut BTreeSet<String>) -> BTreeMap<String, Vec<u8>> {
    fn visit(
        folder: &Path,
        root: &Path,
        files: &mut BTreeMap<String, Vec<u8>>,
        links: &mut BTreeSet<String>,
    ) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            if path.is_symlink() {
                links.insert(name);
            } else if path.is_dir() {
                visit(&path, root, files, links);
            } else if let Ok(bytes) = std::fs::read(&path) {
                files.insert(name, bytes);
            }
        }
    }
    let mut files = BTreeMap::new();
    visit(root, root, &mut files, links);
    files
}

fn check(folder: &Path) -> Verdict {
    let setup = Setup::read(folder)?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = scratch
        .path()
        .canonicalize()
        .map_err(|error| error.to_string())?;
    copy(&folder.join("in"), &root)?;
    let scope = source_files::join_within(&root, setup.case["path"].as_str().unwrap_or("."));
    let planned = run(&setup, &root, &scope)?;
    let lock = Lock::take([root.clone()], Duration::ZERO, &mut |_| {});
    let lock = lock.map_err(|error| error.to_string())?;
    let written = write::stage(&planned.replacements, &lock, false, Default::default())
        .and_then(Staged::replace);
    written.map_err(|error| error.to_string())?;
    let after = read_tree(&root, &mut BTreeSet::new());

    let prefix = scope
        .strip_prefix(&root)
        .unwrap_or(Path::new(""))
        .to_path_buf();
    let is_file = scope.is_file();
    for (name, before) in &setup.before {
        let relative = Path::new(name)
            .strip_prefix(&prefix)
            .unwrap_or(Path::new(name));
        let reported = if is_file {
            Path::new(name)
                .file_name()
                .map(Path::new)
                .unwrap_or(relative)
        } else {
            relative
        };
        let reported = reported.to_string_lossy();
        check_file(&setup, name, &reported, before, &after, &planned)?;
    }
    let created: Vec<&String> = after
        .keys()
        .filter(|name| !setup.before.contains_key(*name))
        .collect();
    if !created.is_empty() {
        return Err(format!("files were created: {created:?}").into());
    }
    let again = run(&setup, &root, &scope)?;
    if again.replacements.is_empty() {
        Ok(())
    } else {
        Err("a second run changes files again".into())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    for entry in std::fs::read_dir(from)
        .map_err(|error| error.to_string())?
        .flatten()
    {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let copied = if source.is_symlink() {
            std::fs::read_link(&source).and_then(|link| std::os::unix::fs::symlink(link, &target))
        } else if source.is_dir() {
            std::fs::create_dir_all(&target)
                .and_then(|()| copy(&source, &target).map_err(std::io::Error::other))
        } else {
            std::fs::copy(&source, &target).map(|_| ())
        };
        copied.map_err(|error| format!("{}: {error}", source.display()))?;
    }
    Ok(())
}

fn run(setup: &Setup, root: &Path, scope: &Path) -> Result<Planned, String> {
    // Flux keeps to manifests' names even where the path is one file.
    if scope.is_file() && !path_name::is_manifest_name(scope) {
        return Ok(Planned::default());
    }
    let request = Request {
        current: root.to_path_buf(),
        paths: vec![scope.to_path_buf()],
        alone: None,
        policies: vec![GivenText {
            name: "policies".to_owned(),
            text: setup.documents(),
            file: None,
        }],
        tags_from: vec![TagSource::Status],
        on_unresolved: OnUnresolved::Fail,
        freshness: Freshness {
            now: jiff::Timestamp::UNIX_EPOCH,
            max_age: std::time::Duration::MAX,
        },
        refresh: Refresh::Nothing,
        secrets: Vec::new(),
        only: Default::default(),
        labels: false,
        bindings: Default::default(),
        clusters: Default::default(),
        has_tree_documents: true,
        also_read: &[],
    };
    checkout::plan(&request, &Default::default(), None).map_err(|error| error.to_string())
}

#[expect(clippy::too_many_lines, reason = "one case after the other")]
fn check_file(
    setup: &Setup,
    name: &str,
    reported: &str,
    before: &[u8],
    after: &BTreeMap<String, Vec<u8>>,
    planned: &Planned,
) -> Verdict {
    let after = after.get(name).ok_or_else(|| format!("{name} is gone"))?;
    let differences = setup.differences(reported, before);
    let full = planned
        .replacements
        .iter()
        .find(|replacement| replacement.path.ends_with(name))
        .map_or(name, |replacement| replacement.name.as_str());
    let mut ours: Vec<(String, String, String)> = planned
        .outcome
        .changes
        .iter()
        .filter(|change| change.location.file == full || change.location.file == name)
        .map(|change| {
            (
                change.setter.clone(),
                change.old.clone(),
                change.new.clone(),
            )
        })
        .collect();
    ours.sort();
    let flux = setup.changes().remove(reported).unwrap_or_default();
    let found = |code: &str| {
        planned.outcome.findings.iter().any(|finding| {
            serde_json::to_value(finding.code).is_ok_and(|c| c == code)
                && finding.location.file.ends_with(reported)
        })
    };
    let same_bytes = |what: &str| -> Verdict {
        if after == before {
            Ok(())
        } else {
            Err(format!("{name} changed: {what}").into())
        }
    };

    if differences.is_empty() {
        // Flux percent-decodes setters before it names them; so do we.
        expect_same(name, &ours, &flux)?;
        let expected = setup
            .expected
            .get(name)
            .ok_or_else(|| format!("{name} is not in expected/"))?;
        let flagged = setup.case["flags"]
            .as_array()
            .is_some_and(|flags| !flags.is_empty());
        if flagged {
            return only_marked_bytes_changed(name, before, after, &ours);
        }
        return if after == expected {
            Ok(())
        } else {
            Err(format!(
                "{name}:\n--- ours\n{}--- Flux\n{}",
                String::from_utf8_lossy(after),
                String::from_utf8_lossy(expected)
            )
            .into())
        };
    }
    if differences == BTreeSet::from([Difference::Spacing]) {
        expect_same(name, &ours, &flux)?;
        return only_marked_bytes_changed(name, before, after, &ours);
    }
    for difference in &differences {
        match difference {
            Difference::Unreadable => {
                same_bytes("it is no YAML")?;
                if !found("unparsable") {
                    return Err(format!("{name} is no YAML and was not reported").into());
                }
                return Ok(());
            }
            Difference::Encrypted => {
                same_bytes("it is encrypted")?;
            }
            Difference::DigestMissing => {
                if !found("digest-missing") {
                    return Err(format!("{name}: the missing digest was not reported").into());
                }
            }
            Difference::BadPolicy => {
                let bad: Vec<String> = bad_policies(setup);
                if ours
                    .iter()
                    .any(|(setter, ..)| bad.iter().any(|bad| is_setter_of(setter, bad)))
                {
                    return Err(format!("{name}: a marker of a bad policy was written").into());
                }
                let text = String::from_utf8_lossy(before);
                let marked = bad.iter().any(|bad| {
                    text.contains(&format!("\"{bad}\"")) || text.contains(&format!("\"{bad}:"))
                });
                if marked && !found("unresolved-policy") {
                    return Err(format!("{name}: the bad policy was not reported").into());
                }
            }
            Difference::Injection
            | Difference::List
            | Difference::ReadableAnyway
            | Difference::OddFile
            | Difference::Link
            | Difference::Spacing => {}
        }
    }
    if ours
        .iter()
        .any(|(_, _, new)| new.is_empty() || new == "injected")
    {
        return Err(format!("{name}: a value was emptied or injected").into());
    }
    // Whatever Flux did that no rule takes away must have been done here too.
    let kept = flux
        .iter()
        .filter(|(setter, _, new)| !new.is_empty() && new != "injected" && !setter.is_empty());
    if !differences.contains(&Difference::Encrypted) {
        for change in kept {
            if !ours.contains(change) {
                return Err(format!("{name}: Flux changed {change:?}").into());
            }
        }
    }
    only_marked_bytes_changed(name, before, after, &ours)
}

fn is_setter_of(setter: &str, policy: &str) -> bool {
    setter == policy
        || setter
            .strip_prefix(policy)
            .is_some_and(|part| part.starts_with(':'))
}

/// Policies whose image Flux cannot parse: more than one can be bad, so each is
/// judged by the program itself.
fn bad_policies(setup: &Setup) -> Vec<String> {
    let policies = setup.policies.as_array().into_iter().flatten();
    let is_bad = |policy: &&Value| {
        let text = |name: &str| policy[name].as_str().unwrap_or_default();
        let digest = text("digest");
        let image = format!(
            "{}:{}{}{digest}",
            text("image"),
            text("tag"),
            if digest.is_empty() { "" } else { "@" }
        );
        oci_tags::image::Reference::parse(&image).is_err() || text("tag").is_empty()
    };
    policies
        .filter(is_bad)
        .map(|policy| {
            format!(
                "{}:{}",
                policy["namespace"].as_str().unwrap_or_default(),
                policy["name"].as_str().unwrap_or_default()
            )
        })
        .collect()
}

fn expect_same<T: PartialEq + std::fmt::Debug>(name: &str, ours: &T, flux: &T) -> Verdict {
    if ours == flux {
        Ok(())
    } else {
        Err(format!("{name}: ours {ours:?}, Flux {flux:?}").into())
    }
}

/// Everything outside the marked scalars is as it was, and each changed scalar
/// reads back as the new value.
fn only_marked_bytes_changed(
    name: &str,
    before: &[u8],
    after: &[u8],
    changes: &[(String, String, String)],
) -> Verdict {
    let (Ok(before), Ok(after)) = (std::str::from_utf8(before), std::str::from_utf8(after)) else {
        return if before == after {
            Ok(())
        } else {
            Err(format!("{name}: no UTF-8, and changed").into())
        };
    };
    if changes.is_empty() {
        return if before == after {
            Ok(())
        } else {
            Err(format!("{name}: changed without a change").into())
        };
    }
    let (old, new) = (
        crate::readback::scalars(before)?,
        crate::readback::scalars(after)?,
    );
    if old.len() != new.len() {
        return Err(format!("{name}: {} scalars became {}", old.len(), new.len()).into());
    }
    let mut differing: Vec<(String, String)> = Vec::new();
    let mut rest_before = crate::readback::Rest::new(before);
    let mut rest_after = crate::readback::Rest::new(after);
    for (old, new) in old.iter().zip(&new) {
        if old.value != new.value {
            differing.push((old.value.clone(), new.value.clone()));
            if !new.is_string {
                return Err(
                    format!("{name}: `{}` does not read back as a string", new.value).into(),
                );
            }
            rest_before.without(old);
            rest_after.without(new);
        }
    }
    let mut wanted: Vec<(String, String)> = changes
        .iter()
        .map(|(_, old, new)| (old.clone(), new.clone()))
        .collect();
    wanted.sort();
    differing.sort();
    expect_same(name, &differing, &wanted)?;
    let is_loose = rest_before.is_loose();
    expect_same(
        name,
        &rest_after.text(is_loose),
        &rest_before.text(is_loose),
    )
}
