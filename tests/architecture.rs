//! Who imports whom. The middle of the program is pure: texts and values in,
//! values out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module under `src/` and what of the crate it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("policy", &[]),
    ("bind", &[]),
    ("parallel", &[]),
    ("quote", &[]),
    ("foreign", &[]),
    ("resource_list", &["bind", "foreign", "parallel"]),
    ("api", &["policy", "quote", "resource_list"]),
    ("tags", &["api"]),
    (
        "update",
        &[
            "api",
            "bind",
            "parallel",
            "policy",
            "quote",
            "resource_list",
            "tags",
        ],
    ),
    ("message", &["api", "foreign", "policy", "update"]),
    ("scan", &["api", "foreign", "quote", "tags", "update"]),
    (
        "report",
        &[
            "api",
            "bind",
            "foreign",
            "message",
            "policy",
            "resource_list",
            "tags",
            "update",
        ],
    ),
    ("config", &["api", "bind", "resource_list", "update"]),
    (
        "function",
        &["api", "bind", "config", "report", "resource_list", "update"],
    ),
    (
        "cli",
        &[
            "api",
            "config",
            "foreign",
            "function",
            "message",
            "report",
            "resource_list",
            "scan",
            "tags",
            "update",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// The only files that touch a disk, a stream, the clock or the environment.
const TOUCH_THE_WORLD: &[&str] = &[
    "src/cli/",
    "src/main.rs",
    "src/scan/cache.rs",
    "src/scan/live.rs",
    "src/update/checkout.rs",
    "src/update/files/",
    "src/update/git/",
    "src/update/ignore_rules.rs",
    "src/update/kustomization.rs",
    "src/update/regular_file.rs",
    "src/update/tree.rs",
    "src/update/walk.rs",
    "crates/oci-tags/src/login/cloud",
    "crates/oci-tags/src/login/helper.rs",
    "crates/oci-tags/src/registry/client.rs",
    "crates/oci-tags/src/registry/auth.rs",
    "crates/oci-tags/src/registry/send.rs",
    "crates/oci-tags/src/registry/session.rs",
    // `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    "crates/oci-tags/src/registry/tls.rs",
    "crates/oci-tags/src/registry/transport.rs",
];

const WORLD: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::net::Tcp",
    "std::io",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "println!",
    "eprintln!",
    "eprint!",
];

/// The files of the program and of its crates, by their paths from the root on.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    collect(root, &root.join("src"), &mut sources);
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        let crate_folder = entry.expect("an entry").path();
        collect(root, &crate_folder.join("src"), &mut sources);
    }
    assert!(
        sources.len() > 150,
        "only {} files were found",
        sources.len()
    );
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("src") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            let name = path.strip_prefix(root).expect("inside").to_path_buf();
            sources.push((name, text));
        }
    }
}

/// The module of a file of the program; `None` for one of a crate, whose borders
/// Cargo holds.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix("src").ok()?;
    let first = inside.components().next().expect("a component").as_os_str();
    let first = first.to_string_lossy();
    Some(first.trim_end_matches(".rs").to_owned())
}

#[test]
fn who_imports_whom() {
    for (file, text) in sources() {
        let Some(module) = module_of(&file) else {
            continue;
        };
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("no rule for the module `{module}`"));
        let named: BTreeSet<&str> = text
            .split("crate::")
            .skip(1)
            .map(|rest| {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                &rest[..end.unwrap_or(rest.len())]
            })
            .filter(|name| *name != module)
            .collect();
        for name in named {
            assert!(
                allowed.contains(&name),
                "{} names crate::{name}, which `{module}` may not",
                file.display()
            );
        }
    }
}

#[test]
fn the_middle_is_pure() {
    for (file, text) in sources() {
        let name = file.to_string_lossy();
        if TOUCH_THE_WORLD
            .iter()
            .any(|allowed| name.starts_with(allowed))
        {
            continue;
        }
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for world in WORLD {
            assert!(
                !code.iter().any(|line| line.contains(world)),
                "{name} uses {world}"
            );
        }
    }
}

/// Each parser is known to one file.
#[test]
fn each_parser_is_named_in_one_place() {
    for (library, place) in [
        ("granit_parser", "crates/yaml-edit-spans/src/tolerant.rs"),
        ("oneyaml_core", "crates/yaml-edit-spans/src/strict.rs"),
        ("oneyaml_syntax", "crates/yaml-edit-spans/src/strict.rs"),
        ("regex_syntax", "crates/go-regexp/src/hir.rs"),
        ("regex_automata", "crates/go-regexp/src/lib.rs"),
        ("serde_saphyr", "src/api/read.rs"),
    ] {
        for (file, text) in sources() {
            let name = file.to_string_lossy();
            assert!(
                name == place || !text.contains(&format!("{library}::")),
                "{name} uses {library}"
            );
        }
    }
}

#[test]
fn a_module_begins_with_what_it_is_for() {
    for (file, text) in sources() {
        assert!(text.starts_with("//!"), "{}", file.display());
    }
}
