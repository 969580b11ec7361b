//! A policy that is run on the tags before it is suggested, or why there is none.

use std::collections::BTreeSet;

use super::Known;
use super::hints;
use super::kin;
use crate::api::{ImagePolicySpec, OrderChoice, PolicyChoice, SemverChoice, TagFilter};
use crate::insight::tag_scheme::{MORE_DIGITS, PolicyScheme, SchemeOrder, Unsortable};
use crate::policy::exclusion;
use crate::policy::funnel::{Fate, Funnel, Step, TracedTag};
use go_regexp::Budget;
use masterminds_semver::Version;

/// So many tags are shown that a policy would choose.
const FIRST: usize = 5;

/// Why there is no policy.
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) hint: Option<String>,
    /// It holds for all tags that are made alike.
    pub(super) is_of_scheme: bool,
}

impl Refused {
    pub(super) fn new(why: String, hint: Option<String>) -> Self {
        Self {
            why,
            hint,
            is_of_scheme: false,
        }
    }
}

/// A policy that was run on the tags.
pub(super) struct Proved {
    pub(super) spec: ImagePolicySpec,
    pub(super) chooses: Vec<String>,
    /// The tags that have a place in its order.
    pub(super) accepted: BTreeSet<String>,
    pub(super) hint: Option<String>,
    /// It accepts today's tag alone, though others look alike.
    is_alone: bool,
}

/// Why a scheme does not fit a list of tags.
enum Misfit {
    /// Two tags are one to it.
    Collision(String, String),
    /// It leaves out tags that are made like today's.
    Drops(Box<Proved>),
    /// It does not accept today's tag, or it takes for numbers what is none.
    Unfit,
}

impl Proved {
    /// The first scheme by which no two tags collide, and that accepts today's.
    /// Where no tags are known, those of the values are all that there are.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn of(
        today: &str,
        own: BTreeSet<String>,
        known: &Known<'_>,
    ) -> Result<Self, Refused> {
        let refuse = |why| {
            let (why, hint) = hints::not_sortable(why, today, known.tags);
            Refused::new(why, hint)
        };
        let mut choices = PolicyScheme::choices(today).map_err(refuse)?;
        listed(today, known)?;
        let all = match known.tags {
            Some(tags) => tags.iter().cloned().collect(),
            None => own,
        };
        let all: Vec<String> = all.into_iter().collect();
        if kin::is_major(today, known.tags) {
            return Err(refuse(Unsortable::Major));
        }
        if known.tags.is_none() && kin::needs_others(today) {
            let (why, hint) = hints::doubtful(today);
            return Err(Refused::new(why, Some(hint)));
        }
        choices.splice(0..0, kin::choices(today, &all).map_err(refuse)?);
        let (mut collision, mut dropping, mut alone) = (None, None, None);
        for scheme in &choices {
            match Self::by(scheme, today, &all, known)? {
                Ok(proved) if !proved.is_alone => return Ok(proved),
                Ok(proved) => alone = alone.or(Some(proved)),
                Err(Misfit::Collision(a, b)) => collision = collision.or(Some((a, b))),
                Err(Misfit::Drops(proved)) => dropping = dropping.or(Some(*proved)),
                Err(Misfit::Unfit) => {}
            }
        }
        match (dropping.or(alone), collision) {
            (Some(proved), _) => Ok(proved),
            (None, Some((a, b))) => {
                let (why, hint) = hints::collided(today, &a, &b);
                Err(Refused {
                    is_of_scheme: true,
                    ..Refused::new(why, hint)
                })
            }
            (None, None) => {
                let why = format!("no policy was found that accepts `{today}`");
                Err(Refused::new(why, None))
            }
        }
    }

    fn by(
        scheme: &PolicyScheme,
        today: &str,
        all: &[String],
        known: &Known<'_>,
    ) -> Result<Result<Self, Misfit>, Refused> {
        let refused = |why: String| Refused::new(why, None);
        let spec = spec_of(scheme);
        let checked = spec.checked().map_err(|error| refused(error.to_string()))?;
        let funnel = Funnel::of(&checked, known.exclusions, all, &mut Budget::default());
        let funnel = funnel.map_err(|error| refused(error.to_string()))?;
        for one in funnel.ended_at(Step::Extract) {
            if let Fate::Collided { with } = &one.fate {
                return Ok(Err(Misfit::Collision(one.tag.clone(), with.clone())));
            }
        }
        if let Some((a, b)) = equals(&scheme.by, &funnel) {
            return Ok(Err(Misfit::Collision(a, b)));
        }
        let accepted: BTreeSet<String> = funnel.ranked().map(|one| one.tag.clone()).collect();
        if !accepted.contains(today) {
            return Ok(Err(Misfit::Unfit));
        }
        if scheme.by == SchemeOrder::Numerical && is_mixed(today, &funnel) {
            return Ok(Err(Misfit::Unfit));
        }
        let shown = known.tags.map_or(0, |_| FIRST);
        let chooses = funnel.ranked().take(shown);
        let alone = hints::alone(today, &funnel);
        let proved = Self {
            is_alone: alone.is_some(),
            spec,
            chooses: chooses.map(|one| one.tag.clone()).collect(),
            accepted,
            hint: hints::of_one_day(today).or(alone),
        };
        Ok(match funnel.ended_at(Step::Value).next() {
            Some(_) => Err(Misfit::Drops(Box::new(proved))),
            None => Ok(proved),
        })
    }
}

/// Whether days or seconds stand among numbers that are far smaller.
fn is_mixed(today: &str, funnel: &Funnel) -> bool {
    let digits = |one: &TracedTag| value(one).bytes().filter(u8::is_ascii_digit).count();
    let own = funnel.ranked().find(|one| one.tag == today).map(digits);
    let longest = funnel.ranked().map(digits).max();
    longest > own.map(|own| own + MORE_DIGITS)
}

/// What is compared of a tag.
fn value(one: &TracedTag) -> &str {
    one.value.as_deref().unwrap_or(&one.tag)
}

/// Two tags that are one to the order, though not to the pattern: `1.02.3` and `1.2.3`, or
/// numbers of which a float holds the first digits alone.
fn equals(by: &SchemeOrder, funnel: &Funnel) -> Option<(String, String)> {
    let is_equal = |a: &str, b: &str| match by {
        SchemeOrder::Semver(_) => match (Version::parse_tag(a), Version::parse_tag(b)) {
            (Ok(a), Ok(b)) => a.precedence(&b).is_eq(),
            _ => false,
        },
        SchemeOrder::Numerical => {
            let number = |text: &str| text.parse::<f64>().ok();
            number(a).is_some() && number(a) == number(b)
        }
        SchemeOrder::Alphabetical => a == b,
    };
    let later = funnel.ranked().skip(1);
    let mut pairs = funnel.ranked().zip(later);
    let found = pairs.find(|(one, next)| is_equal(value(one), value(next)));
    found.map(|(one, next)| (one.tag.clone(), next.tag.clone()))
}

/// Refuses a tag that is not among those that are known, or is left out of them.
fn listed(today: &str, known: &Known<'_>) -> Result<(), Refused> {
    let Some(tags) = known.tags else {
        return Ok(());
    };
    if !tags.iter().any(|tag| tag == today) {
        let known = match tags.len() {
            0 => "its tags, of which there are none".to_owned(),
            1 => "the one tag that is known".to_owned(),
            count => format!("the {count} tags that are known"),
        };
        let why = format!("`{today}` is not among {known}");
        let hint = nearest(today, tags).map(|tag| format!("did you mean `{tag}`?"));
        return Err(Refused::new(why, hint));
    }
    let only = [today.to_owned()];
    let why = match exclusion::keep(known.exclusions, &only, &mut Budget::default()) {
        Ok(kept) if !kept.is_empty() => return Ok(()),
        Ok(_) => match known.repository {
            Some(id) => format!("`exclusionList` of ImageRepository `{id}` leaves out `{today}`"),
            None => format!("Flux leaves out tags like `{today}` (signatures)"),
        },
        Err(error) => error.to_string(),
    };
    Err(Refused::new(why, None))
}

/// The tag that differs the least in one place; none where more than half of it does.
fn nearest<'t>(today: &str, tags: &'t [String]) -> Option<&'t str> {
    let differs = |tag: &str| {
        let (a, b) = (today.as_bytes(), tag.as_bytes());
        let shorter = a.len().min(b.len());
        let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
        let head = a.iter().zip(b).take_while(same).count();
        let tail = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
        a.len().max(b.len()) - (head + tail).min(shorter)
    };
    let near = tags.iter().map(|tag| (differs(tag), tag.as_str()));
    let near = near.filter(|(differs, _)| *differs * 2 <= today.len());
    let later = |a: &(usize, &str), b: &(usize, &str)| crate::insight::lint::naturally(b.1, a.1);
    let found = near.min_by(|a, b| a.0.cmp(&b.0).then_with(|| later(a, b)));
    found.map(|(_, tag)| tag)
}

fn spec_of(scheme: &PolicyScheme) -> ImagePolicySpec {
    let order = || OrderChoice {
        order: "asc".to_owned(),
    };
    let policy = match &scheme.by {
        SchemeOrder::Semver(range) => PolicyChoice {
            semver: Some(SemverChoice {
                range: range.clone(),
            }),
            ..PolicyChoice::default()
        },
        SchemeOrder::Numerical => PolicyChoice {
            numerical: Some(order()),
            ..PolicyChoice::default()
        },
        SchemeOrder::Alphabetical => PolicyChoice {
            alphabetical: Some(order()),
            ..PolicyChoice::default()
        },
    };
    ImagePolicySpec {
        policy,
        filter_tags: Some(TagFilter {
            pattern: scheme.pattern.clone(),
            extract: scheme.extract.clone().unwrap_or_default(),
        }),
        ..ImagePolicySpec::default()
    }
}
