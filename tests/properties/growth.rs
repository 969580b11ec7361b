//! Twice as large an input takes about twice the work, and no more: what was
//! the product of two of its numbers is counted here, not timed.

use std::collections::BTreeMap;
use std::time::Duration;

use flux_image::api::{Bind, OnUnresolved, TagSource};
use flux_image::resource_list::outline;
use flux_image::update::bindings::{self, BindingConfig, BindingContext};
use flux_image::update::catalogue::{Catalogue, Freshness, Provenance};
use flux_image::update::plan::{self, Policies};
use flux_image::update::resolve::{self, Refresh, Sources};
use flux_image::update::takers::Takers;
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
fn catalogue(count: usize) -> Catalogue {
    let excluded: Vec<String> = (0..count).map(|n| format!("'^rc{n}'")).collect();
    let mut text = REPOSITORY.replace("EXCLUDED", &excluded.join(", "));
    for n in 0..count {
        text.push_str("---\n");
        text.push_str(&POLICY.replace("NAME", &format!("p{n}")));
    }
    let outline = outline::read(&text).expect("YAML");
    let mut catalogue = Catalogue::default();
    catalogue.add_outline(&text, &outline, Provenance::flag("policies.yaml"));
    catalogue.finish(Freshness {
        now: jiff::Timestamp::UNIX_EPOCH,
        max_age: Duration::ZERO,
    });
    assert_eq!(catalogue.findings, []);
    catalogue
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
    let catalogue = catalogue(count);
    let mut budget = Budget::default();
    let images = resolve::resolve_within(&catalogue, &SOURCES, &mut budget);
    for resolved in images.values() {
        let image = resolved.image.as_ref().expect("an image");
        assert_eq!(image.tag, "2.0.0");
    }
    assert_eq!(images.len(), count);
    budget.compiled()
}

/// Bytes that are said of images that many policies follow.
fn said_of_followers(count: usize) -> usize {
    let catalogue = catalogue(count);
    let images = resolve::resolve(&catalogue, &SOURCES);
    let ways = BindingConfig {
        bind: Bind::Images,
        ..BindingConfig::default()
    };
    let rules = BindingContext::new(&ways, &catalogue);
    let container = "  - image: ghcr.io/acme/app:1.0.0\n";
    let head = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers:\n";
    let text = format!("{head}{}", container.repeat(count));
    let outline = outline::read(&text).expect("YAML");
    let bound = bindings::bind(&text, &outline, "pod.yaml", &rules);
    let names = plan::by_name(&images);
    let policies = Policies {
        all: &images,
        names: &names,
        takers: &Takers::one(None),
        name_of: &|_| String::new(),
        on_unresolved: OnUnresolved::Fail,
        images: &rules.images,
        renamed: &BTreeMap::new(),
    };
    let plan = plan::plan(&text, &bound, "pod.yaml", &policies);
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
    let catalogue = catalogue(2);
    let images = resolve::resolve_within(&catalogue, &SOURCES, &mut Budget::of(10));
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
