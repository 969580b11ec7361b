//! The registry client against a server on loopback that does what no sound
//! registry does.

#![expect(clippy::too_many_lines, reason = "tables, and stories told in order")]

mod attacks;
mod certificates;
mod client;
mod login;
mod pages;
mod retries;
mod server;
