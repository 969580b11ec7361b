//! The tags of an image, from any OCI registry.
//!
//! - [`image`]: names of images, as go-containerregistry reads them
//! - [`login`]: who we are, to whom: Secrets, Docker's logins, the clouds
//! - [`registry`]: a client that lists every tag and trusts nobody
//!
//! ```
//! use oci_tags::image::{Reference, Repository};
//!
//! let repository = Repository::parse("nginx")?;
//! assert_eq!(repository.canonical(), "index.docker.io/library/nginx");
//! let reference = Reference::parse("registry.example:5000/acme/app:1.2.0")?;
//! assert_eq!(reference.repository.host(), "registry.example:5000");
//! assert_eq!(reference.tag.as_deref(), Some("1.2.0"));
//! # Ok::<(), oci_tags::image::NameError>(())
//! ```
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use oci_tags::image::Repository;
//! use oci_tags::registry::{Connection, Limits, Registries, Target};
//!
//! # async fn list() -> Result<(), Box<dyn std::error::Error>> {
//! let registries = Registries::new(Limits::default());
//! let repository = Repository::parse("registry.example/acme/app")?;
//! let target = Target::new(repository, Connection::default())?;
//! let listing = registries.tags(&target, Duration::from_secs(60), &[]).await?;
//! println!("{} tags", listing.into_tags().len());
//! # Ok(())
//! # }
//! ```

#![warn(unreachable_pub)]

mod http;
pub mod image;
pub mod login;
pub mod registry;
