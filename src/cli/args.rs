//! Flags as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;

use super::complete;
use crate::api::{Bind, LabelSelector, TagSource};
use crate::commit::commits::SplitBy;
use crate::insight::coverage::Minimum;
use crate::insight::tables::StatusSelector;
use crate::insight::trial::TriedOrder;
use go_template::duration;

/// Flux's image automation as a function: policies and manifests in, patched
/// manifests out, without a cluster.
///
/// Without a command, and with something on stdin, it runs as `fn`.
#[derive(Debug, Parser)]
#[command(name = "flux-image", version, max_term_width = 100, after_help = EXITS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// List every place of what is otherwise said once
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

const EXITS: &str = "Exit codes: 0 done; 1 findings, when asked to judge (--check, --strict, --min, --fail-on, mode: Check); \
2 the documents or flags are wrong; 3 a registry gave no answer; 70 a bug of ours; 130 interrupted.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run as a KRM function: a ResourceList (or a stream of YAML documents) from stdin to stdout
    Fn(FnArgs),
    /// Update files in place: the paths given, or those of the ImageUpdateAutomations in the repository
    Update(Box<UpdateArgs>),
    /// Write the markers of files as annotations, which survive `kustomize build`
    Annotate(AnnotateArgs),
    /// Ask the registries for all tags, and print them as a TagSnapshot
    Scan(ScanArgs),
    /// Print the ImagePolicies as a cluster would hold them, with status.latestRef
    Resolve(ResolveArgs),
    /// Explain an ImagePolicy: what became of each tag, what it chooses, and where that goes
    Explain(Box<ExplainArgs>),
    /// List every image of the tree, and who updates it: automated, held, pinned, excluded or forgotten
    Coverage(Box<CoverageArgs>),
    /// Say what is wrong with markers, policies and documents, and with what they would change
    Lint(Box<LintArgs>),
    /// The table of `flux get image policy`, and with `-o wide` the values in the files
    Policies(Box<TableArgs>),
    /// The table of `flux get image repository`
    Repositories(Box<TableArgs>),
    /// The table of `flux get image update`
    Automations(Box<TableArgs>),
    /// Write ImageRepositories and ImagePolicies for images that have none, which keep to how their tags are made
    Suggest(Box<SuggestArgs>),
    /// Run the ImagePolicyTests of the repository: which tag a policy is to choose of some
    Test(Box<TestArgs>),
    /// Compare two sets of documents on one list of tags: which policies choose differently, and which values move
    Compare(Box<CompareArgs>),
    /// Print the commit message of a report
    Message(StoredArgs),
    /// Print the branch of a report
    Branch(StoredArgs),
    /// Print the JSON Schema of one of our documents
    Schema(SchemaArgs),
    /// Print the completion script of a shell
    Completion(CompletionArgs),
}

/// Flags of `fn`.
#[derive(Debug, Args)]
#[command(after_help = FN_EXAMPLES)]
pub struct FnArgs {
    /// Options (an ImageUpdate, a ConfigMap or an ImageUpdateAutomation); beats the functionConfig of the input
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// More documents: a file or a folder; beats those of the input
    #[arg(long, value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// A TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// Warnings count: exit 1
    #[arg(long)]
    pub strict: bool,
    /// Docker's own logins may be used, but no credential helper is run
    #[arg(long, help_heading = "Registries")]
    pub docker_config: bool,
    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

/// Seven days.
const MAX_AGE: &str = "168h";

const FN_EXAMPLES: &str = "Examples:
  kpt fn source . | flux-image fn | kpt fn sink .
  cat policies.yaml deploy.yaml | flux-image > patched.yaml";

/// Flags of `update`.
#[derive(Debug, Args)]
#[command(after_help = UPDATE_EXAMPLES)]
pub struct UpdateArgs {
    /// Files and folders to edit [default: the paths of the ImageUpdateAutomations in the repository]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// More documents: a file, a folder, or `-` for stdin; beats those of the repository
    #[arg(long, value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// An ImageUpdate with `bind`, `imageFields`, `bindings` and documents
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How values are bound to policies, besides by `bindings` of `--config` [default: auto]
    #[arg(long, value_name = "HOW")]
    pub bind: Option<Bind>,
    /// Where tags are taken from, in order
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["status", "snapshot", "registry"])]
    pub tags_from: Vec<TagSource>,
    /// A marked value whose policy chose nothing is only a warning
    #[arg(long)]
    pub allow_unresolved: bool,
    /// Edit nothing, print what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Edit nothing, print a unified diff, with `****` for values of Secrets
    #[arg(long, conflicts_with = "output")]
    pub diff: bool,
    /// Edit nothing, exit 1 if anything would change
    #[arg(long)]
    pub check: bool,
    /// A TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// Warnings count: exit 1
    #[arg(long)]
    pub strict: bool,
    /// Have the data on the disk before files are replaced
    #[arg(long)]
    pub fsync: bool,
    /// How to print what changed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// Length of `-o markdown` at most, in bytes; a comment on GitHub takes 65536
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub markdown_limit: usize,
    /// What the run is limited to.
    #[command(flatten)]
    pub only: OnlyArgs,
    /// Whose view of the repository counts.
    #[command(flatten)]
    pub clusters: ClusterArgs,
    /// What a commit needs.
    #[command(flatten)]
    pub handoff: HandOffArgs,
    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

impl UpdateArgs {
    /// The flags that name files to read, with what they name.
    pub fn inputs(&self) -> [(&'static str, &[PathBuf]); 5] {
        [
            ("--substitute-from", &self.clusters.substitute_from),
            ("--policies", &self.policies),
            ("--config", self.config.as_slice()),
            ("--secret", &self.registries.secrets),
            ("--from-webhook", self.only.from_webhook.as_slice()),
        ]
    }
}

/// What `update` is limited to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct OnlyArgs {
    /// Only this ImagePolicy
    #[arg(long, value_name = "NAMESPACE:NAME", add = ArgValueCompleter::new(complete::policies))]
    pub only: Vec<String>,
    /// Only the policies of this image; a kept list of its tags does not count
    #[arg(long, value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    pub only_image: Vec<String>,
    /// Only the policies of the image that a registry's webhook tells of: a file with its JSON body, or `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub from_webhook: Option<PathBuf>,
}

/// What `update` writes for a commit, where something changed.
#[derive(Debug, Args)]
#[command(next_help_heading = "For the commit")]
pub struct HandOffArgs {
    /// Write the report of `-o json` to this file; without changes there is none
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the commit message to this file
    #[arg(long, value_name = "FILE")]
    pub message_file: Option<PathBuf>,
    /// Write the branch to push to to this file
    #[arg(long, value_name = "FILE")]
    pub branch_file: Option<PathBuf>,
    /// Write a patch, message and branch file for each automation to this folder, which must be empty or new
    #[arg(long, value_name = "DIR")]
    pub patch_dir: Option<PathBuf>,
    /// What gets a commit of its own
    #[arg(long, value_name = "PART", default_value = "automation")]
    pub split_by: SplitBy,
    /// With `-o gitlab`: write the variables of a dotenv report to this file
    #[arg(long, value_name = "FILE")]
    pub dotenv: Option<PathBuf>,
    /// With `-o markdown` and `-o github`: ask the registries for the labels of the new images, and link to their sources
    #[arg(long)]
    pub labels: bool,
    /// Edit files even where a message or branch template is wrong
    #[arg(long)]
    pub keep_going: bool,
    /// Templates may use `.Updated` and `.Changed.ImageResult`, as in Flux before 2.7
    #[arg(long)]
    pub legacy_templates: bool,
    /// The moment that branches are named after, as `2026-11-21T12:00:00Z` [default: now]
    #[arg(long, value_name = "TIME")]
    pub now: Option<Timestamp>,
}

impl HandOffArgs {
    /// Whether messages were asked for, by themselves or in a report.
    #[must_use]
    pub fn wants_messages(&self) -> bool {
        let files = [&self.report, &self.message_file, &self.patch_dir];
        files.iter().any(|file| file.is_some())
    }

    /// Whether branches were asked for by themselves.
    #[must_use]
    pub fn wants_branches(&self) -> bool {
        self.branch_file.is_some() || self.dotenv.is_some()
    }
}

/// Flags of `annotate`.
#[derive(Debug, Args)]
#[command(after_help = ANNOTATE_EXAMPLES)]
pub struct AnnotateArgs {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Edit nothing, print what would be annotated
    #[arg(long)]
    pub dry_run: bool,
    /// Edit nothing, print a unified diff, with `****` for values of Secrets
    #[arg(long)]
    pub diff: bool,
    /// Edit nothing, exit 1 if an annotation is missing
    #[arg(long)]
    pub check: bool,
}

const ANNOTATE_EXAMPLES: &str = "Each resource with markers gets `flux-image.dev/bind`, which names their fields and policies; the markers stay.

Example:
  flux-image annotate apps/ --diff";

/// Flags of `message` and `branch`.
#[derive(Debug, Args)]
#[command(after_help = STORED_EXAMPLES)]
pub struct StoredArgs {
    /// The file that `update --report` wrote, or `-` for stdin
    #[arg(value_name = "REPORT", required_unless_present = "from")]
    pub report: Option<PathBuf>,
    /// The same, as `update` names it
    #[arg(long = "report", value_name = "FILE", conflicts_with = "report")]
    pub from: Option<PathBuf>,
    /// Only this ImageUpdateAutomation's
    #[arg(long, value_name = "NAMESPACE/NAME", add = ArgValueCompleter::new(complete::automations))]
    pub automation: Option<String>,
}

const STORED_EXAMPLES: &str = "Example:
  flux-image update --report report.json
  git switch -c \"$(flux-image branch report.json)\"
  git add -u && flux-image message report.json | git commit -F -";

/// Whose view of the repository counts.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Clusters")]
pub struct ClusterArgs {
    /// The folder that `flux bootstrap --path` was given: documents are read as that cluster sees them, built with `kustomize`
    #[arg(long, value_name = "DIR")]
    pub cluster_path: Vec<PathBuf>,
    /// A variable of `postBuild` that only the cluster has
    #[arg(long, value_name = "NAME=VALUE")]
    pub substitute: Vec<String>,
    /// The same from a file: a ConfigMap, a Secret, or lines as NAME=VALUE
    #[arg(long, value_name = "FILE")]
    pub substitute_from: Vec<PathBuf>,
    /// A folder that holds one of Flux's sources
    #[arg(long, value_name = "KIND/NAMESPACE/NAME=DIR", value_delimiter = ',')]
    pub local_sources: Vec<String>,
    /// Builds may fetch what lies in other repositories
    #[arg(long)]
    pub remote_bases: bool,
    /// Never read documents as clusters see them, not even where they are parts of builds
    #[arg(long, conflicts_with = "cluster_path")]
    pub no_clusters: bool,
    /// Documents of the tree do not count, only those of `--policies`, as of a whole build
    #[arg(long, conflicts_with = "cluster_path")]
    pub no_tree_documents: bool,
}

/// What is read where nothing is edited.
#[derive(Debug, Default, Args)]
pub struct DocumentArgs {
    /// Files and folders with the documents [default: the repository that this folder is in]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// More documents: a file, a folder, or `-` for stdin; beats those of the repository
    #[arg(long, value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// Whose view of the repository counts.
    #[command(flatten)]
    pub clusters: ClusterArgs,
}

/// Flags of `scan`.
#[derive(Debug, Args)]
#[command(after_help = SCAN_EXAMPLES)]
pub struct ScanArgs {
    /// What is read.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

const SCAN_EXAMPLES: &str = "Examples:
  flux-image scan > tags.yaml             then: flux-image update --policies tags.yaml --offline
  flux-image scan --refresh=flux-system/app";

/// Flags of `resolve`.
#[derive(Debug, Args)]
#[command(after_help = RESOLVE_EXAMPLES)]
pub struct ResolveArgs {
    /// What is read.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Where tags are taken from, in order; never the status, which only tells what was chosen before
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["snapshot", "registry"])]
    pub tags_from: Vec<LiveSourceArg>,
    /// A TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

const RESOLVE_EXAMPLES: &str = "Examples:
  flux-image resolve > policies.yaml      then: flux-image update --policies policies.yaml
  flux-image resolve | kubectl get -f - -o wide";

/// What is read by who edits nothing, and how tags are had.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// More documents: a file, a folder, or `-` for stdin; beats those of the repository
    #[arg(long, value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// A TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// Whose view of the repository counts.
    #[command(flatten)]
    pub clusters: ClusterArgs,
    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

impl LookArgs {
    /// What is read, of these files and folders, or of the repository where there are none.
    #[must_use]
    pub fn documents(&self, paths: Vec<PathBuf>) -> DocumentArgs {
        DocumentArgs {
            paths,
            policies: self.policies.clone(),
            clusters: self.clusters.clone(),
        }
    }
}

/// Flags of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_EXAMPLES)]
pub struct ExplainArgs {
    /// An ImagePolicy as NAME or NAMESPACE/NAME, a FILE:LINE with a marker, or an image
    #[arg(value_name = "SUBJECT", add = ArgValueCompleter::new(complete::policies))]
    pub subject: String,
    /// What becomes of this tag: the first step that lets it out, and what would let it in
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: TextOrJson,
    /// Try these tags, without a network: lines, JSON of `skopeo list-tags` or of a registry, or a TagSnapshot; `-` for stdin
    #[arg(long, value_name = "FILE", help_heading = "Try before writing")]
    pub tags: Option<PathBuf>,
    /// Try this `semver.range`
    #[arg(long, value_name = "RANGE", help_heading = "Try before writing")]
    pub range: Option<String>,
    /// Try this `filterTags.pattern`
    #[arg(long, value_name = "PATTERN", help_heading = "Try before writing")]
    pub pattern: Option<String>,
    /// Try this `filterTags.extract`
    #[arg(long, value_name = "TEMPLATE", help_heading = "Try before writing")]
    pub extract: Option<String>,
    /// Try this order: `semver`, `alphabetical[:asc|desc]`, `numerical[:asc|desc]`, `asc` or `desc`
    #[arg(long, value_name = "ORDER", help_heading = "Try before writing")]
    pub order: Option<TriedOrder>,
    /// Where tags are taken from, in order; never the status, which only tells what was chosen before
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["snapshot", "registry"])]
    pub tags_from: Vec<LiveSourceArg>,
    /// What is read.
    #[command(flatten)]
    pub look: LookArgs,
}

const EXPLAIN_EXAMPLES: &str = "Examples:
  flux-image explain flux-system/app
  flux-image explain apps/app.yaml:14                     the policy of the value there
  flux-image explain app --tag 2.0.0-rc.1                 why is it not chosen?
  skopeo list-tags docker://ghcr.io/acme/app | flux-image explain app --tags - --range '>=1.0.0-0'";

/// Flags of `coverage`.
#[derive(Debug, Args)]
#[command(after_help = COVERAGE_EXAMPLES)]
pub struct CoverageArgs {
    /// Files and folders whose images are listed [default: the repository that this folder is in]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: CoverageOutput,
    /// Exit 1 where less than this share is automated, pinned or excluded, as `80%`
    #[arg(long, value_name = "SHARE")]
    pub min: Option<Minimum>,
    /// A marked value counts as automated without an ImageUpdateAutomation: `flux-image update PATH` runs elsewhere
    #[arg(long)]
    pub without_automations: bool,
    /// Length of `-o markdown` at most, in bytes; a comment on GitHub takes 65536
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub markdown_limit: usize,
    /// Where tags are taken from, in order
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["status", "snapshot", "registry"])]
    pub tags_from: Vec<TagSource>,
    /// What is read.
    #[command(flatten)]
    pub look: LookArgs,
}

const COVERAGE_EXAMPLES: &str = "Examples:
  flux-image coverage --offline                 what is automated, and what nobody updates
  flux-image coverage apps/ --min 80%           exit 1 where less is looked after
  flux-image coverage -o html > coverage.html   one page, to be opened from the file

An image is excluded by a comment behind it or above it: `# flux-image: exclude REASON [until YYYY-MM-DD]`.";

/// `-o` of `coverage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CoverageOutput {
    /// For people
    Text,
    /// For programs
    Json,
    /// A table for a comment or the body of a pull request
    Markdown,
    /// One page that needs nothing beside it
    Html,
}

/// Flags of `policies`, `repositories` and `automations`.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// Only the one of this name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// This namespace, without `-A` [default: flux-system]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Only those with these labels
    #[arg(short, long, value_name = "SELECTOR")]
    pub label_selector: Option<LabelSelector>,
    /// Only those of this status, as `ready=false` or `ready!=true`
    #[arg(long, value_name = "STATUS")]
    pub status_selector: Option<StatusSelector>,
    /// Without the headings
    #[arg(long)]
    pub no_header: bool,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: TableOutput,
    /// Where tags are taken from, in order
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["snapshot", "registry"])]
    pub tags_from: Vec<TagSource>,
    /// What is read.
    #[command(flatten)]
    pub look: LookArgs,
}

/// `-o` of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableOutput {
    /// The columns of `flux get`
    Table,
    /// The same, and what Flux cannot show
    Wide,
    /// For programs
    Json,
    /// The same in YAML
    Yaml,
    /// Kind and name alone
    Name,
}

/// Flags of `suggest`.
#[derive(Debug, Args)]
#[command(after_help = SUGGEST_EXAMPLES)]
pub struct SuggestArgs {
    /// A file or a folder, or an image with its tag [default: the repository that this folder is in]
    #[arg(value_name = "PATH|IMAGE")]
    pub subject: Option<String>,
    /// Add the documents to this folder, and to `resources` of its kustomization, and mark the values
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
    /// With `--write`: write nothing, print how files would change
    #[arg(long, requires = "write")]
    pub diff: bool,
    /// The namespace of the documents [default: that of the kustomization in DIR, or of all ImageUpdateAutomations, or flux-system]
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// How to print suggestions
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "text",
        conflicts_with = "write"
    )]
    pub output: TextOrJson,
    /// These are all tags: lines, or JSON of `skopeo list-tags` or of a registry; `-` for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    pub tags: Option<PathBuf>,
    /// What is read.
    #[command(flatten)]
    pub look: LookArgs,
}

const SUGGEST_EXAMPLES: &str = "Examples:
  flux-image suggest                                  for every image without a policy
  flux-image suggest ghcr.io/acme/app:1.2.3-alpine
  flux-image suggest --write flux/images --diff       what would be written";

/// Flags of `lint`.
#[derive(Debug, Args)]
#[command(after_help = LINT_EXAMPLES)]
pub struct LintArgs {
    /// What is read.
    #[command(flatten)]
    pub documents: DocumentArgs,
    /// Mend what can be mended without a doubt, byte for byte
    #[arg(long)]
    pub fix: bool,
    /// With `--fix`: edit nothing, print a unified diff
    #[arg(long, requires = "fix", conflicts_with = "output")]
    pub diff: bool,
    /// How to print findings
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: LintOutput,
    /// Exit 1 where there is a finding of this severity, or a graver one
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// Where tags are taken from, in order
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["snapshot", "registry"])]
    pub tags_from: Vec<LiveSourceArg>,
    /// A TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// How registries are asked.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

const LINT_EXAMPLES: &str =
    "A comment `# flux-image: ignore CODE reason`, behind a value or on a line above it, silences a
finding; on a line with a marker only above it, since behind it it would break the marker.

Examples:
  flux-image lint                         with tags of the registries
  flux-image lint --offline --fail-on warning
  flux-image lint --fix --diff            what would be mended";

/// `-o` of `lint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LintOutput {
    /// For people, with the lines
    Text,
    /// A LintReport of flux-image.dev/v1alpha1
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// Annotations of GitHub Actions
    Github,
    /// A Code Quality report of GitLab
    Gitlab,
}

/// `--fail-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Flux would not do it
    Error,
    /// Something is odd
    Warning,
    /// To be known
    Info,
}

/// Flags of `test`.
#[derive(Debug, Args)]
#[command(after_help = TEST_EXAMPLES)]
pub struct TestArgs {
    /// Files and folders with the tests to run [default: the repository that this folder is in]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Run nothing, and print the test of what this ImagePolicy chooses now, of all tags; asks its registry
    #[arg(long, value_name = "[NAMESPACE/]NAME", conflicts_with_all = ["paths", "output"], add = ArgValueCompleter::new(complete::policies))]
    pub record: Option<String>,
    /// How to print what came of the tests
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: TestOutput,
    /// More documents: a file, a folder, or `-` for stdin; beats those of the repository
    #[arg(long, value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// With `--record`: a TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// Whose view of the repository counts.
    #[command(flatten)]
    pub clusters: ClusterArgs,
    /// How registries are asked, for `--record`.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

const TEST_EXAMPLES: &str = "Tests ask no registry; only `--record` may.

Examples:
  flux-image test                                         all tests of the repository
  flux-image test tests/ -o junit > junit.xml
  flux-image test --record flux-system/app > tests/app.yaml";

/// `-o` of `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestOutput {
    /// A line for each test
    Text,
    /// The Test Anything Protocol, version 14
    Tap,
    /// The XML of JUnit
    Junit,
    /// For programs
    Json,
}

/// Flags of `compare`.
#[derive(Debug, Args)]
#[command(after_help = COMPARE_EXAMPLES)]
pub struct CompareArgs {
    /// The documents as they were: a folder, a file, `-` for stdin, or `git:REF` for a commit of this repository
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The documents as they are to be, and the files whose values they move: likewise
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// All tags, without a network: a TagSnapshot, or, where one repository is concerned, lines or JSON of `skopeo list-tags` or of a registry; `-` for stdin
    #[arg(long, value_name = "FILE")]
    pub tags: Option<PathBuf>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: CompareOutput,
    /// Length of `-o markdown` at most, in bytes; a comment on GitHub takes 65536
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub markdown_limit: usize,
    /// Exit 1 if a policy chooses differently, is added or is removed
    #[arg(long)]
    pub check: bool,
    /// More documents for both: a file, a folder, or `-` for stdin; beats those of BEFORE and AFTER
    #[arg(long, value_name = "PATH")]
    pub policies: Vec<PathBuf>,
    /// Where tags are taken from, in order; never the status, which only tells what was chosen before
    #[arg(long, value_name = "SOURCE", value_delimiter = ',', default_values = ["snapshot", "registry"])]
    pub tags_from: Vec<LiveSourceArg>,
    /// A TagSnapshot that is older is a warning; a duration as in Go
    #[arg(long, value_name = "DURATION", default_value = MAX_AGE, value_parser = duration::parse)]
    pub max_age: Duration,
    /// Whose view of both counts; `--cluster-path` begins at the folder of each.
    #[command(flatten)]
    pub clusters: ClusterArgs,
    /// How registries are asked: each repository once, for both.
    #[command(flatten)]
    pub registries: RegistryArgs,
}

const COMPARE_EXAMPLES: &str = "Examples:
  flux-image compare git:origin/main . -o markdown        for the pull request that changes a policy
  flux-image compare git:HEAD . --tags tags.yaml --check  before it is committed
  kubectl get imagerepository,imagepolicy -A -o yaml | flux-image compare - .";

/// `-o` of `compare`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompareOutput {
    /// For people
    Text,
    /// Tables for a pull request
    Markdown,
    /// For programs
    Json,
}

/// `-o` of what a person or a program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How registries are asked.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Registries")]
pub struct RegistryArgs {
    /// Secrets that are not among the documents; beats those that are
    #[arg(long = "secret", value_name = "FILE")]
    pub secrets: Vec<PathBuf>,
    /// Longest time for a repository, whatever its `spec.timeout`; a duration as in Go [default: 1m, and up to 10m where `spec.timeout` asks for it]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub timeout: Option<Duration>,
    /// A host (HOST or HOST:PORT) that registries may send tokens' requests with credentials, or redirects, to
    #[arg(long = "trust-host", value_name = "HOST")]
    pub trusted: Vec<String>,
    /// A registry (HOST or HOST:PORT) to which credentials may travel by a proxy, CA, client certificate or plain http that documents less trusted than the credential name
    #[arg(long = "trust-connection", value_name = "HOST")]
    pub connections: Vec<String>,
    /// Keep lists of tags in this folder [default: the user's cache folder; for `fn`, none]
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    pub cache: Option<PathBuf>,
    /// Keep no lists of tags
    #[arg(long)]
    pub no_cache: bool,
    /// Ask anew, whatever status, snapshots and kept lists say: everything, or one ImageRepository
    #[arg(long, value_name = "NAMESPACE/NAME", num_args = 0..=1, require_equals = true, default_missing_value = "", conflicts_with = "offline", add = ArgValueCompleter::new(complete::repositories))]
    pub refresh: Vec<String>,
    /// Ask nobody: only kept lists and snapshots count
    #[arg(long, env = "FLUX_IMAGE_OFFLINE", value_parser = clap::builder::BoolishValueParser::new())]
    pub offline: bool,
}

/// `--tags-from` of what has no use for a status.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LiveSourceArg {
    /// TagSnapshots
    Snapshot,
    /// The registries
    Registry,
}

impl From<LiveSourceArg> for TagSource {
    fn from(source: LiveSourceArg) -> Self {
        match source {
            LiveSourceArg::Snapshot => Self::Snapshot,
            LiveSourceArg::Registry => Self::Registry,
        }
    }
}

const UPDATE_EXAMPLES: &str = "Examples:
  flux-image update                       each ImageUpdateAutomation on its own path
  flux-image update apps/ --diff          what would change under apps/
  kubectl get imagepolicy -A -o yaml | flux-image update apps/ --policies -
  flux-image update --message-file m.txt --branch-file b.txt     then: git switch -c \"$(cat b.txt)\" && git commit -aF m.txt
  flux-image update --only-image ghcr.io/acme/app                in the job that pushed it";

/// Flags of `completion`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETION_EXAMPLES)]
pub struct CompletionArgs {
    /// Which shell
    pub shell: Shell,
}

const COMPLETION_EXAMPLES: &str = "Examples:
  source <(flux-image completion bash)
  flux-image completion zsh > \"${fpath[1]}/_flux-image\"
  flux-image completion fish | source

As `flux image …`, the completion of flux itself asks this program.";

/// The shells with a script.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Shell {
    /// GNU Bash, version 4 or newer
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

/// Flags of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Which document
    pub kind: SchemaKind,
    /// Print a CustomResourceDefinition in YAML, as catalogues of functions hold them
    #[arg(long)]
    pub crd: bool,
}

/// The documents with a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum SchemaKind {
    /// The functionConfig
    ImageUpdate,
    /// Tags, written down
    TagSnapshot,
    /// What a policy is to choose
    ImagePolicyTest,
    /// What `-o json` of `update` prints
    Report,
    /// The same of `explain`
    Explanations,
    /// The same of `coverage`
    Coverage,
    /// The same of `lint`
    LintReport,
    /// The same of `suggest`
    Suggestions,
    /// The same of `test`
    ImagePolicyTestResults,
    /// The same of `compare`
    Comparisons,
    /// The same of `policies`
    ImagePolicyTable,
    /// The same of `repositories`
    ImageRepositoryTable,
    /// The same of `automations`
    ImageUpdateAutomationTable,
}

/// `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A line for each change
    Text,
    /// A Report of flux-image.dev/v1alpha1
    Json,
    /// A table for the body of a pull request
    Markdown,
    /// Annotations of GitHub Actions; step outputs go to the file of GITHUB_OUTPUT
    Github,
    /// A Code Quality report of GitLab
    Gitlab,
    /// SARIF 2.1.0
    Sarif,
}
