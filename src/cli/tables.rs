//! `flux-image policies`, `repositories` and `automations`.

use std::collections::BTreeSet;

use anyhow::bail;
use serde::Serialize;

use super::Exit;
use super::args::{TableArgs, TableOutput};
use super::function::freshness;
use super::items::Items;
use super::network::{Asker, Caller};
use super::scan;
use super::streams::{print, say, say_findings};
use crate::checkout::git::Repositories;
use crate::checkout::survey::{self, Subject, Surveyed};
use crate::checkout::{self, BoundIn, Request};
use crate::documents::Documents;
use crate::finding::{Code, Finding};
use crate::foreign::yaml;
use crate::insight::tables::{self, AutomationRow, PolicyRow, RepositoryRow, RowHead};
use crate::insight::trial::Trial;
use crate::plan::outcome::Outcome;
use crate::report::table::table;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Policies,
    Repositories,
    Automations,
}

/// A row of one of the tables.
trait Row: Serialize {
    const KIND: &'static str;
    const HEADINGS: &'static [&'static str];
    const WIDE: &'static [&'static str];
    fn head(&self) -> &RowHead;
    /// The cells behind the name; those of `-o wide` last.
    fn cells(&self) -> (Vec<String>, Vec<String>);
}

/// Prints a table.
pub(super) fn run(args: &TableArgs, which: Table) -> anyhow::Result<Exit> {
    match which {
        Table::Policies => rows(args, |surveyed| tables::policies(&surveyed.facts())),
        Table::Repositories => rows(args, |surveyed| tables::repositories(&surveyed.facts())),
        Table::Automations => rows(args, |surveyed| {
            let why_not = |id: &_| surveyed.automations.why_not(id);
            tables::automations(&surveyed.facts(), &why_not)
        }),
    }
}

fn rows<R: Row>(args: &TableArgs, of: impl Fn(&Surveyed<'_>) -> Vec<R>) -> anyhow::Result<Exit> {
    let repositories = Repositories::default();
    let request = Request {
        tags_from: args.tags_from.clone(),
        ..scan::request(
            &args.look.documents(Vec::new()),
            &args.look.registries,
            freshness(args.look.max_age),
            &repositories,
        )?
    };
    let mut asker = Asker::new(
        &args.look.registries,
        Caller::Person,
        request.refresh.clone(),
    );
    let mut ask = |documents: &Documents, questions: &[_]| asker.ask(documents, questions);
    let none = Trial::default();
    let subject = Subject {
        only: None,
        trial: &none,
    };
    let (mut all, mut outcome) = (Vec::new(), Outcome::default());
    checkout::with(&request, &repositories, BoundIn::Reach, |checkout| {
        let surveyed = survey::of(checkout, (&request, &repositories), subject, Some(&mut ask));
        all.extend(of(&surveyed));
        let told =
            |finding: &Finding| !matches!(finding.code, Code::KeptPrevious | Code::Suspended);
        outcome
            .findings
            .extend(surveyed.findings.into_iter().filter(told));
    })?;
    say_findings(&outcome.findings);
    let namespace = args.namespace.as_deref().unwrap_or("flux-system");
    all.retain(|row| is_wanted(row.head(), args, namespace));
    if all.is_empty() {
        bail!(unknown(args, R::KIND, namespace));
    }
    // As Flux does: of those that there are none may have the status.
    if let Some(wanted) = &args.status_selector {
        if !wanted.is_known() {
            say("of the conditions only Ready is known here, and no row has another one\n");
        }
        all.retain(|row| wanted.matches(&row.head().ready));
    }
    show(args, all)?;
    Ok(Exit::of(&outcome, false, false))
}

/// That nothing is known of what was asked for.
fn unknown(args: &TableArgs, kind: &str, namespace: &str) -> String {
    let what = args.name.as_ref();
    let what = what.map_or_else(|| kind.to_owned(), |name| format!("{kind} `{name}`"));
    let labels = match args.label_selector {
        Some(_) => " with these labels",
        None => "",
    };
    match args.all_namespaces {
        true => format!("no {what}{labels} is known in any namespace"),
        false => format!(
            "no {what}{labels} is known in the namespace `{namespace}`\n  hint: `-A` lists all namespaces"
        ),
    }
}

fn is_wanted(head: &RowHead, args: &TableArgs, namespace: &str) -> bool {
    (args.all_namespaces || head.namespace == namespace)
        && args.name.as_ref().is_none_or(|name| head.name == *name)
        && args
            .label_selector
            .as_ref()
            .is_none_or(|one| one.matches(&head.labels))
}

fn show<R: Row>(args: &TableArgs, rows: Vec<R>) -> anyhow::Result<()> {
    let kind = R::KIND.to_lowercase();
    match args.output {
        TableOutput::Table | TableOutput::Wide => {
            let text = text(&rows, args);
            print([text])
        }
        TableOutput::Name => {
            // Several clusters may see one document.
            let mut told = BTreeSet::new();
            let rows = rows.iter().map(R::head);
            let rows = rows.filter(|head| told.insert((&head.namespace, &head.name)));
            let names = rows.map(|head| {
                let name = crate::foreign::shown(&head.name).into_owned();
                format!("{kind}.image.toolkit.fluxcd.io/{name}\n")
            });
            print(names.collect::<Vec<String>>())
        }
        TableOutput::Json | TableOutput::Yaml => {
            let list = Items::new(&format!("{}Table", R::KIND), rows);
            print([match args.output {
                TableOutput::Yaml => yaml(&serde_json::to_value(&list)?),
                _ => list.json()?,
            }])
        }
    }
}

/// The columns of `flux get`, and with `-o wide` those that Flux has none of.
fn text<R: Row>(rows: &[R], args: &TableArgs) -> String {
    let is_wide = args.output == TableOutput::Wide;
    let has_clusters = rows.iter().any(|row| row.head().cluster.is_some());
    let mut headings = Vec::new();
    headings.extend(has_clusters.then_some("CLUSTER"));
    headings.extend(args.all_namespaces.then_some("NAMESPACE"));
    headings.extend(["NAME"]);
    headings.extend(R::HEADINGS);
    if is_wide {
        headings.extend(R::WIDE);
    }
    let line = |row: &R| {
        let head = row.head();
        let (cells, wide) = row.cells();
        let mut line = Vec::new();
        line.extend(has_clusters.then(|| head.cluster.clone().unwrap_or_default()));
        line.extend(args.all_namespaces.then(|| head.namespace.clone()));
        line.push(head.name.clone());
        line.extend(cells);
        line.extend([head.ready.clone(), head.message.clone()]);
        if is_wide {
            line.extend(wide);
        }
        line
    };
    let lines: Vec<Vec<String>> = rows.iter().map(line).collect();
    let text = table(&headings, &lines);
    match args.no_header {
        true => text
            .split_once('\n')
            .map_or_else(String::new, |(_, rest)| rest.to_owned()),
        false => text,
    }
}

fn flag(is_so: bool) -> String {
    if is_so { "True" } else { "False" }.to_owned()
}

impl Row for PolicyRow {
    const KIND: &'static str = "ImagePolicy";
    const HEADINGS: &'static [&'static str] = &["IMAGE", "TAG", "READY", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["CURRENT", "BEHIND", "USED IN"];

    fn head(&self) -> &RowHead {
        &self.head
    }

    fn cells(&self) -> (Vec<String>, Vec<String>) {
        let current: Vec<&str> = self.current.iter().map(String::as_str).collect();
        let behind = self
            .behind
            .map_or_else(String::new, |behind| behind.to_string());
        let files = self.used_in.iter().map(|(file, count)| match count {
            1 => file.clone(),
            count => format!("{file} ({count})"),
        });
        let files: Vec<String> = files.collect();
        let used = match files.as_slice() {
            [first, _, _, ..] => format!("{first} and {} more files", files.len() - 1),
            few => few.join(", "),
        };
        let cells = vec![self.image.clone(), self.tag.clone()];
        (cells, vec![current.join(", "), behind, used])
    }
}

impl Row for RepositoryRow {
    const KIND: &'static str = "ImageRepository";
    const HEADINGS: &'static [&'static str] = &["LAST SCAN", "SUSPENDED", "READY", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["IMAGE", "POLICIES"];

    fn head(&self) -> &RowHead {
        &self.head
    }

    fn cells(&self) -> (Vec<String>, Vec<String>) {
        let policies: Vec<&str> = self.policies.iter().map(String::as_str).collect();
        let cells = vec![self.last_scan.clone(), flag(self.suspended)];
        (cells, vec![self.image.clone(), policies.join(", ")])
    }
}

impl Row for AutomationRow {
    const KIND: &'static str = "ImageUpdateAutomation";
    const HEADINGS: &'static [&'static str] = &["LAST RUN", "SUSPENDED", "READY", "MESSAGE"];
    const WIDE: &'static [&'static str] = &["PATH", "VALUES", "OUTDATED"];

    fn head(&self) -> &RowHead {
        &self.head
    }

    fn cells(&self) -> (Vec<String>, Vec<String>) {
        // Nobody runs it here.
        let cells = vec![String::new(), flag(self.suspended)];
        let wide = vec![
            self.path.clone(),
            self.values.to_string(),
            self.outdated.to_string(),
        ];
        (cells, wide)
    }
}
