//! `flux image …`: a release made by `release/archives`, installed by the real `flux`
//! from files on loopback, run and completed; and the completion of shells.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::Story;
use crate::kustomize::FLUX;
use crate::services;
use crate::world::{Ran, Tool, Tree, World};

/// Stands for a binary where that need not run.
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE");

pub fn stories() -> Vec<Story> {
    let story = |name: &str, needs: &[Tool], run: fn(&World)| {
        Story::new(&format!("plugin::{name}"), needs, run)
    };
    vec![
        story("installed_run_and_completed", &[Tool::Flux], installed),
        story("a_wrong_checksum_is_refused", &[Tool::Flux], wrong_checksum),
        story("archives_are_the_same_each_time", &[], same_each_time),
        story("archives_want_sound_arguments", &[], sound_arguments),
        story("completion_of_bash", &[], completion_of_bash),
        story("completion_of_zsh", &[Tool::Zsh], completion_of_zsh),
        story("completion_of_fish", &[Tool::Fish], completion_of_fish),
    ]
}

/// A release of one binary, for this machine.
fn archives(world: &World, out: &Path, url: &str, binary: &str) -> Ran {
    let script = Path::new(services::ROOT).join("release/archives");
    let arch = if cfg!(target_arch = "x86_64") {
        "amd64"
    } else {
        "arm64"
    };
    let platform = format!("linux/{arch}={binary}");
    let out = out.to_str().expect("UTF-8");
    let script = script.to_str().expect("UTF-8");
    world.run(
        Path::new(services::ROOT),
        script,
        &["1.2.3", url, out, &platform],
    )
}

fn flux(world: &World, tree: &Tree, server: &Files, arguments: &str) -> Ran {
    let script = format!(
        "FLUXCD_PLUGIN_CATALOG=http://{}/ FLUXCD_PLUGINS=\"$PWD/plugins\" flux {arguments}",
        server.address
    );
    world.shell(tree.path(), &script)
}

/// A folder for plugins and one with documents, and a release that is served.
fn released(world: &World, binary: &str) -> (Tree, Files) {
    let tree = Tree::new(&[("plugins/.keep", ""), ("flux.yaml", FLUX)]);
    let server = Files::serve(tree.at("release"));
    archives(
        world,
        &tree.at("release"),
        &format!("http://{}", server.address),
        binary,
    )
    .ok();
    (tree, server)
}

fn installed(world: &World) {
    let (tree, server) = released(world, env!("CARGO_BIN_EXE_flux-image"));
    flux(world, &tree, &server, "plugin install image").ok();
    let list = flux(world, &tree, &server, "plugin list").ok();
    assert!(list.contains("image") && list.contains("1.2.3"), "{list}");
    let version = flux(world, &tree, &server, "image --version").ok();
    assert_eq!(
        version,
        concat!("flux-image ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/acme/app:1.0.0 # {\"$imagepolicy\": \"flux-system:app\"}\n";
    tree.write("pod.yaml", text);
    flux(
        world,
        &tree,
        &server,
        "image update pod.yaml --policies flux.yaml",
    )
    .ok();
    assert_eq!(tree.read("pod.yaml"), text.replace("1.0.0", "1.10.0"));
    // As flux's own completion asks.
    let complete = |words: &str| flux(world, &tree, &server, &format!("__complete {words}")).ok();
    assert!(complete("image up").starts_with("update\tUpdate files in place"));
    let policies = complete("image update --only flux-sys");
    assert_eq!(
        policies,
        "flux-system:app\tImagePolicy of ImageRepository app\n:4\n"
    );
    let wrong = flux(world, &tree, &server, "image update gone.yaml");
    assert_eq!(wrong.code, Some(2), "its own exit code: {}", wrong.stderr);
}

fn wrong_checksum(world: &World) {
    let (tree, server) = released(world, SMALL);
    let manifest = tree.read("release/image.yaml");
    let (before, sum) = manifest.split_once("sha256:").expect("a checksum");
    let digit = if sum.starts_with('0') { "1" } else { "0" };
    tree.write(
        "release/image.yaml",
        &format!("{before}sha256:{digit}{}", &sum[1..]),
    );
    let said = flux(world, &tree, &server, "plugin install image").fails();
    assert!(said.contains("checksum verification failed"), "{said}");
    assert!(!tree.at("plugins/flux-image").exists());
}

fn same_each_time(world: &World) {
    let tree = Tree::new(&[]);
    let url = "https://downloads.acme.example/v1.2.3/";
    for out in ["one", "two"] {
        archives(world, &tree.at(out), url, SMALL).ok();
    }
    assert_eq!(
        tree.read("one/checksums.txt"),
        tree.read("two/checksums.txt")
    );
    assert_eq!(tree.read("one/image.yaml"), tree.read("two/image.yaml"));
    world
        .shell(&tree.at("one"), "sha256sum --check checksums.txt")
        .ok();
    let files = world.shell(&tree.at("one"), "tar tzf *.tar.gz").ok();
    assert_eq!(files, "flux-image\nLICENSE\n", "at the root");
    let manifest = tree.read("one/image.yaml");
    let line = "    url: https://downloads.acme.example/v1.2.3/flux-image_1.2.3_linux_";
    assert!(
        manifest.contains(line) && !manifest.contains('@'),
        "{manifest}"
    );
}

fn sound_arguments(world: &World) {
    let tree = Tree::new(&[("full/file", "")]);
    let script = Path::new(services::ROOT).join("release/archives");
    let binary = env!("CARGO_BIN_EXE_flux-image");
    for (arguments, why) in [
        ("1.2 url out linux/amd64=BINARY", "`1.2` is no version"),
        ("1.2.3 url full linux/amd64=BINARY", "full is not empty"),
        ("1.2.3 url out plan9/amd64=BINARY", "is no OS/ARCH=BINARY"),
        ("1.2.3 url out linux/amd64=gone", "there is no gone"),
        ("1.2.3 url out", "VERSION URL FOLDER"),
    ] {
        let arguments = arguments.replace("BINARY", binary);
        let ran = world.shell(tree.path(), &format!("{} {arguments}", script.display()));
        let said = ran.fails();
        assert!(said.contains(why), "{said}");
    }
}

/// What each shell is asked for, and its answer.
const TYPED: &[(&str, &[&str])] = &[
    ("flux-image upd", &["update"]),
    ("flux-image update --bind ", &["auto", "markers", "images"]),
    ("flux-image completion b", &["bash"]),
];

fn documents() -> Tree {
    Tree::new(&[("flux.yaml", FLUX)])
}

fn completion_of_bash(world: &World) {
    let tree = documents();
    let typed = |line: &str| {
        let script = format!(
            "source <(flux-image completion bash)\nCOMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}\n_flux_image 2>/dev/null\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let ran = world.run(tree.path(), "bash", &["-c", &script]);
        ran.ok().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for (line, expected) in TYPED {
        assert_eq!(typed(line), *expected, "{line}");
    }
    assert_eq!(
        typed("flux-image update --only flux-s"),
        ["flux-system:app"]
    );
    // What stands before a colon is a word of its own to bash.
    assert_eq!(typed("flux-image update --only flux-system:a"), ["app"]);
    assert_eq!(typed("flux-image scan --refresh=flux"), ["flux-system/app"]);
}

fn completion_of_zsh(world: &World) {
    let tree = documents();
    for (line, expected) in TYPED {
        // What zsh itself would do with the answer is printed.
        let script = format!(
            "compdef() {{ : }}\n_files() {{ : }}\n_describe() {{ print -l -- \"${{(@P)2}}\" }}\nsource <(flux-image completion zsh)\nline='{line}'; words=(${{=line}}); [[ $line == *' ' ]] && words+=('')\nCURRENT=$#words\n_flux-image"
        );
        let ran = world.run(tree.path(), "zsh", &["-f", "-c", &script]).ok();
        let values = ran
            .lines()
            .map(|line| line.split(':').next().unwrap_or_default());
        assert_eq!(values.collect::<Vec<_>>(), *expected, "{line}");
    }
}

fn completion_of_fish(world: &World) {
    let tree = documents();
    for (line, expected) in TYPED {
        let script = format!("flux-image completion fish | source; complete -C '{line}'");
        let ran = world
            .run(tree.path(), "fish", &["--no-config", "-c", &script])
            .ok();
        let values = ran
            .lines()
            .map(|line| line.split('\t').next().unwrap_or_default());
        let mut values: Vec<&str> = values.collect();
        let mut expected = expected.to_vec();
        values.sort_unstable();
        expected.sort_unstable();
        assert_eq!(values, expected, "{line}");
    }
}

/// The files of a folder, served on loopback until it is dropped.
struct Files {
    address: String,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    fn serve(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                if let Ok(stream) = stream {
                    answer(stream, &folder);
                }
            }
        });
        Self {
            address,
            ended,
            thread: Some(thread),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // It waits for one more.
        _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, folder: &Path) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("/");
    let file = folder.join(path.trim_start_matches('/'));
    let (status, body) = match std::fs::read(file) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    _ = stream.write_all(head.as_bytes());
    _ = stream.write_all(&body);
}
