//! Generates the homes in `fixtures/`: keychains, certificates, plists and saved outputs of commands.
//!
//! The output is the same on every machine and at any time. It shares no code with the readers that are tested with it.
//!
//! `cargo run -p fixture-generator` rewrites all fixtures. The tests store the tool's output for them beside them
//! (`expected.json`, `expected.stderr`); CONTRIBUTING.md explains how.

pub mod certificate;
pub mod der;
pub mod keychain;
pub mod plist;
mod schema;
pub mod situations;
pub mod sso;

pub use certificate::{Certificate, Issuer};
pub use keychain::{GenericPassword, Keychain, Relation};
pub use plist::Value;
pub use situations::{Entry, Situation, situations};
