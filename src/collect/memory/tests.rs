use std::{
    os::unix::fs::{PermissionsExt, symlink},
    time::Duration,
};

use tempfile::TempDir;

use super::*;

const ADELE: u32 = 501;
const HOME: &str = "/Users/adele";
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(seconds)).unwrap()
}

fn root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join(FOLDER).parent().unwrap()).unwrap();
    root
}

fn noted(seconds: u64) -> RememberedKey {
    RememberedKey {
        uid: ADELE,
        home: HOME.into(),
        device_id: Some("0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21".to_owned()),
        tenant_id: None,
        noted: at(seconds),
    }
}

fn user() -> User {
    User { uid: Some(ADELE), home: Some(HOME.into()), ..User::default() }
}

fn found(root: &TempDir, now: u64) -> Probe<RememberedKey> {
    read(root.path(), &user(), 30, at(now), &Trail::SILENT).probe
}

fn write_note(root: &TempDir, seconds: u64) -> PathBuf {
    write(root.path(), &noted(seconds), &Trail::SILENT).unwrap();
    path_of(root.path(), ADELE)
}

#[test]
fn a_note_can_be_read_until_it_is_too_old_or_removed() {
    let root = root();
    assert_eq!(found(&root, 0), Probe::Absent);
    let path = write_note(&root, 100 * DAY);
    assert_eq!(found(&root, 100 * DAY), Probe::Found(noted(100 * DAY)));
    assert_eq!(found(&root, 130 * DAY), Probe::Found(noted(100 * DAY)));
    assert_eq!(found(&root, 130 * DAY + 1), Probe::Absent);
    write_note(&root, 120 * DAY);
    assert_eq!(found(&root, 130 * DAY + 1), Probe::Found(noted(120 * DAY)));
    let modes = [path.parent().unwrap(), &path].map(|it| it.metadata().unwrap().mode() & 0o777);
    assert_eq!(modes, [0o700, 0o600]);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    remove(root.path(), ADELE, &Trail::SILENT).unwrap();
    remove(root.path(), ADELE, &Trail::SILENT).unwrap();
    assert_eq!(found(&root, 130 * DAY), Probe::Absent);
}

#[test]
fn an_unchanged_note_is_written_again_after_an_hour() {
    let root = root();
    write_note(&root, 100 * DAY);
    write_note(&root, 100 * DAY + HOUR - 1);
    assert_eq!(found(&root, 101 * DAY), Probe::Found(noted(100 * DAY)));
    write_note(&root, 100 * DAY + HOUR);
    assert_eq!(found(&root, 101 * DAY), Probe::Found(noted(100 * DAY + HOUR)));
    let other = RememberedKey { device_id: None, ..noted(100 * DAY + HOUR + 1) };
    write(root.path(), &other, &Trail::SILENT).unwrap();
    assert_eq!(found(&root, 102 * DAY), Probe::Found(other));
}

#[test]
fn a_folder_that_others_can_enter_is_reported_and_not_the_note() {
    let root = root();
    let path = write_note(&root, 100 * DAY);
    let folder = path.parent().unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let witness = read(root.path(), &user(), 30, at(100 * DAY), &Trail::SILENT);
    assert_eq!(witness.path.as_deref(), Some(folder));
}

#[test]
fn a_note_that_is_damaged_or_from_the_future_or_about_another_home_does_not_count() {
    let problem = |problem| Probe::Unreadable(Cause::Note(problem));
    let root = root();
    let path = write_note(&root, 100 * DAY);
    assert_eq!(found(&root, 100 * DAY - 1), problem(NoteProblem::FromTheFuture));
    let moved = User { home: Some("/Users/ben".into()), ..user() };
    let read = |user: &User| read(root.path(), user, 30, at(100 * DAY), &Trail::SILENT).probe;
    assert_eq!(read(&moved), problem(NoteProblem::OfAnotherHome));
    fs::copy(&path, path.with_file_name("502.json")).unwrap();
    assert_eq!(read(&User { uid: Some(502), ..user() }), problem(NoteProblem::OfAnotherHome));
    for damaged in ["", "{", "null", "{\"uid\":501}"] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(read(&user()), problem(NoteProblem::Damaged), "{damaged}");
    }
    fs::write(&path, " ".repeat(16 * 1024 + 1)).unwrap();
    assert_eq!(read(&user()), Probe::Unreadable(Cause::TooLarge { size: 16 * 1024 + 1, limit: MAX_SIZE }));
}

#[test]
fn a_note_that_another_user_could_have_written_does_not_count() {
    let not_private = Probe::Unreadable(Cause::Note(NoteProblem::NotPrivateToRoot));
    let root = root();
    let path = write_note(&root, 100 * DAY);
    let folder = path.parent().unwrap();
    for place in [folder, &path] {
        let mode = place.metadata().unwrap().permissions();
        fs::set_permissions(place, fs::Permissions::from_mode(mode.mode() | 0o020)).unwrap();
        assert_eq!(found(&root, 100 * DAY), not_private, "{}", place.display());
        fs::set_permissions(place, mode).unwrap();
    }
    let elsewhere = path.with_file_name("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_eq!(found(&root, 100 * DAY), not_private);
}

#[test]
fn nothing_is_written_through_a_link_or_into_a_folder_that_is_not_private_to_root() {
    let root = root();
    let folder = root.path().join(FOLDER);
    let other = root.path().join("other");
    fs::create_dir(&other).unwrap();
    symlink(&other, &folder).unwrap();
    let refused = Err(Obstacle { path: Some(folder.clone()), cause: Cause::Note(NoteProblem::NotPrivateToRoot) });
    assert_eq!(write(root.path(), &noted(0), &Trail::SILENT), refused);
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(write(root.path(), &noted(0), &Trail::SILENT), refused);
    assert_eq!(fs::read_dir(&other).unwrap().count() + fs::read_dir(&folder).unwrap().count(), 0);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    // A temporary file that an earlier run or another user left there is replaced, not written to.
    symlink(other.join("target"), folder.join(format!(".501.{}.new", process::id()))).unwrap();
    write(root.path(), &noted(0), &Trail::SILENT).unwrap();
    assert!(!other.join("target").exists());
    assert_eq!(found(&root, 0), Probe::Found(noted(0)));
}
