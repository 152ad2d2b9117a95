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

pub mod attribute;
pub mod cause;
pub mod certificate;
pub mod cli;
pub mod command;
pub mod evidence;
pub mod file;
pub mod inspect;
pub mod jamf_aad;
pub mod keychain;
pub mod list;
pub mod login_keychain;
pub mod platform;
pub mod platform_sso;
pub mod progress;
pub mod property_list;
pub mod report;
pub mod rights;
pub mod second_opinion;
pub mod set_up;
pub mod startup_disk;
pub mod state;
pub mod supervise;
pub mod system;
pub mod timestamp;
pub mod user;
