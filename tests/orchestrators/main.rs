//! The places where the function runs, with the real tools: kustomize, kpt and
//! a Docker engine.
//!
//! What a machine lacks is left out, named and counted in one line at the end;
//! with `FLUX_IMAGE_TEST_INSTALL=1` it is brought (kpt excepted), and what is
//! missing then is a failure.

mod clusters;
mod container;
mod corpora;
mod coverage_page;
mod engine;
mod examples;
#[path = "../services/image.rs"]
mod image;
mod kpt;
mod kustomize;
mod pipelines;
mod plugin;
mod policy_changes;
#[path = "../services/mod.rs"]
mod services;
#[path = "../services/tree.rs"]
mod tree;
mod world;

use std::collections::BTreeMap;

use libtest_mimic::{Arguments, Trial};
use world::{Tool, World};

/// A test, and the tools that it needs.
pub struct Story {
    name: String,
    needs: Vec<Tool>,
    run: Box<dyn FnOnce(&World) + Send>,
}

impl Story {
    fn new(name: &str, needs: &[Tool], run: impl FnOnce(&World) + Send + 'static) -> Self {
        Self {
            name: name.to_owned(),
            needs: needs.to_vec(),
            run: Box::new(run),
        }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    services::install();
    let world: &'static World = Box::leak(Box::new(World::new()));
    let mut left_out: BTreeMap<Tool, Vec<String>> = BTreeMap::new();
    let mut trials = Vec::new();
    let stories = [
        kustomize::stories(),
        kpt::stories(),
        container::stories(),
        examples::stories(),
        pipelines::stories(),
        clusters::stories(),
        corpora::stories(),
        coverage_page::stories(),
        plugin::stories(),
        policy_changes::stories(),
    ];
    for story in stories.into_iter().flatten() {
        let missing = story.needs.iter().find(|tool| !world.has(**tool)).copied();
        let name = story.name.clone();
        let trial = Trial::test(story.name, move || {
            if let Some(tool) = missing {
                return Err(format!("{tool} is missing").into());
            }
            (story.run)(world);
            Ok(())
        });
        let is_left_out = missing.is_some() && !services::must_be_here();
        if let Some(tool) = missing.filter(|_| is_left_out) {
            left_out.entry(tool).or_default().push(name);
        }
        trials.push(trial.with_ignored_flag(is_left_out));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    world.end();
    if !left_out.is_empty() {
        let count: usize = left_out.values().map(Vec::len).sum();
        let tools = left_out
            .iter()
            .map(|(tool, names)| format!("for want of {tool}: {}", names.join(", ")));
        let tools = tools.collect::<Vec<_>>().join("; ");
        eprintln!("LEFT OUT {count} tests of orchestrators, {tools}");
    }
    conclusion.exit();
}
