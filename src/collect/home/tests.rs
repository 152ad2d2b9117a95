use fixture_generator::{Certificate, Keychain};
use tempfile::TempDir;

use super::*;

/// A home with these files in its folder of keychains.
fn home(files: &[(&str, &[u8])]) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(KEYCHAINS)).unwrap();
    for (name, content) in files {
        fs::write(home.path().join(KEYCHAINS).join(name), content).unwrap();
    }
    home
}

fn registered() -> Vec<u8> {
    let certificate = Certificate::workplace_join();
    Keychain::new().certificate(&certificate).workplace_join_key(&certificate).to_bytes()
}

/// The name of the login keychain that is used, and whether it has the key.
fn login_keychain(home: &TempDir, trail: &Trail) -> (String, Probe<bool>) {
    let reading = Reading { depth: Depth::State, tenants: &Tenants::default(), rights: Rights::Caller, trail };
    let Witness { path, probe } = reading.login_keychain(home.path());
    let name = path.unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    (name, probe.and_then(|found| Ok(found.workplace_join_identity().is_some())))
}

#[test]
fn the_new_name_of_the_login_keychain_takes_precedence() {
    let (with_key, without) = (registered(), Keychain::new().to_bytes());
    let found = |files: &[(&str, &[u8])]| login_keychain(&home(files), &Trail::SILENT);
    let [new, old] = [LOGIN_KEYCHAIN, OLD_LOGIN_KEYCHAIN];
    assert_eq!(found(&[(new, &without), (old, &with_key)]), (new.to_owned(), Probe::Found(false)));
    assert_eq!(found(&[(old, &with_key)]), (old.to_owned(), Probe::Found(true)));
    assert_eq!(found(&[]), (new.to_owned(), Probe::Absent));
}

/// Creates the new login keychain, as macOS does, at the moment when the old one is about to be read.
fn upgrade(path: &Path) {
    if path.ends_with(OLD_LOGIN_KEYCHAIN) {
        fs::rename(path.with_file_name("made"), path.with_file_name(LOGIN_KEYCHAIN)).unwrap();
    }
}

#[test]
fn a_login_keychain_that_appears_while_the_old_one_is_read_is_found() {
    let (with_key, without) = (registered(), Keychain::new().to_bytes());
    for files in [&[("made", &with_key), (OLD_LOGIN_KEYCHAIN, &without)][..], &[("made", &with_key)]] {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (*name, content.as_slice())).collect();
        let found = login_keychain(&home(&files), &Trail(upgrade));
        assert_eq!(found, (LOGIN_KEYCHAIN.to_owned(), Probe::Found(true)));
    }
}

#[test]
fn the_later_change_of_both_login_keychains_counts() {
    let home = home(&[(LOGIN_KEYCHAIN, b""), (OLD_LOGIN_KEYCHAIN, b"")]);
    let change = |name: &str, seconds: u64| {
        let file = fs::File::options().write(true).open(home.path().join(KEYCHAINS).join(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    };
    let changed = || keychain_changed(home.path(), &Trail::SILENT);
    change(LOGIN_KEYCHAIN, 2000);
    change(OLD_LOGIN_KEYCHAIN, 1000);
    assert_eq!(changed(), Ok(Some(2_000_000_000)));
    change(OLD_LOGIN_KEYCHAIN, 3000);
    assert_eq!(changed(), Ok(Some(3_000_000_000)));
    fs::remove_dir_all(home.path().join(KEYCHAINS)).unwrap();
    assert_eq!(changed(), Ok(None));
}

#[test]
fn only_numbered_login_keychains_count_as_renamed() {
    assert_eq!(number_of_renamed("login_renamed_1.keychain-db"), Some(1));
    assert_eq!(number_of_renamed("login_renamed_23.keychain-db"), Some(23));
    for name in ["login_renamed_.keychain-db", "login_renamed_1", "login_renamed_1a.keychain-db", "login.keychain-db"] {
        assert_eq!(number_of_renamed(name), None, "{name}");
    }
}

#[test]
fn only_an_empty_keychain_is_read_once_more() {
    let empty = Err(Cause::Keychain(keychain::Error { kind: ErrorKind::Empty, offset: 0 }));
    let outcome = |answers: &[Result<u8, Cause>]| {
        let (mut reads, mut waits) = (0, 0);
        let read = || {
            reads += 1;
            answers[reads - 1].clone()
        };
        let outcome = once_more_if_empty(read, || waits += 1);
        (outcome, reads, waits)
    };
    assert_eq!(outcome(&[Ok(1)]), (Ok(1), 1, 0));
    assert_eq!(outcome(&[empty.clone(), Ok(1)]), (Ok(1), 2, 1));
    assert_eq!(outcome(&[empty.clone(), empty.clone()]), (empty, 2, 1));
    assert_eq!(outcome(&[Err(Cause::SymbolicLink)]), (Err(Cause::SymbolicLink), 1, 0));
}
