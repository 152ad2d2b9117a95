//! Reads a keychain with macOS's own reader, mainly if this tool's reader finds it damaged.
//!
//! Security.framework never opens the login keychain itself, because opening keychains in use has corrupted them on
//! real fleets. It reads a copy, in a folder that only its owner can enter and that is removed afterwards. A reader
//! process writes the copy. A new process of this program reads it, because Apple's frameworks need a fresh process.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    hash::{BuildHasher, RandomState},
    io::{self, Read, Seek},
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use anyhow::ensure;
use nix::{
    errno::Errno,
    sys::signal::kill,
    unistd::{Pid, geteuid},
};
use serde::{Deserialize, Serialize};

use super::{
    children::{self, Exit, Failure},
    deadline::Deadline,
    file, platform,
    reader::{self, Job, Rights, Trail},
    signals,
};
use crate::{
    cli::READ_COPY,
    evidence::{Cause, Obstacle},
    parse::{
        login_keychain::LoginKeychain,
        records::{Comparison, Records, compare},
    },
};

/// The largest keychain that is copied, in bytes. Login keychains have a few hundred kilobytes.
const MAX_COPY: u64 = 16 * 1024 * 1024;

/// The beginning of the names of private folders; the PID of the process that created the folder follows.
const FOLDER: &str = "wpj-state.";

/// How many entries of the folder for temporary files are searched for folders that earlier runs left behind.
const MAX_ENTRIES: usize = 10_000;

const CLEANING: Duration = Duration::from_secs(1);

/// The result of reading a copy with both readers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecondReading {
    /// What macOS's reader found, judged by this tool's rules, if it proves that there is a Workplace Join key.
    pub judged: Option<LoginKeychain>,
    /// How the two readers differ, if this tool's reader can read the copy.
    pub comparison: Option<Comparison>,
}

/// Reads a copy with macOS's reader and with this tool's, for the hidden verb; returns a [`SecondReading`] as JSON.
/// Fails if this tool did not make the copy: no other file may be opened with Security.framework.
pub fn read_copy(copy: &Path) -> anyhow::Result<String> {
    ensure!(is_own_copy(copy), "{}: this is not a copy made by wpj-state", copy.display());
    reader::limit_resources();
    let reading = platform::read_keychain(copy).map(|theirs| {
        let ours = File::open(copy).ok().and_then(|copy| Records::read(&copy).ok());
        SecondReading { comparison: ours.map(|ours| compare(&ours, &theirs.records)), judged: theirs.judged }
    });
    Ok(serde_json::to_string(&reading)?)
}

/// Copies a keychain in a reader process, and reads the copy in a new process of this program.
/// Fails with the reason why there is no second opinion.
pub(super) fn get(keychain: &Path, rights: Rights, deadline: &Deadline) -> Result<SecondReading, String> {
    // Held until the copy is removed.
    let _signals = signals::Hold::new();
    // In a reader process, because any user can create a folder that looks like a copy, even on a disk that hangs.
    let clean = Job::new(Rights::Caller, |_| {
        remove_what_is_left();
        Ok(())
    });
    let _ = reader::read_all(vec![clean], &Deadline::in_time(CLEANING.min(deadline.left())));
    let folder = PrivateFolder::new().map_err(|error| format!("cannot create a private folder: {error}"))?;
    let path = folder.0.join("copy.keychain-db");
    let copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let copy = copy.map_err(|error| format!("cannot create the copy: {error}"))?;
    let job = Job::new(rights, |trail| write_copy(keychain, &copy, trail));
    reader::read_keeping(job, deadline, copy.as_fd()).map_err(|obstacle| obstacle.cause.to_string())?;
    let program = env::current_exe().and_then(fs::canonicalize).map_err(|error| error.to_string())?;
    let words = [program.to_string_lossy().into_owned(), READ_COPY.to_owned(), path.to_string_lossy().into_owned()];
    let ended = children::run(vec![(words.into(), deadline.at())]).pop();
    let ended = ended.ok_or_else(|| "macOS's reader was not started".to_owned())?;
    match ended.outcome {
        Ok(Some(Exit::Status(0)) | None) => {
            let answer = ended.outputs.first().map(Vec::as_slice).unwrap_or_default();
            serde_json::from_slice(answer).unwrap_or_else(|_| Err("macOS's reader gave an invalid answer".to_owned()))
        }
        Ok(Some(exit)) => Err(format!("macOS's reader failed: {exit}")),
        Err(Failure::TimedOut) => Err("macOS's reader timed out".to_owned()),
        Err(Failure::TooMuch) => Err("macOS's reader printed too much".to_owned()),
        Err(Failure::Missing) => Err("this tool cannot find its own executable".to_owned()),
        Err(Failure::Ended(words) | Failure::Failed(words)) => Err(format!("macOS's reader failed: {words}")),
    }
}

fn write_copy(keychain: &Path, mut copy: &File, trail: &Trail) -> Result<(), Obstacle> {
    trail.at(keychain);
    let written = file::stable(keychain, MAX_COPY, |file| {
        let emptied = copy.set_len(0).and_then(|()| copy.rewind());
        let written = emptied.and_then(|()| io::copy(&mut file.take(MAX_COPY), &mut copy));
        written.map_err(|error| file::cause_of(&error))
    })?;
    written.map(drop).ok_or_else(|| Cause::FileMissing.into())
}

/// Whether the file is in a private folder that belongs to this user.
fn is_own_copy(copy: &Path) -> bool {
    let folder = copy.parent().filter(|folder| folder.parent() == Some(Path::new(platform::TEMPORARY)));
    let name = folder.and_then(Path::file_name).unwrap_or_default();
    let found = folder.and_then(|folder| fs::symlink_metadata(folder).ok());
    let is_private =
        |found: fs::Metadata| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o77 == 0;
    name.to_string_lossy().starts_with(FOLDER) && found.is_some_and(is_private)
}

/// A folder that only its owner can enter; removed when dropped.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn new() -> io::Result<Self> {
        let random = RandomState::new().hash_one(process::id());
        let path = Path::new(platform::TEMPORARY).join(format!("{FOLDER}{}.{random:016x}", process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // If that fails, the next run that needs such a folder removes this one, too.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the private folders of runs that were killed.
fn remove_what_is_left() {
    let Ok(entries) = fs::read_dir(platform::TEMPORARY) else { return };
    for entry in entries.take(MAX_ENTRIES).filter_map(Result::ok) {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.split('.').next()?.parse().ok());
        let is_gone = pid.is_some_and(|pid| pid > 0 && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH));
        let is_own = || entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw());
        if is_gone && is_own() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
