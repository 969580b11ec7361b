//! Label selectors as `kubectl` and `flux` take them on a command line.

use super::{LabelSelector, Operator, Requirement};

/// A text that is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no label selector: write it as in `app=web,tier!=db,env in (a, b),!old`")]
pub struct BadSelector(String);

impl std::str::FromStr for LabelSelector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let mut selector = Self::default();
        for piece in pieces(text) {
            let found = requirement(piece).ok_or_else(|| BadSelector(text.to_owned()))?;
            selector.match_expressions.push(found);
        }
        match selector.match_expressions.is_empty() || selector.check().is_err() {
            true => Err(BadSelector(text.to_owned())),
            false => Ok(selector),
        }
    }
}

/// What stands between commas that are in no brackets.
fn pieces(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let between = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    between
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .collect()
}

fn requirement(piece: &str) -> Option<Requirement> {
    let one = |key: &str, operator, values: &[&str]| {
        let is_key = !key.is_empty() && !key.contains([' ', '=', '!', '(', ')']);
        is_key.then(|| Requirement {
            key: key.to_owned(),
            operator,
            values: values.iter().map(|&value| value.to_owned()).collect(),
        })
    };
    for (sign, operator) in [
        ("!=", Operator::NotIn),
        ("==", Operator::In),
        ("=", Operator::In),
    ] {
        if let Some((key, value)) = piece.split_once(sign) {
            return one(key.trim(), operator, &[value.trim()]);
        }
    }
    if let Some(list) = piece.strip_suffix(')') {
        let (head, list) = list.split_once('(')?;
        let (key, word) = head.trim().rsplit_once(' ')?;
        let operator = match word {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            _ => return None,
        };
        let values: Vec<&str> = list.split(',').map(str::trim).collect();
        return one(key.trim(), operator, &values);
    }
    match piece.strip_prefix('!') {
        Some(key) => one(key.trim(), Operator::DoesNotExist, &[]),
        None => one(piece, Operator::Exists, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_as_kubectl_reads_them() {
        let labels =
            [("app", "web"), ("env", "b")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = labels.into_iter().collect();
        for (text, expected) in [
            ("app=web", true),
            ("app == web,env in (a, b)", true),
            ("app=web,env notin (a,b)", false),
            ("app!=db,!old", true),
            ("app", true),
            ("old", false),
        ] {
            let selector: LabelSelector = text.parse().expect(text);
            assert_eq!(selector.matches(&labels), expected, "{text}");
        }
        for text in ["", "a b", "a in b", "=x", "a in (b", "a of (b)"] {
            assert!(text.parse::<LabelSelector>().is_err(), "{text}");
        }
    }
}
