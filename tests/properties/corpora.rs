//! Real repositories: `CORPORA_DIR`, or `../shared/corpora` beside the project.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flux_image::finding::Code;

use crate::promises::{Policy, check};
use crate::readback::scalars;

/// The YAML files of the corpora; said loudly where there are none.
pub fn files(test: &str) -> Vec<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let root = std::env::var_os("CORPORA_DIR").map_or(default, PathBuf::from);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    if files.is_empty() {
        // Not captured by the test runner.
        _ = writeln!(
            std::io::stderr(),
            "SKIPPED {test}: no YAML under {} (CORPORA_DIR)",
            root.display()
        );
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if matches!(
            path.extension().and_then(|e| e.to_str()),
            Some("yaml" | "yml")
        ) {
            files.push(path);
        }
    }
}

const TAGS: &[&str] = &[
    "1.10",
    "9.9.9",
    "2024",
    "1e5",
    "on",
    "0x1f",
    "v1.2.3",
    "2024-01-01",
];

/// Each marker of the corpora is answered, by a policy for each name.
#[test]
fn their_own_markers() {
    let mut changes = 0;
    for file in files("their_own_markers") {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let mut policies = BTreeMap::new();
        for piece in text.split("\"$imagepolicy\"").skip(1) {
            let Some(value) = piece.trim_start_matches([':', ' ']).strip_prefix('"') else {
                continue;
            };
            let value = value.split('"').next().unwrap_or_default();
            let name: Vec<&str> = value.split(':').take(2).collect();
            if let [namespace, name] = name[..] {
                let tag = TAGS[policies.len() % TAGS.len()];
                let name = format!("{namespace}:{name}");
                policies.insert(name.clone(), Policy::new(&name, tag));
            }
        }
        let policies: Vec<Policy> = policies.into_values().collect();
        if scalars(&text).is_ok_and(|found| !found.is_empty()) {
            println!("{}", file.display());
            changes += check(&text, &policies).outcome.changes.len();
        }
    }
    println!("{changes} changes");
}

/// Markers put behind scalars of real files: every one of them is live, or it
/// is said why not.
#[test]
fn markers_put_everywhere() {
    let policies = [Policy::new("ns:app", "1.10")];
    let (mut put, mut written) = (0, 0);
    for file in files("markers_put_everywhere") {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let Ok(found) = scalars(&text) else { continue };
        for start in 0..3 {
            // Every third scalar, so that marked ones have unmarked neighbours.
            let mut marked = String::new();
            let (mut at, mut here) = (0, 0);
            for scalar in found.iter().skip(start).step_by(3) {
                let ends_line = text[scalar.end()..].starts_with('\n');
                if scalar.is_block() || scalar.end() <= at || !ends_line {
                    continue;
                }
                marked.push_str(&text[at..scalar.end()]);
                marked.push_str(" # {\"$imagepolicy\": \"ns:app:tag\"}");
                (at, here) = (scalar.end(), here + 1);
            }
            marked.push_str(&text[at..]);
            if here == 0 || scalars(&marked).is_err() {
                continue;
            }
            println!("{} from {start}", file.display());
            let output = check(&marked, &policies);
            let dead = output.outcome.findings.iter().filter(|finding| {
                matches!(
                    finding.code,
                    Code::Encrypted | Code::DeadMarker | Code::BrokenMarker
                )
            });
            let accounted = output.outcome.changes.len() + dead.count();
            assert!(
                accounted >= here,
                "{here} were put, {accounted} seen:\n{marked}"
            );
            (put, written) = (put + here, written + output.outcome.changes.len());
        }
    }
    println!("{put} markers put, {written} written");
}
