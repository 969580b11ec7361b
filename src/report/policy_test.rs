//! What came of ImagePolicyTests: lines for people, TAP 14, and JUnit's XML.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use super::text::line;
use crate::foreign;
use crate::insight::policy_test::TestResult;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// One line: whether the test passed, where it stands, what it is called, and what is not
/// as expected.
#[must_use]
pub fn text(result: &TestResult) -> String {
    let (style, word) = match result.is_passed {
        true => (GOOD, "ok"),
        false => (BAD, "FAILED"),
    };
    let at = result.location.to_string();
    let at = line(&at);
    let mut out = format!(
        "{style}{word:<6}{style:#}  {DIM}{at}{DIM:#}  {}",
        line(&name(result))
    );
    if !result.is_passed {
        _ = write!(out, ": {}", line(&result.failures.join("; ")));
    }
    out.push('\n');
    out
}

/// The name of a test, with the cluster where there are some.
fn name(result: &TestResult) -> String {
    match &result.cluster {
        Some(cluster) => format!("{} ({cluster})", result.test),
        None => result.test.clone(),
    }
}

/// How many passed, for stderr.
#[must_use]
pub fn summary(results: &[TestResult]) -> String {
    let count = results.len();
    let tests = if count == 1 { "test" } else { "tests" };
    match results.iter().filter(|one| !one.is_passed).count() {
        0 if count == 0 => String::new(),
        0 => format!("{count} {tests} passed\n"),
        failed => format!("{failed} of {count} {tests} failed\n"),
    }
}

/// A stream of the Test Anything Protocol, version 14. What is known of a failed test
/// follows as YAML.
#[must_use]
pub fn tap(results: &[TestResult]) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", results.len());
    for (number, result) in results.iter().enumerate() {
        let word = if result.is_passed { "ok" } else { "not ok" };
        let name = name(result);
        // A `#` begins a directive.
        let name = line(&name).replace('\\', "\\\\").replace('#', "\\#");
        _ = writeln!(out, "{word} {} - {name}", number + 1);
        if result.is_passed {
            continue;
        }
        let known = [
            ("message", json!(result.failures.join("; "))),
            ("severity", json!("fail")),
            ("policy", json!(result.policy)),
            ("at", json!(result.location.to_string())),
            ("expected", json!(result.expected)),
            ("chosen", json!(result.chosen)),
            ("reason", json!(result.reason)),
        ];
        out.push_str("  ---\n");
        // JSON on one line is YAML.
        for (key, value) in known.iter().filter(|(_, value)| !value.is_null()) {
            _ = writeln!(out, "  {key}: {}", foreign::json(value));
        }
        out.push_str("  ...\n");
    }
    out
}

/// A report in the XML of JUnit: a suite for each file.
///
/// # Errors
/// What the writer of XML says.
pub fn junit(results: &[TestResult]) -> Result<String, SerializeError> {
    let mut report = quick_junit::Report::new("flux-image test");
    for of_file in results.chunk_by(|one, next| one.location.file == next.location.file) {
        let file = of_file.first().map_or("", |one| &one.location.file);
        let mut suite = TestSuite::new(line(file));
        suite.add_test_cases(of_file.iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(result: &TestResult) -> TestCase {
    let status = if result.is_passed {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(match result.could_not_run {
            true => NonSuccessKind::Error,
            false => NonSuccessKind::Failure,
        });
        let failures: Vec<_> = result.failures.iter().map(|one| line(one)).collect();
        status.set_message(failures.join("; "));
        let at = result.location.to_string();
        status.set_description(format!("{}\nat {}", failures.join("\n"), line(&at)));
        status
    };
    let mut case = TestCase::new(line(&name(result)), status);
    case.set_classname(line(&result.policy));
    let file = line(&result.location.file);
    case.extra.insert("file".into(), file.into());
    let number = result.location.line.to_string();
    case.extra.insert("line".into(), number.into());
    case
}
