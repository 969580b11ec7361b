//! The flags about clusters: whose view of the repository counts, and what only they
//! know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::ClusterArgs;
use super::{given, interrupt};
use crate::api::{self, Id};
use crate::checkout::request::{Clusters, Progress, ShowsProgress};
use crate::cluster::flux::SourceKey;
use crate::cluster::{applied, kustomization};
use crate::foreign;

/// The clusters of a command line.
///
/// # Errors
/// A flag that cannot be read.
pub(super) fn of(args: &ClusterArgs, is_offline: bool) -> anyhow::Result<Clusters> {
    let mut substitute = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    for path in &args.substitute_from {
        let (name, text) = given::text(path)?;
        let values = values(&text, &mut secrets);
        substitute.extend(values.map_err(|why| anyhow::anyhow!("{name}: {why}"))?);
    }
    for written in &args.substitute {
        let Some((name, value)) = written.split_once('=') else {
            bail!("`--substitute {written}`: write it as NAME=VALUE");
        };
        substitute.insert(name.to_owned(), value.to_owned());
    }
    let sources = args.local_sources.iter().map(|written| {
        local_source(written).with_context(|| format!("`--local-sources {written}`"))
    });
    Ok(Clusters {
        paths: args.cluster_path.clone(),
        substitute,
        secrets,
        local_sources: sources.collect::<anyhow::Result<_>>()?,
        remote_bases: args.remote_bases && !is_offline,
        are_found: !args.no_clusters,
        interrupted: interrupt::flag(),
        progress: Progress(Some(Arc::new(Bar::default()))),
    })
}

/// `Kind/namespace/name=path`, as `flux build` has it.
fn local_source(written: &str) -> anyhow::Result<(SourceKey, PathBuf)> {
    let read = || {
        let (source, folder) = written.split_once('=')?;
        let mut parts = source.split('/');
        let (kind, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
        let key = SourceKey {
            kind: kind.to_owned(),
            id: Id::new(namespace, name),
        };
        let is_whole = parts.next().is_none() && ![kind, namespace, name, folder].contains(&"");
        is_whole.then(|| (key, PathBuf::from(folder)))
    };
    read().context(
        "write it as KIND/NAMESPACE/NAME=DIR, as in GitRepository/flux-system/apps=../apps",
    )
}

/// Values of Secrets, by the names of these.
type Secrets = BTreeMap<String, BTreeMap<String, String>>;

/// The values of a ConfigMap, or lines as `NAME=VALUE`. Those of a Secret go to
/// `secrets`, by its name: not everybody who writes a Kustomization is to have them.
fn values(text: &str, secrets: &mut Secrets) -> Result<BTreeMap<String, String>, String> {
    let documents = kustomization::documents(text).unwrap_or_default();
    let documents: Vec<_> = documents.iter().filter(|one| one.is_object()).collect();
    let mut all = BTreeMap::new();
    if documents.is_empty() {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                return Err(format!("line {} is not NAME=VALUE", number + 1));
            };
            let value = value.trim();
            let quoted = ['"', '\'']
                .into_iter()
                .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            all.insert(name.trim().to_owned(), quoted.unwrap_or(value).to_owned());
        }
        return Ok(all);
    }
    for document in documents {
        if applied::is_encrypted(document) {
            return Err("this is encrypted: decrypt it first, as `sops decrypt` does".to_owned());
        }
        match document["kind"].as_str() {
            Some("ConfigMap") => {
                let data = document["data"].as_object().into_iter().flatten();
                let data = data
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
                all.extend(data);
            }
            Some("Secret") => {
                let secret: api::Secret = serde_json::from_value((*document).clone())
                    .map_err(|_| "a Secret that cannot be read".to_owned())?;
                let known = secrets.entry(secret.metadata.name.clone()).or_default();
                for name in secret.data.keys().chain(secret.string_data.keys()) {
                    let value = secret
                        .value(&[name.as_str()])
                        .map_err(|error| error.to_string())?;
                    let value = value.map(|value| (name.clone(), value.reveal().to_owned()));
                    known.extend(value);
                }
            }
            _ => return Err("neither a ConfigMap nor a Secret, nor lines as NAME=VALUE".to_owned()),
        }
    }
    Ok(all)
}

/// A bar on a terminal.
#[derive(Default)]
pub(super) struct Bar(OnceLock<ProgressBar>);

impl ShowsProgress for Bar {
    fn tell(&self, folder: &str, number: usize, total: usize) {
        // A build has a temporary folder.
        interrupt::catch();
        let bar = self.0.get_or_init(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("building {bar:24} {pos}/{len} {msg}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar
        });
        bar.set_length(total.try_into().unwrap_or(u64::MAX));
        bar.set_position(number.try_into().unwrap_or(u64::MAX));
        bar.set_message(foreign::shown(folder).into_owned());
    }

    fn end(&self) {
        if let Some(bar) = self.0.get() {
            bar.finish_and_clear();
        }
        interrupt::release();
    }
}
