//! Systems that are not macOS: homes can be looked at, but there are no console and no keychain reader to ask.

use std::{ffi::CString, io, path::Path};

use nix::{
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::{Gid, Pid, getgroups, initgroups, setgroups},
};

use crate::{command::ChildState, rights::Identity, second_opinion::Records};

/// Whether this system can tell who is at the console, and has a keychain reader of its own.
pub const IS_MACOS: bool = false;

/// The group of whoever is in none that counts.
pub const NOBODY_GROUP: u32 = 65534;

/// Where private folders are made.
pub const TEMPORARY: &str = "/tmp";

/// macOS' record of the console, as a property list.
///
/// # Errors
/// Always.
pub fn console_record() -> Result<Option<Vec<u8>>, String> {
    Err("only a Mac can tell who is at the console".to_owned())
}

/// What macOS' own reader finds in a keychain.
///
/// # Errors
/// Always.
pub fn read_keychain(_copy: &Path) -> Result<Records, String> {
    Err("only a Mac has one".to_owned())
}

/// The process' groups.
///
/// # Errors
/// If the system does not tell.
pub fn groups() -> io::Result<Vec<u32>> {
    Ok(getgroups()?.into_iter().map(Gid::as_raw).collect())
}

/// Gives the process the groups of a user.
///
/// # Errors
/// If the system refuses.
pub fn join_groups_of(identity: &Identity) -> io::Result<()> {
    match &identity.name {
        Some(name) => Ok(initgroups(&CString::new(name.as_str())?, Gid::from_raw(identity.gid))?),
        None => set_groups(&[identity.gid]),
    }
}

/// Gives the process these groups.
///
/// # Errors
/// If the system refuses.
pub fn set_groups(groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    Ok(setgroups(&groups)?)
}

/// Whether a child of this process runs; it can be waited for afterwards.
#[must_use]
pub fn state_of(child: Pid) -> ChildState {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(child), flags) {
        Ok(WaitStatus::StillAlive) => ChildState::Runs,
        Ok(_) => ChildState::Ended,
        Err(_) => ChildState::Gone,
    }
}
