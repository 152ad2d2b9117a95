//! Notes of keys that were found in a user's session, for runs while that user is not logged in.
//!
//! Each user has one note, a line of JSON, in a folder that only root can enter. A new note is written to a temporary
//! file, which then replaces the old note. A note does not count if it is damaged, is dated in the future, is about
//! another home, or could have been written by another user than root.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

use nix::{fcntl::OFlag, unistd::geteuid};

use super::{file, reader::Trail};
use crate::{
    evidence::{Cause, NoteProblem, Obstacle, Probe, RememberedKey, User, Witness},
    parse::timestamp::Timestamp,
};

const FOLDER: &str = "private/var/db/wpj-state";

/// The largest note that is read, in bytes.
const MAX_SIZE: u64 = 16 * 1024;

const SECONDS_AN_HOUR: u64 = 60 * 60;

const SECONDS_A_DAY: u64 = 24 * SECONDS_AN_HOUR;

fn path_of(root: &Path, uid: u32) -> PathBuf {
    root.join(FOLDER).join(format!("{uid}.json"))
}

/// Reads a user's note; absent if there is none, or if it is more than `days` days old.
pub(super) fn read(root: &Path, user: &User, days: u16, now: Timestamp, trail: &Trail) -> Witness<RememberedKey> {
    let Some(uid) = user.uid else { return Witness::not_checked(None) };
    let path = path_of(root, uid);
    trail.at(&path);
    let oldest = u64::from(now).saturating_sub(u64::from(days) * SECONDS_A_DAY);
    let (path, probe) = match note(&path, user, now) {
        Ok(Some(note)) if u64::from(note.noted) >= oldest => (path, Probe::Found(note)),
        Ok(_) => (path, Probe::Absent),
        Err((place, cause)) => (place, Probe::Unreadable(cause)),
    };
    Witness { path: Some(path), probe }
}

/// Fails if the note, or the folder that it is in, cannot be relied upon; which of them, and why.
fn note(path: &Path, user: &User, now: Timestamp) -> Result<Option<RememberedKey>, (PathBuf, Cause)> {
    let problem = |problem| Err((path.to_owned(), Cause::Note(problem)));
    let folder = path.parent().unwrap_or(path);
    for (place, is_expected_kind) in
        [(folder, fs::Metadata::is_dir as fn(&fs::Metadata) -> bool), (path, fs::Metadata::is_file)]
    {
        match fs::symlink_metadata(place) {
            Ok(found) if is_expected_kind(&found) && is_private(&found) => {}
            Ok(_) => return Err((place.to_owned(), Cause::Note(NoteProblem::NotPrivateToRoot))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err((place.to_owned(), file::cause_of(&error))),
        }
    }
    let bytes = file::read(path, MAX_SIZE).map_err(|cause| (path.to_owned(), cause))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let Ok(note) = serde_json::from_slice::<RememberedKey>(&bytes) else { return problem(NoteProblem::Damaged) };
    if note.uid != user.uid.unwrap_or_default() || Some(&note.home) != user.home.as_ref() {
        problem(NoteProblem::OfAnotherHome)
    } else if note.noted > now {
        problem(NoteProblem::FromTheFuture)
    } else {
        Ok(Some(note))
    }
}

/// Whether only this process's user, which is root, can read or change a file.
fn is_private(found: &fs::Metadata) -> bool {
    found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0
}

/// Writes a note, and replaces an earlier one, unless that says the same and is less than an hour old.
/// Fails if the folder is not private to root, or cannot be written to.
pub(super) fn write(root: &Path, note: &RememberedKey, trail: &Trail) -> Result<(), Obstacle> {
    let path = path_of(root, note.uid);
    trail.at(&path);
    let failed =
        |path: &Path, error: &io::Error| Obstacle { path: Some(path.to_owned()), cause: file::cause_of(error) };
    let folder = root.join(FOLDER);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(&folder, &error)),
    }
    let found = fs::symlink_metadata(&folder).map_err(|error| failed(&folder, &error))?;
    if !found.is_dir() || !is_private(&found) {
        return Err(Obstacle { path: Some(folder), cause: Cause::Note(NoteProblem::NotPrivateToRoot) });
    }
    let user = User { uid: Some(note.uid), home: Some(note.home.clone()), ..User::default() };
    if let Ok(Some(earlier)) = self::note(&path, &user, note.noted)
        && u64::from(note.noted).saturating_sub(u64::from(earlier.noted)) < SECONDS_AN_HOUR
        && (RememberedKey { noted: note.noted, ..earlier }) == *note
    {
        return Ok(());
    }
    // Another run may do the same now.
    let new = folder.join(format!(".{}.{}.new", note.uid, process::id()));
    replace(&path, &new, note).map_err(|error| failed(&path, &error))
}

fn replace(path: &Path, new: &Path, note: &RememberedKey) -> io::Result<()> {
    remove_file(new)?;
    let flags = OFlag::O_NOFOLLOW.bits();
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(new)?;
    file.write_all(&serde_json::to_vec(note)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// Removes a user's note, if there is one.
pub(super) fn remove(root: &Path, uid: u32, trail: &Trail) -> Result<(), Obstacle> {
    let path = path_of(root, uid);
    trail.at(&path);
    remove_file(&path).map_err(|error| Obstacle { cause: file::cause_of(&error), path: Some(path) })
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
