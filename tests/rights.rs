//! Run as root, the tool looks at a home with its user's rights, and with nobody else's.
//!
//! These tests change the effective rights of their whole process, so they run one after another; without root they are
//! ignored.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    panic,
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;
use libtest_mimic::{Arguments, Failed, Trial};
use nix::unistd::{getegid, geteuid};
use tempfile::TempDir;
use wpj_state::{
    cause::Cause,
    platform,
    rights::{Identity, Rights},
    system::ThisSystem,
    user::{Account, Accounts},
};

const KEYCHAINS: &str = "Library/Keychains";
const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// A user and a group that own nothing but the homes of these tests.
const USER: u32 = 61_234;
const GROUP: u32 = 61_235;

type Test = fn() -> Result<(), Failed>;

const TESTS: [(&str, Test); 13] = [
    ("a home is read with its owner's rights", a_home_is_read),
    ("a link to a file that only root can read is refused", a_link_is_refused),
    ("a link to a folder that only root can enter leads nowhere", a_linked_folder_is_closed),
    ("a hard link to a file that only root can read is closed", a_hard_link_is_closed),
    ("a keychain that its own user cannot read is no answer", an_unreadable_keychain_is_no_answer),
    ("a FIFO does not hang", a_fifo_does_not_hang),
    ("a file of 1 TiB is refused unread", a_huge_file_is_refused),
    ("renamed keychains are read with the user's rights, too", renamed_keychains_are_closed),
    ("a keychain that root names elsewhere is read with root's rights", a_named_keychain_is_root_s),
    ("rights are taken for the work and given back", rights_are_taken_and_given_back),
    ("rights are given back after a panic", rights_are_given_back_after_a_panic),
    ("an account's groups are taken with it", groups_are_taken),
    ("when a keychain changed is found with its user's rights", changes_are_found_with_the_user_s_rights),
];

fn main() {
    let is_root = geteuid().is_root();
    let trial = |name: &str, test: Test, reason: Option<&str>| {
        let name = reason.map_or_else(|| name.to_owned(), |reason| format!("{name} (ignored: {reason})"));
        Trial::test(name, test).with_ignored_flag(reason.is_some())
    };
    let needs_root = (!is_root).then_some("it needs root");
    let needs_linux = (!cfg!(target_os = "linux")).then_some("only Linux has a root that cannot do this");
    let mut trials: Vec<Trial> = TESTS.map(|(name, test)| trial(name, test, needs_root)).into();
    let name = "where rights cannot be taken nothing is read";
    trials.push(trial(name, rights_that_cannot_be_taken, needs_root.or(needs_linux)));
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit();
}

/// A registered user's home in a folder that is root's, beside which secrets can be kept.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Result<Self, Failed> {
        let place = Self { folder: tempfile::tempdir()? };
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

    fn is_registered(&self, options: &[&str]) -> Result<(), Failed> {
        equal(&self.run(options)?, &("<result>Registered</result>\n".to_owned(), String::new(), Some(0)))
    }

    fn is_undetermined(&self, file: &str, reason: &str) -> Result<(), Failed> {
        let stderr = format!("wpj-state: {}: {reason}\n", self.home(file).display());
        equal(&self.run(&[])?, &("<result></result>\n".to_owned(), stderr, Some(1)))
    }
}

const LINK: &str = "this is a symbolic link, which is not followed; put the file itself in this place";
const DENIED: &str = "permission denied, even to its user; give its user the right to read it";

fn a_home_is_read() -> Result<(), Failed> {
    Place::new()?.is_registered(&[])
}

fn a_link_is_refused() -> Result<(), Failed> {
    let place = Place::new()?;
    symlink(place.secret()?, place.home(KEYCHAIN))?;
    place.is_undetermined(KEYCHAIN, LINK)
}

fn a_linked_folder_is_closed() -> Result<(), Failed> {
    let place = Place::new()?;
    let secret = place.secret()?;
    fs::remove_dir(place.home(KEYCHAINS))?;
    symlink(secret.parent().ok_or("a file has a folder")?, place.home(KEYCHAINS))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

fn a_hard_link_is_closed() -> Result<(), Failed> {
    let place = Place::new()?;
    fs::hard_link(place.secret()?, place.home(KEYCHAIN))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

fn an_unreadable_keychain_is_no_answer() -> Result<(), Failed> {
    let place = Place::new()?;
    fs::set_permissions(place.home(KEYCHAIN), Permissions::from_mode(0o000))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

fn a_fifo_does_not_hang() -> Result<(), Failed> {
    let place = Place::new()?;
    fs::remove_file(place.home(KEYCHAIN))?;
    nix::unistd::mkfifo(&place.home(KEYCHAIN), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
    chown(place.home(KEYCHAIN), Some(USER), Some(GROUP))?;
    place.is_undetermined(KEYCHAIN, "this is a FIFO, not a regular file; put the file itself in this place")
}

fn a_huge_file_is_refused() -> Result<(), Failed> {
    let place = Place::new()?;
    File::options().write(true).open(place.home(KEYCHAIN))?.set_len(1 << 40)?;
    place.is_undetermined(
        KEYCHAIN,
        "the file has 1099511627776 bytes, and no more than 1073741824 are read; find out what wrote it and move it away",
    )
}

fn renamed_keychains_are_closed() -> Result<(), Failed> {
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

fn a_named_keychain_is_root_s() -> Result<(), Failed> {
    let place = Place::new()?;
    let secret = place.secret()?;
    place.is_registered(&["--keychain", secret.to_str().ok_or("a path in UTF-8")?])
}

/// Root without the power to change its user, or its groups.
fn rights_that_cannot_be_taken() -> Result<(), Failed> {
    for lacking in ["-setuid", "-setgid"] {
        let place = Place::new()?;
        let mut tool = Command::new("setpriv");
        tool.args(["--bounding-set", lacking]).arg(cargo_bin("wpj-state")).arg("--home").arg(place.home(""));
        let output = tool.output()?;
        let reason = "the rights of the user with the number 61234 cannot be taken";
        let start = format!("wpj-state: {}: {reason}: ", place.home(KEYCHAIN).display());
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

fn rights_are_taken_and_given_back() -> Result<(), Failed> {
    platform::set_groups(&[0, 7, 8])?;
    let before = own_rights()?;
    let during = Rights::of(identity()).with(own_rights)??;
    equal(&during, &(USER, GROUP, vec![GROUP]))?;
    equal(&own_rights()?, &before)?;
    // Work that fails changes nothing about it.
    let failed = Rights::of(identity()).with(|| File::open("/no/such/file").map(drop).map_err(|error| error.kind()))?;
    equal(&failed, &Err(std::io::ErrorKind::NotFound))?;
    equal(&own_rights()?, &before)
}

fn rights_are_given_back_after_a_panic() -> Result<(), Failed> {
    let before = own_rights()?;
    let outcome = panic::catch_unwind(|| Rights::of(identity()).with(|| panic!("as a bug would")));
    equal(&outcome.is_err(), &true)?;
    equal(&own_rights()?, &before)
}

fn groups_are_taken() -> Result<(), Failed> {
    // An account that every system has; a group of its own in addition to those of its record.
    let account = ThisSystem::new("/").by_name("daemon")?.ok_or("there is an account named daemon")?;
    let during = Rights::of(Identity { gid: GROUP, ..Identity::from(&account) }).with(own_rights)??;
    equal(&(during.0, during.1), &(account.uid, GROUP))?;
    equal(&during.2.contains(&GROUP), &true)?;
    equal(&during.2.contains(&0), &false)
}

fn changes_are_found_with_the_user_s_rights() -> Result<(), Failed> {
    let place = Place::new()?;
    let account = Account { name: "nobody-of-this-name".to_owned(), uid: USER, gid: GROUP, home: place.home("") };
    let system = ThisSystem::new(place.folder.path());
    let changed = fs::metadata(place.home(KEYCHAIN))?.modified()?;
    equal(&system.keychain_changed(&account), &Ok(Some(changed)))?;
    chown(place.home(KEYCHAINS), Some(0), Some(0))?;
    let words = format!("{}: permission denied", place.home(KEYCHAIN).display());
    equal(&system.keychain_changed(&account), &Err(Cause::AccountsUnavailable(words)))?;
    equal(&system.has_home(&account), &Ok(true))
}

fn equal<T: PartialEq + std::fmt::Debug>(left: &T, right: &T) -> Result<(), Failed> {
    if left == right { Ok(()) } else { Err(format!("found {left:#?}\nexpected {right:#?}").into()) }
}
