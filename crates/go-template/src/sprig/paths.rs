//! Paths with slashes, as `path` and `path/filepath` treat them.

use super::super::function::{Function, text};
use super::super::value::Value;
use crate::functions;

/// The functions by name.
pub(super) static TABLE: &[Function] = functions! {
    "base" | "osBase": (String) => |run, args| text(run, base(&args.text(0)));
    "clean" | "osClean": (String) => |run, args| text(run, clean(&args.text(0)));
    "dir" | "osDir": (String) => |run, args| text(run, dir(&args.text(0)));
    "ext" | "osExt": (String) => |run, args| text(run, ext(&args.text(0)));
    "isAbs" | "osIsAbs": (String) => |_, args| Ok(Value::Bool(args.bytes(0).starts_with(b"/")));
};

fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

fn dir(path: &str) -> String {
    let end = path.rfind('/').map_or(0, |at| at + 1);
    clean(&path[..end])
}

fn ext(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rfind('.').map_or("", |at| &name[at..])
}

/// The shortest path that leads to the same place.
fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." if steps.last().is_some_and(|last| *last != "..") => {
                steps.pop();
            }
            ".." if is_rooted => {}
            step => steps.push(step),
        }
    }
    let joined = steps.join("/");
    match (is_rooted, joined.as_str()) {
        (true, _) => format!("/{joined}"),
        (false, "") => ".".to_owned(),
        (false, _) => joined,
    }
}
