//! What macOS's own keychain reader finds, where this tool's cannot read a file.
//!
//! Security.framework never sees the login keychain itself: opening keychains in use through it has corrupted them on
//! real fleets. It is given a copy, in a folder that only its owner can enter and that is removed afterwards. A reader
//! process writes the copy; this program, started anew, reads it, since Apple's frameworks need a fresh process.

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

/// Login keychains have some hundred kilobytes; what macOS's reader makes of more would be noticed.
const MAX_COPY: u64 = 16 * 1024 * 1024;

/// What the names of private folders begin with; the number of the process that made it follows.
const FOLDER: &str = "wpj-state.";

/// How many entries of the folder for temporary files are looked at for what other runs have left.
const MAX_ENTRIES: usize = 10_000;

const CLEANING: Duration = Duration::from_secs(1);

/// What came of reading a copy with both readers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecondReading {
    /// What macOS's reader finds, by this tool's rules, or why that does not help.
    pub judged: Result<LoginKeychain, String>,
    /// How the two readers differ, if this tool's can read the copy.
    pub comparison: Option<Comparison>,
}

/// Reads a copy with macOS's reader and with this tool's, for the hidden verb; gives a [`SecondReading`] as JSON.
/// Fails if it is no copy of this tool's: nothing else is ever opened through Security.framework.
pub fn read_copy(copy: &Path) -> anyhow::Result<String> {
    ensure!(is_own_copy(copy), "{}: this is not a copy that wpj-state has made", copy.display());
    reader::limit_resources();
    let reading = platform::read_keychain(copy).map(|theirs| {
        let ours = File::open(copy).ok().and_then(|copy| Records::read(&copy).ok());
        SecondReading { comparison: ours.map(|ours| compare(&ours, &theirs.records)), judged: theirs.judged }
    });
    Ok(serde_json::to_string(&reading)?)
}

/// Has a reader process copy a keychain, and this program, started anew, read the copy.
/// Fails with the words why there is no second opinion.
pub(super) fn ask(keychain: &Path, rights: Rights, deadline: &Deadline) -> Result<SecondReading, String> {
    // Until the copy is gone.
    let _signals = signals::Hold::new();
    // In a reader process, because anybody can make what looks like a copy, and on a disk that never answers.
    let clean = Job::new(Rights::Caller, |_| {
        remove_what_is_left();
        Ok(())
    });
    let _ = reader::read_all(vec![clean], &Deadline::in_time(CLEANING.min(deadline.left())));
    let folder = PrivateFolder::new().map_err(|error| format!("no private folder could be made: {error}"))?;
    let path = folder.0.join("copy.keychain-db");
    let copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let copy = copy.map_err(|error| format!("the copy could not be written: {error}"))?;
    let job = Job::new(rights, |trail| write_copy(keychain, &copy, trail));
    reader::read_keeping(job, deadline, copy.as_fd()).map_err(|obstacle| obstacle.cause.to_string())?;
    let program = env::current_exe().and_then(fs::canonicalize).map_err(|error| error.to_string())?;
    let words = [program.to_string_lossy().into_owned(), READ_COPY.to_owned(), path.to_string_lossy().into_owned()];
    let ended = children::run(vec![(words.into(), deadline.at())]).pop();
    let ended = ended.ok_or_else(|| "it was not started".to_owned())?;
    match ended.outcome {
        Ok(Some(Exit::Status(0)) | None) => {
            let answer = ended.outputs.first().map(Vec::as_slice).unwrap_or_default();
            serde_json::from_slice(answer).unwrap_or_else(|_| Err("its answer cannot be read".to_owned()))
        }
        Ok(Some(exit)) => Err(exit.to_string()),
        Err(Failure::TimedOut) => Err("there was no answer in time".to_owned()),
        Err(Failure::TooMuch) => Err("its answer is too long".to_owned()),
        Err(Failure::Missing) => Err("this program is not where it was started from".to_owned()),
        Err(Failure::Failed(words)) => Err(words),
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

/// Whether it is in a private folder of this user's.
fn is_own_copy(copy: &Path) -> bool {
    let folder = copy.parent().filter(|folder| folder.parent() == Some(Path::new(platform::TEMPORARY)));
    let name = folder.and_then(Path::file_name).unwrap_or_default();
    let found = folder.and_then(|folder| fs::symlink_metadata(folder).ok());
    let is_private =
        |found: fs::Metadata| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o77 == 0;
    name.to_string_lossy().starts_with(FOLDER) && found.is_some_and(is_private)
}

/// A folder that nobody else can enter; removed when dropped.
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
        // If that fails, the next run that makes one removes it.
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
