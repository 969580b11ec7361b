//! The folders of `examples/`: the commands of each README, run by the real tools
//! in a copy of the folder, twice.
//!
//! The commands are the README's blocks of `sh`. In `.expected` lies what they print
//! (`stdout`), and what they change (`diff.patch`). The second run changes nothing
//! more. `UPDATE_EXAMPLES=1` writes both anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Story;
use crate::services;
use crate::world::{Tool, Tree, World};

/// Folders that are not examples by themselves.
const OTHERS: &[&str] = &["pipelines"];
/// The image that READMEs name.
const IMAGE: &str = "ghcr.io/acme/flux-image:latest";

pub fn stories() -> Vec<Story> {
    let folder = Path::new(services::ROOT).join("examples");
    let entries = fs::read_dir(folder).expect("examples");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir() && !OTHERS.contains(&name_of(path).as_str()))
        .collect();
    folders.sort();
    assert!(folders.len() > 10, "{folders:?}");
    folders.into_iter().map(story).collect()
}

fn name_of(folder: &Path) -> String {
    let name = folder.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

fn story(folder: PathBuf) -> Story {
    let readme = fs::read_to_string(folder.join("README.md")).expect("README.md");
    let script = script_of(&readme);
    let mut needs = vec![Tool::Git];
    for (word, tool) in [("kustomize", Tool::Kustomize), ("kpt ", Tool::Kpt)] {
        if script.contains(word) {
            needs.push(tool);
        }
    }
    if readme_names_image(&folder) {
        needs.push(Tool::Docker);
    }
    let name = format!("examples::{}", name_of(&folder));
    Story::new(&name, &needs, move |world| run(world, &folder, &script))
}

/// The README's blocks of `sh`, one after the other.
fn script_of(readme: &str) -> String {
    let blocks = readme.split("```sh\n").skip(1);
    let bodies = blocks.map(|block| block.split_once("```").expect("its end").0);
    let script: String = bodies.collect();
    assert!(!script.is_empty(), "a README without commands");
    script
}

fn readme_names_image(folder: &Path) -> bool {
    let function = fs::read_to_string(folder.join("update-images.yaml"));
    function.is_ok_and(|text| text.contains(IMAGE))
}

fn run(world: &World, folder: &Path, script: &str) {
    let tree = Tree::new(&[]);
    copy(folder, &tree.at("example"));
    let place = tree.at("example");
    let git = |arguments: &[&str]| world.run(&place, "git", arguments).ok();
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "the example"]);
    let is_container = readme_names_image(folder);
    if is_container {
        world
            .run(&place, "docker", &["tag", world.image(), IMAGE])
            .ok();
    }
    let first = world.shell(&place, script).ok();
    git(&["add", "--all"]);
    let diff = git(&["diff", "--cached"]);
    check(folder, "stdout", &first);
    check(folder, "diff.patch", &diff);
    let again = world.shell(&place, script).ok();
    git(&["add", "--all"]);
    assert_eq!(git(&["diff", "--cached"]), diff, "a second run");
    if diff.is_empty() {
        assert_eq!(again, first, "a second run");
    }
    if folder.join("Kptfile").is_file() {
        results(world, folder, script);
    }
    if is_container {
        world.run(&place, "docker", &["rmi", IMAGE]).ok();
    }
}

/// What kpt notes of a run, as catalogues keep it.
fn results(world: &World, folder: &Path, script: &str) {
    let tree = Tree::new(&[]);
    copy(folder, &tree.at("package"));
    let script = script.replace("kpt fn render", "kpt fn render --results-dir ../results");
    world.shell(&tree.at("package"), &script).ok();
    check(folder, "results.yaml", &tree.read("results/results.yaml"));
}

fn check(folder: &Path, name: &str, actual: &str) {
    let path = folder.join(".expected").join(name);
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        fs::create_dir_all(folder.join(".expected")).expect("a folder");
        fs::write(&path, actual).expect("a file");
    }
    let expected = fs::read_to_string(&path).expect("it is expected");
    assert_eq!(actual, expected, "{}", path.display());
}

/// All but what is expected, which kpt would take for resources.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() && path.ends_with(".expected") {
            continue;
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}
