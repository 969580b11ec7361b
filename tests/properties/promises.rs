//! What must hold of any text and any policies.

use std::time::Duration;

use flux_image::documents::builder::{Builder, DocumentText};
use flux_image::documents::{Provenance, Rank};
use flux_image::function::{self, FunctionOptions, Output};
use flux_image::resource_list;
use flux_image::resource_list::MASK;
use flux_image::selection::tags::Freshness;
use yaml_edit_spans::scalar::reads_as_non_string_in_yaml_1_1;

use crate::readback::{Rest, Scalar, scalars};

/// A policy: name and tag, and a digest where it has one.
#[derive(Clone, Debug)]
pub struct Policy {
    pub name: String,
    pub tag: String,
    pub digest: Option<String>,
}

pub const IMAGE: &str = "ghcr.io/acme/app";

impl Policy {
    pub fn new(name: &str, tag: &str) -> Self {
        Self {
            name: name.to_owned(),
            tag: tag.to_owned(),
            digest: None,
        }
    }

    fn document(&self) -> String {
        let digest = match &self.digest {
            Some(digest) => format!(", digest: '{digest}'"),
            None => String::new(),
        };
        let (namespace, name) = self.name.split_once(':').expect("namespace:name");
        format!(
            "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: '{name}', namespace: '{namespace}'}}\nstatus: {{latestRef: {{name: {IMAGE}, tag: '{}'{digest}}}}}\n",
            self.tag
        )
    }
}

fn options(policies: &[&Policy]) -> FunctionOptions<'static> {
    let text: String = policies.iter().map(|policy| policy.document()).collect();
    let mut documents = Builder::default();
    let outline = resource_list::read(&text).expect("the policies are YAML");
    documents.add(&[DocumentText {
        text: &text,
        outline: &outline,
        provenance: Provenance::new("policies.yaml", Rank::Flag),
    }]);
    FunctionOptions {
        refresh: flux_image::selection::resolve::Refresh::Nothing,
        read_origin: None,
        config: None,
        documents,
        freshness: Freshness {
            now: jiff::Timestamp::UNIX_EPOCH,
            max_age: Duration::MAX,
        },
    }
}

/// Runs the function on `text`, and checks every promise that can be seen from
/// outside. Returns what came out, for what else a test wants to know.
///
/// # Panics
/// When a promise is broken.
pub fn check<'t>(text: &'t str, policies: &[Policy]) -> Output<'t> {
    let all: Vec<&Policy> = policies.iter().collect();
    let output = function::run(text, options(&all), None).expect("the text can be read");
    if output.outcome.findings.is_empty() || !output.outcome.changes.is_empty() {
        nothing_else_changed(text, &output);
    } else {
        assert_eq!(
            output.text.to_string(),
            text,
            "no change, and yet another text"
        );
    }
    // The order of documents does not matter, and a second run changes nothing.
    let reversed: Vec<&Policy> = policies.iter().rev().collect();
    let other = function::run(text, options(&reversed), None).expect("as before");
    assert_eq!(
        other.text.to_string(),
        output.text.to_string(),
        "the order of policies matters"
    );
    let written = output.text.to_string();
    let again = function::run(&written, options(&all), None).expect("what came out is YAML");
    assert_eq!(
        again.text.to_string(),
        output.text.to_string(),
        "a second run changed something"
    );
    assert_eq!(again.outcome.changes, [], "a second run changed something");
    no_old_digest_beside_a_new_tag(&output, policies);
    output
}

fn nothing_else_changed(text: &str, output: &Output<'_>) {
    let written = output.text.to_string();
    let before = scalars(text).expect("the input is YAML");
    let after = scalars(&output.text.to_string())
        .unwrap_or_else(|error| panic!("the output is not valid YAML: {error}\n{}", output.text));
    assert_eq!(before.len(), after.len(), "{}", output.text);
    let (mut rest_before, mut rest_after) = (Rest::new(text), Rest::new(&written));
    let mut changed: Vec<(String, String)> = Vec::new();
    for (old, new) in before.iter().zip(&after) {
        if old.value == new.value {
            continue;
        }
        changed.push((bare(&old.value), new.value.clone()));
        reads_as_a_string(new);
        rest_before.without(old);
        rest_after.without(new);
    }
    let loose = rest_before.is_loose();
    assert_eq!(rest_after.text(loose), rest_before.text(loose));
    let wanted: Vec<(String, String)> = output
        .outcome
        .changes
        .iter()
        .map(|change| (bare(&change.old), change.new.clone()))
        .collect();
    // What a Secret held is not said, so each of those stands for one of its
    // changes, by the value that is written.
    let (masked, told): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(old, _)| old == MASK);
    for change in told {
        let at = changed.iter().position(|known| *known == change);
        changed.remove(at.unwrap_or_else(|| panic!("{change:?} is not in {}", output.text)));
    }
    let news = |changes: Vec<(String, String)>| {
        let mut news: Vec<String> = changes.into_iter().map(|(_, new)| new).collect();
        news.sort();
        news
    };
    assert_eq!(news(changed), news(masked), "{}", output.text);
}

/// Readers count the blank lines at the end of a text differently.
fn bare(old: &str) -> String {
    old.trim_end_matches('\n').to_owned()
}

/// In YAML 1.2 by the other reader, in 1.1 by what Go was recorded to answer.
fn reads_as_a_string(scalar: &Scalar) {
    assert!(
        scalar.is_string,
        "`{}` is no string in YAML 1.2",
        scalar.value
    );
    assert!(
        !scalar.is_plain || !reads_as_non_string_in_yaml_1_1(&scalar.value),
        "`{}` is no string in YAML 1.1",
        scalar.value
    );
}

fn no_old_digest_beside_a_new_tag(output: &Output<'_>, policies: &[Policy]) {
    for change in &output.outcome.changes {
        let policy = policies.iter().find(|policy| {
            let rest = change.setter.strip_prefix(&policy.name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        let policy = policy.unwrap_or_else(|| panic!("no policy is called {}", change.setter));
        let digest = change
            .new
            .split_once('@')
            .map(|(_, digest)| digest.to_owned());
        if change.setter == policy.name {
            assert_eq!(digest, policy.digest, "{change:?}");
        } else {
            assert_eq!(digest, None, "{change:?}");
        }
    }
}
