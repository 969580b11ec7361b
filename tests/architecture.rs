//! Who imports whom. The middle of the program is pure: texts and values in,
//! values out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module under `src/` and what of the crate it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("yaml", &[]),
    ("go", &[]),
    ("image", &[]),
    ("policy", &["go"]),
    ("bind", &["go", "image", "yaml"]),
    ("parallel", &[]),
    ("quote", &[]),
    ("foreign", &["yaml"]),
    ("resource_list", &["bind", "foreign", "parallel", "yaml"]),
    (
        "api",
        &[
            "go",
            "image",
            "login",
            "policy",
            "quote",
            "resource_list",
            "yaml",
        ],
    ),
    ("tags", &["api", "image"]),
    ("login", &["image"]),
    ("registry", &["image", "login"]),
    (
        "update",
        &[
            "api",
            "bind",
            "go",
            "image",
            "parallel",
            "policy",
            "quote",
            "resource_list",
            "tags",
            "yaml",
        ],
    ),
    (
        "message",
        &["api", "foreign", "go", "image", "policy", "update"],
    ),
    (
        "scan",
        &[
            "api", "foreign", "go", "image", "login", "quote", "registry", "tags", "update",
        ],
    ),
    (
        "report",
        &[
            "api",
            "bind",
            "foreign",
            "go",
            "image",
            "message",
            "policy",
            "resource_list",
            "tags",
            "update",
            "yaml",
        ],
    ),
    ("config", &["api", "bind", "resource_list", "update"]),
    (
        "function",
        &[
            "api",
            "bind",
            "config",
            "report",
            "resource_list",
            "update",
            "yaml",
        ],
    ),
    (
        "cli",
        &[
            "api",
            "config",
            "foreign",
            "function",
            "go",
            "image",
            "login",
            "message",
            "registry",
            "report",
            "resource_list",
            "scan",
            "tags",
            "update",
            "yaml",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// The only files that touch a disk, a stream, the clock or the environment.
const TOUCH_THE_WORLD: &[&str] = &[
    "cli/",
    "main.rs",
    "login/cloud",
    "login/helper.rs",
    "registry/client.rs",
    "registry/pass.rs",
    "registry/persist.rs",
    "registry/session.rs",
    // `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    "registry/tls.rs",
    "registry/transport.rs",
    "scan/cache.rs",
    "scan/live.rs",
    "update/checkout.rs",
    "update/files/",
    "update/git/",
    "update/ignore_rules.rs",
    "update/kustomization.rs",
    "update/regular_file.rs",
    "update/tree.rs",
    "update/walk.rs",
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

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(
        sources.len() > 40,
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

fn module_of(file: &Path) -> String {
    let first = file.components().next().expect("a component").as_os_str();
    let first = first.to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn who_imports_whom() {
    for (file, text) in sources() {
        let module = module_of(&file);
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
        ("granit_parser", "yaml/tolerant"),
        ("regex_syntax", "go/regex"),
        ("regex_automata", "go/regex"),
    ] {
        for (file, text) in sources() {
            let name = file.to_string_lossy();
            assert!(
                name.starts_with(place) || !text.contains(&format!("{library}::")),
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
