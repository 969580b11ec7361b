//! What the scalars of a policy carry before a run: a digest that is there
//! already need not be asked for (`digestReflectionPolicy: IfNotPresent`).

use std::collections::{BTreeMap, BTreeSet};

use crate::api::Id;
use crate::binding::bindings::{BindingContext, Bindings, PolicyRef};
use crate::binding::marker::{ImagePart, MarkerTarget, split_digest};
use crate::documents::Documents;
use crate::policy::reflect::DigestReflection;
use crate::selection::tags::Present;
use oci_tags::image::{Reference, is_digest};

/// Tags and digests of the scalars of some policies.
#[derive(Debug)]
pub struct CurrentDigests(BTreeMap<Id, Scalars>);

#[derive(Debug, Default)]
struct Scalars {
    tags: BTreeSet<String>,
    digests: BTreeSet<String>,
    /// One of them is not a pinned image.
    is_bare: bool,
}

impl CurrentDigests {
    /// The policies that want to know, `None` where none does.
    #[must_use]
    pub fn wanted(documents: &Documents) -> Option<Self> {
        let wants = documents.policies.iter().filter(|(_, policy)| {
            let document = &policy.document;
            document.spec.reflection() == Some(DigestReflection::IfNotPresent)
        });
        let wanted: BTreeMap<Id, Scalars> = wants
            .map(|(id, _)| (id.clone(), Scalars::default()))
            .collect();
        (!wanted.is_empty()).then_some(Self(wanted))
    }

    /// Takes in the scalars of a text, as `context` binds them.
    pub fn add(&mut self, bindings: &Bindings<'_, '_>, context: &BindingContext<'_>) {
        for bound in &bindings.bound {
            match &bound.policy {
                PolicyRef::Named(setter) => {
                    let Some(target) = MarkerTarget::parse(setter) else {
                        continue;
                    };
                    self.carry(
                        &Id::new(target.namespace, target.name),
                        target.part,
                        &bound.text,
                    );
                }
                PolicyRef::Of(repository, holds) => {
                    for id in context.images.get(repository).into_iter().flatten() {
                        self.carry(id, holds.part(), &bound.text);
                    }
                }
            }
        }
    }

    fn carry(&mut self, id: &Id, part: ImagePart, text: &str) {
        if let Some(scalars) = self.0.get_mut(id) {
            scalars.add(part, text);
        }
    }

    /// The policies whose scalars all carry one tag and one digest.
    #[must_use]
    pub fn present(self) -> BTreeMap<Id, Present> {
        let one = |texts: BTreeSet<String>| {
            let mut texts = texts.into_iter();
            texts.next().filter(|_| texts.next().is_none())
        };
        let all = self.0.into_iter().filter(|(_, scalars)| !scalars.is_bare);
        all.filter_map(|(id, scalars)| {
            let (tag, digest) = (one(scalars.tags)?, one(scalars.digests)?);
            Some((id, Present { tag, digest }))
        })
        .collect()
    }
}

impl Scalars {
    fn add(&mut self, part: ImagePart, text: &str) {
        match part {
            ImagePart::Name => {}
            ImagePart::Tag => {
                let (tag, digest) = split_digest(text);
                self.tags.insert(tag.to_owned());
                let digest = digest.filter(|digest| is_digest(digest));
                self.digests.extend(digest.map(str::to_owned));
            }
            ImagePart::Digest if is_digest(text) => _ = self.digests.insert(text.to_owned()),
            ImagePart::Digest => self.is_bare = true,
            ImagePart::Image => match Reference::parse(text) {
                Ok(Reference {
                    tag: Some(tag),
                    digest: Some(digest),
                    ..
                }) => {
                    self.tags.insert(tag);
                    self.digests.insert(digest);
                }
                _ => self.is_bare = true,
            },
        }
    }
}
