//! What tells a finding from others of a report, and is the same in the next run.

use std::collections::HashMap;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

use crate::finding::Location;

/// The fingerprints of a report. They hold no line: a line above that is added or taken away
/// neither mends a finding nor makes a new one. Several that are alike are told apart by their
/// order.
#[derive(Default)]
pub(super) struct Fingerprints {
    /// How many there are of each.
    alike: HashMap<String, usize>,
}

impl Fingerprints {
    /// That of the next finding: its code, its message and where it is.
    pub(super) fn of(&mut self, code: &str, message: &str, location: &Location) -> String {
        let path = match location.file.trim_start_matches("./") {
            "" => ".",
            file => file,
        };
        let resource = location.resource.as_ref();
        let resource = resource.map(|one| [&*one.kind, &*one.namespace, &*one.name].join("\0"));
        let what = [
            code,
            path,
            &resource.unwrap_or_default(),
            &location.field,
            &without_places(message),
        ]
        .join("\0");
        let number = self.alike.entry(what.clone()).or_default();
        *number += 1;
        let unique = format!("{what}\0{number}");
        let fingerprint = digest::digest(&digest::SHA256, unique.as_bytes());
        HEXLOWER.encode(&fingerprint.as_ref()[..16])
    }
}

/// A message without the lines and columns in it, as of `a.yaml:3:7`.
fn without_places(message: &str) -> String {
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, behind)) = rest.split_once(':') {
        out.push_str(before);
        rest = behind;
        let number =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let line = number(behind);
        let column = behind[line..].strip_prefix(':').map_or(0, number);
        if line > 0 && column > 0 {
            rest = &behind[line + 1 + column..];
        } else {
            out.push(':');
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_messages() {
        for (message, expected) in [
            (
                "two have this name: flux/a.yaml:3:7 and b.yaml:12:1",
                "two have this name: flux/a.yaml and b.yaml",
            ),
            ("has no line: a.yaml:7", "has no line: a.yaml:7"),
            (
                "ghcr.io/acme/app:1.0: unknown",
                "ghcr.io/acme/app:1.0: unknown",
            ),
            (":1:2:", ":"),
            ("", ""),
        ] {
            assert_eq!(without_places(message), expected);
        }
    }
}
