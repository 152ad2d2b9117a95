//! Tells how far a Mac's Microsoft Entra registration through Jamf got, from a home directory's files.
//!
//! One question, and one of four answers, or none at all if the evidence cannot be read:
//! [`inspect`](inspect::inspect) reads files and asks the Mac, and decides nothing; [`assess`](state::assess) decides and
//! reads nothing; [`report`] draws the assessment.
//!
//! The crate never opens the login keychain through Security.framework, never unlocks or decrypts anything, and never
//! asks the user. It starts no program but itself and two that tell about single sign-on, as the user. It writes nothing
//! but a private copy of a keychain for macOS' own reader, and removes it.

// Apple's libraries cannot be called without it; all that does so stands in `platform`.
#![deny(unsafe_code)]
#![warn(missing_docs)]
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
