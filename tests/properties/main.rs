//! The promises of ARCHITECTURE.md as properties: over generated YAML, and
//! over real repositories where they are at hand.

mod corpora;
mod generated;
mod promises;
#[path = "../harness/readback.rs"]
mod readback;
mod readers;
