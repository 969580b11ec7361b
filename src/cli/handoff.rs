//! What a run is limited to, and `flux-image message` and `branch`, which read a
//! report again.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use super::Exit;
use super::args::{HandOffArgs, OnlyArgs, StoredArgs};
use super::given;
use super::stdin::is_stdin;
use super::streams::print;
use crate::api::Id;
use crate::cli::webhook::{self, MAX_PAYLOAD};
use crate::report::json::{self, Stored};
use crate::selection::only::{ImageSubject, Only};

/// `--only`, `--only-image` and `--from-webhook`.
pub(super) fn only(args: &OnlyArgs) -> anyhow::Result<Only> {
    let mut only = Only::default();
    for name in &args.only {
        let parts = name.split_once(':').or_else(|| name.split_once('/'));
        let Some((namespace, name)) = parts.filter(|(_, name)| !name.contains([':', '/'])) else {
            bail!("`--only {name}` names no ImagePolicy: write `--only NAMESPACE:NAME`");
        };
        only.policies.push(Id::new(namespace, name));
    }
    let images = args.only_image.iter().cloned();
    only.images.extend(images.map(ImageSubject::Image));
    if let Some(path) = &args.from_webhook {
        let payload = read_some(path)?;
        let subject = webhook::subject(&payload);
        only.images
            .push(subject.with_context(|| format!("`--from-webhook {}`", path.display()))?);
    }
    Ok(only)
}

/// A file or stdin, but no more of it than a payload may have.
fn read_some(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let most = MAX_PAYLOAD as u64 + 1;
    let read = if is_stdin(path) {
        std::io::stdin().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

/// The moment of a run, in whole seconds unless somebody named it.
pub(super) fn moment(args: &HandOffArgs) -> Timestamp {
    args.now.unwrap_or_else(super::network::now)
}

fn stored(args: &StoredArgs) -> anyhow::Result<Stored> {
    let path = args.report.as_ref().or(args.from.as_ref());
    let path = path.context("name the file that `flux-image update --report FILE` wrote")?;
    let (_, text) = given::text(path)?;
    let stored: Stored = serde_json::from_str(&text)
        .with_context(|| format!("{} is not a report of `flux-image update`", path.display()))?;
    if stored.kind != "Report" {
        bail!("{} is not a report of `flux-image update`", path.display());
    }
    Ok(stored)
}

/// `flux-image message`.
pub(super) fn message(args: &StoredArgs) -> anyhow::Result<Exit> {
    let stored = stored(args)?;
    let message = json::message(&stored.automations, args.automation.as_deref())?;
    print([message])?;
    Ok(Exit::Done)
}

/// `flux-image branch`.
pub(super) fn branch(args: &StoredArgs) -> anyhow::Result<Exit> {
    let stored = stored(args)?;
    let branch = json::branch(&stored.automations, args.automation.as_deref());
    let branch = branch.context("cannot name one branch; `--automation NAMESPACE/NAME` chooses")?;
    print([branch, "\n".to_owned()])?;
    Ok(Exit::Done)
}
