//! Asks the Mac.

pub mod command;
pub mod file;
pub mod inspect;
pub mod list;
pub mod platform;
pub mod progress;
pub mod rights;
pub mod second_opinion;
pub mod startup_disk;
pub mod supervise;
pub mod system;
pub mod user;
