//! A client for one test, and what its targets are made of.

#![allow(dead_code, reason = "each of the tests that share it uses a part")]

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use oci_tags::image::Repository;
use oci_tags::login::{Credential, Secret};
use oci_tags::registry::trust::{Rank, Ranked};
use oci_tags::registry::{Connection, Limits, Listing, Registries, RegistryError, Target};

/// A patience that no test comes near, unless it is about patience.
pub const LONG: Duration = Duration::from_secs(30);

/// What the password of every test is, so that it can be looked for.
pub const PASSWORD: &str = "hunter2-s3cret";

pub fn target(host: &str, path: &str) -> Target {
    over(host, path, Connection::default())
}

pub fn over(host: &str, path: &str, connection: Connection) -> Target {
    let repository = Repository::parse(&format!("{host}/{path}")).expect("a name");
    Target::new(repository, connection).expect("no credential")
}

/// The same, reached in another way, as the user says it.
pub fn by(target: &Target, change: impl FnOnce(&mut Connection)) -> Target {
    let mut connection = target.connection().clone();
    change(&mut connection);
    let same = Target::new(target.repository.clone(), connection).expect("the user's own");
    with(same, target.credential().clone())
}

pub fn own<T>(part: T) -> Option<Ranked<T>> {
    Some(Ranked::new(part, Rank::User))
}

pub fn with(target: Target, credential: Credential) -> Target {
    let credential = Ranked::new(credential, Rank::User);
    target.with_credential(credential).expect("the user's own")
}

pub fn with_password(target: Target) -> Target {
    with(
        target,
        Credential::Basic {
            username: "alice".to_owned(),
            password: Secret::new(PASSWORD),
        },
    )
}

pub fn quick() -> Limits {
    Limits {
        backoff: Duration::from_millis(5),
        ..Limits::default()
    }
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// The list of one repository, asked by a client of its own.
pub fn list(target: &Target) -> Result<Listing, RegistryError> {
    run(Registries::new(quick()).tags(target, LONG, &[]))
}

/// The lists of many repositories, asked for at once by one client; every one
/// must be had.
pub fn list_all(targets: impl IntoIterator<Item = Target>) -> Vec<(Target, Listing)> {
    let registries = Arc::new(Registries::new(quick()));
    run(async {
        let mut all = tokio::task::JoinSet::new();
        for target in targets {
            let registries = Arc::clone(&registries);
            all.spawn(async move {
                let listing = registries.tags(&target, LONG, &[]).await;
                (target, listing.expect("a list"))
            });
        }
        let mut lists = Vec::new();
        while let Some(done) = all.join_next().await {
            lists.push(done.expect("no panic"));
        }
        lists
    })
}

pub fn tags(target: &Target) -> Result<Vec<String>, RegistryError> {
    let listing = list(target)?;
    Ok(listing.into_tags())
}

pub fn digest(target: &Target, tag: &str) -> Result<String, RegistryError> {
    run(Registries::new(quick()).digest(target, LONG, tag))
}

/// Said past the test runner, which keeps what passing tests print.
pub fn skipped(test: &str, why: &str) {
    _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
