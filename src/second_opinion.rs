//! What macOS' own keychain reader says, where this crate's cannot read a file.
//!
//! Security.framework never sees the login keychain itself: opening keychains in use through it has corrupted them on
//! real fleets. It is given a copy of what was read from the descriptor that is open anyway, in a folder that nobody
//! else can enter and that is removed afterwards, whatever happens.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{File, OpenOptions, Permissions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use tempfile::TempDir;

use crate::{
    deadline::Progress,
    keychain::{Error, Keychain, ReadAt},
    platform,
    rights::Rights,
};

/// Login keychains have some hundred kilobytes; a copy of more would be noticed.
const MAX_COPY: u64 = 128 * 1024 * 1024;

/// What a reader finds in a keychain, as far as the two can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Records {
    /// The certificates in DER.
    pub certificates: BTreeSet<Vec<u8>>,
    /// The labels of the private keys.
    pub key_labels: BTreeSet<Vec<u8>>,
}

/// What became of the second opinion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecondOpinion {
    /// It was neither needed nor asked for.
    NotAsked,
    /// There is none; why.
    Missing(String),
    /// It finds the same certificates and private keys; how many.
    Agrees(Counts),
    /// It finds others.
    Differs {
        /// What only this crate's reader finds.
        only_here: Counts,
        /// What only macOS' reader finds.
        only_there: Counts,
    },
    /// It is what the answer rests on, because this crate's reader could not read the file.
    Used(Error),
}

/// Numbers of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Certificates.
    pub certificates: usize,
    /// Private keys, by their labels.
    pub private_keys: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificates ({}) and private keys ({})", self.certificates, self.private_keys)
    }
}

impl Records {
    /// What this crate's own reader finds.
    ///
    /// # Errors
    /// If it cannot read the keychain.
    pub fn read<R: ReadAt>(source: R) -> Result<Self, Error> {
        let keychain = Keychain::open(source)?;
        let mut records = Self::default();
        keychain.certificates(|certificate| {
            records.certificates.insert(certificate.der().to_vec());
        })?;
        keychain.private_keys(|key| records.key_labels.extend(key.labels().map(<[u8]>::to_vec)))?;
        Ok(records)
    }

    /// Compares what this crate's reader found with what macOS' reader did.
    #[must_use]
    pub fn compare(&self, theirs: &Self) -> SecondOpinion {
        let only = |one: &Self, other: &Self| Counts {
            certificates: one.certificates.difference(&other.certificates).count(),
            private_keys: one.key_labels.difference(&other.key_labels).count(),
        };
        if self == theirs {
            return SecondOpinion::Agrees(only(self, &Self::default()));
        }
        SecondOpinion::Differs { only_here: only(self, theirs), only_there: only(theirs, self) }
    }
}

/// Has `reader` look at a private copy of an open keychain, which is read with `rights`.
///
/// # Errors
/// Why there is no second opinion.
pub fn ask(
    keychain: &File,
    rights: &Rights,
    progress: &Progress,
    reader: impl FnOnce(&Path) -> Result<Records, String>,
) -> Result<Records, String> {
    let size = keychain.metadata().map_err(|error| error.to_string())?.len();
    if size > MAX_COPY {
        return Err(format!("the file has {size} bytes, and no more than {MAX_COPY} are copied"));
    }
    let folder = PrivateFolder::new(progress).map_err(|error| format!("no private folder could be made: {error}"))?;
    let copy = folder.path().join("copy.keychain-db");
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy);
    // The place is this process' own; the user's rights are for the user's file.
    let written = written.map(|mut copy| rights.with(|| write_copy(keychain, &mut copy)));
    match written {
        Ok(Ok(Ok(()))) => reader(&copy),
        Ok(Err(cause)) => Err(cause.to_string()),
        Ok(Ok(Err(error))) | Err(error) => Err(format!("the file could not be copied: {error}")),
    }
}

fn write_copy(mut keychain: &File, copy: &mut File) -> io::Result<()> {
    keychain.seek(SeekFrom::Start(0))?;
    // The file may grow after it was measured.
    io::copy(&mut keychain.take(MAX_COPY), copy)?;
    Ok(())
}

/// A folder that its owner alone can enter; removed when dropped, and known to who ends this process before that.
struct PrivateFolder<'a> {
    folder: TempDir,
    progress: &'a Progress,
}

impl<'a> PrivateFolder<'a> {
    fn new(progress: &'a Progress) -> io::Result<Self> {
        let mode = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("wpj-state.").permissions(mode).tempdir_in(platform::TEMPORARY)?;
        progress.keeps(Some(folder.path()));
        Ok(Self { folder, progress })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for PrivateFolder<'_> {
    fn drop(&mut self) {
        self.progress.clean_up();
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, fs, io::Write, os::unix::fs::MetadataExt, path::PathBuf};

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn records(certificates: &[&[u8]], labels: &[&[u8]]) -> Records {
        let set = |values: &[&[u8]]| values.iter().map(|value| value.to_vec()).collect();
        Records { certificates: set(certificates), key_labels: set(labels) }
    }

    /// Asks about a file, notes where the copy lay, and checks that nothing stays there.
    fn ask_about(content: &[u8], reader: impl FnOnce(&Path) -> Result<Records, String>) -> Result<Records, String> {
        let place = RefCell::new(PathBuf::new());
        let progress = Progress::default();
        let answer = ask(&file(content), &Rights::Own, &progress, |copy| {
            *place.borrow_mut() = copy.to_owned();
            reader(copy)
        });
        assert!(!place.borrow().parent().unwrap().exists());
        answer
    }

    #[test]
    fn the_copy_is_whole_and_private_and_gone_afterwards() {
        let answer = ask_about(b"the keychain", |copy| {
            assert_eq!(fs::read(copy).unwrap(), b"the keychain");
            assert_eq!(fs::metadata(copy).unwrap().mode() & 0o7777, 0o600);
            assert_eq!(fs::metadata(copy.parent().unwrap()).unwrap().mode() & 0o7777, 0o700);
            Ok(records(&[b"a"], &[]))
        });
        assert_eq!(answer, Ok(records(&[b"a"], &[])));
    }

    #[test]
    fn the_copy_is_gone_when_the_reader_fails() {
        assert_eq!(ask_about(b"x", |_| Err("no".to_owned())), Err("no".to_owned()));
    }

    #[test]
    fn the_copy_is_gone_when_the_reader_panics() {
        let place = RefCell::new(PathBuf::new());
        let progress = Progress::default();
        let asking = std::panic::AssertUnwindSafe(|| {
            ask(&file(b"x"), &Rights::Own, &progress, |copy| {
                *place.borrow_mut() = copy.to_owned();
                panic!("as a bug would")
            })
        });
        assert!(std::panic::catch_unwind(asking).is_err());
        assert!(!place.borrow().parent().unwrap().exists());
    }

    #[test]
    fn a_file_that_is_too_large_is_not_copied() {
        let large = tempfile::tempfile().unwrap();
        large.set_len(MAX_COPY + 1).unwrap();
        let answer = ask(&large, &Rights::Own, &Progress::default(), |_| panic!("it was copied"));
        assert_eq!(answer, Err("the file has 134217729 bytes, and no more than 134217728 are copied".to_owned()));
    }

    #[test]
    fn readers_agree_only_if_they_find_the_same() {
        let ours = records(&[b"a", b"b"], &[b"1"]);
        let counts = |certificates, private_keys| Counts { certificates, private_keys };
        assert_eq!(ours.compare(&ours), SecondOpinion::Agrees(counts(2, 1)));
        let other = SecondOpinion::Differs { only_here: counts(1, 1), only_there: counts(1, 0) };
        assert_eq!(ours.compare(&records(&[b"b", b"c"], &[])), other);
    }
}
