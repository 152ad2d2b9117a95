//! Systems that are not macOS: homes can be looked at, but there are no console and no keychain reader to ask.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    libc,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid},
    unistd::{Gid, Pid, getgroups, initgroups, setgroups},
};

use crate::{
    collect::{command::ChildState, rights::Identity},
    parse::records::Records,
};

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

/// The folders on which something is mounted; none, because [`leads_elsewhere`] tells of each.
#[must_use]
pub const fn mounts() -> Option<Vec<PathBuf>> {
    Some(Vec::new())
}

/// Whether what is at `path`, other than the root, is a link, or something that is mounted there. No disk that may be
/// gone is asked.
///
/// # Errors
/// If that cannot be told.
#[allow(unsafe_code)]
pub fn leads_elsewhere(path: &Path) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | libc::AT_STATX_DONT_SYNC;
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path ends in a NUL and lives until after the call, and there is room for what is written.
    Errno::result(unsafe { libc::statx(libc::AT_FDCWD, path.as_ptr(), flags, libc::STATX_TYPE, found.as_mut_ptr()) })?;
    // SAFETY: zeros are valid there, too.
    let found = unsafe { found.assume_init() };
    let mount = u64::try_from(libc::STATX_ATTR_MOUNT_ROOT).unwrap_or_default();
    // Linux before 5.8 does not tell.
    let is_mount = found.stx_attributes_mask & mount == 0 || found.stx_attributes & mount != 0;
    Ok(is_mount || libc::mode_t::from(found.stx_mode) & libc::S_IFMT == libc::S_IFLNK)
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
