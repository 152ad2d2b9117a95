use std::{fs::File, os::unix::fs::symlink};

use super::*;
use crate::evidence::FileKind;

#[test]
fn the_last_user_is_read_from_the_login_window_preferences() {
    let root = tempfile::tempdir().unwrap();
    let found = || last_user(root.path(), &Trail::SILENT);
    assert_eq!(found(), Ok(None));
    let path = root.path().join(LOGIN_WINDOW);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (content, expected) in [
        (
            "<dict><key>lastUser</key><string>x</string><key>lastUserName</key><string>adele</string></dict>",
            Some("adele"),
        ),
        ("<dict><key>lastUserName</key><integer>1</integer></dict>", None),
        ("<array/>", None),
        ("not a property list", None),
    ] {
        fs::write(&path, format!("<plist version=\"1.0\">{content}</plist>")).unwrap();
        assert_eq!(found(), Ok(expected.map(str::to_owned)), "{content}");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(found(), Err(Obstacle { path: Some(path), cause: Cause::NotAFile(FileKind::Directory) }));
}

#[test]
fn the_owners_of_homes_are_found() {
    let root = tempfile::tempdir().unwrap();
    let found = || home_owners(root.path(), &Trail::SILENT);
    assert_eq!(found(), Ok(Vec::new()));
    let users = root.path().join(HOMES);
    fs::create_dir_all(users.join("adele")).unwrap();
    symlink(users.join("adele"), users.join("a link")).unwrap();
    File::create(users.join("a file")).unwrap();
    assert_eq!(found(), Ok(vec![users.metadata().unwrap().uid()]));
    fs::remove_dir_all(&users).unwrap();
    File::create(&users).unwrap();
    assert_eq!(found(), Err(Obstacle { path: Some(users), cause: Cause::NotAFolder }));
}
