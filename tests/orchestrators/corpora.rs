//! What the clusters of real repositories see, beside `flux build`: `CORPORA_DIR`, or
//! `../shared/corpora` beside the project.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Story;
use crate::clusters::{assert_alike, built_by_flux};
use crate::world::{Tool, Tree, World};

pub fn stories() -> Vec<Story> {
    let needs = [Tool::Kustomize, Tool::Flux];
    vec![Story::new(
        "corpora::as_flux_builds_them",
        &needs,
        as_flux_builds_them,
    )]
}

const KUSTOMIZATION: &str = "apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 10m
  prune: true
  path: PATH
  sourceRef: {kind: GitRepository, name: flux-system}
";

const TAGS: &str = "apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec:
  repositories:
  - {image: ghcr.io/fluxcd/flux-cli, tags: [v2.1.0, v2.1.3, v2.2.0, v2.2.9]}
";

/// Each folder with documents of Flux's image automation, and each above it.
fn as_flux_builds_them(world: &World) {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    let root = std::env::var_os("CORPORA_DIR").map_or(beside, PathBuf::from);
    let (mut compared, mut documents) = (0, 0);
    for repository in folders_of(&root) {
        let tree = Tree::new(&[(".git/HEAD", ""), (".tags", TAGS)]);
        let mut with_documents = BTreeSet::new();
        copy(&repository, &repository, &tree, &mut with_documents);
        for folder in &with_documents {
            let file = KUSTOMIZATION.replace("PATH", &format!("./{folder}"));
            tree.write(".kustomization", &file);
            let built = built_by_flux(world, tree.path(), folder, ".kustomization");
            if built.code != Some(0) {
                eprintln!("not compared: {}: {}", repository.display(), built.stderr);
                continue;
            }
            tree.write(".built", &built.stdout);
            documents += assert_alike(world, tree.path(), folder);
            compared += 1;
        }
    }
    match compared {
        0 => eprintln!(
            "SKIPPED corpora: nothing under {} (CORPORA_DIR)",
            root.display()
        ),
        _ => assert!(documents > 0, "{compared} folders without documents"),
    }
}

fn folders_of(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path());
    folders.filter(|path| path.is_dir()).collect()
}

/// Copies the manifests of a repository, and notes the folders that hold documents of
/// Flux's image automation, at any depth.
fn copy(root: &Path, folder: &Path, tree: &Tree, with_documents: &mut BTreeSet<String>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() {
            copy(root, &path, tree, with_documents);
            continue;
        }
        let inside = path.strip_prefix(root).expect("inside");
        let name = inside.to_str().expect("UTF-8");
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        tree.write(name, &text);
        if text.contains("image.toolkit.fluxcd.io/") {
            let above = inside.ancestors().skip(1);
            let above = above
                .filter_map(Path::to_str)
                .filter(|path| !path.is_empty());
            with_documents.extend(above.map(str::to_owned));
        }
    }
}
