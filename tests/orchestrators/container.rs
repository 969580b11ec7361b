//! The container image: built by a real engine as the Dockerfile's last stage,
//! and run as kustomize and kpt run it, with and without a network.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Story;
use crate::image::layout;
use crate::kustomize::{self, DEPLOYMENT, FLUX};
use crate::services;
use crate::world::{Ran, Tool, Tree, World};

/// The image of a run, removed at its end.
pub struct Image {
    name: String,
}

impl Image {
    /// Builds the last stage of the Dockerfile around a static binary: base
    /// images are not to be had everywhere.
    pub fn build(world: &World) -> Self {
        let dockerfile = Path::new(services::ROOT).join("Dockerfile");
        let dockerfile = fs::read_to_string(dockerfile).expect("Dockerfile");
        let (_, stage) = dockerfile
            .split_once("FROM scratch\n")
            .expect("a last stage from scratch");
        assert!(stage.contains("COPY --from=build /out/ /\n"), "{stage}");
        let stage = stage.replace("COPY --from=build /out/ /", "COPY out/ /");
        let context = Tree::new(&[("Dockerfile", &format!("FROM scratch\n{stage}"))]);
        layout(&context.at("out"));
        let name = format!("localhost/flux-image:test-{}", std::process::id());
        let build = ["build", "--quiet", "--tag", &name, "."];
        world.run(context.path(), "docker", &build).ok();
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn remove(&self, world: &World) {
        let folder = Path::new(services::ROOT);
        world.run(folder, "docker", &["rmi", "--force", &self.name]);
    }
}

pub fn stories() -> Vec<Story> {
    let story = |name: &str, needs: &[Tool], run: fn(&World)| {
        Story::new(&format!("container::{name}"), needs, run)
    };
    let (docker, build, kpt) = (Tool::Docker, Tool::Kustomize, Tool::Kpt);
    vec![
        story("runs_as_nobody_on_nothing", &[docker], runs_as_nobody),
        story("kustomize_build", &[docker, build], kustomize_build),
        story(
            "kustomize_build_with_a_registry",
            &[docker, build, Tool::Registry],
            with_a_registry,
        ),
        story("kustomize_fn_run", &[docker, build], kustomize_fn_run),
        story("kpt_fn_render", &[docker, kpt], kpt_fn_render),
        story(
            "kpt_fn_eval_with_a_registry",
            &[docker, kpt, Tool::Registry],
            eval_with_a_registry,
        ),
        story("kpt_fn_doc", &[docker, kpt], kpt_fn_doc),
    ]
}

/// As kustomize starts functions, and with a file system that cannot be written.
fn runs_as_nobody(world: &World) {
    let image = world.image();
    let shape = "{{.Config.User}} {{.Config.Entrypoint}} {{index .Config.Labels \"org.opencontainers.image.licenses\"}}";
    let folder = Tree::new(&[("in", &format!("{FLUX}---\n{DEPLOYMENT}"))]);
    let inspect = ["inspect", "--format", shape, image];
    let shape = world.run(folder.path(), "docker", &inspect).ok();
    assert_eq!(shape.trim(), "nobody [/flux-image] Apache-2.0");
    let run = "docker run --rm -i --network none --user nobody --security-opt=no-new-privileges --read-only";
    let out = world
        .shell(folder.path(), &format!("{run} {image} < in"))
        .ok();
    assert_eq!(out, folder.read("in").replace("app:1.0.0", "app:1.10.0"));
    let help = world
        .shell(folder.path(), &format!("{run} {image} --help"))
        .ok();
    assert!(help.contains("KRM function"), "{help}");
}

fn tree(way: &str, spec: &str, flux: &str) -> Tree {
    Tree::new(&[
        ("deploy.yaml", DEPLOYMENT),
        ("flux.yaml", flux),
        ("update.yaml", &kustomize::function(way, spec)),
        (
            "kustomization.yaml",
            "resources: [deploy.yaml, flux.yaml]\ntransformers: [update.yaml]\n",
        ),
    ])
}

fn kustomize_build(world: &World) {
    let way = format!("container: {{image: {}}}", world.image());
    let tree = tree(&way, "{bind: Images}", FLUX);
    let build = ["build", "--enable-alpha-plugins", "."];
    let text = world.run(tree.path(), "kustomize", &build).ok();
    assert!(text.contains("image: ghcr.io/acme/app:1.10.0\n"), "{text}");
    assert_eq!(world.run(tree.path(), "kustomize", &build).ok(), text);
}

/// The documents with a repository of a registry, and nothing known of its tags.
fn asking(registry: &Registry) -> (String, String) {
    let name = format!("{}/acme/app", registry.host);
    let (documents, _) = FLUX
        .split_once("---\napiVersion: flux-image.dev")
        .expect("a snapshot");
    let flux = documents.replace("ghcr.io/acme/app", &name);
    (flux, DEPLOYMENT.replace("ghcr.io/acme/app", &name))
}

fn with_a_registry(world: &World) {
    let registry = Registry::with_tags(world, &["1.0.0", "1.10.0", "1.9.0"]);
    let way = format!("container: {{image: {}, network: true}}", world.image());
    let (flux, deployment) = asking(&registry);
    let tree = tree(&way, "{bind: Images}", &flux);
    tree.write("deploy.yaml", &deployment);
    let build = ["build", "--enable-alpha-plugins", "--network", "."];
    let text = world.run(tree.path(), "kustomize", &build).ok();
    let expected = format!("image: {}/acme/app:1.10.0\n", registry.host);
    assert!(text.contains(&expected), "{text}");
    // Without a network there is an error instead of an old image.
    let way = format!("container: {{image: {}}}", world.image());
    tree.write("update.yaml", &kustomize::function(&way, "{bind: Images}"));
    let build = ["build", "--enable-alpha-plugins", "."];
    let alone = world.run(tree.path(), "kustomize", &build);
    let said = alone.fails();
    assert!(said.contains("could not be scanned"), "{said}");
}

fn kustomize_fn_run(world: &World) {
    let way = format!("container: {{image: {}}}", world.image());
    let tree = tree(&way, "{}", FLUX);
    fs::remove_file(tree.at("kustomization.yaml")).expect("it is there");
    world
        .run(tree.path(), "kustomize", &["fn", "run", "."])
        .ok();
    let text = tree.read("deploy.yaml");
    let line = "image: ghcr.io/acme/app:1.10.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    assert!(text.contains(line), "{text}");
}

fn package(world: &World) -> Tree {
    let kptfile = format!(
        "apiVersion: kpt.dev/v1\nkind: Kptfile\nmetadata: {{name: app}} # kept\npipeline:\n  mutators:\n  - image: {}\n",
        world.image()
    );
    Tree::new(&[
        ("Kptfile", &kptfile),
        ("deploy.yaml", DEPLOYMENT),
        ("flux.yaml", FLUX),
    ])
}

fn kpt(world: &World, tree: &Tree, arguments: &[&str]) -> Ran {
    world.run(tree.path(), "kpt", arguments)
}

fn kpt_fn_render(world: &World) {
    let tree = package(world);
    let kptfile = tree.read("Kptfile");
    kpt(
        world,
        &tree,
        &["fn", "render", "--image-pull-policy", "never", "."],
    )
    .ok();
    assert_eq!(
        tree.read("deploy.yaml"),
        DEPLOYMENT.replace("app:1.0.0", "app:1.10.0")
    );
    assert_eq!(tree.read("Kptfile"), kptfile);
}

fn eval_with_a_registry(world: &World) {
    let registry = Registry::with_tags(world, &["1.0.0", "1.10.0"]);
    let (flux, deployment) = asking(&registry);
    let tree = Tree::new(&[("deploy.yaml", &deployment), ("flux.yaml", &flux)]);
    let eval = [
        "fn",
        "eval",
        "--image",
        world.image(),
        "--image-pull-policy",
        "never",
        "--network",
        ".",
    ];
    kpt(world, &tree, &eval).ok();
    assert_eq!(
        tree.read("deploy.yaml"),
        deployment.replace("app:1.0.0", "app:1.10.0")
    );
}

fn kpt_fn_doc(world: &World) {
    let tree = Tree::new(&[]);
    let shown = kpt(world, &tree, &["fn", "doc", "--image", world.image()]).ok();
    assert!(shown.contains("KRM function"), "{shown}");
}

/// A real registry on loopback that ends with its value.
struct Registry {
    child: Child,
    host: String,
    _folder: Tree,
}

impl Drop for Registry {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Registry {
    /// With one image under some tags of `acme/app`.
    fn with_tags(world: &World, tags: &[&str]) -> Self {
        let registry = Self::start();
        let folder = Path::new(services::ROOT);
        for tag in tags {
            let name = format!("{}/acme/app:{tag}", registry.host);
            world
                .run(folder, "docker", &["tag", world.image(), &name])
                .ok();
            world
                .run(folder, "docker", &["push", "--quiet", &name])
                .ok();
            world.run(folder, "docker", &["rmi", &name]).ok();
        }
        registry
    }

    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = free.local_addr().expect("an address").to_string();
        drop(free);
        let folder = Tree::new(&[]);
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '{host}'}}\n",
            folder.at("data").display()
        );
        folder.write("config.yml", &config);
        let child = Command::new(program().expect("a registry"))
            .arg("serve")
            .arg(folder.at("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let registry = Self {
            child,
            host,
            _folder: folder,
        };
        let begin = Instant::now();
        while std::net::TcpStream::connect(&registry.host).is_err() {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "no registry came up"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }
}

/// A registry of this machine.
pub fn program() -> Option<std::path::PathBuf> {
    services::program("registry").or_else(|| services::program("docker-registry"))
}
