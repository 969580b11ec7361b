//! A checkout for who edits nothing and wants to know: where each policy is used, what
//! its automations would change, and why.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::files::Outlined;
use super::git::Repositories;
use super::reach::AutomationReach;
use super::request::Request;
use super::scope::{self, Automations, LeftOut, Reason, Scope};
use super::{Checkout, Tree, automations_of, changed_images, cluster_folders, plan_files};
use crate::api::{Id, OnUnresolved};
use crate::documents::Documents;
use crate::engine::{Learned, Whose};
use crate::finding::{Code, Finding};
use crate::insight::RunFacts;
use crate::insight::trial::Trial;
use crate::insight::uses::{self, Use};
use crate::parallel;
use crate::path_name;
use crate::plan::edits::Plan;
use crate::plan::planned::Planned;
use crate::plan::takers::Takers;
use crate::plan::unreached::Unreached;
use crate::selection::registry_queries::Ask;
use crate::selection::resolve::{self, Resolved};

/// What is known of a checkout.
pub struct Surveyed<'r> {
    /// The cluster that sees the documents; `None` for documents as they lie.
    pub cluster: Option<String>,
    /// The documents, with what is tried.
    pub documents: Cow<'r, Documents>,
    /// The images of the policies, and what is known of tags.
    pub learned: Learned<'r>,
    /// The values that belong to known policies, by file, in the order of the text.
    pub uses: Vec<Use>,
    /// The automations.
    pub automations: Automations,
    /// What was found while reading and asking.
    pub findings: Vec<Finding>,
    /// What was found in the files, whoever would edit them.
    pub in_files: Vec<Finding>,
    tree: Tree<'r>,
}

impl<'r> Surveyed<'r> {
    /// What is known of the run.
    #[must_use]
    pub fn facts(&self) -> RunFacts<'_> {
        RunFacts {
            cluster: self.cluster.as_deref(),
            documents: &self.documents,
            images: &self.learned.images,
            tags: self.learned.tags(),
            uses: &self.uses,
            owners: &self.automations.owners,
        }
    }

    /// What the automations would change.
    #[must_use]
    pub fn planned(&self) -> Planned {
        let mut planned = Planned {
            root: self.tree.files.root.clone(),
            ..Planned::default()
        };
        let owners = &self.automations.owners;
        let scope = Scope::Automations(owners.clone());
        let warn = OnUnresolved::Warn;
        plan_files(self.tree, &self.learned, &scope, warn, &mut planned);
        planned.images = changed_images(&planned, &self.learned.images);
        planned.owners.clone_from(owners);
        planned
    }

    /// The files that were read, with what they hold where that could be told.
    pub fn files(&self) -> impl Iterator<Item = &'r Outlined<'r>> + use<'r> {
        self.tree.outlined.iter()
    }

    /// The markers that no automation comes to, by policies.
    #[must_use]
    pub fn unreached(&self) -> Vec<Unreached> {
        let reach = AutomationReach::new(&self.automations, &self.learned.images, None, self.tree);
        let bound = self.files().filter_map(|one| {
            let bindings = &self.learned.bindings()[one.number?];
            Some((one.source, bindings))
        });
        reach.unreached(&bound.collect::<Vec<_>>())
    }

    /// That files are not valid YAML in which values are marked, and which could not be read.
    pub fn unread(&self) -> impl Iterator<Item = Finding> {
        let tree = self.tree;
        let unparsable = tree.outlined.iter().filter_map(move |one| {
            let error = one.outline.as_ref()?.as_ref().err()?;
            // Without markers it is told where documents are read.
            (one.source.has_markers).then(|| tree.files.unparsable(one.source, error))
        });
        let refused = tree.files.refused.iter().map(|one| one.finding.clone());
        unparsable.chain(refused)
    }
}

/// Which policies matter, and what is tried with them.
#[derive(Clone, Copy)]
pub struct Subject<'s> {
    /// The policies that registries are asked for; `None` for all.
    pub only: Option<&'s BTreeSet<Id>>,
    /// What is tried with those.
    pub trial: &'s Trial,
}

/// Looks at everything in a checkout. `ask` answers what only registries can tell.
#[must_use]
pub fn of<'r>(
    checkout: Checkout<'r>,
    (request, repositories): (&Request, &Repositories),
    subject: Subject<'_>,
    ask: Option<&mut Ask<'_>>,
) -> Surveyed<'r> {
    let (tree, trial) = (checkout.tree, subject.trial);
    let mut run = checkout.run;
    let mut findings = checkout.findings;
    let tried: Vec<Id> = subject.only.into_iter().flatten().cloned().collect();
    trial.give(checkout.documents, &tried, &mut run.tags);
    let query = request.query(subject.only);
    let (mut learned, asked) = run.learn(&query, Whose::All, ask);
    findings.extend(asked);
    let documents = trial.documents(checkout.documents, &tried);
    if !trial.is_empty() {
        let mut images = resolve::resolve(&documents, learned.tags(), &query.sources);
        resolve::add_digests(learned.tags(), &mut images);
        learned.images = images;
    }
    let automations = here(
        (&documents, &learned.images),
        tree,
        (request, repositories),
        &mut findings,
    );
    let whole = everything(tree, &learned);
    let reach = AutomationReach::new(&automations, &learned.images, None, tree);
    let uses = uses_of(tree, &learned, &whole, &reach);
    let in_files = whole.into_iter().flat_map(|plan| plan.outcome.findings);
    let in_files = in_files.collect();
    Surveyed {
        cluster: checkout.cluster,
        documents,
        learned,
        uses,
        findings,
        in_files,
        automations,
        tree,
    }
}

/// The automations, for who edits nothing: in a clone of a mirror or a fork a GitRepository
/// that is no remote is the checkout, where the tree itself says so.
fn here(
    (documents, images): (&Documents, &BTreeMap<Id, Resolved>),
    tree: Tree<'_>,
    (request, repositories): (&Request, &Repositories),
    findings: &mut Vec<Finding>,
) -> Automations {
    let mut said = Vec::new();
    let of_update = (request, repositories, &[][..]);
    let automations = automations_of(documents, images, tree, of_update, &mut said);
    let is_other = |one: &&LeftOut| one.reason == Reason::OtherRepository;
    let others: Vec<&LeftOut> = automations.left_out.iter().filter(is_other).collect();
    let root = &tree.files.root;
    let texts = tree.outlined.iter().map(|one| one.source);
    let texts = texts.filter_map(|source| {
        let inside = source.path.strip_prefix(root).ok()?;
        (!source.is_link).then_some((inside, &*source.text))
    });
    let own = match others.is_empty() {
        true => BTreeMap::new(),
        false => cluster_folders::own_sources(texts),
    };
    if own.is_empty() {
        findings.extend(said);
        return automations;
    }
    let ids: Vec<&Id> = own.keys().collect();
    let of_who_looks = (request, repositories, ids.as_slice());
    let taken = automations_of(documents, images, tree, of_who_looks, findings);
    for one in others.iter().filter(|one| {
        !taken
            .left_out
            .iter()
            .any(|left| is_other(&left) && left.id == one.id)
    }) {
        let Some(automation) = documents.automations.get(&one.id) else {
            continue;
        };
        let source = scope::source_id(&one.id, &automation.document);
        let file = own.get(&source).map(|file| path_name::shown(file));
        let message = format!(
            "ImageUpdateAutomation `{}`: {}; it is taken for this checkout here, since `{}` applies its own folder from there",
            one.id,
            one.said,
            file.unwrap_or_default()
        );
        let finding = Finding::info(
            Code::SkippedAutomation,
            message,
            automation.location.clone(),
        );
        findings.push(finding.hint(format!(
            "`update` without a PATH leaves it out, unless it is told: `--local-sources GitRepository/{}/{}=.`",
            source.namespace, source.name
        )));
    }
    taken
}

/// What every value would get, whoever would write it; by the numbers of the texts.
fn everything(tree: Tree<'_>, learned: &Learned<'_>) -> Vec<Plan> {
    let numbered = tree.outlined.iter().filter_map(|one| one.number);
    let texts: Vec<(usize, Takers<'_>)> =
        numbered.map(|number| (number, Takers::one(None))).collect();
    learned.plan(&texts, OnUnresolved::Warn, &|_| "PATH".to_owned())
}

fn uses_of(
    tree: Tree<'_>,
    learned: &Learned<'_>,
    plans: &[Plan],
    reach: &AutomationReach<'_>,
) -> Vec<Use> {
    let carriers = reach.carriers();
    let numbered = tree.outlined.iter().filter(|one| one.number.is_some());
    let texts: Vec<_> = numbered.zip(plans).collect();
    parallel::map(&texts, &|chunk| {
        let uses = chunk.iter().flat_map(|(one, plan)| {
            let bindings = one.number.map(|number| &learned.bindings()[number]);
            let source = one.source;
            let carrier = |id: &Id| carriers.of(&source.path, id);
            let uses = bindings
                .map(|bindings| uses::of_text(&source.name, bindings, plan, learned, &carrier));
            uses.unwrap_or_default()
        });
        uses.collect()
    })
}
