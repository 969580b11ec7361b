//! Who imports whom. The middle of the program is pure: texts and values in,
//! values out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules under `src/` from top to bottom: each may name those below it.
const ORDER: &[&str] = &[
    "main",
    "lib",
    "cli",
    "function",
    "report",
    "commit",
    "checkout",
    "scan",
    "insight",
    "engine",
    "plan",
    "selection",
    "binding",
    "documents",
    "cluster",
    "api",
    "policy",
    "resource_list",
    "finding",
    "foreign",
    "path_name",
    "quote",
    "parallel",
];

/// What is below a module and none of its business.
const NONE_OF_ITS_BUSINESS: &[(&str, &[&str])] = &[
    ("function", &["checkout", "commit", "scan"]),
    ("report", &["engine", "scan"]),
    ("commit", &["checkout", "engine", "scan"]),
    ("checkout", &["scan"]),
    ("scan", &["engine", "plan", "binding"]),
    ("binding", &["policy"]),
    ("policy", &["resource_list", "finding", "path_name"]),
];

/// The modules in which files may touch the world, and files that lead to those.
const LEAD_TO_THE_WORLD: &[&str] = &["main", "lib", "cli", "checkout", "scan"];

/// The only files that touch a disk, a stream, the clock or the environment.
const TOUCH_THE_WORLD: &[&str] = &[
    "src/checkout/artifact.rs",
    "src/checkout/cluster_folders.rs",
    "src/checkout/clusters.rs",
    "src/checkout/commit_tree.rs",
    "src/checkout/files.rs",
    "src/checkout/git/config.rs",
    "src/checkout/git/mod.rs",
    "src/checkout/ignore_rules.rs",
    "src/checkout/kustomization.rs",
    "src/checkout/kustomize.rs",
    "src/checkout/mod.rs",
    "src/checkout/regular_file.rs",
    "src/checkout/request.rs",
    "src/checkout/source_files.rs",
    "src/checkout/walk.rs",
    "src/checkout/write/",
    "src/cli/",
    "src/main.rs",
    "src/scan/cache.rs",
    "src/scan/live.rs",
    "crates/oci-tags/src/login/cloud",
    "crates/oci-tags/src/http.rs",
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
    "std::path::absolute",
    "std::os::unix::fs",
    "tokio::fs",
    "rustix::",
    "libc::",
    "tempfile::",
    "reqwest::Client",
    ".exists()",
    ".try_exists()",
    ".is_dir()",
    ".is_file()",
    ".metadata()",
    ".canonicalize()",
    ".symlink_metadata()",
    ".read_dir()",
    ".read_link()",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "println!",
    "eprintln!",
    "eprint!",
    " print!(",
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
        let place = |name: &str| {
            let place = ORDER.iter().position(|known| *known == name);
            place.unwrap_or_else(|| panic!("`{module}` names crate::{name}, which has no place"))
        };
        let named = text.split("crate::").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        });
        let forbidden = NONE_OF_ITS_BUSINESS.iter().find(|(one, _)| *one == module);
        let forbidden = forbidden.map_or(&[][..], |(_, forbidden)| forbidden);
        for name in named.filter(|name| *name != module) {
            assert!(
                !forbidden.contains(&name),
                "{} names crate::{name}, which is none of the business of `{module}`",
                file.display()
            );
            assert!(
                place(&module) < place(name),
                "{} names crate::{name}, which is not below `{module}`",
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
        let named = names_in(&text);
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        for world in WORLD {
            assert!(
                !code.iter().chain(&named).any(|line| line.contains(world)),
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
            let lines = text.lines().map(str::trim_start);
            let mut code = lines.filter(|line| !line.starts_with("//"));
            assert!(
                name == place || !code.any(|line| line.contains(library)),
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

/// A file's module in the package at `root`, as its names are resolved:
/// `src/api/read.rs` is `api::read`.
fn path_of(root: &Path, file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root).expect("a file of the package");
    let mut path: Vec<String> = inside
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if path
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        path.pop();
    }
    path
}

/// The paths of a `use` declaration, braces resolved.
fn paths_of(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree);
        return vec![path.trim().trim_end_matches("::self").to_owned()];
    };
    let body = &rest[..rest.rfind('}').unwrap_or(rest.len())];
    let (mut paths, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    let mut add = |part: &str| {
        let part = part.trim();
        if !part.is_empty() {
            paths.extend(paths_of(&format!("{}{part}", prefix.trim())));
        }
    };
    for (at, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                add(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    add(&body[start..]);
    paths
}

/// The paths that a file names: those of its `use` declarations, and those that
/// begin with `crate` or `super` elsewhere. Its tests are left out.
fn names_in(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = lines.collect();
    let code = code.join("\n");
    let mut names = Vec::new();
    for statement in code.split(';') {
        let used = statement.rsplit_once("use ").filter(|(before, _)| {
            let word = before.rsplit(['\n', ' ']).next().unwrap_or_default();
            word.is_empty() || word.starts_with("pub")
        });
        if let Some((_, tree)) = used {
            names.extend(paths_of(tree));
        }
        for start in ["crate::", "super::"] {
            for (at, _) in statement.match_indices(start) {
                let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                let rest = &statement[at..];
                let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
                names.push(rest[..end].trim_end_matches(':').to_owned());
            }
        }
    }
    names
}

/// Which files of the program each of them names.
fn imports() -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    imports_of("src")
}

/// Which files of a package each of them names; `root` is where its sources are.
fn imports_of(root: &str) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let root = Path::new(root);
    let program: Vec<(PathBuf, String)> = sources()
        .into_iter()
        .filter(|(file, _)| file.starts_with(root) && *file != Path::new("src/main.rs"))
        .collect();
    let modules: BTreeMap<Vec<String>, PathBuf> = program
        .iter()
        .map(|(file, _)| (path_of(root, file), file.clone()))
        .collect();
    let resolve = |from: &[String], name: &str| -> Option<PathBuf> {
        let mut parts = name.split("::").map(str::trim).peekable();
        let mut path = match *parts.peek()? {
            "crate" => Vec::new(),
            "super" | "self" => from.to_vec(),
            child => {
                let mut path = from.to_vec();
                path.push(child.to_owned());
                modules.get(&path)?;
                path.pop();
                path
            }
        };
        for part in parts {
            match part {
                "crate" | "self" => {}
                "super" => _ = path.pop(),
                part => path.push(part.to_owned()),
            }
        }
        // What is not a module is an item of the one above.
        while !path.is_empty() {
            if let Some(file) = modules.get(&path) {
                return Some(file.clone());
            }
            path.pop();
        }
        None
    };
    program
        .iter()
        .map(|(file, text)| {
            let from = path_of(root, file);
            let named = names_in(text).into_iter();
            let mut named: BTreeSet<PathBuf> =
                named.filter_map(|name| resolve(&from, &name)).collect();
            // What a module names of its own parts needs no `use`.
            let parts = modules.iter().filter(|(path, _)| {
                let name = path.split_last().filter(|(_, above)| *above == from);
                name.is_some_and(|(name, _)| text.contains(&format!("{name}::")))
            });
            named.extend(parts.map(|(_, file)| file.clone()));
            named.remove(file);
            (file.clone(), named)
        })
        .collect()
}

/// Every file that one leads to.
fn reached<'i>(
    imports: &'i BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    from: &'i Path,
) -> BTreeSet<&'i Path> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(file) = waiting.pop() {
        for next in imports.get(file).into_iter().flatten() {
            if reached.insert(next.as_path()) {
                waiting.push(next);
            }
        }
    }
    reached
}

#[test]
fn names_are_resolved_to_files() {
    let imports = imports();
    let of = |file: &str| &imports[Path::new(file)];
    assert!(of("src/engine.rs").contains(Path::new("src/plan/edits.rs")));
    assert!(of("src/checkout/files.rs").contains(Path::new("src/checkout/walk.rs")));
    assert!(of("src/checkout/write/lock.rs").contains(Path::new("src/checkout/git/mod.rs")));
    assert!(of("src/cli/mod.rs").contains(Path::new("src/cli/stdin.rs")));
    let count: usize = imports.values().map(BTreeSet::len).sum();
    assert!(count > 300, "only {count} imports were found");
}

/// The only files that lead to each other, by the folder that they share; a file
/// stands in the folder of its parts, too. What is listed here may shrink.
const CIRCLES: &[(&str, &[&str])] = &[
    ("crates/go-template/src", &["budget", "value"]),
    ("crates/go-template/src/sprig", &["lists", "types"]),
    (
        "crates/oci-tags/src/registry",
        &["auth", "client", "labels", "list", "session"],
    ),
    ("crates/oci-tags/src/registry", &["tls", "tls/fault"]),
    ("crates/yaml-edit-spans/src", &["comment", "walk"]),
    (
        "crates/yaml-edit-spans/src",
        &["events", "strict", "tolerant", "tolerant/input"],
    ),
    (
        "src/cli",
        &[
            "args", "clusters", "complete", "function", "given", "network", "scan", "stdin",
        ],
    ),
];

/// Files of one folder may know one another, as these few do; those of two go one
/// way. What is part of a module may name that itself, which is not looked at.
#[test]
fn few_files_of_one_folder_lead_to_each_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let crates = fs::read_dir(crates).expect("crates").map(|entry| {
        let name = entry.expect("an entry").file_name();
        format!("crates/{}/src", name.to_string_lossy())
    });
    let mut found = BTreeSet::new();
    for root in crates.chain(["src".to_owned()]) {
        let mut imports = imports_of(&root);
        assert!(!imports.is_empty(), "{root}");
        for (file, named) in &mut imports {
            // What is part of a module may name it.
            named.retain(|other| {
                let is_whole = other.ends_with("mod.rs") || other.ends_with("lib.rs");
                !(is_whole && file.starts_with(other.parent().expect("a folder")))
            });
        }
        for file in imports.keys() {
            let mut circle = reached(&imports, file);
            circle.retain(|other| reached(&imports, other).contains(file.as_path()));
            if circle.len() > 1 {
                let names = circle.iter().map(|file| file.display().to_string());
                found.insert(names.collect::<BTreeSet<_>>());
            }
        }
    }
    let known = CIRCLES.iter().map(|(folder, files)| {
        let names = files.iter().map(|file| format!("{folder}/{file}.rs"));
        names.collect()
    });
    assert_eq!(found, known.collect());
}

/// What touches a disk or a network is not reached from the middle by any number of
/// steps. Of the registry client only names of images are known there.
#[test]
fn the_middle_leads_to_nothing_impure() {
    let imports = imports();
    let is_pure = |file: &Path| {
        let module = module_of(file).expect("a file of the program");
        !LEAD_TO_THE_WORLD.contains(&module.as_str())
    };
    let touches = |file: &Path| {
        let name = file.to_string_lossy();
        TOUCH_THE_WORLD.iter().any(|one| name.starts_with(one))
    };
    for file in imports.keys().filter(|file| is_pure(file)) {
        if let Some(world) = reached(&imports, file).into_iter().find(|one| touches(one)) {
            panic!("{} leads to {}", file.display(), world.display());
        }
    }
    for (file, text) in sources() {
        if module_of(&file).is_none() || !is_pure(&file) {
            continue;
        }
        for named in text.split("oci_tags::").skip(1) {
            // What a Secret holds is read as a login is.
            let is_secret = file == Path::new("src/api/secret.rs") && named.starts_with("login");
            let name = named.split(';').next().unwrap_or_default();
            assert!(
                named.starts_with("image::") || is_secret,
                "{} names oci_tags::{name}",
                file.display()
            );
        }
    }
}
