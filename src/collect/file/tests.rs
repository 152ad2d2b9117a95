use std::{cell::Cell, path::PathBuf};

use tempfile::TempDir;

use super::*;

#[test]
fn missing_rights_and_other_refusals_have_different_causes() {
    let cause = |errno: Errno| cause_of(&io::Error::from_raw_os_error(errno as i32));
    assert_eq!(cause(Errno::EACCES), Cause::PermissionDenied);
    assert_eq!(cause(Errno::EPERM), Cause::NotPermitted);
    assert_eq!(cause(Errno::ELOOP), Cause::SymbolicLink);
    assert_eq!(cause(Errno::ENXIO), Cause::NotAFile(FileKind::Socket));
    assert_eq!(cause(Errno::EOPNOTSUPP), Cause::NotAFile(FileKind::Socket));
    let failed = cause(Errno::EIO);
    assert!(matches!(&failed, Cause::Failed(words) if words.starts_with("Input/output error")), "{failed:?}");
}

/// A file that was changed an hour ago, and is rewritten in place while it is read.
struct Rewritten {
    folder: TempDir,
    changed: SystemTime,
}

impl Rewritten {
    fn new() -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap(), changed: SystemTime::now() - Duration::from_secs(3600) };
        it.write("old old 0001", it.changed);
        it
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("file")
    }

    fn write(&self, content: &str, changed: SystemTime) {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.path()).unwrap();
        file.write_all_at(content.as_bytes(), 0).unwrap();
        file.set_len(content.len() as u64).unwrap();
        file.set_modified(changed).unwrap();
    }

    /// What is read if `happens` runs between the reads of the two words, and how often the file is read.
    fn read(&self, mut happens: impl FnMut(usize)) -> (Result<Option<String>, Cause>, usize) {
        let reads = Cell::new(0);
        let found = stable(&self.path(), 100, |file| {
            let mut words = [0; 8];
            file.read_exact_at(&mut words[..4], 0).unwrap();
            happens(reads.replace(reads.get() + 1));
            file.read_exact_at(&mut words[4..], 4).unwrap();
            Ok(String::from_utf8_lossy(&words).into_owned())
        });
        (found, reads.get())
    }
}

#[test]
fn a_file_that_does_not_change_is_read_once() {
    assert_eq!(Rewritten::new().read(|_| ()), (Ok(Some("old old ".to_owned())), 1));
}

#[test]
fn a_file_that_is_rewritten_while_it_is_read_is_read_again() {
    // The time shows the change, or the last bytes, or the size.
    for (content, later) in [("new new 0001", 60), ("new new 0002", 0), ("new new 00001", 0)] {
        let file = Rewritten::new();
        let rewrite = |read| {
            if read == 0 {
                file.write(content, file.changed + Duration::from_secs(later));
            }
        };
        assert_eq!(file.read(rewrite), (Ok(Some("new new ".to_owned())), 2), "{content}");
    }
}

#[test]
fn a_file_that_keeps_changing_gives_no_answer() {
    let file = Rewritten::new();
    let rewrite = |read| file.write(["new new 0002", "old old 0003"][read], file.changed);
    assert_eq!(file.read(rewrite), (Err(Cause::Changing), 2));
}

/// Two changes within a tick of the system's clock have the same time.
#[test]
fn a_file_that_has_only_just_changed_is_read_again() {
    loop {
        let file = Rewritten::new();
        let now = SystemTime::now();
        file.write("old old 0001", now);
        let is_fresh = Cell::new(false);
        let rewrite = |read| {
            if read == 0 {
                is_fresh.set(now.elapsed().is_ok_and(|age| age < TICK));
                file.write("new new 0001", now);
            }
        };
        let found = file.read(rewrite);
        // If the test was delayed, the file was no longer fresh, so the result shows nothing.
        if is_fresh.get() {
            return assert_eq!(found, (Ok(Some("new new ".to_owned())), 2));
        }
    }
}

#[test]
fn a_file_that_changes_while_it_cannot_be_read_is_read_again() {
    let file = Rewritten::new();
    let reads = Cell::new(0);
    let found = stable(&file.path(), 100, |_| {
        reads.set(reads.get() + 1);
        if reads.get() == 1 {
            file.write("new", file.changed);
            return Err(Cause::NotRead);
        }
        Ok("whole")
    });
    assert_eq!((found, reads.get()), (Ok(Some("whole")), 2));
}

#[test]
fn an_open_file_is_not_affected_when_it_is_replaced() {
    let file = Rewritten::new();
    let other = file.folder.path().join("other");
    let replace = |_| {
        fs::write(&other, "new new 0002").unwrap();
        fs::rename(&other, file.path()).unwrap();
    };
    assert_eq!(file.read(replace), (Ok(Some("old old ".to_owned())), 1));
}
