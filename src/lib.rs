//! Shows how far a Mac's Microsoft Entra registration through Jamf has got.
//!
//! [`collect`] reads files and runs commands, and decides nothing. [`assess`] decides, and reads nothing. [`report`]
//! formats the assessments. [`parse`] turns bytes into facts. `docs/architecture.md` has an overview.
//!
//! The crate never opens the login keychain with Security.framework, never unlocks or decrypts anything, and never
//! prompts. The only programs it starts are itself, `dscl` for the account records and, as the user, two that report
//! single sign-on status. It writes only a private copy of a keychain for macOS's own reader, which it removes, and
//! notes of keys if an administrator enables them.

// Only calls to Apple's libraries, signals and the reader process need unsafe code; each place explains why.
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::indexing_slicing)
)]

pub mod assess;
pub mod cli;
pub mod collect;
pub mod evidence;
pub mod output;
pub mod parse;
pub mod report;
mod rows;
