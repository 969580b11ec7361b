//! No time and no memory grows with the square of an input: for every kind of
//! input that may be large, what is counted for twice as much is at most 2.2
//! times as much. Work is counted by the program itself (`yaml::work`), memory by
//! what the outcome holds. A binary of its own, since the count is the process's.

use std::time::Duration;

use flux_image::api::{OnUnresolved, TagSource};
use flux_image::binding::bindings::BindingConfig;
use flux_image::checkout::{self, Request};
use flux_image::commit::commits::{self, CommitSettings, SplitBy};
use flux_image::documents::builder::Builder;
use flux_image::function::config::Settings;
use flux_image::function::{self, FunctionOptions};
use flux_image::report::patch;
use flux_image::report::stored::Forms;
use flux_image::selection::only::Only;
use flux_image::selection::resolve::Refresh;
use flux_image::selection::tags::Freshness;
use go_template::time::Time;
use yaml_edit_spans::work::counted;

/// How much twice as large an input may take.
const MOST: f64 = 2.2;

/// Enough that what is the same for every input does not count.
const N: usize = 400;

const GROUP: &str = "image.toolkit.fluxcd.io/v1";
const MARKER: &str = "# {\"$imagepolicy\": \"ns:p0\"}";

fn policy(number: usize, more: &str) -> String {
    format!(
        "{{apiVersion: {GROUP}, kind: ImagePolicy, metadata: {{name: p{number}, namespace: ns}}, spec: {{imageRepositoryRef: {{name: r}}, policy: {{alphabetical: {{}}}}}}, status: {{latestRef: {{name: ghcr.io/acme/app, tag: '1.1'}}}}{more}}}"
    )
}

fn broken(number: usize) -> String {
    format!("{{apiVersion: {GROUP}, kind: ImagePolicy, metadata: {{name: p{number}}}, spec: [1]}}")
}

fn repository(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: {GROUP}, kind: ImageRepository, metadata: {{name: {name}, namespace: ns}}, spec: {{image: ghcr.io/acme/app{more}}}}}"
    )
}

fn many(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).map(one).collect()
}

fn list(items: &[String]) -> String {
    format!(
        "{{kind: List, apiVersion: v1, items: [{}]}}\n",
        items.join(", ")
    )
}

fn resource_list(config: &str, items: &[String]) -> String {
    format!(
        "{{apiVersion: config.kubernetes.io/v1, kind: ResourceList, functionConfig: {{apiVersion: flux-image.dev/v1alpha1, kind: ImageUpdate, metadata: {{name: x}}, spec: {config}}}, items: [{}]}}\n",
        items.join(", ")
    )
}

fn each(n: usize, one: impl Fn(usize) -> String) -> Vec<String> {
    (0..n).map(one).collect()
}

type Kind = (&'static str, fn(usize) -> String);

/// Files by their names.
type Files = Vec<(String, String)>;

type Tree = (&'static str, fn(usize) -> Files);

fn automation(number: usize, path: &str, labels: &str) -> String {
    format!(
        "{{apiVersion: {GROUP}, kind: ImageUpdateAutomation, metadata: {{name: a{number}, namespace: ns}}, spec: {{sourceRef: {{kind: GitRepository, name: g}}, git: {{commit: {{author: {{email: a@ghcr.io}}}}}}, policySelector: {{matchLabels: {{{labels}}}}}, update: {{path: {path}}}}}}}\n---\n"
    )
}

fn labelled(number: usize, labels: &str) -> String {
    policy(number, "").replace(
        "namespace: ns}, spec",
        &format!("namespace: ns, labels: {{{labels}}}}}, spec"),
    )
}

/// The same for trees: large ones are read in chunks, and so not twice as much but
/// from a certain size on.
const FEW: usize = 240;

/// Every kind of tree that may be large, made of `n` of something.
const TREES: &[Tree] = &[
    ("automations with a folder each", |n| {
        let automations = many(n, |i| automation(i, &format!("apps/x{i}"), ""));
        let marked = format!("kind: X\na: b:1 {MARKER}\n");
        let folders = (0..n).map(|i| (format!("apps/x{i}/a.yaml"), marked.clone()));
        let documents = policy(0, "") + "\n---\n" + &automations;
        folders
            .chain([("flux.yaml".to_owned(), documents)])
            .collect()
    }),
    ("automations with a policy each", |n| {
        let of = |i| format!("app: x{i}");
        let automations = many(n, |i| automation(i, "apps", &of(i)));
        let policies = many(n, |i| labelled(i, &of(i)) + "\n---\n");
        let markers = many(n, |i| {
            format!("a{i}: b:1 # {{\"$imagepolicy\": \"ns:p{i}\"}}\n")
        });
        vec![
            ("flux.yaml".to_owned(), policies + &automations),
            ("apps/a.yaml".to_owned(), format!("kind: X\n{markers}")),
        ]
    }),
    ("automations, and policies that none selects", |n| {
        let automations = many(n, |i| automation(i, "apps", "app: none"));
        let policies = many(n, |i| policy(i, "") + "\n---\n");
        let markers = many(n, |i| {
            format!("a{i}: b:1 # {{\"$imagepolicy\": \"ns:p{i}\"}}\n")
        });
        vec![
            ("flux.yaml".to_owned(), policies + &automations),
            ("apps/a.yaml".to_owned(), format!("kind: X\n{markers}")),
        ]
    }),
    ("automations of one folder, and its files", |n| {
        let automations = many(n, |i| automation(i, "apps", ""));
        let marked = format!("kind: X\na: b:1 {MARKER}\n");
        let files = (0..n).map(|i| (format!("apps/a{i}.yaml"), marked.clone()));
        let documents = policy(0, "") + "\n---\n" + &automations;
        files.chain([("flux.yaml".to_owned(), documents)]).collect()
    }),
    ("automations that are suspended, and markers", |n| {
        let suspended =
            |i| automation(i, "apps", "app: none").replace("spec: {", "spec: {suspend: true, ");
        let automations = automation(n, "other", "") + &many(n, suspended);
        let policies = many(n, |i| policy(i, "") + "\n---\n");
        let markers = many(n, |i| {
            format!("a{i}: b:1 # {{\"$imagepolicy\": \"ns:p{i}\"}}\n")
        });
        vec![
            ("flux.yaml".to_owned(), policies + &automations),
            ("apps/a.yaml".to_owned(), format!("kind: X\n{markers}")),
            ("other/a.yaml".to_owned(), "kind: X\n".to_owned()),
        ]
    }),
    ("policies without a namespace below kustomizations", |n| {
        let folders = (0..n).flat_map(|i| {
            let policy = policy(i, "").replace(", namespace: ns}, spec", "}, spec");
            let kustomization = format!("namespace: n{i}\nresources: [p.yaml]\n");
            [
                (format!("k{i}/kustomization.yaml"), kustomization),
                (format!("k{i}/p.yaml"), policy),
            ]
        });
        let documents = policy(0, "") + "\n---\n" + &automation(0, "apps", "");
        let marked = format!("kind: X\na: b:1 {MARKER}\n");
        let others = [("flux.yaml", documents), ("apps/a.yaml", marked)];
        let others = others.map(|(name, text)| (name.to_owned(), text));
        folders.chain(others).collect()
    }),
    ("files that are broken, and links", |n| {
        let files = (0..n).map(|i| (format!("apps/a{i}.yaml"), format!("a: [ {MARKER}\n")));
        let documents = policy(0, "") + "\n---\n" + &automation(0, "apps", "");
        files.chain([("flux.yaml".to_owned(), documents)]).collect()
    }),
];

/// Every kind of input that may be large, made of `n` of something.
const KINDS: &[Kind] = &[
    ("documents", |n| {
        many(n, |i| format!("---\n{}\n", policy(i, "")))
    }),
    ("documents on lines of their own", |n| {
        many(n, |i| format!("--- {}\n", policy(i, "")))
    }),
    ("items on one line", |n| list(&each(n, |i| policy(i, "")))),
    ("broken items on one line", |n| list(&each(n, broken))),
    ("broken documents", |n| {
        many(n, |i| format!("---\n{}\n", broken(i)))
    }),
    ("unknown fields on one line", |n| {
        policy(0, &many(n, |i| format!(", x{i}: 1")))
    }),
    ("markers", |n| {
        format!(
            "{}\n---\nkind: X\n{}",
            policy(0, ""),
            many(n, |i| format!("a{i}: x:1 {MARKER}\n"))
        )
    }),
    ("markers of a long name", |n| {
        let name = "n".repeat(n * 20);
        let markers = many(n, |i| format!("a{i}: x:1 {MARKER}\n"));
        format!(
            "{}\n---\nkind: X\nmetadata: {{name: {name}}}\n{markers}",
            policy(0, "")
        )
    }),
    ("markers in brackets", |n| {
        format!(
            "{}\n---\nkind: X\na: [\n{}]\n",
            policy(0, ""),
            many(n, |_| format!("x:1, {MARKER}\n"))
        )
    }),
    ("markers of unknown policies", |n| {
        let markers = many(n, |i| {
            format!("a{i}: x:1 # {{\"$imagepolicy\": \"ns:q{i}\"}}\n")
        });
        format!(
            "{}---\nkind: X\n{markers}",
            many(n, |i| format!("---\n{}\n", policy(i, "")))
        )
    }),
    ("mentions on one line", |n| {
        list(&each(n, |i| {
            format!("{{kind: X, metadata: {{name: imagepolicy-{i}}}, l: [a, b]}}")
        }))
    }),
    ("mentions in one comment", |n| {
        format!("a: b # $ {}\n", "{imagepolicy ".repeat(n))
    }),
    ("dead markers", |n| {
        many(n, |i| {
            format!("a{i}: # {{\"$imagepolicy\": \"ns:q{i}\"}}\n")
        })
    }),
    ("comments", |n| {
        format!("a:\n{}  b: c:1 {MARKER}\n", "# an imagepolicy\n".repeat(n))
    }),
    ("aliases", |n| {
        format!("a: &a b # imagepolicy\nb: [{}]\n", "*a, ".repeat(n))
    }),
    ("paths of an annotation", |n| {
        let paths = each(n, |i| {
            format!("\"spec.containers.[name=c{i}].image\":\"ns:p0\"")
        })
        .join(",");
        let containers = each(n, |i| format!("{{name: c{i}, image: 'x:1'}}")).join(", ");
        format!(
            "{}\n---\n{{kind: Pod, metadata: {{annotations: {{flux-image.dev/bind: '{{{paths}}}'}}}}, spec: {{containers: [{containers}]}}}}\n",
            policy(0, "")
        )
    }),
    ("keys of an annotation", |n| {
        let paths = each(n, |i| format!("\"data.k{i}\":\"ns:p0\"")).join(",");
        let data = each(n, |i| format!("k{i}: 'x:1'")).join(", ");
        format!(
            "{}\n---\n{{kind: X, metadata: {{annotations: {{flux-image.dev/bind: '{{{paths}}}'}}}}, data: {{{data}}}}}\n",
            policy(0, "")
        )
    }),
    ("bindings and resources", |n| {
        let bindings = each(n, |i| {
            format!("{{target: {{kind: X, name: x{i}}}, field: a, policy: 'ns:p0'}}")
        });
        let mut items = each(n, |i| {
            format!("{{kind: X, metadata: {{name: x{i}}}, a: 'b:1'}}")
        });
        items.push(policy(0, ""));
        resource_list(&format!("{{bindings: [{}]}}", bindings.join(", ")), &items)
    }),
    ("images of one policy", |n| {
        let mut items = each(n, |_| {
            "{kind: Pod, spec: {containers: [{image: 'ghcr.io/acme/app:1'}]}}".to_owned()
        });
        items.extend([policy(0, ""), repository("r", "")]);
        resource_list("{bind: Images}", &items)
    }),
    ("images of many policies", |n| {
        let mut items = each(n, |_| {
            "{kind: Pod, spec: {containers: [{image: 'ghcr.io/acme/app:1'}]}}".to_owned()
        });
        items.extend(each(n, |i| policy(i, "")));
        items.push(repository("r", ""));
        resource_list("{bind: Images}", &items)
    }),
    ("policies of one repository", |n| {
        let snapshot = "{apiVersion: flux-image.dev/v1alpha1, kind: TagSnapshot, metadata: {name: s}, spec: {repositories: [{image: ghcr.io/acme/app, tags: ['1.0', '1.1', x]}]}}";
        let mut items = each(n, |i| {
            policy(i, "")
                .split(", status")
                .next()
                .expect("a policy")
                .to_owned()
                + "}"
        });
        items.extend([
            repository(
                "r",
                &format!(", exclusionList: [{}]", "x, ".repeat(n / 100)),
            ),
            snapshot.to_owned(),
        ]);
        resource_list("{}", &items)
    }),
    ("tags", |n| {
        let snapshot = format!(
            "{{apiVersion: flux-image.dev/v1alpha1, kind: TagSnapshot, metadata: {{name: s}}, spec: {{repositories: [{{image: ghcr.io/acme/app, tags: [{}]}}]}}}}",
            each(n, |i| format!("'1.{i}.0'")).join(", ")
        );
        let undecided = policy(0, "")
            .split(", status")
            .next()
            .expect("a policy")
            .to_owned()
            + "}";
        resource_list("{}", &[undecided, repository("r", ""), snapshot])
    }),
    ("items that leave", |n| {
        let mut items = each(n, |i| policy(i, ""));
        items.insert(0, "{kind: X}".to_owned());
        resource_list("{keepPolicies: false}", &items)
    }),
    ("namespaces that are let in", |n| {
        let selectors = each(n, |i| {
            format!("{{matchLabels: {{tier: gold, kubernetes.io/metadata.name: ns{i}}}}}")
        });
        let mut items = each(n, |i| {
            format!(
                "{{apiVersion: v1, kind: Namespace, metadata: {{name: ns{i}, labels: {{tier: gold}}}}}}"
            )
        });
        items.extend(each(n, |i| {
            let other = policy(i, "").replace("namespace: ns}", &format!("namespace: ns{i}}}"));
            other.replace("{name: r}", "{name: r, namespace: ns}")
        }));
        let access = format!(
            ", accessFrom: {{namespaceSelectors: [{}]}}",
            selectors.join(", ")
        );
        items.push(repository("r", &access));
        resource_list("{bind: Images}", &items)
    }),
    ("Secrets", |n| {
        list(&each(n, |i| {
            format!("{{kind: Secret, metadata: {{name: s{i}}}, data: {{imagepolicy: x}}}}")
        }))
    }),
];

fn options() -> FunctionOptions<'static> {
    FunctionOptions {
        config: None::<Settings>,
        documents: Builder::default(),
        freshness: freshness(),
        refresh: Refresh::Nothing,
        read_origin: None,
    }
}

fn freshness() -> Freshness {
    Freshness {
        now: jiff::Timestamp::UNIX_EPOCH,
        max_age: Duration::MAX,
    }
}

/// The work of a run, and the size of all it has to say.
fn run(text: &str) -> (u64, usize) {
    let before = counted();
    let output = function::run(text, options(), None).expect("it can be read");
    let size = format!("{:?}", output.outcome).len();
    (counted() - before, size)
}

/// The same of an update in place.
fn update(files: &Files) -> (u64, usize) {
    let tree = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = tree.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let request = Request {
        current: tree.path().to_owned(),
        paths: Vec::new(),
        alone: None,
        policies: Vec::new(),
        tags_from: TagSource::ALL.to_vec(),
        on_unresolved: OnUnresolved::Fail,
        freshness: freshness(),
        refresh: Refresh::Nothing,
        secrets: Vec::new(),
        only: Only::default(),
        labels: false,
        bindings: BindingConfig::default(),
        clusters: Default::default(),
        has_tree_documents: true,
        also_read: &[],
    };
    let before = counted();
    let planned = checkout::plan(&request, &Default::default(), None).expect("a plan");
    let setting = CommitSettings {
        split_by: SplitBy::Policy,
        legacy: false,
        needs_messages: true,
        needs_branches: true,
        now: &Time::utc(jiff::Timestamp::UNIX_EPOCH),
    };
    let (commits, findings) = commits::hand_off(&planned, &setting);
    let patches = patch::patches(&planned, &commits, &Forms::new()).expect("patches");
    let said = format!("{:?} {commits:?} {findings:?} {patches:?}", planned.outcome);
    let size = said.len();
    (counted() - before, size)
}

#[test]
fn twice_as_much_is_no_more_than_twice_the_work() {
    let mut wrong = Vec::new();
    let mut compare = |name: &str, once: (u64, usize), twice: (u64, usize)| {
        let work = twice.0 as f64 / once.0.max(1) as f64;
        let size = twice.1 as f64 / once.1.max(1) as f64;
        println!(
            "{name}: work {} → {} ({work:.2}), outcome {} → {} ({size:.2})",
            once.0, twice.0, once.1, twice.1
        );
        // Without debug assertions nothing is counted.
        if once.0 == 0 || work > MOST || size > MOST {
            wrong.push(format!("{name}: work {work:.2}, outcome {size:.2}"));
        }
    };
    for (name, made) in KINDS {
        compare(name, run(&made(N)), run(&made(2 * N)));
    }
    for (name, made) in TREES {
        compare(name, update(&made(FEW)), update(&made(2 * FEW)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
