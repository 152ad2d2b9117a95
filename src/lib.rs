//! Tells how far a Mac's Microsoft Entra registration through Jamf got, from a home directory's files.
//!
//! One question, and one of four answers, or none at all if the evidence cannot be read:
//! [`inspect`](inspect::inspect) reads files and decides nothing, [`assess`](state::assess) decides and reads nothing,
//! and [`report`] draws the assessment.
//!
//! The crate never writes, never unlocks or decrypts anything, never asks the user, and starts no other program.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable, clippy::indexing_slicing)
)]

pub mod cause;
pub mod certificate;
pub mod cli;
pub mod evidence;
pub mod inspect;
pub mod jamf_aad;
pub mod keychain;
pub mod login_keychain;
pub mod report;
pub mod state;
pub mod timestamp;
