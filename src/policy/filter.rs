//! `filterTags`: a pattern that tags must match, and what of each is compared.

use std::collections::BTreeMap;

use go_regexp::{Budget, Regex, SyntaxError, Template};

/// A compiled `filterTags`.
#[derive(Clone, Debug)]
pub struct Filter {
    pattern: Regex,
    /// Absent when `extract` is empty: then the whole tag is compared.
    extract: Option<Template>,
}

/// A tag that is left after the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What the policy compares.
    pub value: String,
    /// The tag it came from.
    pub tag: String,
}

impl Filter {
    /// Compiles `filterTags`. An empty pattern matches every tag.
    ///
    /// # Errors
    /// A pattern that Go would refuse, or for which nothing is left in the
    /// budget.
    pub fn new(pattern: &str, extract: &str, budget: &mut Budget) -> Result<Self, SyntaxError> {
        Ok(Self {
            pattern: Regex::within(pattern, budget)?,
            extract: (!extract.is_empty()).then(|| Template::new(extract)),
        })
    }

    /// What of each tag is compared, `None` for one that does not match.
    pub fn values<'f, S: AsRef<str>>(
        &'f self,
        tags: &'f [S],
    ) -> impl Iterator<Item = Option<String>> + 'f {
        let mut scratch = self.pattern.scratch();
        tags.iter().map(move |tag| {
            let tag = tag.as_ref();
            match &self.extract {
                None => self.pattern.is_match(tag).then(|| tag.to_owned()),
                Some(template) => {
                    let found = self.pattern.find(tag, &mut scratch)?;
                    Some(template.expand(&found))
                }
            }
        })
    }

    /// The tags that match, with what is extracted from each, sorted bytewise
    /// descending by tag. Of tags with one extracted value the last in `tags`
    /// is kept, as in Flux.
    #[must_use]
    pub fn apply<S: AsRef<str>>(&self, tags: &[S]) -> Vec<Candidate> {
        let mut by_value: BTreeMap<String, &str> = BTreeMap::new();
        for (tag, value) in tags.iter().zip(self.values(tags)) {
            if let Some(value) = value {
                by_value.insert(value, tag.as_ref());
            }
        }
        let mut candidates: Vec<Candidate> = by_value
            .into_iter()
            .map(|(value, tag)| Candidate {
                value,
                tag: tag.to_owned(),
            })
            .collect();
        candidates.sort_unstable_by(|a, b| b.tag.cmp(&a.tag));
        candidates
    }
}
