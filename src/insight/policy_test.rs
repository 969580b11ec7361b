//! Running ImagePolicyTests: what a policy chooses of the tags of a test, and, where that
//! is not what was expected, what became of the expected tag.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::explain::{self, Traced};
use crate::api::{self, Expectation, Expected, Id, ImagePolicyTest};
use crate::documents::Documents;
use crate::documents::twins::Twins;
use crate::finding::{Code, Finding, Location, Severity};
use crate::quote;
use crate::selection::resolve::{self, Unresolved};
use go_regexp::{Budget, Regex};
use oci_tags::image::{Repository, is_tag};

/// What came of a test, of a policy as one cluster sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// The test, as `namespace/name`, or its name where it has no namespace.
    pub test: String,
    /// Where it stands.
    #[serde(flatten)]
    pub location: Location,
    /// The cluster that sees the policy, where the run knows of clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// `namespace:name`.
    pub policy: String,
    /// Whether everything is as expected.
    pub is_passed: bool,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expectation>,
    /// The tag that is chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// Why none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is not as expected.
    pub failures: Vec<String>,
    /// It could not be run: its document is wrong, or its policy is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub could_not_run: bool,
}

impl TestResult {
    /// What stands for a test that could not be run, which a finding says; `None` for a
    /// finding about something else.
    #[must_use]
    pub fn not_run(finding: &Finding) -> Option<Self> {
        let resource = finding.location.resource.as_ref();
        let resource = resource.filter(|one| one.kind == "ImagePolicyTest")?;
        let test = match resource.namespace.as_str() {
            "" => resource.name.clone(),
            namespace => format!("{namespace}/{}", resource.name),
        };
        (finding.severity == Severity::Error).then(|| Self {
            test,
            location: finding.location.clone(),
            cluster: None,
            policy: String::new(),
            is_passed: false,
            expected: None,
            chosen: None,
            reason: None,
            failures: vec![finding.message.clone()],
            could_not_run: true,
        })
    }
}

/// What a policy makes of some tags.
pub struct Outcome {
    /// The tag that it chooses, or why none.
    pub chosen: Result<String, Unresolved>,
    /// What became of each tag, where the policy could be tried.
    traced: Option<Traced>,
}

/// Sends tags through the `exclusionList` and the policy, as if they were all that the
/// repository has. Whether anything is suspended does not matter.
#[must_use]
pub fn outcome(documents: &Documents, id: &Id, tags: &[String], budget: &mut Budget) -> Outcome {
    match traced(documents, id, tags, budget) {
        Err(why) => Outcome {
            chosen: Err(why),
            traced: None,
        },
        Ok(traced) => Outcome {
            chosen: match traced.chosen() {
                Ok(tag) if is_tag(tag) => Ok(tag.clone()),
                Ok(tag) => Err(Unresolved::Reference(tag.clone())),
                Err(why) => Err(Unresolved::Nothing(why.clone())),
            },
            traced: Some(traced),
        },
    }
}

fn traced(
    documents: &Documents,
    id: &Id,
    tags: &[String],
    budget: &mut Budget,
) -> Result<Traced, Unresolved> {
    if let Some(location) = documents.unreadable.get(id) {
        return Err(Unresolved::Unreadable(location.to_string()));
    }
    let unknown = || Unresolved::Unreadable("it is not known".to_owned());
    let policy = documents.policies.get(id).ok_or_else(unknown)?;
    if let Some(other) = &policy.conflict {
        return Err(Unresolved::Ambiguous(Box::new(Twins {
            kinds: "ImagePolicies",
            first: other.clone(),
            second: policy.location.clone(),
        })));
    }
    let spec = &policy.document.spec;
    if spec.lacks_interval() {
        return Err(Unresolved::NoInterval);
    }
    let (_, repository) = resolve::repository_of(documents, id, &policy.document)?;
    Repository::parse(&repository.spec.image)?;
    let exclusions = &repository.spec.exclusion_list;
    Traced::new(spec.checked()?, exclusions, tags, budget).map_err(Unresolved::Exclusion)
}

/// An entry of `never`.
enum Never<'t> {
    Tag(&'t str),
    Pattern(&'t str, Regex),
}

impl Never<'_> {
    fn has(&self, tag: &str) -> bool {
        match self {
            Self::Tag(known) => *known == tag,
            Self::Pattern(_, pattern) => pattern.is_match(tag),
        }
    }

    fn written(&self) -> &str {
        match self {
            Self::Tag(written) | Self::Pattern(written, _) => written,
        }
    }
}

/// Tests on their way through the clusters of a run.
pub struct PolicyTests<'t> {
    tests: Vec<Test<'t>>,
    findings: Vec<Finding>,
    budget: Budget,
}

struct Test<'t> {
    document: &'t ImagePolicyTest,
    location: &'t Location,
    never: Vec<Never<'t>>,
    results: Vec<TestResult>,
    /// Why no policy could be told.
    doubt: Option<String>,
    /// An error was said of it.
    is_wrong: bool,
}

/// Which policy a test is of.
enum Subject {
    Known(Id),
    Unknown,
    Doubtful(String),
}

impl<'t> PolicyTests<'t> {
    /// Some tests, before they were run. The patterns of all may take as much as those of
    /// a run.
    #[must_use]
    pub fn new(tests: &'t [(ImagePolicyTest, Location)]) -> Self {
        let mut all = Self {
            tests: Vec::with_capacity(tests.len()),
            findings: Vec::new(),
            budget: Budget::default(),
        };
        for (document, location) in tests {
            let (mut never, mut is_wrong) = (Vec::new(), false);
            for (number, written) in document.spec.never.iter().enumerate() {
                let Some(pattern) = api::pattern_of(written) else {
                    never.push(Never::Tag(written));
                    continue;
                };
                match Regex::within(pattern, &mut all.budget) {
                    Ok(pattern) => never.push(Never::Pattern(written, pattern)),
                    Err(error) => {
                        let message = format!(
                            "ImagePolicyTest `{}`: `spec.never[{number}]` is no regular expression of Go: {error}",
                            quote::at_most(&document.metadata.name, 300)
                        );
                        let finding = Finding::error(Code::BadDocument, message, location.clone());
                        all.findings.push(finding);
                        is_wrong = true;
                    }
                }
            }
            all.tests.push(Test {
                document,
                location,
                never,
                results: Vec::new(),
                doubt: None,
                is_wrong,
            });
        }
        all
    }

    /// Runs those tests whose policies are among the documents, which are those of
    /// `cluster` where there are clusters.
    pub fn run(&mut self, documents: &Documents, cluster: Option<&str>) {
        let named = Named::of(documents);
        for test in self.tests.iter_mut().filter(|test| !test.is_wrong) {
            match named.subject(test.document) {
                Subject::Unknown => {}
                Subject::Doubtful(why) => test.doubt = Some(why),
                Subject::Known(id) => {
                    let result = result(test, &id, documents, &mut self.budget);
                    test.results.push(TestResult {
                        cluster: cluster.map(str::to_owned),
                        ..result
                    });
                }
            }
        }
    }

    /// What came of the tests, in their order, and what is wrong with some of them.
    #[must_use]
    pub fn finish(mut self) -> (Vec<TestResult>, Vec<Finding>) {
        for test in &self.tests {
            if test.is_wrong || !test.results.is_empty() && test.doubt.is_none() {
                continue;
            }
            let spec = &test.document.spec;
            let message = format!(
                "ImagePolicyTest `{}` is of ImagePolicy `{}`, {}",
                quote::at_most(&test.document.metadata.name, 300),
                quote::at_most(&spec.policy, 300),
                test.doubt.as_deref().unwrap_or("which is not known")
            );
            let finding = Finding::error(Code::UnknownPolicy, message, test.location.clone());
            self.findings.push(match test.doubt {
                Some(_) => finding.hint("write `spec.policy` with its namespace: `namespace:name`"),
                None => finding.hint(
                    "name its file with `--policies`, or the cluster that sees it with `--cluster-path`",
                ),
            });
        }
        let tests = self.tests.into_iter();
        (tests.flat_map(|test| test.results).collect(), self.findings)
    }
}

/// The policies of a run, also those that cannot be read.
struct Named<'d> {
    documents: &'d Documents,
    by_name: BTreeMap<&'d str, Vec<&'d Id>>,
}

impl<'d> Named<'d> {
    fn of(documents: &'d Documents) -> Self {
        let read = &documents.policies;
        let unreadable = documents.unreadable.keys();
        let unreadable = unreadable.filter(|id| !read.contains_key(id));
        let mut by_name: BTreeMap<&str, Vec<&Id>> = BTreeMap::new();
        for id in read.keys().chain(unreadable) {
            by_name.entry(&id.name).or_default().push(id);
        }
        Self { documents, by_name }
    }

    fn find(&self, namespace: &str, name: &str) -> Option<Id> {
        let id = Id::new(namespace, name);
        let documents = self.documents;
        let is_known =
            documents.policies.contains_key(&id) || documents.unreadable.contains_key(&id);
        is_known.then_some(id)
    }

    /// The policy that a test is of.
    fn subject(&self, test: &ImagePolicyTest) -> Subject {
        let (written, name) = test.spec.named();
        let Some(known) = self.by_name.get(name) else {
            return Subject::Unknown;
        };
        let namespace = written.or(test.metadata.namespace.as_deref());
        let Some(namespace) = namespace else {
            return match known.as_slice() {
                [id] => Subject::Known((*id).clone()),
                several => Subject::Doubtful(format!(
                    "of which there are several: {}",
                    quote::list(several.iter())
                )),
            };
        };
        // One whose namespace nobody knows is found by its name, as for markers.
        match self.find(namespace, name).or_else(|| self.find("", name)) {
            Some(id) => Subject::Known(id),
            None if written.is_none() => Subject::Doubtful(format!(
                "which its namespace `{}` does not have; there is {}",
                quote::at_most(namespace, 300),
                quote::list(known.iter())
            )),
            None => Subject::Unknown,
        }
    }
}

/// Runs a test of a policy that is there.
fn result(test: &Test<'_>, id: &Id, documents: &Documents, budget: &mut Budget) -> TestResult {
    let spec = &test.document.spec;
    let tags = spec.tags.as_deref().unwrap_or_default();
    let outcome = outcome(documents, id, tags, budget);
    let mut failures: Vec<String> = unexpected(&outcome, spec.expected()).into_iter().collect();
    if let Ok(chosen) = &outcome.chosen {
        let never = test.never.iter().filter(|one| one.has(chosen));
        failures.extend(never.map(|one| {
            let written = quote::at_most(one.written(), 300);
            format!("`{chosen}` is chosen, and `never` has `{written}`")
        }));
    }
    let test_id = test.document.id();
    TestResult {
        test: match test_id.namespace.as_str() {
            "" => test_id.name,
            namespace => format!("{namespace}/{}", test_id.name),
        },
        location: test.location.clone(),
        cluster: None,
        policy: id.to_string(),
        is_passed: failures.is_empty(),
        expected: spec.expect.clone(),
        chosen: outcome.chosen.as_ref().ok().cloned(),
        reason: outcome.chosen.as_ref().err().map(Unresolved::explained),
        failures,
        could_not_run: false,
    }
}

/// In what an outcome is not what was expected.
fn unexpected(outcome: &Outcome, expected: Expected<'_>) -> Option<String> {
    match (expected, &outcome.chosen) {
        (Expected::Anything, _) => None,
        (Expected::Tag(expected), Ok(chosen)) if chosen == expected => None,
        (Expected::Tag(expected), Ok(chosen)) => Some(format!(
            "`{chosen}` is chosen in place of `{expected}`, which is {}",
            fate(expected, outcome)
        )),
        (Expected::Tag(expected), Err(why)) => Some(match outcome.traced {
            Some(_) => format!(
                "no tag is chosen: {}; `{expected}` is {}",
                why.explained(),
                fate(expected, outcome)
            ),
            None => format!("no tag is chosen: {}", why.explained()),
        }),
        (Expected::Reason(expected), Ok(chosen)) => Some(format!(
            "`{chosen}` is chosen, and none was to be, for the reason `{}`",
            quote::at_most(expected, 300)
        )),
        (Expected::Reason(expected), Err(why)) => {
            let said = [why.explained(), why.to_string()];
            let is_it = said.iter().any(|said| said.contains(expected));
            (!is_it).then(|| {
                format!(
                    "no tag is chosen, and not for the reason `{}`: {}",
                    quote::at_most(expected, 300),
                    why.explained()
                )
            })
        }
    }
}

/// What became of a tag that was expected.
fn fate(tag: &str, outcome: &Outcome) -> String {
    let traced = outcome.traced.as_ref();
    let told = traced.map(|traced| explain::explained_tag(tag, traced));
    match told {
        Some(told) if told.is_listed => told.why,
        _ => "not among the tags of the test".to_owned(),
    }
}
