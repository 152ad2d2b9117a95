//! Writes the homes under `fixtures/`: keychains, certificates, plists and saved outputs of commands, made of nothing
//! but what stands here.
//!
//! The output is the same on each machine and each day. Nothing is shared with the reader that is tested with it.
//!
//! `cargo run -p fixture-generator` writes all fixtures anew. What the tool prints for them (`expected.json`,
//! `expected.stderr`) is kept beside them by the tests, see CONTRIBUTING.md.

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
