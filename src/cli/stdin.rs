//! Who reads stdin: one part of a command line at most, since what the first has
//! read is gone.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::bail;

use super::args::{ClusterArgs, Command, DocumentArgs, LookArgs, RegistryArgs};

/// Whether a path means stdin: `-`, a name that Unix has for it, or another way to
/// the pipe that it is.
#[must_use]
pub(super) fn is_stdin(path: &Path) -> bool {
    const NAMES: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    path.as_os_str() == "-" || NAMES.iter().any(|name| path == Path::new(name)) || is_its_pipe(path)
}

fn is_its_pipe(path: &Path) -> bool {
    let (Ok(stdin), Ok(named)) = (fs::metadata("/dev/fd/0"), fs::metadata(path)) else {
        return false;
    };
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    named.file_type().is_fifo() && identity(&stdin) == identity(&named)
}

/// Refuses a command line of which two parts would read stdin.
pub(super) fn check(command: &Command) -> anyhow::Result<()> {
    let readers: Vec<String> = files(command)
        .into_iter()
        .flat_map(|(flag, paths)| paths.iter().map(move |path| (flag, path)))
        .filter(|(_, path)| is_stdin(path))
        .map(|(flag, path)| format!("{flag} {}", path.display()))
        .collect();
    match &readers[..] {
        [flag, ..] if matches!(command, Command::Fn(_)) => {
            bail!("`{flag}` would read the ResourceList itself: `fn` takes its input from stdin")
        }
        [first, second, ..] => {
            bail!("`{first}` and `{second}` would both read stdin: give one of them a file")
        }
        _ => Ok(()),
    }
}

/// The flags of a command that name files to read, with what they name.
fn files(command: &Command) -> Vec<(&'static str, &[PathBuf])> {
    match command {
        Command::Fn(args) => vec![
            ("--config", args.config.as_slice()),
            ("--policies", &args.policies),
            ("--secret", &args.registries.secrets),
        ],
        Command::Update(args) => args.inputs().into(),
        Command::Policies(args) | Command::Repositories(args) | Command::Automations(args) => {
            looked(&args.look)
        }
        Command::Suggest(args) => with_tags(&args.tags, looked(&args.look)),
        Command::Explain(args) => with_tags(&args.tags, looked(&args.look)),
        Command::Coverage(args) => looked(&args.look),
        Command::Test(args) => shared(&args.policies, &args.clusters, &args.registries),
        Command::Lint(args) => of_documents(&args.documents, &args.registries),
        Command::Scan(args) => of_documents(&args.documents, &args.registries),
        Command::Resolve(args) => of_documents(&args.documents, &args.registries),
        Command::Compare(args) => {
            let shared = shared(&args.policies, &args.clusters, &args.registries);
            let mut files = with_tags(&args.tags, shared);
            files.push(("BEFORE", std::slice::from_ref(&args.before)));
            files.push(("AFTER", std::slice::from_ref(&args.after)));
            files
        }
        Command::Annotate(_)
        | Command::Message(_)
        | Command::Branch(_)
        | Command::Schema(_)
        | Command::Completion(_) => Vec::new(),
    }
}

/// A flag, and the files that it names.
type Named<'a> = (&'static str, &'a [PathBuf]);

fn shared<'a>(
    policies: &'a [PathBuf],
    clusters: &'a ClusterArgs,
    registries: &'a RegistryArgs,
) -> Vec<Named<'a>> {
    vec![
        ("--policies", policies),
        ("--substitute-from", &clusters.substitute_from),
        ("--secret", &registries.secrets),
    ]
}

fn looked(look: &LookArgs) -> Vec<Named<'_>> {
    shared(&look.policies, &look.clusters, &look.registries)
}

fn of_documents<'a>(documents: &'a DocumentArgs, registries: &'a RegistryArgs) -> Vec<Named<'a>> {
    shared(&documents.policies, &documents.clusters, registries)
}

fn with_tags<'a>(tags: &'a Option<PathBuf>, mut files: Vec<Named<'a>>) -> Vec<Named<'a>> {
    files.insert(0, ("--tags", tags.as_slice()));
    files
}
