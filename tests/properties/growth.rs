//! Twice as large an input takes about twice the work, and no more: what was
//! the product of two of its numbers is counted here, not timed.

use std::collections::BTreeMap;
use std::time::Duration;

use flux_image::api::{Bind, OnUnresolved, TagSource};
use flux_image::binding::bindings::{self, BindingConfig};
use flux_image::documents::builder::{Builder, DocumentText};
use flux_image::documents::{Documents, Provenance, Rank};
use flux_image::plan::edits::{self, Policies};
use flux_image::plan::takers::Takers;
use flux_image::resource_list;
use flux_image::selection::resolve::{self, Refresh, Sources};
use flux_image::selection::tags::{Freshness, TagBook};
use go_regexp::Budget;

const REPOSITORY: &str = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: app, namespace: ns}
spec: {image: ghcr.io/acme/app, interval: 5m, exclusionList: [EXCLUDED]}
---
apiVersion: flux-image.dev/v1alpha1
kind: TagSnapshot
metadata: {name: tags}
spec: {repositories: [{image: ghcr.io/acme/app, tags: [1.0.0, 2.0.0]}]}
";

const POLICY: &str = "\
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: NAME, namespace: ns}
spec:
  imageRepositoryRef: {name: app}
  filterTags: {pattern: '^[0-9.]+$'}
  policy: {semver: {range: '*'}}
";

/// Policies of one repository, which excludes as many patterns.
fn documents(count: usize) -> (Documents, TagBook) {
    let excluded: Vec<String> = (0..count).map(|n| format!("'^rc{n}'")).collect();
    let mut text = REPOSITORY.replace("EXCLUDED", &excluded.join(", "));
    for n in 0..count {
        text.push_str("---\n");
        text.push_str(&POLICY.replace("NAME", &format!("p{n}")));
    }
    let outline = resource_list::read(&text).expect("YAML");
    let mut builder = Builder::default();
    builder.add(&[DocumentText {
        text: &text,
        outline: &outline,
        provenance: Provenance::new("policies.yaml", Rank::Flag),
    }]);
    let (documents, findings) = builder.finish();
    assert_eq!(findings, []);
    let freshness = Freshness {
        now: jiff::Timestamp::UNIX_EPOCH,
        max_age: Duration::ZERO,
    };
    let (tags, findings) = TagBook::of_snapshots(&documents, freshness);
    assert_eq!(findings, []);
    (documents, tags)
}

const SOURCES: Sources<'_> = Sources {
    tags_from: &[TagSource::Snapshot],
    refresh: &Refresh::Nothing,
};

fn grows_evenly(what: &str, work: fn(usize) -> usize) {
    let (one, two) = (work(100), work(200));
    assert!(one >= 100, "{what}: nothing was counted: {one}");
    assert!(two * 10 <= one * 22, "{what}: {one} for 100, {two} for 200");
}

/// Patterns that are compiled, for policies of one repository with many.
fn compiled(count: usize) -> usize {
    let (documents, tags) = documents(count);
    let mut budget = Budget::default();
    let images = resolve::resolve_within(&documents, &tags, &SOURCES, &mut budget);
    for resolved in images.values() {
        let image = resolved.image.as_ref().expect("an image");
        assert_eq!(image.tag, "2.0.0");
    }
    assert_eq!(images.len(), count);
    budget.compiled()
}

/// Bytes that are said of images that many policies follow.
fn said_of_followers(count: usize) -> usize {
    let (documents, tags) = documents(count);
    let images = resolve::resolve(&documents, &tags, &SOURCES);
    let config = BindingConfig {
        bind: Bind::Images,
        ..BindingConfig::default()
    };
    let context = flux_image::engine::context(&config, &documents);
    let container = "  - image: ghcr.io/acme/app:1.0.0\n";
    let head = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers:\n";
    let text = format!("{head}{}", container.repeat(count));
    let outline = resource_list::read(&text).expect("YAML");
    let bound = bindings::bind(&text, &outline, "pod.yaml", &context);
    let policies = Policies {
        all: &images,
        documents: &documents.policies,
        names: edits::by_name(&images),
        name_of: &|_| String::new(),
        on_unresolved: OnUnresolved::Fail,
        images: &context.images,
        renamed: &BTreeMap::new(),
        elsewhere: &Default::default(),
        is_incomplete: false,
    };
    let plan = edits::plan(("pod.yaml", &text), &bound, &Takers::one(None), &policies);
    let findings = &plan.outcome.findings;
    assert_eq!(findings.len(), count);
    assert_eq!(plan.used.len(), count);
    findings.iter().map(|finding| finding.message.len()).sum()
}

#[test]
fn patterns_are_compiled_once_a_repository() {
    grows_evenly("patterns", compiled);
}

#[test]
fn images_that_many_follow_do_not_each_name_all() {
    grows_evenly("followers", said_of_followers);
}

/// One pattern that is too much is an error of its own policies, which says
/// whose it is.
#[test]
fn patterns_beyond_the_budget_are_named() {
    let (documents, tags) = documents(2);
    let images = resolve::resolve_within(&documents, &tags, &SOURCES, &mut Budget::of(10));
    for resolved in images.values() {
        let error = resolved.image.as_ref().expect_err("no budget");
        let said = error.to_string();
        assert!(
            said.contains("`^rc0` of `exclusionList` of ImageRepository `ns:app`"),
            "{said}"
        );
        assert!(error.hint().is_some());
    }
}
