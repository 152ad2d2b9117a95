//! Systems that are not macOS: homes can be looked at, but there are no console and no keychain reader to ask.

use std::{io, path::Path};

use nix::{
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::{Gid, Pid, setgroups},
};

use crate::parse::login_keychain::OtherReading;

/// Whether this system can tell who is at the console, and has a keychain reader of its own.
pub(crate) const IS_MACOS: bool = false;

/// The group of a user without an account.
pub(crate) const NOBODY_GROUP: u32 = 65534;

/// Where private folders are made.
pub(crate) const TEMPORARY: &str = "/tmp";

/// macOS' record of the console, as a property list.
/// Always fails.
pub(crate) fn console_record() -> Result<Option<Vec<u8>>, String> {
    Err("only a Mac can tell who is at the console".to_owned())
}

/// What macOS' own reader finds in a keychain.
/// Always fails.
pub(crate) fn read_keychain(_copy: &Path) -> Result<OtherReading, String> {
    Err("only a Mac has one".to_owned())
}

/// Gives the process these groups.
/// Fails if the system refuses.
pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    Ok(setgroups(&groups)?)
}

/// Whether a child of this process has ended; it can be waited for afterwards.
pub(crate) fn has_ended(child: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(child), flags) != Ok(WaitStatus::StillAlive)
}
