//! `__complete`, as `flux` and the shells ask it.

use crate::run_in;
use crate::support::{code, stdout};
use crate::update::Tree;

fn documents(namespace: &str, name: &str) -> String {
    format!(
        "apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{image: ghcr.io/acme/{name}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{imageRepositoryRef: {{name: {name}}}, policy: {{semver: {{range: '*'}}}}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{interval: 1h, sourceRef: {{kind: GitRepository, name: x}}, update: {{path: ./apps}}}}
"
    )
}

fn complete(tree: &Tree, words: &[&str]) -> String {
    let mut all = vec!["__complete"];
    all.extend(words);
    let output = run_in(tree.path(), &all, b"");
    assert_eq!(code(&output), 0);
    stdout(&output)
}

#[test]
fn what_may_stand_there() {
    let one = Tree::new(&[("app.yaml", &documents("flux-system", "app"))]);
    let two = Tree::new(&[
        ("app.yaml", &documents("flux-system", "app")),
        ("web.yaml", &documents("web", "web")),
        (
            "broken.yaml",
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: [\n",
        ),
    ]);
    let app = "flux-system:app\tImagePolicy of ImageRepository app\n:4\n";
    let namespaces = "flux-system:\t1 in this namespace\nweb:\t1 in this namespace\n:6\n";
    for (tree, words, expected) in [
        (&one, &["update", "--only", ""][..], app),
        (&two, &["update", "--only", ""], namespaces),
        (&two, &["update", "--only", "flux-system:"], app),
        (&two, &["update", "--only", "x"], ":0\n"),
        (
            &one,
            &["scan", "--refresh="],
            "--refresh=flux-system/app\tghcr.io/acme/app\n:4\n",
        ),
        (
            &one,
            &["branch", "--automation", "flux"],
            "flux-system/app\tupdates ./apps\n:4\n",
        ),
        (
            &one,
            &["update", "--only-image", "gh"],
            "ghcr.io/acme/app\tImageRepository flux-system/app\n:4\n",
        ),
        (
            &one,
            &["update", "--split-by", "f"],
            "folder\tEach folder of one\n:4\n",
        ),
        (
            &one,
            &["schema", "T"],
            "TagSnapshot\tTags, written down\n:4\n",
        ),
        // Paths are the shell's.
        (&one, &["update", ""], ":0\n"),
        (&one, &["update", "--policies", ""], ":0\n"),
        (&one, &["no", "such", "thing"], ":0\n"),
    ] {
        assert_eq!(complete(tree, words), expected, "{words:?}");
    }
    for words in [&[][..], &[""]] {
        let commands = complete(&one, words);
        assert!(
            commands.contains("\nupdate\tUpdate files in place"),
            "{commands}"
        );
        assert!(!commands.contains("__complete") && !commands.contains("\n-"));
    }
    let flags = complete(&one, &["update", "--mess"]);
    assert_eq!(
        flags,
        "--message-file\tWrite the commit message to this file\n:4\n"
    );
}
