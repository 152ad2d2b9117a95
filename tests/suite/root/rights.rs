//! Run as root, the tool looks at a home with its user's rights, and with nobody else's.

use std::{
    env,
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    panic,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;
use nix::unistd::{getegid, geteuid};
use tempfile::TempDir;
use wpj_state::{
    collect::{
        platform,
        progress::Progress,
        rights::{Identity, Rights},
        system::ThisSystem,
        user::{Account, Accounts},
    },
    evidence::{Cause, Obstacle},
};

use crate::outcome::{Failed, Outcome, equal};

const KEYCHAINS: &str = "Library/Keychains";
const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// A user and a group that own nothing but the homes of these tests.
const USER: u32 = 61_234;
const GROUP: u32 = 61_235;

/// A registered user's home in a folder that is root's, beside which secrets can be kept.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Result<Self, Failed> {
        let place = Self { folder: tempfile::tempdir_in(platform::TEMPORARY)? };
        fs::set_permissions(place.folder.path(), Permissions::from_mode(0o755))?;
        for file in [KEYCHAIN, PLIST] {
            let copy = place.home(file);
            fs::create_dir_all(copy.parent().ok_or("a file has a folder")?)?;
            fs::copy(Path::new("fixtures/registered/home").join(file), copy)?;
        }
        for path in ["", "Library", KEYCHAINS, "Library/Preferences", KEYCHAIN, PLIST] {
            chown(place.home(path), Some(USER), Some(GROUP))?;
        }
        fs::set_permissions(place.home(KEYCHAINS), Permissions::from_mode(0o700))?;
        fs::set_permissions(place.home(KEYCHAIN), Permissions::from_mode(0o600))?;
        Ok(place)
    }

    fn home(&self, file: &str) -> PathBuf {
        self.folder.path().join("home").join(file)
    }

    /// A registered user's keychain in a folder that only root can enter.
    fn secret(&self) -> Result<PathBuf, Failed> {
        let folder = self.folder.path().join("secret");
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let secret = folder.join("login.keychain-db");
        fs::rename(self.home(KEYCHAIN), &secret)?;
        chown(&secret, Some(0), Some(0))?;
        Ok(secret)
    }

    /// Standard output, standard error and exit status of the tool.
    fn run(&self, options: &[&str]) -> Result<(String, String, Option<i32>), Failed> {
        let output = Command::new(cargo_bin("wpj-state")).arg("--home").arg(self.home("")).args(options).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&output.stdout), text(&output.stderr), output.status.code()))
    }

    fn is_registered(&self, options: &[&str]) -> Outcome {
        equal(&self.run(options)?, &("<result>Registered</result>\n".to_owned(), String::new(), Some(0)))
    }

    fn is_undetermined(&self, file: &str, reason: &str) -> Outcome {
        let stderr = format!("wpj-state: {}: {reason}\n", self.home(file).display());
        equal(&self.run(&[])?, &("<result></result>\n".to_owned(), stderr, Some(1)))
    }
}

const LINK: &str = "this is a symbolic link, which is not followed; put the file itself in this place";
const DENIED: &str = "permission denied, even to its user; give its user the right to read it";

#[test]
#[ignore = "needs root"]
fn a_home_is_read_with_its_owner_s_rights() -> Outcome {
    Place::new()?.is_registered(&[])
}

#[test]
#[ignore = "needs root"]
fn each_of_several_homes_is_read_with_its_own_user_s_rights() -> Outcome {
    let place = Place::new()?;
    // Another user who has laid a link to what only the first one can enter.
    let other = place.folder.path().join("other");
    fs::create_dir(&other)?;
    symlink(place.home("Library"), other.join("Library"))?;
    chown(&other, Some(USER + 2), Some(GROUP))?;
    for homes in [[place.home(""), other.clone()], [other.clone(), place.home("")]] {
        let mut tool = Command::new(cargo_bin("wpj-state"));
        let output = tool.arg("--home").arg(&homes[0]).arg("--home").arg(&homes[1]).output()?;
        let line = |home: &Path| match home == other {
            true => format!("{}:", home.display()),
            false => format!("{}: Registered", home.display()),
        };
        let lines = homes.each_ref().map(|home| line(home)).join("\n");
        equal(&String::from_utf8(output.stdout)?, &format!("<result>{lines}</result>\n"))?;
        let (place, keychain) = (other.display(), other.join(KEYCHAIN));
        equal(&String::from_utf8(output.stderr)?, &format!("wpj-state: {place}: {}: {DENIED}\n", keychain.display()))?;
        equal(&output.status.code(), &Some(1))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn copies_of_the_system_s_files_in_a_home_are_read_with_its_user_s_rights() -> Outcome {
    let place = Place::new()?;
    // What the user's links lead to, only root can enter.
    let secret = place.folder.path().join("secret");
    let agent = "Library/Preferences/com.jamfsoftware.jamf.plist";
    for file in [agent, "var/root/Library/Preferences/com.jamf.management.jamfAAD.plist"] {
        fs::create_dir_all(secret.join(file).parent().ok_or("a file has a folder")?)?;
        fs::write(
            secret.join(file),
            "<plist version=\"1.0\"><dict><key>microsoftCAEnabled</key><true/></dict></plist>",
        )?;
    }
    fs::set_permissions(&secret, Permissions::from_mode(0o700))?;
    let copy = place.home("copy");
    fs::create_dir(&copy)?;
    symlink(secret.join("Library"), copy.join("Library"))?;
    symlink(secret.join("var"), copy.join("var"))?;
    let set_up = |root: &Path| -> Result<serde_json::Value, Failed> {
        let root = root.to_str().ok_or("a path")?;
        let (json, ..) = place.run(&["--json", "--system-root", root])?;
        let json: serde_json::Value = serde_json::from_str(&json)?;
        Ok(serde_json::json!([json["set_up"]["microsoft_ca_enabled"], json["set_up"]["gathered_as_root"]]))
    };
    equal(&set_up(&copy)?, &serde_json::json!([null, null]))?;
    equal(&set_up(&secret)?, &serde_json::json!([true, true]))
}

#[test]
#[ignore = "needs root"]
fn a_link_to_a_file_that_only_root_can_read_is_refused() -> Outcome {
    let place = Place::new()?;
    symlink(place.secret()?, place.home(KEYCHAIN))?;
    place.is_undetermined(KEYCHAIN, LINK)
}

#[test]
#[ignore = "needs root"]
fn a_link_to_a_folder_that_only_root_can_enter_leads_nowhere() -> Outcome {
    let place = Place::new()?;
    let secret = place.secret()?;
    fs::remove_dir(place.home(KEYCHAINS))?;
    symlink(secret.parent().ok_or("a file has a folder")?, place.home(KEYCHAINS))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_hard_link_to_a_file_that_only_root_can_read_is_closed() -> Outcome {
    let place = Place::new()?;
    fs::hard_link(place.secret()?, place.home(KEYCHAIN))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_keychain_that_its_own_user_cannot_read_is_no_answer() -> Outcome {
    let place = Place::new()?;
    fs::set_permissions(place.home(KEYCHAIN), Permissions::from_mode(0o000))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_fifo_does_not_hang() -> Outcome {
    let place = Place::new()?;
    fs::remove_file(place.home(KEYCHAIN))?;
    nix::unistd::mkfifo(&place.home(KEYCHAIN), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
    chown(place.home(KEYCHAIN), Some(USER), Some(GROUP))?;
    place.is_undetermined(KEYCHAIN, "this is a FIFO, not a regular file; put the file itself in this place")
}

#[test]
#[ignore = "needs root"]
fn a_file_of_1_tib_is_refused_unread() -> Outcome {
    let place = Place::new()?;
    File::options().write(true).open(place.home(KEYCHAIN))?.set_len(1 << 40)?;
    place.is_undetermined(
        KEYCHAIN,
        "the file has 1099511627776 bytes, and no more than 1073741824 are read; find out what wrote it and move it away",
    )
}

#[test]
#[ignore = "needs root"]
fn renamed_keychains_are_read_with_the_user_s_rights_too() -> Outcome {
    let place = Place::new()?;
    let renamed = "Library/Keychains/login_renamed_1.keychain-db";
    fs::hard_link(place.secret()?, place.home(renamed))?;
    let (json, _, _) = place.run(&["--json"])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    equal(&json["state"], &serde_json::json!("Not Registered"))?;
    let message = "login_renamed_1.keychain-db cannot be read: permission denied, even to its user.";
    equal(&json["findings"][0]["message"], &serde_json::json!(message))?;
    equal(&json["findings"].as_array().map(Vec::len), &Some(1))
}

#[test]
#[ignore = "needs root"]
fn a_keychain_that_root_names_elsewhere_is_read_with_root_s_rights() -> Outcome {
    let place = Place::new()?;
    let secret = place.secret()?;
    place.is_registered(&["--keychain", secret.to_str().ok_or("a path in UTF-8")?])
}

/// Root without the power to change its user, or its groups.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs root"]
fn where_rights_cannot_be_taken_nothing_is_read() -> Outcome {
    for lacking in ["-setuid", "-setgid"] {
        let place = Place::new()?;
        let mut tool = Command::new("setpriv");
        tool.args(["--bounding-set", lacking]).arg(cargo_bin("wpj-state")).arg("--home").arg(place.home(""));
        let output = tool.output()?;
        let reason = "the rights of the user with the number 61234 cannot be taken";
        let start = format!("wpj-state: {}: {reason}: ", place.home("").display());
        let stderr = String::from_utf8(output.stderr)?;
        equal(&stderr.starts_with(&start), &true)?;
        equal(&stderr.ends_with("; run it as root or as this user\n"), &true)?;
        equal(&(output.stdout, output.status.code()), &(b"<result></result>\n".to_vec(), Some(1)))?;
    }
    Ok(())
}

fn identity() -> Identity {
    Identity { name: None, uid: USER, gid: GROUP }
}

/// Effective user and group, and all groups, of this process.
fn own_rights() -> Result<(u32, u32, Vec<u32>), Failed> {
    let mut groups = platform::groups()?;
    groups.sort_unstable();
    Ok((geteuid().as_raw(), getegid().as_raw(), groups))
}

#[test]
#[ignore = "needs root"]
fn rights_are_taken_for_the_work_and_given_back() -> Outcome {
    alone("rights_are_taken_for_the_work_and_given_back", || {
        platform::set_groups(&[0, 7, 8])?;
        let before = own_rights()?;
        let during = Rights::Of(identity()).with(|| Ok(own_rights()))??;
        equal(&during, &(USER, GROUP, vec![GROUP]))?;
        equal(&own_rights()?, &before)?;
        // Work that fails changes nothing about it.
        let failed = Rights::Of(identity()).with(|| Err::<(), _>(Cause::FileMissing));
        equal(&failed, &Err(Cause::FileMissing))?;
        equal(&own_rights()?, &before)
    })
}

#[test]
#[ignore = "needs root"]
fn rights_are_given_back_after_a_panic() -> Outcome {
    alone("rights_are_given_back_after_a_panic", || {
        let before = own_rights()?;
        let outcome =
            panic::catch_unwind(|| Rights::Of(identity()).with(|| -> Result<(), Cause> { panic!("as a bug would") }));
        equal(&outcome.is_err(), &true)?;
        equal(&own_rights()?, &before)
    })
}

/// Runs a test that changes the rights of its process again, in a process of its own.
fn alone(name: &str, test: fn() -> Outcome) -> Outcome {
    const ALONE: &str = "WPJ_STATE_TEST_IS_ALONE";
    if env::var_os(ALONE).is_some() {
        return test();
    }
    let name = format!("root::rights::{name}");
    let output = Command::new(env::current_exe()?).env(ALONE, "").args(["--ignored", "--exact", &name]).output()?;
    let stdout = String::from_utf8(output.stdout)?;
    equal(&(stdout.contains("1 passed"), stdout.as_str()), &(true, stdout.as_str()))
}

fn progress() -> Progress {
    Progress::silent(Path::new("/nowhere"))
}

#[test]
#[ignore = "needs root"]
fn when_a_keychain_changed_is_found_with_its_user_s_rights() -> Outcome {
    alone("when_a_keychain_changed_is_found_with_its_user_s_rights", || {
        let place = Place::new()?;
        let daemon = ThisSystem::new("/", &progress()).by_name("daemon").map_err(|obstacle| format!("{obstacle:?}"))?;
        let account = Account { home: place.home(""), ..daemon.ok_or("there is an account named daemon")? };
        let progress = progress();
        let system = ThisSystem::new(place.folder.path(), &progress);
        let denied = |path: PathBuf| Obstacle { path: Some(path), cause: Cause::DeniedToUser };
        equal(&system.keychain_changed(&account), &Err(denied(place.home(KEYCHAIN))))?;
        chown(place.home(KEYCHAINS), Some(account.uid), None)?;
        let changed = fs::metadata(place.home(KEYCHAIN))?.modified()?;
        equal(&system.keychain_changed(&account), &Ok(Some(changed)))?;
        // Both names count, and of the two the later change.
        let old = place.home("Library/Keychains/login.keychain");
        File::create(&old)?.set_modified(changed + Duration::from_secs(5))?;
        equal(&system.keychain_changed(&account), &Ok(Some(changed + Duration::from_secs(5))))?;
        equal(&system.has_home(&account), &Ok(true))?;
        fs::set_permissions(place.folder.path(), Permissions::from_mode(0o700))?;
        equal(&system.has_home(&account), &Err(denied(place.home(""))))
    })
}

#[test]
#[ignore = "needs root"]
fn the_login_window_s_last_user_is_found() -> Outcome {
    let folder = tempfile::tempdir()?;
    let progress = progress();
    let system = ThisSystem::new(folder.path(), &progress);
    equal(&system.last_user(), &Ok(None))?;
    let preferences = folder.path().join("Library/Preferences");
    fs::create_dir_all(&preferences)?;
    let path = preferences.join("com.apple.loginwindow.plist");
    for (content, expected) in [
        (
            "<dict><key>lastUser</key><string>x</string><key>lastUserName</key><string>adele</string></dict>",
            Some("adele"),
        ),
        ("<dict><key>lastUserName</key><integer>1</integer></dict>", None),
        ("<array/>", None),
    ] {
        fs::write(&path, format!("<plist version=\"1.0\">{content}</plist>"))?;
        equal(&system.last_user(), &Ok(expected.map(str::to_owned)))?;
    }
    fs::write(&path, "no property list")?;
    equal(&system.last_user(), &Ok(None))?;
    fs::remove_file(&path)?;
    fs::create_dir(&path)?;
    let cause = Cause::NotAFile(wpj_state::evidence::FileKind::Directory);
    equal(&system.last_user(), &Err(Obstacle { path: Some(path), cause }))
}

#[test]
#[ignore = "needs root"]
fn the_owners_of_homes_are_found() -> Outcome {
    let folder = tempfile::tempdir()?;
    let progress = progress();
    let system = ThisSystem::new(folder.path(), &progress);
    equal(&system.home_owners(), &Ok(Vec::new()))?;
    let users = folder.path().join("Users");
    fs::create_dir_all(users.join("adele"))?;
    chown(users.join("adele"), Some(USER), Some(GROUP))?;
    symlink(users.join("adele"), users.join("a link"))?;
    fs::write(users.join("a file"), "")?;
    equal(&system.home_owners(), &Ok(vec![USER]))
}

#[test]
#[ignore = "needs root"]
fn a_home_is_known_by_any_path() -> Outcome {
    let place = Place::new()?;
    let secret = place.secret()?;
    fs::remove_dir(place.home(KEYCHAINS))?;
    symlink(secret.parent().ok_or("a file has a folder")?, place.home(KEYCHAINS))?;
    symlink(place.home(""), place.folder.path().join("link"))?;
    let link = place.folder.path().join("link");
    let into = place.folder.path().join("into");
    symlink(place.home("Library"), &into)?;
    for (home, keychain) in [
        (place.home(""), PathBuf::from(KEYCHAIN)),
        (place.home(""), link.join(KEYCHAIN)),
        (place.home(""), into.join("Keychains/login.keychain-db")),
        (place.home(""), place.home("Library/../Library").join("Keychains/login.keychain-db")),
        (link.clone(), place.home(KEYCHAIN)),
        (link, PathBuf::from(KEYCHAIN)),
    ] {
        let mut tool = Command::new(cargo_bin("wpj-state"));
        tool.current_dir(place.home("")).arg("--home").arg(home).arg("--keychain").arg(&keychain);
        let output = tool.output()?;
        let stderr = format!("wpj-state: {}: {DENIED}\n", keychain.display());
        equal(&String::from_utf8(output.stderr)?, &stderr)?;
        equal(&(output.stdout, output.status.code()), &(b"<result></result>\n".to_vec(), Some(1)))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_home_s_group_is_not_its_owner_s() -> Outcome {
    let place = Place::new()?;
    let secret = place.secret()?;
    let folder = secret.parent().ok_or("a file has a folder")?;
    fs::set_permissions(folder, Permissions::from_mode(0o750))?;
    fs::set_permissions(&secret, Permissions::from_mode(0o640))?;
    fs::remove_dir(place.home(KEYCHAINS))?;
    symlink(folder, place.home(KEYCHAINS))?;
    // Root's group owns the home, and may enter the folder; its user is not in it.
    chown(place.home(""), Some(USER), Some(0))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_plist_is_read_with_the_user_s_rights() -> Outcome {
    let place = Place::new()?;
    let preferences = place.home("Library/Preferences");
    fs::set_permissions(&preferences, Permissions::from_mode(0o700))?;
    chown(&preferences, Some(0), Some(0))?;
    place.is_undetermined(PLIST, DENIED)
}

#[test]
#[ignore = "needs root"]
fn renamed_keychains_are_listed_with_the_user_s_rights() -> Outcome {
    let place = Place::new()?;
    fs::remove_file(place.home(KEYCHAIN))?;
    // Its user may enter the folder, but not list it.
    chown(place.home(KEYCHAINS), Some(0), Some(0))?;
    fs::set_permissions(place.home(KEYCHAINS), Permissions::from_mode(0o711))?;
    let (json, _, _) = place.run(&["--json"])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    let message = "Keychains cannot be read: permission denied, even to its user.";
    equal(&json["findings"][0]["message"], &serde_json::json!(message))
}

/// In a mount namespace of its own, the tool sees accounts that this test makes up.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs root"]
fn a_user_s_other_groups_count() -> Outcome {
    let place = Place::new()?;
    let secret = place.secret()?;
    let folder = secret.parent().ok_or("a file has a folder")?;
    fs::set_permissions(folder, Permissions::from_mode(0o750))?;
    fs::set_permissions(&secret, Permissions::from_mode(0o640))?;
    for path in [folder, &secret] {
        chown(path, Some(0), Some(GROUP + 1))?;
    }
    fs::remove_dir(place.home(KEYCHAINS))?;
    symlink(folder, place.home(KEYCHAINS))?;
    let accounts = place.folder.path().join("accounts");
    fs::create_dir(&accounts)?;
    fs::write(accounts.join("passwd"), format!("root:x:0:0::/root:/bin/sh\nadele:x:{USER}:{GROUP}::/:/bin/sh\n"))?;
    let run = |members: &str| -> Result<String, Failed> {
        fs::write(accounts.join("group"), format!("root:x:0:\nadele:x:{GROUP}:\nshared:x:{}:{members}\n", GROUP + 1))?;
        let script = "mount --bind \"$1/passwd\" /etc/passwd && mount --bind \"$1/group\" /etc/group && exec \"$2\" --home \"$3\"";
        let mut tool = Command::new("unshare");
        tool.args(["-m", "/bin/sh", "-c", script, "sh"]).arg(&accounts);
        tool.arg(cargo_bin("wpj-state")).arg(place.home(""));
        Ok(String::from_utf8(tool.output()?.stdout)?)
    };
    equal(&run("")?, &"<result></result>\n".to_owned())?;
    equal(&run("adele")?, &"<result>Registered</result>\n".to_owned())
}
