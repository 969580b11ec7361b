//! The `.jsonl` files: one row, one answer.

use std::collections::{BTreeMap, BTreeSet};

use flux_image::api::{GitReference, Id, PushSpec};
use flux_image::commit::data::{Changed, Data, SeenChange};
use flux_image::commit::{branch, render};
use flux_image::finding::ResourceRef;
use flux_image::policy::exclusion;
use flux_image::policy::funnel::{Funnel, Step};
use flux_image::policy::reflect::{DigestReflection, ImageRef, Reflected, WantedDigest};
use flux_image::policy::{Choice, ChosenNothing, Filter, InvalidPolicy, Order, Policy};
use go_regexp::Budget;
use go_template::time::Time;
use masterminds_semver::Constraint;
use oci_tags::image::Repository;
use serde_json::Value;
use yaml_edit_spans::scalar::reads_as_non_string_in_yaml_1_1;

use crate::Verdict;

/// Checks one row.
pub type Check = fn(&Value) -> Verdict;

/// Every file of rows, with its check.
pub const FILES: &[(&str, Check)] = &[
    ("policy.jsonl", policy),
    ("regex.jsonl", regex),
    ("exclusion.jsonl", exclusion),
    ("imageref.jsonl", imageref),
    ("ready.jsonl", ready),
    ("digest.jsonl", digest),
    ("nonstring.jsonl", nonstring),
    ("message.jsonl", message),
    ("push.jsonl", push),
];

fn strings(value: &Value) -> Vec<String> {
    let text = |v: &Value| v.as_str().expect("a string").to_owned();
    value
        .as_array()
        .map(|list| list.iter().map(text).collect())
        .unwrap_or_default()
}

fn same<T: PartialEq + std::fmt::Debug>(ours: &T, flux: &T) -> Verdict {
    if ours == flux {
        return Ok(());
    }
    Err(format!("ours {ours:?}, Flux {flux:?}").into())
}

/// Go's error text, and whether the object stalls.
enum Refusal {
    Invalid(InvalidPolicy),
    Nothing(ChosenNothing),
}

fn choose(row: &Value) -> Result<String, Refusal> {
    let spec = &row["policy"];
    let word = |kind: &str, field: &str| spec[kind][field].as_str().unwrap_or_default().to_owned();
    let choice = if spec["semver"].is_object() {
        Constraint::parse(&word("semver", "range"))
            .map(Choice::Semver)
            .map_err(InvalidPolicy::Range)
    } else if spec["alphabetical"].is_object() {
        Order::parse(&word("alphabetical", "order")).map(Choice::Alphabetical)
    } else if spec["numerical"].is_object() {
        Order::parse(&word("numerical", "order")).map(Choice::Numerical)
    } else {
        Err(InvalidPolicy::Empty)
    };
    let filter = row.get("filterTags").map(|filter| {
        let part = |name: &str| filter[name].as_str().unwrap_or_default().to_owned();
        (part("pattern"), part("extract"))
    });
    let policy = Policy::new(choice.map_err(Refusal::Invalid)?, filter);
    let tags = strings(&row["tags"]);
    let chosen = policy.select(&tags);
    tell(&policy, &tags, &chosen);
    chosen.map_err(Refusal::Nothing)
}

/// What is told of each tag leads to what is chosen, and to it alone.
fn tell(policy: &Policy, tags: &[String], chosen: &Result<String, ChosenNothing>) {
    // Flux's rows hold the order in which tags come; here they are sorted.
    let mut sorted = tags.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let none: [&str; 1] = ["[^\\x{0}-\\x{10FFFF}]"];
    let funnel = Funnel::of(policy, &none, tags, &mut Budget::default()).expect("exclusions");
    let distinct: BTreeSet<&String> = tags.iter().collect();
    assert_eq!(funnel.tags.len(), distinct.len(), "each tag is told once");
    assert_eq!(funnel.chosen, policy.select(&sorted));
    let first = funnel.ranked().next().map(|one| &one.tag);
    match &funnel.chosen {
        Ok(tag) => assert_eq!(first, Some(tag)),
        Err(ChosenNothing::NotNumeric { .. }) => {
            assert!(funnel.ended_at(Step::Value).next().is_some());
        }
        Err(_) => assert_eq!(first, None, "{chosen:?}"),
    }
}

fn policy(row: &Value) -> Verdict {
    let expect = &row["expect"];
    let ours = choose(row);
    if row["nondeterministic"] == true {
        return match (&ours, choose(row)) {
            (Ok(tag), Ok(again)) => {
                same(tag, &again)?;
                let any = strings(&expect["latest_any"]);
                any.contains(tag)
                    .then_some(())
                    .ok_or_else(|| format!("ours {tag}, Flux one of {any:?}").into())
            }
            _ if expect.get("error_any").is_some() => Ok(()),
            _ => Err("ours fails, Flux does not".into()),
        };
    }
    let Some(error) = expect.get("error") else {
        return match ours {
            Ok(tag) => same(&Some(tag.as_str()), &expect["latest"].as_str()),
            Err(Refusal::Invalid(error)) => Err(error.to_string().into()),
            Err(Refusal::Nothing(error)) => Err(error.to_string().into()),
        };
    };
    let text = error.as_str().unwrap_or_default();
    match ours {
        Ok(tag) => Err(format!("ours {tag}, Flux: {text}").into()),
        Err(Refusal::Invalid(error)) => {
            same(&Some(true), &expect["stalled"].as_bool())?;
            // Quoted in flux-behaviour.md: the order's and the empty choice's text.
            match error {
                InvalidPolicy::Range(_) => same(&text.starts_with("invalid policy: "), &true),
                error => same(&format!("invalid policy: {error}"), &text.to_owned()),
            }
        }
        Err(Refusal::Nothing(error)) => {
            if let Some(stalled) = expect.get("stalled") {
                same(&Some(error.stalls()), &stalled.as_bool())?;
            }
            let ours = error.to_string();
            same(&text.starts_with(&ours), &true)
        }
    }
}

fn regex(row: &Value) -> Verdict {
    let part = |name: &str| row["filterTags"][name].as_str().unwrap_or_default();
    let filter = Filter::new(part("pattern"), part("extract"), &mut Budget::default());
    let expect = &row["expect"];
    match (filter, expect.get("error")) {
        (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some(error)) => Err(format!("Flux: {error}").into()),
        (Err(error), None) => Err(error.to_string().into()),
        (Ok(filter), None) => {
            let mut ours: Vec<(String, String)> = filter
                .apply(&strings(&row["tags"]))
                .into_iter()
                .map(|candidate| (candidate.value, candidate.tag))
                .collect();
            ours.sort();
            let pairs = expect["pairs"].as_array().cloned().unwrap_or_default();
            let mut flux: Vec<(String, String)> = pairs
                .iter()
                .map(|pair| {
                    let pair = strings(pair);
                    (pair[0].clone(), pair[1].clone())
                })
                .collect();
            flux.sort();
            same(&ours, &flux)
        }
    }
}

fn exclusion(row: &Value) -> Verdict {
    let expect = &row["expect"];
    let (patterns, tags) = (strings(&row["exclusionList"]), strings(&row["tags"]));
    match (
        exclusion::keep(&patterns, &tags, &mut Budget::default()),
        expect.get("error"),
    ) {
        (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some(error)) => Err(format!("Flux: {error}").into()),
        (Err(error), None) => Err(error.to_string().into()),
        (Ok(kept), None) => {
            let kept: Vec<String> = kept.into_iter().map(str::to_owned).collect();
            same(&kept, &strings(&expect["kept"]))?;
            let first: Vec<String> = kept.into_iter().take(10).collect();
            same(&first, &strings(&expect["latestTags"]))
        }
    }
}

fn imageref(row: &Value) -> Verdict {
    let image = row["image"].as_str().expect("an image");
    let expect = &row["expect"];
    match (Repository::parse(image), expect["error"].as_str()) {
        (Err(error), Some(flux)) => same(&error.to_string().as_str(), &flux),
        (Ok(repository), Some(flux)) => Err(format!("ours {repository}, Flux: {flux}").into()),
        (Err(error), None) => Err(error.to_string().into()),
        (Ok(repository), None) => {
            let insecure = row["insecure"] == true;
            same(
                &Some(repository.canonical().as_str()),
                &expect["canonical"].as_str(),
            )?;
            same(&Some(repository.host()), &expect["registry"].as_str())?;
            same(&Some(repository.path()), &expect["repository"].as_str())?;
            same(
                &Some(repository.scheme(insecure)),
                &expect["scheme"].as_str(),
            )
        }
    }
}

fn image_ref(value: &Value) -> Option<ImageRef> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    value.is_object().then(|| ImageRef {
        name: text("name"),
        tag: text("tag"),
        digest: Some(text("digest")).filter(|digest| !digest.is_empty()),
    })
}

fn ready(row: &Value) -> Verdict {
    let reflected = Reflected {
        latest: image_ref(&row["latestRef"]),
        previous: image_ref(&row["previousRef"]),
    };
    let ours = reflected.ready_message().unwrap_or_default();
    same(
        &ours.as_str(),
        &row["expect"]["message"].as_str().unwrap_or_default(),
    )
}

fn digest(row: &Value) -> Verdict {
    let before = Reflected {
        latest: image_ref(&row["before"]["latestRef"]),
        previous: image_ref(&row["before"]["observedPreviousRef"]),
    };
    let expect = &row["expect"];
    let elected = row["elected"].as_str().expect("a tag");
    let reflection =
        DigestReflection::parse(row["policy"].as_str().unwrap_or_default()).ok_or("policy")?;
    let digest = match reflection.wanted("IMG", elected, before.latest.as_ref()) {
        WantedDigest::Known(digest) => Ok(digest),
        WantedDigest::Fetch => row["registry"][elected]
            .as_str()
            .map(|d| Some(d.to_owned()))
            .ok_or(()),
    };
    let after = match digest {
        Err(()) => {
            expect.get("error").ok_or("ours fails, Flux does not")?;
            before
        }
        Ok(digest) => {
            same(&expect.get("error").is_none(), &true)?;
            before.moved_to(ImageRef {
                name: "IMG".to_owned(),
                tag: elected.to_owned(),
                digest,
            })
        }
    };
    same(&after.latest, &image_ref(&expect["latestRef"]))?;
    same(&after.previous, &image_ref(&expect["observedPreviousRef"]))
}

fn nonstring(row: &Value) -> Verdict {
    let value = row["value"].as_str().expect("a value");
    same(
        &Some(reads_as_non_string_in_yaml_1_1(value)),
        &row["nonString"].as_bool(),
    )
}

/// When the rows of messages were recorded: `ago 0` counts to then.
const RECORDED: &str = "2026-11-21T10:36:02Z";

fn changed(result: &Value) -> Changed {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut changed = Changed::default();
    for file in list(&result["files"]) {
        let path = text(&file["path"]);
        for object in list(&file["objects"]) {
            let resource = ResourceRef {
                api_version: text(&object["apiVersion"]),
                kind: text(&object["kind"]),
                name: text(&object["name"]),
                namespace: text(&object["namespace"]),
            };
            for change in list(&object["changes"]) {
                let change = SeenChange {
                    old: text(&change["old"]),
                    new: text(&change["new"]),
                    setter: text(&change["setter"]),
                    image: None,
                };
                changed.add(&path, resource.clone(), change);
            }
        }
    }
    changed
}

fn message(row: &Value) -> Verdict {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let automation = Id::new(
        text(&row["automation"]["namespace"]),
        text(&row["automation"]["name"]),
    );
    let values: Option<BTreeMap<String, String>> = row["values"].as_object().map(|values| {
        let pair = |(key, value): (&String, &Value)| (key.clone(), text(value));
        values.iter().map(pair).collect()
    });
    let changed = changed(&row["result"]);
    let data = Data {
        automation: &automation,
        changed: &changed,
        values: values.as_ref(),
        legacy: false,
    };
    let now = Time::utc(RECORDED.parse().expect("a time"));
    let ours = render::message(&text(&row["template"]), &data, &now);
    let again = render::message(&text(&row["template"]), &data, &now);
    same(&ours, &again)?;
    let expect = &row["expect"];
    match ours {
        Ok(message) if expect["message"].is_string() => same(&message, &text(&expect["message"])),
        Ok(message) if strings(&expect["message_any"]).contains(&message) => Ok(()),
        Err(error) if expect["error"].is_string() => {
            let removed = matches!(error, render::MessageError::Removed(_));
            same(&removed, &(expect["removedField"] == true))?;
            // Of Go's error, what is before the place: ours names line and column.
            let theirs = text(&expect["error"]);
            let words = theirs.split(": template:").next().unwrap_or_default();
            match error.to_string().starts_with(words) {
                true => Ok(()),
                false => Err(format!("ours {error}, Flux {theirs}").into()),
            }
        }
        ours => Err(format!("ours {ours:?}, Flux {expect}").into()),
    }
}

fn push(row: &Value) -> Verdict {
    let read = |value: &Value| (!value.is_null()).then(|| value.clone());
    let spec: Option<PushSpec> =
        read(&row["push"]).map(|push| serde_json::from_value(push).expect("a push"));
    let checkout: Option<GitReference> =
        read(&row["checkoutRef"]).map(|checkout| serde_json::from_value(checkout).expect("a ref"));
    let expect = &row["expect"];
    match branch::push(spec.as_ref(), checkout.as_ref()) {
        Ok(push) => {
            same(
                &push.branch,
                &expect["pushBranch"]
                    .as_str()
                    .unwrap_or("an error")
                    .to_owned(),
            )?;
            same(&push.switches, &(expect["switchBranch"] == true))?;
            same(&push.refspec.is_some(), &(expect["hasRefspec"] == true))
        }
        Err(error) => same(
            &error.to_string(),
            &expect["error"].as_str().unwrap_or("a push").to_owned(),
        ),
    }
}
