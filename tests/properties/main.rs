//! The promises of ARCHITECTURE.md as properties: over generated YAML, and
//! over real repositories where they are at hand.

mod corpora;
mod envelope;
mod generated;
mod growth;
mod promises;
#[path = "../conformance/readback.rs"]
mod readback;
mod readers;
mod recorded;

use proptest::test_runner::{Config, RngSeed};

/// The same cases at every run, unless `PROPTEST_CASES` and
/// `PROPTEST_RNG_SEED` ask for others.
fn config(cases: u32) -> Config {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}
