//! The `.jsonl` files: one row, one answer.

use flux_image::go::semver::Constraint;
use flux_image::image::Repository;
use flux_image::policy::exclusion::Exclusion;
use flux_image::policy::reflect::{DigestReflection, ImageRef, Reflected, Wanted};
use flux_image::policy::{Choice, ChosenNothing, Filter, InvalidPolicy, Order, Policy};
use flux_image::yaml::scalar::reads_as_non_string_in_yaml_1_1;
use serde_json::Value;

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
    Policy::new(choice.map_err(Refusal::Invalid)?, filter)
        .select(&strings(&row["tags"]))
        .map_err(Refusal::Nothing)
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
    let filter = Filter::new(part("pattern"), part("extract"));
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
    match (
        Exclusion::new(&strings(&row["exclusionList"])),
        expect.get("error"),
    ) {
        (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some(error)) => Err(format!("Flux: {error}").into()),
        (Err(error), None) => Err(error.to_string().into()),
        (Ok(exclusion), None) => {
            let kept: Vec<String> = exclusion
                .keep(&strings(&row["tags"]))
                .into_iter()
                .map(str::to_owned)
                .collect();
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
        Wanted::Known(digest) => Ok(digest),
        Wanted::Fetch => row["registry"][elected]
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
