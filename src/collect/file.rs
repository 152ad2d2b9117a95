//! Opens files that may be hostile: only regular files of a limited size, and never through a symbolic link as the last
//! part of the path. Nothing here blocks: a FIFO is opened without waiting for a writer, and then refused.

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

/// How far apart two changes must be to have different modification times.
const TICK: Duration = Duration::from_millis(20);

/// Opens a regular file of at most `limit` bytes; `None` if it does not exist.
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

/// Reads a regular file of at most `limit` bytes; `None` if it does not exist.
/// Fails if something else is there, or if it cannot be read.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Cause> {
    stable(path, limit, |file| {
        // Most files are smaller than this. `take` is needed because the file may grow after its size was checked.
        let mut bytes = Vec::with_capacity(8 * 1024);
        file.take(limit).read_to_end(&mut bytes).map_err(|error| cause_of(&error))?;
        Ok(bytes)
    })
}

/// Opens a regular file of at most `limit` bytes and passes it to `read`; `None` if it does not exist.
///
/// A file that is rewritten in place during the read may give a mixture of old and new content. So the size, the
/// modification time and the last bytes, which contain a keychain's version, must be the same afterwards. If they are
/// not, the file is read once more. macOS itself replaces files, which does not affect an open file.
/// Fails if something else is there, if it cannot be read, or if it keeps changing.
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

/// The properties of a file that show whether it has changed.
#[derive(PartialEq, Eq)]
struct Version {
    size: u64,
    changed: SystemTime,
    last: [u8; 4],
    /// Whether the file changed so recently that another change might have the same time.
    is_fresh: bool,
}

fn version(file: &File) -> Result<Version, Cause> {
    let failed = |error: io::Error| cause_of(&error);
    let found = file.metadata().map_err(failed)?;
    let changed = found.modified().map_err(failed)?;
    let is_fresh = changed.elapsed().is_ok_and(|age| age < TICK);
    let mut last = [0; 4];
    // A file with fewer than four bytes has no version.
    match file.read_exact_at(&mut last, found.len().saturating_sub(4)) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(failed(error)),
        _ => Ok(Version { size: found.len(), changed, last, is_fresh }),
    }
}

/// Whether a program is installed.
/// Fails if that cannot be determined.
pub(crate) fn is_installed(program: &Path) -> Result<bool, Cause> {
    match fs::metadata(program) {
        Ok(found) => Ok(found.is_file()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(cause_of(&error)),
    }
}

/// When a file was last modified; `None` if it does not exist or is not a regular file.
/// Fails if that cannot be determined.
pub(crate) fn changed(path: &Path) -> Result<Option<SystemTime>, Cause> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => found.modified().map(Some).map_err(|error| cause_of(&error)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => is_absent(path).map(|()| None),
        Err(error) => Err(cause_of(&error)),
    }
}

/// Checks that a file that was not found is really absent. If a folder in its path is a broken link, for example to a
/// volume that is not mounted now, the file may exist.
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

/// Checks that a home directory exists and is a directory.
/// Fails if it is not, or if that cannot be determined.
pub(crate) fn check_folder(home: &Path) -> Result<fs::Metadata, Cause> {
    match fs::metadata(home) {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(_) => Err(Cause::HomeNotADirectory),
        // The home itself may be a broken link, so check a path below it.
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
        // Opening a socket gives `ENXIO` on Linux and `EOPNOTSUPP` on macOS.
        Some(Errno::ENXIO | Errno::EOPNOTSUPP) => Cause::NotAFile(FileKind::Socket),
        _ => Cause::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
