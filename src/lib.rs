//! Shows how far a Mac's Microsoft Entra registration through Jamf has got.
//!
//! [`collect`] reads files and asks the Mac, and decides nothing; [`assess`] decides and reads nothing; [`report`]
//! draws the assessments. [`parse`] turns bytes into facts. `docs/architecture.md` has the picture.
//!
//! The crate never opens the login keychain through Security.framework, never unlocks or decrypts anything, and never
//! prompts. It starts no program but itself, two that know about single sign-on, as the user, and `dscl` for the account
//! records. It writes nothing but a private copy of a keychain for macOS's own reader, which it removes, and notes of
//! keys where an administrator wants them.

// What needs it says why: Apple's libraries, and the reader process.
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
