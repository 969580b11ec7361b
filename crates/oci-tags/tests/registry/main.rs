//! The registry client against a server on loopback that does what no sound
//! registry does.

mod attacks;
mod certificates;
mod client;
mod login;
mod pages;
mod retries;
mod server;
