//! Other systems than macOS: homes can be checked, but there is no console user and no keychain reader.

use std::{io, path::Path};

use nix::{
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::{Gid, Pid, setgroups},
};

use crate::parse::login_keychain::OtherReading;

/// Whether this system is macOS, so it has a console user and a keychain reader of its own.
pub(crate) const IS_MACOS: bool = false;

/// The group of a user without an account.
pub(crate) const NOBODY_GROUP: u32 = 65534;

/// Where private folders are created.
pub(crate) const TEMPORARY: &str = "/tmp";

/// macOS's record of the console user, as a property list.
/// Always fails.
pub(crate) fn console_record() -> Result<Option<Vec<u8>>, String> {
    Err("only macOS records the console user".to_owned())
}

/// What macOS's own reader finds in a keychain.
/// Always fails.
pub(crate) fn read_keychain(_copy: &Path) -> Result<OtherReading, String> {
    Err("macOS's keychain reader exists only on a Mac".to_owned())
}

/// Sets the supplementary groups of this process.
/// Fails if the system refuses.
pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    Ok(setgroups(&groups)?)
}

/// Whether a child of this process has ended, without waiting for it.
pub(crate) fn has_ended(child: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(child), flags) != Ok(WaitStatus::StillAlive)
}
