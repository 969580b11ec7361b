//! `examples/pipelines`: the script against a bare repository on disk, what stands
//! around it in the files of each CI system, and the syntax of those.

use std::path::Path;

use serde_json::Value;

use crate::Story;
use crate::services;
use crate::world::{Ran, Tool, Tree, World};

const FLUX: &str = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: flux-system}
spec: {image: ghcr.io/acme/app, interval: 12h}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: app, namespace: flux-system}
spec: {imageRepositoryRef: {name: app}, policy: {semver: {range: '*'}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: images, namespace: flux-system}
spec:
  interval: 12h
  sourceRef: {kind: GitRepository, name: fleet}
  git:
    checkout: {ref: {branch: main}}
    commit:
      author: {email: bot@acme.example}
      messageTemplate: 'images: {{ range .Changed.Changes }}{{ .NewValue }}{{ end }}'
    push: {branch: 'updates/{{ isoWeek }}'}
  update: {path: ./apps, strategy: Setters}
";

const APP: &str = "image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
/// A Tuesday.
const BRANCH: &str = "updates/2026-w04";

pub fn stories() -> Vec<Story> {
    let story = |name: &str, needs: &[Tool], run: fn(&World)| {
        Story::new(&format!("pipelines::{name}"), needs, run)
    };
    let git = Tool::Git;
    vec![
        story(
            "a_branch_is_made_and_gone_on_from",
            &[git],
            made_and_gone_on_from,
        ),
        story("nothing_is_pushed_over_others", &[git], nothing_over_others),
        story("a_push_to_the_base_itself", &[git], push_to_the_base),
        story("a_home_lab_for_review", &[git], a_home_lab_for_review),
        story("github", &[git], github),
        story("gitlab", &[git], gitlab),
        story("forgejo", &[git, Tool::Jq], forgejo),
        story("their_syntax", &[Tool::Actionlint], their_syntax),
    ]
}

/// A bare repository, a clone that the pipeline works in, and tags.
struct Place(Tree);

impl Place {
    fn new(world: &World, flux: &str) -> Self {
        let place = Self(Tree::new(&[
            ("seed/flux/app.yaml", flux),
            ("seed/apps/app.yaml", APP),
        ]));
        place.tags(&["1.0.0", "1.1.0"]);
        let script = "git init --quiet --bare --initial-branch main remote.git
git -C remote.git config receive.advertisePushOptions true
git init --quiet --initial-branch main seed
cd seed && git add --all && git commit --quiet -m first && git push --quiet ../remote.git main
cd .. && git clone --quiet remote.git clone && git clone --quiet remote.git reviewer";
        world.shell(place.0.path(), script).ok();
        place
    }

    fn tags(&self, tags: &[&str]) {
        let tags = tags.join(", ");
        let text = format!(
            "apiVersion: flux-image.dev/v1alpha1\nkind: TagSnapshot\nmetadata: {{name: tags}}\nspec: {{repositories: [{{image: ghcr.io/acme/app, tags: [{tags}]}}]}}\n"
        );
        self.0.write("tags.yaml", &text);
    }

    /// Runs a step of a pipeline in the clone.
    fn step(&self, world: &World, step: &str) -> Ran {
        let head = "export FLUX_IMAGE_FLAGS='--policies ../tags.yaml --now 2026-01-20T12:00:00Z' OUT=../out PATH=\"$PWD/../bin:$PATH\"\n";
        world.shell(&self.0.at("clone"), &format!("{head}{step}"))
    }

    fn update(&self, world: &World) -> Ran {
        self.step(world, &pipelines("shell/update-images.sh"))
    }

    /// What git says in the bare repository.
    fn remote(&self, world: &World, arguments: &str) -> String {
        let script = format!("git {arguments}");
        world.shell(&self.0.at("remote.git"), &script).ok()
    }

    /// A commit of somebody else's on a branch, pushed.
    fn reviewed(&self, world: &World, file: &str) {
        let script = format!(
            "git fetch --quiet && git switch --quiet --detach origin/{BRANCH} && echo why > {file} && git add --all && git commit --quiet -m 'a review: {file}' && git push --quiet origin HEAD:{BRANCH}"
        );
        world.shell(&self.0.at("reviewer"), &script).ok();
    }

    /// A program that notes what it is called with, and answers what a script says.
    fn stub(&self, world: &World, name: &str, answer: &str) {
        let text = format!(
            "#!/bin/sh\nprintf '%s|' \"$@\" >> ../{name}.log\necho >> ../{name}.log\n{answer}\n"
        );
        self.0.write(&format!("bin/{name}"), &text);
        world
            .shell(self.0.path(), &format!("chmod +x bin/{name}"))
            .ok();
    }
}

/// Where a file of the pipelines lies.
fn pipelines(name: &str) -> String {
    let path = Path::new(services::ROOT)
        .join("examples/pipelines")
        .join(name);
    path.to_str().expect("UTF-8").to_owned()
}

fn made_and_gone_on_from(world: &World) {
    let place = Place::new(world, FLUX);
    let said = place.update(world).ok();
    assert_eq!(said, format!("pushed {BRANCH}\n"));
    let log = |place: &Place| place.remote(world, &format!("log --format=%s {BRANCH}"));
    assert_eq!(log(&place), "images: ghcr.io/acme/app:1.1.0\nfirst\n");
    assert_eq!(place.remote(world, "log --format=%s main"), "first\n");
    let file = place.remote(world, &format!("show {BRANCH}:apps/app.yaml"));
    assert_eq!(file, APP.replace("1.0.0", "1.1.0"));
    assert_eq!(place.0.read("out/branch"), format!("{BRANCH}\n"));
    assert_eq!(place.0.read("out/title"), "images: ghcr.io/acme/app:1.1.0");
    assert!(place.0.read("out/body.md").contains("1.1.0"));

    assert_eq!(place.update(world).ok(), format!("{BRANCH} is current\n"));
    // A reviewer's commit stays, and the next image comes on top of it.
    place.reviewed(world, "notes.txt");
    place.tags(&["1.0.0", "1.1.0", "1.2.0"]);
    assert_eq!(place.update(world).ok(), format!("pushed {BRANCH}\n"));
    assert_eq!(
        log(&place),
        "images: ghcr.io/acme/app:1.2.0\na review: notes.txt\nimages: ghcr.io/acme/app:1.1.0\nfirst\n"
    );
    // Once it is merged there is nothing to do.
    place.remote(world, &format!("update-ref refs/heads/main {BRANCH}"));
    assert_eq!(place.update(world).ok(), "all images are current\n");
}

fn nothing_over_others(world: &World) {
    let place = Place::new(world, FLUX);
    place.update(world).ok();
    place.reviewed(world, "first.txt");
    place.tags(&["1.2.0"]);
    // Somebody pushes after the branch was looked at.
    let hook = format!(
        "#!/bin/sh\nunset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX\ncd {} && echo why > second.txt && git add --all && git commit --quiet -m second && git push --quiet origin HEAD:{BRANCH}\n",
        place.0.at("reviewer").display()
    );
    place.0.write("clone/.git/hooks/post-commit", &hook);
    world
        .shell(place.0.path(), "chmod +x clone/.git/hooks/post-commit")
        .ok();
    let said = place.update(world).fails();
    assert!(
        said.contains("rejected") && said.contains("stale info"),
        "{said}"
    );
    let log = place.remote(world, &format!("log --format=%s -2 {BRANCH}"));
    assert_eq!(log, "second\na review: first.txt\n");
}

fn push_to_the_base(world: &World) {
    let flux = FLUX.replace("'updates/{{ isoWeek }}'", "main");
    let place = Place::new(world, &flux);
    assert_eq!(place.update(world).ok(), "pushed main\n");
    assert_eq!(
        place.remote(world, "log --format=%s -1 main"),
        "images: ghcr.io/acme/app:1.1.0\n"
    );
    assert!(!place.0.at("out").exists(), "no request is needed");
}

/// The example of a home lab, with the policies that were meant.
fn a_home_lab_for_review(world: &World) {
    let example = Path::new(services::ROOT).join("examples/weekly-review");
    let tree = Tree::new(&[]);
    let script = format!(
        "git init --quiet --bare --initial-branch main forgejo.git
cp -r {} lab && cd lab && git init --quiet --initial-branch main
git add --all && git commit --quiet -m first && git remote add forgejo ../forgejo.git
git push --quiet forgejo main
export REMOTE=forgejo FLUX_IMAGE_FLAGS='--policies as-meant.yaml.txt --now 2026-01-20T12:00:00Z'
{script}
{script}
git -C ../forgejo.git log --format=%s --numstat main..image-updates/2026-w04",
        example.display(),
        script = pipelines("shell/update-images.sh"),
    );
    let said = world.shell(tree.path(), &script).ok();
    let head = "pushed image-updates/2026-w04\nimage-updates/2026-w04 is current\nchore(images): update ollama/ollama:0.14.2 -> ollama/ollama:0.15.0 ";
    assert!(said.starts_with(head), "{said}");
    let files = said.lines().filter_map(|line| line.split_once('\t'));
    let lines: usize = files
        .map(|(added, _)| added.parse::<usize>().expect("a number"))
        .sum();
    // Of 31 images one is current, and one is nothing but `release`.
    assert_eq!(lines, 29, "{said}");
}

/// A file of a pipeline, as values.
fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(pipelines(name)).expect("it is there");
    serde_saphyr::from_str(&text).expect("YAML")
}

/// What a step of a workflow runs.
fn run_of(workflow: &Value, name: &str) -> String {
    let steps = workflow["jobs"]["update"]["steps"]
        .as_array()
        .expect("steps");
    let step = steps.iter().find(|step| step["name"] == name).expect(name);
    step["run"].as_str().expect("a script").to_owned()
}

/// The script where a pipeline wants it.
fn with_script(step: &str, place: &str) -> String {
    let at = format!("{place}/update-images.sh");
    assert!(step.contains(&at), "{step}");
    step.replace(&at, &pipelines("shell/update-images.sh"))
}

const GITHUB: &str = "github/.github/workflows/update-images.yaml";
const FORGEJO: &str = "forgejo/.forgejo/workflows/update-images.yaml";
const GITLAB: &str = "gitlab/.gitlab-ci.yml";

fn github(world: &World) {
    let workflow = read(GITHUB);
    let place = Place::new(world, FLUX);
    place.stub(
        world,
        "gh",
        "[ \"$1 $2\" != 'pr view' ] || cat ../state 2>/dev/null",
    );
    let request = format!("export BASE=main\n{}", run_of(&workflow, "pull request"));
    place
        .step(world, &with_script(&run_of(&workflow, "update"), ".github"))
        .ok();
    place.step(world, &request).ok();
    place.0.write("state", "OPEN\n");
    place.step(world, &request).ok();
    let title = "images: ghcr.io/acme/app:1.1.0";
    let view = format!("pr|view|{BRANCH}|--json|state|--jq|.state|\n");
    assert_eq!(
        place.0.read("gh.log"),
        format!(
            "{view}pr|create|--base|main|--head|{BRANCH}|--title|{title}|--body-file|../out/body.md|\n{view}pr|edit|{BRANCH}|--title|{title}|--body-file|../out/body.md|\n"
        )
    );
    // Nothing pushed, nothing asked for.
    world.shell(place.0.path(), "rm -r out gh.log").ok();
    place.step(world, &request).ok();
    assert!(!place.0.at("gh.log").exists());
}

fn gitlab(world: &World) {
    let pipeline = read(GITLAB);
    let job = &pipeline["update images"];
    let lines = job["script"].as_array().expect("a script");
    let lines = lines.iter().map(|line| line.as_str().expect("a text"));
    let script = with_script(&lines.collect::<Vec<_>>().join("\n"), ".gitlab");
    let place = Place::new(world, FLUX);
    // The address of the project leads to the bare repository.
    let head = format!(
        "export BASE=main REMOTE={} UPDATE_TOKEN=token CI_SERVER_HOST=gitlab.example CI_PROJECT_PATH=acme/fleet\ngit config url.\"{}\".insteadOf https://oauth2:token@gitlab.example/acme/fleet.git\n",
        job["variables"]["REMOTE"].as_str().expect("a remote"),
        place.0.at("remote.git").display()
    );
    // What the server is told with the push.
    let hook =
        "#!/bin/sh\nfor n in 0 1 2 3; do eval \"echo \\$GIT_PUSH_OPTION_$n\"; done > ../options\n";
    place.0.write("remote.git/hooks/post-receive", hook);
    world
        .shell(place.0.path(), "chmod +x remote.git/hooks/post-receive")
        .ok();
    for expected in [
        format!("pushed {BRANCH}\n"),
        format!("{BRANCH} is current\n"),
    ] {
        assert_eq!(place.step(world, &format!("{head}{script}")).ok(), expected);
    }
    assert_eq!(
        place.0.read("options"),
        "merge_request.create\nmerge_request.target=main\nmerge_request.title=Update images\nmerge_request.remove_source_branch\n"
    );
}

fn forgejo(world: &World) {
    let workflow = read(FORGEJO);
    let place = Place::new(world, FLUX);
    place.stub(
        world,
        "curl",
        "case \"$*\" in *GET*) cat ../pulls ;; *@-*) cat > ../patched ;; esac",
    );
    let head = "export BASE=main TOKEN=token API=https://forgejo.example/api/v1/repos/acme/fleet\n";
    let request = format!("{head}{}", run_of(&workflow, "pull request"));
    place
        .step(
            world,
            &with_script(&run_of(&workflow, "update"), ".forgejo"),
        )
        .ok();
    place
        .0
        .write("pulls", "[{\"number\": 6, \"head\": {\"ref\": \"other\"}}]");
    place.step(world, &request).ok();
    let pull: Value = serde_json::from_str(&place.0.read("out/pull.json")).expect("JSON");
    assert_eq!(pull["title"], "images: ghcr.io/acme/app:1.1.0");
    assert_eq!(pull["head"], BRANCH);
    assert!(
        pull["body"]
            .as_str()
            .is_some_and(|body| body.contains("1.1.0"))
    );
    place.0.write(
        "pulls",
        &format!("[{{\"number\": 7, \"head\": {{\"ref\": \"{BRANCH}\"}}}}]"),
    );
    place.step(world, &request).ok();
    let log = place.0.read("curl.log");
    let asked: Vec<String> = log
        .lines()
        .map(|line| {
            line.split('|')
                .skip(4)
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let list = "GET https://forgejo.example/api/v1/repos/acme/fleet/pulls?state=open&limit=50";
    let pulls = "https://forgejo.example/api/v1/repos/acme/fleet/pulls";
    assert_eq!(
        asked,
        [
            list,
            &format!("POST {pulls}"),
            list,
            &format!("PATCH {pulls}/7")
        ]
    );
    let patched: Value = serde_json::from_str(&place.0.read("patched")).expect("JSON");
    assert_eq!(patched["title"], pull["title"]);
}

fn their_syntax(world: &World) {
    let root = Path::new(services::ROOT);
    let (github, forgejo) = (pipelines(GITHUB), pipelines(FORGEJO));
    // Runners of Forgejo have labels of their own.
    let flags = ["-ignore", "label \"docker\" is unknown", &github, &forgejo];
    world.run(root, "actionlint", &flags).ok();
    for workflow in [read(GITHUB), read(FORGEJO)] {
        assert!(workflow["on"]["schedule"][0]["cron"].is_string());
    }
    let job = &read(GITLAB)["update images"];
    assert_eq!(job["rules"][0]["if"], "$CI_PIPELINE_SOURCE == \"schedule\"");
    let mut scripts = vec![run_of(&read(GITHUB), "install flux-image")];
    let lines = job["script"].as_array().expect("a script");
    scripts.extend(
        lines
            .iter()
            .map(|line| line.as_str().expect("a text").to_owned()),
    );
    let tree = Tree::new(&[]);
    for script in scripts {
        tree.write("script", &script);
        world.run(tree.path(), "sh", &["-n", "script"]).ok();
    }
    let script = pipelines("shell/update-images.sh");
    world.run(root, "sh", &["-n", &script]).ok();
}
