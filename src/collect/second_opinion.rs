//! What macOS' own keychain reader says, where this crate's cannot read a file.
//!
//! Security.framework never sees the login keychain itself: opening keychains in use through it has corrupted them on
//! real fleets. It is given a copy of what was read from the descriptor that is open anyway, in a folder that nobody
//! else can enter and that is removed afterwards, whatever happens.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::{
    collect::{file, progress::Progress, rights::Rights},
    evidence::{Cause, Counts, SecondOpinion},
    parse::records::Records,
};

/// Login keychains have some hundred kilobytes; a copy of more would be noticed.
const MAX_COPY: u64 = 128 * 1024 * 1024;

/// Compares what this tool's reader found with what macOS's reader did.
#[must_use]
pub fn compare(ours: &Records, theirs: &Records) -> SecondOpinion {
    let only = |one: &Records, other: &Records| Counts {
        certificates: one.certificates.difference(&other.certificates).count(),
        private_keys: one.key_labels.difference(&other.key_labels).count(),
    };
    if ours == theirs {
        return SecondOpinion::Agrees(only(ours, &Records::default()));
    }
    SecondOpinion::Differs { only_here: only(ours, theirs), only_there: only(theirs, ours) }
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
    progress.only_as_worker().map_err(|cause| cause.to_string())?;
    // While there is a private folder, this process' rights are its own: whoever ends it has to be able to remove it.
    let content = rights.with(|| content_of(keychain)).map_err(|cause| cause.to_string())?;
    let folder = PrivateFolder::new(progress).map_err(|error| format!("no private folder could be made: {error}"))?;
    let copy = folder.path.join("copy.keychain-db");
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy);
    written
        .and_then(|mut copy| copy.write_all(&content))
        .map_err(|error| format!("the copy could not be written: {error}"))?;
    reader(&copy)
}

fn content_of(mut keychain: &File) -> Result<Vec<u8>, Cause> {
    let failed = |error: io::Error| file::cause_of(&error);
    let size = keychain.metadata().map_err(failed)?.len();
    if size > MAX_COPY {
        return Err(Cause::TooLarge { size, limit: MAX_COPY });
    }
    keychain.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut content = Vec::new();
    // The file may grow after it was measured.
    keychain.take(MAX_COPY).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// The worker's private folder; removed when dropped.
struct PrivateFolder<'a> {
    path: &'a Path,
    progress: &'a Progress,
}

impl<'a> PrivateFolder<'a> {
    fn new(progress: &'a Progress) -> io::Result<Self> {
        Ok(Self { path: progress.make_private_folder()?, progress })
    }
}

impl Drop for PrivateFolder<'_> {
    fn drop(&mut self) {
        self.progress.remove_private_folder();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt};

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

    /// A folder in which a private folder can be made.
    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn progress(&self) -> Progress {
            Progress::silent(&self.0.path().join("private"))
        }

        fn is_empty(&self) -> bool {
            fs::read_dir(self.0.path()).unwrap().next().is_none()
        }
    }

    /// Asks about a file, and checks that nothing stays where the copy lay.
    fn ask_about(content: &[u8], reader: impl FnOnce(&Path) -> Result<Records, String>) -> Result<Records, String> {
        let place = Place::new();
        let answer = ask(&file(content), &Rights::Own, &place.progress(), |copy| {
            assert!(copy.starts_with(place.0.path()));
            reader(copy)
        });
        assert!(place.is_empty());
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
    fn a_place_that_is_taken_is_left_alone() {
        let place = Place::new();
        fs::create_dir(place.0.path().join("private")).unwrap();
        let answer = ask(&file(b"x"), &Rights::Own, &place.progress(), |_| panic!("it was copied"));
        assert_eq!(answer, Err("no private folder could be made: File exists (os error 17)".to_owned()));
        assert!(!place.is_empty());
    }

    #[test]
    fn a_file_that_is_too_large_is_not_copied() {
        let large = tempfile::tempfile().unwrap();
        large.set_len(MAX_COPY + 1).unwrap();
        let answer = ask(&large, &Rights::Own, &Place::new().progress(), |_| panic!("it was copied"));
        let words = "the file has 134217729 bytes, and no more than 134217728 are read";
        assert_eq!(answer, Err(words.to_owned()));
    }

    #[test]
    fn readers_agree_only_if_they_find_the_same() {
        let ours = records(&[b"a", b"b"], &[b"1"]);
        let counts = |certificates, private_keys| Counts { certificates, private_keys };
        assert_eq!(compare(&ours, &ours), SecondOpinion::Agrees(counts(2, 1)));
        let other = SecondOpinion::Differs { only_here: counts(1, 1), only_there: counts(1, 0) };
        assert_eq!(compare(&ours, &records(&[b"b", b"c"], &[])), other);
    }
}
