//! Opens files that may be anybody's: nothing but a regular file of a sensible size is let through, and no symbolic
//! link is followed in its place. Nothing here waits: a FIFO is opened without a writer, and then refused.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt},
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use nix::{errno::Errno, fcntl::OFlag};

use crate::evidence::{Cause, FileKind};

/// How far apart two changes have to be for a system to give them different times.
const TICK: Duration = Duration::from_millis(20);

/// Opens a regular file of at most `limit` bytes; `None` if there is none.
/// Fails if something else is there, or if it cannot be opened.
pub(crate) fn open(path: &Path, limit: u64) -> Result<Option<File>, Cause> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return is_absent(path).map(|()| None),
        Err(error) => return Err(cause_of(&error)),
    };
    let metadata = file.metadata().map_err(|error| cause_of(&error))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(Cause::NotAFile(FileKind::Directory));
    }
    if kind.is_fifo() {
        return Err(Cause::NotAFile(FileKind::Fifo));
    }
    if !kind.is_file() {
        return Err(Cause::NotAFile(FileKind::Device));
    }
    if metadata.len() > limit {
        return Err(Cause::TooLarge { size: metadata.len(), limit });
    }
    Ok(Some(file))
}

/// Reads a regular file of at most `limit` bytes; `None` if there is none.
/// Fails if something else is there, or if it cannot be read.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Cause> {
    stable(path, limit, |file| {
        // Most are smaller. The file may grow after it was measured.
        let mut bytes = Vec::with_capacity(8 * 1024);
        file.take(limit).read_to_end(&mut bytes).map_err(|error| cause_of(&error))?;
        Ok(bytes)
    })
}

/// Opens a regular file of at most `limit` bytes and has it read; `None` if there is none.
///
/// What is rewritten in place under the reader may show a mixture that never was: the file's size, time of change and
/// last bytes, which hold a keychain's version, have to be the same afterwards; it is read once more if they are not. A
/// file that is replaced, as macOS does it, stays what it was for those who have it open.
/// Fails if something else is there, if it cannot be read, or if it does not stop changing.
pub(crate) fn stable<T>(
    path: &Path,
    limit: u64,
    mut read: impl FnMut(&File) -> Result<T, Cause>,
) -> Result<Option<T>, Cause> {
    for _ in 0..2 {
        let Some(file) = open(path, limit)? else { return Ok(None) };
        let before = version(&file)?;
        let found = read(&file);
        if version(&file)? == before && !before.is_fresh {
            return found.map(Some);
        }
        thread::sleep(TICK);
    }
    Err(Cause::Changing)
}

/// What changes when a file does.
#[derive(PartialEq, Eq)]
struct Version {
    size: u64,
    changed: SystemTime,
    last: [u8; 4],
    /// Whether it has only just changed, so another change might have the same time.
    is_fresh: bool,
}

fn version(file: &File) -> Result<Version, Cause> {
    let failed = |error: io::Error| cause_of(&error);
    let found = file.metadata().map_err(failed)?;
    let changed = found.modified().map_err(failed)?;
    let is_fresh = changed.elapsed().is_ok_and(|age| age < TICK);
    let mut last = [0; 4];
    // A file that is shorter has no version.
    match file.read_exact_at(&mut last, found.len().saturating_sub(4)) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(failed(error)),
        _ => Ok(Version { size: found.len(), changed, last, is_fresh }),
    }
}

/// Whether a program is installed.
/// Fails if the system does not say.
pub(crate) fn is_installed(program: &Path) -> Result<bool, Cause> {
    match fs::metadata(program) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(cause_of(&error)),
    }
}

/// When a file was changed last; `None` if there is none, or something else in its place.
/// Fails if that cannot be told.
pub(crate) fn changed(path: &Path) -> Result<Option<SystemTime>, Cause> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => found.modified().map(Some).map_err(|error| cause_of(&error)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => is_absent(path).map(|()| None),
        Err(error) => Err(cause_of(&error)),
    }
}

/// Makes sure that what was not found is absent, and not behind a link that leads nowhere: a volume that is not there
/// now says nothing about what is on it.
pub(crate) fn is_absent(path: &Path) -> Result<(), Cause> {
    for folder in path.ancestors().skip(1) {
        match fs::symlink_metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Ok(found) if found.is_symlink() && fs::metadata(folder).is_err() => {
                return Err(Cause::LinkToNowhere(folder.to_owned()));
            }
            Ok(_) => return Ok(()),
            Err(error) => return Err(cause_of(&error)),
        }
    }
    Ok(())
}

/// Checks that a home directory is one.
/// Fails if it is not, or if that cannot be told.
pub(crate) fn check_folder(home: &Path) -> Result<fs::Metadata, Cause> {
    match fs::metadata(home) {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(_) => Err(Cause::HomeNotADirectory),
        // The home itself may be such a link.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(is_absent(&home.join("Library")).err().unwrap_or(Cause::HomeMissing))
        }
        Err(error) => Err(cause_of(&error)),
    }
}

pub(crate) fn cause_of(error: &io::Error) -> Cause {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES) => Cause::PermissionDenied,
        Some(Errno::EPERM) => Cause::NotPermitted,
        Some(Errno::ELOOP) => Cause::SymbolicLink,
        Some(Errno::ENOTDIR) => Cause::NotAFolder,
        // What opening a socket gives: the former on Linux, the latter on macOS.
        Some(Errno::ENXIO | Errno::EOPNOTSUPP) => Cause::NotAFile(FileKind::Socket),
        _ => Cause::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
