//! Where a commit goes: the branch that Flux would push to, its refspec and its
//! push options.
//!
//! Flux takes `push.branch` as it stands. A template in it, which Flux would
//! push to literally, is rendered here, with the data of the message and three
//! functions more: `now LAYOUT`, `isoWeek` and `isoYear`.

use std::collections::BTreeMap;

use crate::api::{GitReference, PushSpec};
use crate::commit::data::Data;
use crate::commit::refname::{self, BadBranch};
use crate::commit::render;
use go_regexp::Regex;
use go_template::budget::Fault;
use go_template::error::Error;
use go_template::function::{Args, Function, Run};
use go_template::functions;
use go_template::time::Time;
use go_template::value::Value;

/// Where to push, as the automation says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The branch, which may be a template.
    pub branch: String,
    /// Whether it is another than the one that was checked out.
    pub switches: bool,
    /// `push.branch` names it.
    pub is_named: bool,
    /// The branch that was checked out; empty where it has no name.
    pub base: String,
    /// What to push besides, as it stands.
    pub refspec: Option<String>,
    /// Push options.
    pub options: BTreeMap<String, String>,
}

/// Neither `push.branch` nor a checked out branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "push spec not provided, and cannot be inferred from .spec.git.checkout.ref or GitRepository .spec.ref"
)]
pub struct NoBranch;

/// Why there is no branch to push to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BranchError {
    /// The template in its name has no result.
    #[error("the template in `push.branch`: {0}")]
    Template(Error),
    /// git would refuse it.
    #[error(transparent)]
    Name(#[from] BadBranch),
}

/// Where Flux would push. `checkout` is `git.checkout.ref`, else the
/// GitRepository's own `ref`.
///
/// # Errors
/// In Flux's words, where no branch is named.
pub fn push(push: Option<&PushSpec>, checkout: Option<&GitReference>) -> Result<Push, NoBranch> {
    let filled = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    let wanted = push.and_then(|push| filled(&push.branch));
    let checked_out = checkout.and_then(|checkout| filled(&checkout.branch));
    let is_named = wanted.is_some();
    let branch = wanted.or_else(|| checked_out.clone()).ok_or(NoBranch)?;
    // A reference without a branch leaves nothing that could be the same; no
    // reference at all stands for `master`.
    let from = match checkout {
        None => "master".to_owned(),
        Some(_) => checked_out.unwrap_or_default(),
    };
    Ok(Push {
        switches: branch != from,
        is_named,
        base: from,
        branch,
        refspec: push.and_then(|push| filled(&push.refspec)),
        options: push.map(|push| push.options.clone()).unwrap_or_default(),
    })
}

/// The branch that a name gives: itself, or what the template in it makes.
///
/// # Errors
/// An invalid template, or a name that git refuses.
pub fn name(branch: &str, data: &Data<'_>, now: &Time) -> Result<String, BranchError> {
    let name = render::text(branch, FUNCTIONS, data, now).map_err(BranchError::Template)?;
    refname::check(&name)?;
    Ok(name)
}

/// Something that is likely not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What is the case.
    pub what: String,
    /// What to do about it.
    pub hint: &'static str,
    /// It is a variable of Flux's substitution.
    pub is_variable: bool,
}

/// What is likely not meant: `${…}`, and `02`, which is the day of the month, also
/// behind a `w`.
#[must_use]
pub fn doubt(branch: &str) -> Option<Doubt> {
    if branch.contains("${") {
        return Some(Doubt {
            what: format!("`${{…}}` in `{branch}` is not substituted here"),
            hint: "write the name itself, or a template with `.Values`",
            is_variable: true,
        });
    }
    let layouts = Regex::new(r#"\bnow\s+["`]([^"`]*)["`]"#).ok()?;
    let mut scratch = layouts.scratch();
    let mut at = 0;
    while let Some(found) = layouts.find_at(branch, at, &mut scratch) {
        let (start, end) = found.span();
        let layout = branch[start..end].trim_start_matches("now").trim();
        let layout = layout.trim_matches(['"', '`']);
        if shows_day_without_month(layout) {
            return Some(Doubt {
                what: format!(
                    "in the layout `{layout}`, `02` is the day of the month, not the week"
                ),
                hint: "write `{{ isoWeek }}` for a week such as `2026-w47`",
                is_variable: false,
            });
        }
        at = end;
    }
    None
}

/// What is to be said of a name as it is pushed to.
#[must_use]
pub fn doubt_of_name(name: &str, push: &Push) -> Option<Doubt> {
    if name.starts_with("refs/") {
        return Some(Doubt {
            what: format!("Flux pushes `{name}` to `refs/heads/{name}`"),
            hint: "write the name of the branch alone, without `refs/heads/`",
            is_variable: false,
        });
    }
    (push.is_named && name == push.base).then(|| Doubt {
        what: format!("`{name}` is the branch that is checked out, so it is pushed to directly"),
        hint: "name another branch in `push.branch` where changes are to be reviewed",
        is_variable: false,
    })
}

/// A layout whose day tells two months apart by nothing.
fn shows_day_without_month(layout: &str) -> bool {
    let on = |text: &str| text.parse().map(Time::utc);
    let (Ok(one), Ok(other_month), Ok(other_day)) = (
        on("2001-03-04T00:00:00Z"),
        on("2001-05-04T00:00:00Z"),
        on("2001-03-09T00:00:00Z"),
    ) else {
        return false;
    };
    let shown = one.format(layout);
    shown == other_month.format(layout) && shown != other_day.format(layout)
}

static FUNCTIONS: &[Function] = functions! {
    "now": (String) => |run, args| Ok(Value::text(run.now.to_utc().format(&args.text(0))));
    "isoWeek": () => iso_week;
    "isoYear": () => iso_year;
};

/// `2026-w47`: the week as ISO 8601 counts it, with its own year.
fn iso_week(run: &mut Run<'_>, _: &Args<'_>) -> Result<Value, Fault> {
    let week = run.now.to_utc().civil().date().iso_week_date();
    Ok(Value::text(format!(
        "{:04}-w{:02}",
        week.year(),
        week.week()
    )))
}

fn iso_year(run: &mut Run<'_>, _: &Args<'_>) -> Result<Value, Fault> {
    let week = run.now.to_utc().civil().date().iso_week_date();
    Ok(Value::text(format!("{:04}", week.year())))
}

#[cfg(test)]
mod tests {
    use super::super::data::Changed;
    use super::*;
    use crate::api::Id;

    fn rendered(branch: &str, now: &str) -> Result<String, BranchError> {
        let (automation, changed) = (Id::new("flux-system", "auto"), Changed::default());
        let data = Data {
            automation: &automation,
            changed: &changed,
            values: None,
            legacy: false,
        };
        name(branch, &data, &Time::utc(now.parse().expect(now)))
    }

    #[test]
    fn templates_with_the_clock() {
        let now = "2026-11-21T22:10:12Z";
        for (branch, expected) in [
            ("main", "main"),
            (
                r#"image-updates/{{ now "2006-w02" }}"#,
                "image-updates/2026-w21",
            ),
            ("image-updates/{{ isoWeek }}", "image-updates/2026-w47"),
            (
                "{{ isoYear }}/{{ .AutomationObject.Name | upper }}",
                "2026/AUTO",
            ),
            (r#"x-{{ now "20060102" }}"#, "x-20261121"),
        ] {
            assert_eq!(rendered(branch, now).as_deref(), Ok(expected));
        }
        // The year of a week is not always that of the day.
        let week = rendered("{{ isoWeek }} {{ isoYear }}", "2027-01-01T00:00:00Z");
        assert!(week.is_err(), "a blank is in no name");
        assert_eq!(
            rendered("{{ isoWeek }}", "2027-01-01T00:00:00Z").as_deref(),
            Ok("2026-w53")
        );
    }

    #[test]
    fn a_day_without_a_month_is_doubted() {
        for (branch, is_doubted) in [
            (r#"{{ now "2006-w02" }}"#, true),
            (r#"{{now `2006-W02`}}"#, true),
            (r#"{{ now "2006-01-02" }}"#, false),
            (r#"{{ now "2006-01" }}/{{ now "02" }}"#, true),
            (r#"{{ now "2006-002" }}"#, false),
            ("{{ isoWeek }}", false),
            ("w02", false),
            ("images-${cluster}", true),
        ] {
            assert_eq!(doubt(branch).is_some(), is_doubted, "{branch}");
        }
    }

    #[test]
    fn what_git_refuses_is_an_error() {
        for branch in [
            "{{ `a b` }}",
            "{{ .Values }}",
            "a..b",
            "{{ if false }}x{{ end }}",
        ] {
            assert!(
                rendered(branch, "2026-11-21T22:10:12Z").is_err(),
                "{branch}"
            );
        }
    }
}
