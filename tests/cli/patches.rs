//! Patches for repositories that store files in another form than the work tree
//! has them in.

use std::fs;
use std::process::Command;

use crate::handoff::{Repository, automation, git_of, text};
use crate::support::{code, stderr};

const KEYWORD: &str =
    "# $Id$\nv: docker.io/acme/web:0.9.0 # {\"$imagepolicy\": \"flux-system:web\"}\n";

/// How a repository is made, what its attributes and its configuration say.
const FORMS: &[(&[&str], &str, &[&str])] = &[
    (&[], "* text eol=crlf\n", &[]),
    (&[], "* text=auto eol=crlf\n", &[]),
    (&[], "", &["core.autocrlf", "true"]),
    (&[], "*.yaml -text\napps/b/* text eol=crlf\n", &[]),
    (
        &[],
        "*.yaml ident\napps/a/* text eol=crlf\nkeyword.yaml ident text eol=crlf\n",
        &[],
    ),
    (&["--object-format=sha256"], "* text eol=crlf\n", &[]),
    (
        &["--object-format=sha256"],
        "* -text\n",
        &["index.version", "4"],
    ),
];

impl Repository {
    /// Begins anew with the same files, as a checkout of that repository has them.
    fn again(&self, init: &[&str], attributes: &str, config: &[&str]) {
        fs::remove_dir_all(self.work().join(".git")).expect("removed");
        self.git(&[&["init", "-q", "-b", "main"], init].concat());
        if !config.is_empty() {
            self.git(&[&["config"], config].concat());
        }
        self.write(".gitattributes", attributes);
        self.write("keyword.yaml", KEYWORD);
        self.commit("first");
        for name in self.git(&["ls-files", "-z"]).split_terminator('\0') {
            fs::remove_file(self.work().join(name)).expect("removed");
        }
        self.git(&["checkout", "-q", "--", "."]);
        assert_eq!(self.git(&["status", "--porcelain"]), "");
    }
}

#[test]
fn patches_are_made_of_what_git_stores() {
    let two = automation("one", "./apps", &git_of("one", "one"))
        + &automation("two", ".", &git_of("two", "two"));
    for (init, attributes, config) in FORMS {
        for split in ["automation", "policy", "image", "folder"] {
            let case = format!("{init:?} {attributes:?} {config:?} {split}");
            let repository = Repository::new(&two);
            repository.again(init, attributes, config);
            let folder = repository.out("patches");
            let output = repository.update(&["--patch-dir", text(&folder), "--split-by", split]);
            assert_eq!(code(&output), 0, "{case}: {}", stderr(&output));
            assert!(!stderr(&output).contains("another form"), "{case}");
            repository.commit("all at once");
            let expected = repository.tree("HEAD");
            repository.git(&["switch", "-qc", "again", "HEAD^"]);
            let names = repository.names_of(&folder);
            for name in names.iter().filter(|name| name.ends_with(".patch")) {
                let patch = folder.join(name);
                let applied = repository.try_git(&["apply", "--index", text(&patch)]);
                assert!(applied.status.success(), "{case}: {}", stderr(&applied));
                repository.git(&["commit", "-qm", name]);
            }
            assert_eq!(repository.tree("HEAD"), expected, "{case}");
            assert_eq!(repository.git(&["status", "--porcelain"]), "", "{case}");
        }
    }
}

/// What was edited since it was added has no stored form; the patch is for the
/// work tree then.
#[test]
fn a_file_that_was_edited_since() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    repository.again(&[], "* text eol=crlf\n", &[]);
    let edited = repository
        .read("apps/a/deploy.yaml")
        .replace("kind: Deployment", "kind: StatefulSet");
    repository.write("apps/a/deploy.yaml", &edited);
    let folder = repository.out("patches");
    let output = repository.update(&["--dry-run", "--patch-dir", text(&folder)]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        !stderr(&output).contains("another form"),
        "{}",
        stderr(&output)
    );
    let patch = folder.join("01-flux-system-auto.patch");
    repository.git(&["apply", text(&patch)]);
    assert!(repository.read("apps/a/deploy.yaml").contains("app:2.0.0"));
}

#[test]
fn what_a_filter_makes_is_said() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    repository.git(&["config", "filter.upper.clean", "tr a-z A-Z"]);
    repository.git(&["config", "filter.upper.smudge", "tr A-Z a-z"]);
    repository.write(".gitattributes", "apps/b/* filter=upper\n");
    repository.git(&["add", "--renormalize", "."]);
    repository.commit("filtered");
    let folder = repository.out("patches");
    let output = repository.update(&["--dry-run", "--patch-dir", text(&folder)]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let said = stderr(&output);
    assert_eq!(
        said.matches("git stores this file in another form").count(),
        1,
        "{said}"
    );
    assert!(said.contains("at apps/b/kustomization.yaml"), "{said}");
}

/// A linked work tree has an index of its own.
#[test]
fn a_linked_work_tree_has_its_own_index() {
    let repository = Repository::new(&automation("auto", ".", &git_of("m", "b")));
    repository.again(&[], "* text eol=crlf\n", &[]);
    repository.git(&["worktree", "add", "-q", "../linked"]);
    let linked = repository.out("linked");
    let (main_git, folder) = (repository.work().join(".git"), repository.out("patches"));
    let output = crate::run_in(&linked, &["update", "--patch-dir", text(&folder)], b"");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&linked);
        git.env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.output().expect("git runs")
    };
    assert!(git(&["checkout", "-q", "--", "."]).status.success());
    let patch = folder.join("01-flux-system-auto.patch");
    let applied = git(&["apply", "--index", text(&patch)]);
    assert!(applied.status.success(), "{}", stderr(&applied));
    // Nothing of a run is left in either of git's folders.
    for git in [main_git.clone(), main_git.join("worktrees/linked")] {
        let names = repository.names_of(&git);
        assert!(
            names.iter().all(|name| !name.contains("flux-image")),
            "{names:?}"
        );
    }
}
