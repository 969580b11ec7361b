//! The one order of a run, for whoever brings texts: the function one, a checkout
//! thousands.
//!
//! 1. [`Run::start`] binds the scalars of each text, and takes in what snapshots and
//!    those scalars tell of tags and digests.
//! 2. [`Run::learn`] has registries asked what is left, and gives each policy its
//!    image, or the reason why there is none. [`Run::scan`] asks for everything.
//! 3. [`Learned::plan`] makes the edits of each text.
//! 4. [`Learned::close`] says what is bound to nothing, and what nothing is bound to.
//!
//! Before it the documents are finished; after it edits become texts, files, commits.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{Bind, Id, OnUnresolved};
use crate::binding::bindings::{self, BindingConfig, BindingContext, Bindings, PolicyRef};
use crate::binding::marker::{ImagePart, MarkerTarget};
use crate::documents::Documents;
use crate::finding::Finding;
use crate::parallel;
use crate::plan::edits::{self, Plan, Policies};
use crate::plan::takers::Takers;
use crate::resource_list::Outline;
use crate::selection::current_digests::CurrentDigests;
use crate::selection::registry_queries::{self, Ask, Query};
use crate::selection::resolve::{self, Resolved};
use crate::selection::tags::{Freshness, TagBook};

/// A text whose scalars may be bound.
#[derive(Clone, Copy, Debug)]
pub struct SourceText<'t> {
    /// What findings call it; empty for stdin.
    pub name: &'t str,
    /// What it holds.
    pub text: &'t str,
    /// The same, outlined.
    pub outline: &'t Outline<'t>,
}

/// How the scalars of a run are bound.
#[must_use]
pub fn context<'c>(config: &'c BindingConfig, documents: &Documents) -> BindingContext<'c> {
    let images = match config.bind {
        Bind::Images => resolve::followers(documents),
        _ => BTreeMap::new(),
    };
    BindingContext::new(config, images)
}

/// Whose images a run asks registries for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of the policies that something in the texts is bound to.
    Bound,
    /// Those of all policies.
    All,
}

/// A run whose texts are bound.
pub struct Run<'r> {
    documents: &'r Documents,
    context: &'r BindingContext<'r>,
    texts: &'r [SourceText<'r>],
    bindings: Vec<Bindings<'r, 'r>>,
    /// What is known of tags.
    pub tags: TagBook,
}

/// A run that knows the image of every policy.
pub struct Learned<'r> {
    run: Run<'r>,
    /// The images, or why there is none.
    pub images: BTreeMap<Id, Resolved>,
}

impl<'r> Run<'r> {
    /// Binds what is in some texts. What is wrong with snapshots comes back.
    #[must_use]
    pub fn start(
        documents: &'r Documents,
        context: &'r BindingContext<'r>,
        texts: &'r [SourceText<'r>],
        freshness: Freshness,
    ) -> (Self, Vec<Finding>) {
        let bind = |chunk: &[SourceText<'r>]| -> Vec<Bindings<'r, 'r>> {
            let chunk = chunk.iter();
            chunk
                .map(|one| bindings::bind(one.text, one.outline, one.name, context))
                .collect()
        };
        let bindings = parallel::map(texts, &bind);
        let (mut tags, findings) = TagBook::of_snapshots(documents, freshness);
        if let Some(mut digests) = CurrentDigests::wanted(documents) {
            for one in &bindings {
                digests.add(one, context);
            }
            tags.note_present(digests.present());
        }
        let run = Self {
            documents,
            context,
            texts,
            bindings,
            tags,
        };
        (run, findings)
    }

    /// What is bound in each text, in their order.
    #[must_use]
    pub fn bindings(&self) -> &[Bindings<'r, 'r>] {
        &self.bindings
    }

    /// Has registries asked for everything, whatever is bound.
    pub fn scan(&mut self, ask: &mut Ask<'_>) -> Vec<Finding> {
        registry_queries::scan(self.documents, &mut self.tags, ask)
    }

    /// Gives each policy its image, and says what went wrong on the way. `ask`
    /// answers what only registries can tell.
    #[must_use]
    pub fn learn(
        mut self,
        query: &Query<'_>,
        whose: Whose,
        ask: Option<&mut Ask<'_>>,
    ) -> (Learned<'r>, Vec<Finding>) {
        let (bindings, context) = (&self.bindings, self.context);
        let bound = || {
            let names = bindings.iter().map(|one| one.names(context));
            names.fold(BTreeSet::new(), |mut all, names| {
                all.extend(names);
                all
            })
        };
        let names: Option<&registry_queries::BoundNames<'_>> = match whose {
            Whose::Bound => Some(&bound),
            Whose::All => None,
        };
        let (documents, tags) = (self.documents, &mut self.tags);
        let (images, findings) = registry_queries::images(documents, tags, query, names, ask);
        (Learned { run: self, images }, findings)
    }
}

impl<'r> Learned<'r> {
    /// What is bound in each text, in their order.
    #[must_use]
    pub fn bindings(&self) -> &[Bindings<'r, 'r>] {
        &self.run.bindings
    }

    /// What is known of tags.
    #[must_use]
    pub fn tags(&self) -> &TagBook {
        &self.run.tags
    }

    /// The known policies that something bound belongs to, and the part of their image that
    /// it holds: one, or all that follow a repository. A policy without a namespace is found
    /// by its name, if that is unique.
    #[must_use]
    pub fn policies_of(&self, bound: &PolicyRef) -> Vec<(Id, ImagePart)> {
        match bound {
            PolicyRef::Named(setter) => {
                let Some(target) = MarkerTarget::parse(setter) else {
                    return Vec::new();
                };
                let id = Id::new(target.namespace, target.name);
                let same_name = || self.images.keys().filter(|one| one.name == id.name).count();
                let found = edits::known(&self.images, &id, same_name).into_iter();
                found.map(|(id, _)| (id.clone(), target.part)).collect()
            }
            PolicyRef::Of(repository, kind) => {
                let ids = self.run.context.images.get(repository);
                let ids = ids.into_iter().flatten();
                ids.map(|id| (id.clone(), kind.part())).collect()
            }
        }
    }

    /// The plans of some texts, by their numbers, each with who takes policies to it.
    /// `name_of` says what an error calls one of those.
    #[must_use]
    pub fn plan(
        &self,
        texts: &[(usize, Takers<'_>)],
        on_unresolved: OnUnresolved,
        name_of: &(dyn Fn(Option<usize>) -> String + Sync),
    ) -> Vec<Plan> {
        let run = &self.run;
        let policies = Policies {
            all: &self.images,
            documents: &run.documents.policies,
            names: edits::by_name(&self.images),
            name_of,
            on_unresolved,
            images: &run.context.images,
            renamed: &run.documents.renamed.policies,
            elsewhere: &run.documents.elsewhere,
            is_incomplete: run.documents.is_incomplete,
        };
        let plan = |chunk: &[(usize, Takers<'_>)]| -> Vec<Plan> {
            let one = |(number, takers): &(usize, Takers<'_>)| {
                let (text, bindings) = (&run.texts[*number], &run.bindings[*number]);
                edits::plan((text.name, text.text), bindings, takers, &policies)
            };
            chunk.iter().map(one).collect()
        };
        parallel::map(texts, &plan)
    }

    /// Adds to the plan of the whole run what is bound to nothing, and what nothing is
    /// bound to.
    pub fn close(&self, plan: &mut Plan) {
        let fields = &self.run.context.config.fields;
        let unmatched = bindings::report_unmatched(fields, &plan.matched);
        plan.outcome.findings.extend(unmatched);
        let unused = resolve::unused(&self.images, &plan.used);
        plan.outcome.findings.extend(unused);
        plan.tell_ambiguous_once();
    }
}
