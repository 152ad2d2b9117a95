//! Checks that the tool, run as root, reads a home only with its user's rights.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use assert_cmd::cargo::cargo_bin;

#[cfg(target_os = "linux")]
use super::user;
use super::user::{GROUP, USER};
use crate::{
    home::{Answer, Home, answer, errors, is_registered, undetermined},
    mac::{KEYCHAIN, PLIST},
    outcome::{Failed, Outcome, equal},
};

const KEYCHAINS: &str = "Library/Keychains";

/// The home of a registered user in a folder that belongs to root, which can also contain secrets.
struct RootFolder(Home);

impl RootFolder {
    fn new() -> Result<Self, Failed> {
        let place = Self(Home::new()?.belonging_to(USER, GROUP)?);
        fs::set_permissions(place.home(KEYCHAINS), Permissions::from_mode(0o700))?;
        fs::set_permissions(place.home(KEYCHAIN), Permissions::from_mode(0o600))?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.folder.path().join(name)
    }

    fn home(&self, file: &str) -> PathBuf {
        self.0.file(file)
    }

    /// The path of a keychain with a key, in a folder that only root can enter.
    fn secret(&self) -> Result<PathBuf, Failed> {
        let folder = self.path("secret");
        fs::create_dir(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let secret = folder.join("login.keychain-db");
        fs::rename(self.home(KEYCHAIN), &secret)?;
        chown(&secret, Some(0), Some(0))?;
        Ok(secret)
    }

    /// Like [`RootFolder::secret`], but a group may read the keychain, and the home has a link to it.
    fn secret_of_group(&self, group: u32) -> Outcome {
        let secret = self.secret()?;
        let folder = secret.parent().ok_or("a file has a folder")?;
        fs::set_permissions(folder, Permissions::from_mode(0o750))?;
        fs::set_permissions(&secret, Permissions::from_mode(0o640))?;
        for path in [folder, &secret] {
            chown(path, Some(0), Some(group))?;
        }
        fs::remove_dir(self.home(KEYCHAINS))?;
        Ok(symlink(folder, self.home(KEYCHAINS))?)
    }

    fn run(&self, options: &[&str]) -> Result<Answer, Failed> {
        answer(self.0.tool().args(options))
    }

    fn is_registered(&self, options: &[&str]) -> Outcome {
        equal(&self.run(options)?, &is_registered())
    }

    fn is_undetermined(&self, file: &str, reason: &str) -> Outcome {
        let reason = format!("{}: {reason}", self.home(file).display());
        equal(&self.run(&[])?, &undetermined(&reason))?;
        // Every kind of output uses the same rights.
        let (json, stderr, status) = self.run(&["--json"])?;
        let json: serde_json::Value = serde_json::from_str(&json)?;
        equal(&(&json["state"], json["undetermined"].as_str()), &(&serde_json::Value::Null, Some(reason.as_str())))?;
        equal(&(stderr, status), &(format!("wpj-state: {reason}\n"), Some(1)))
    }
}

const LINK: &str = "this is a symbolic link, and links are not followed; replace it with the real file, or give the path of the real file";
const DENIED: &str =
    "permission denied, even to its user (only the primary group counts); correct its owner and permissions";

#[test]
#[ignore = "needs root"]
fn a_home_is_read_with_the_rights_of_its_owner() -> Outcome {
    RootFolder::new()?.is_registered(&[])
}

#[test]
#[ignore = "needs root"]
fn each_of_several_homes_is_read_with_the_rights_of_its_own_user() -> Outcome {
    let place = RootFolder::new()?;
    // The second user has a link to a folder that only the first one can enter.
    let other = place.path("other");
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
        let keychain = other.join(KEYCHAIN);
        equal(&errors(&output.stderr), &format!("wpj-state: {}: {DENIED}\n", keychain.display()))?;
        equal(&output.status.code(), &Some(1))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn copies_of_system_files_are_read_with_the_rights_of_the_caller() -> Outcome {
    let place = RootFolder::new()?;
    let copy = place.path("secret");
    let agent = "Library/Preferences/com.jamfsoftware.jamf.plist";
    for file in [agent, "var/root/Library/Preferences/com.jamf.management.jamfAAD.plist"] {
        fs::create_dir_all(copy.join(file).parent().ok_or("a file has a folder")?)?;
        fs::write(copy.join(file), "<plist version=\"1.0\"><dict><key>microsoftCAEnabled</key><true/></dict></plist>")?;
    }
    fs::set_permissions(&copy, Permissions::from_mode(0o700))?;
    let (json, ..) = place.run(&["--json", "--system-root", copy.to_str().ok_or("a path")?])?;
    let set_up = &serde_json::from_str::<serde_json::Value>(&json)?["set_up"];
    let found = [&set_up["microsoft_ca_enabled"], &set_up["gathered_as_root"]];
    equal(&found, &[true, true])
}

#[test]
#[ignore = "needs root"]
fn a_link_to_a_file_that_only_root_can_read_is_refused() -> Outcome {
    let place = RootFolder::new()?;
    symlink(place.secret()?, place.home(KEYCHAIN))?;
    place.is_undetermined(KEYCHAIN, LINK)
}

#[test]
#[ignore = "needs root"]
fn a_link_to_a_folder_that_only_root_can_enter_is_not_followed() -> Outcome {
    let place = RootFolder::new()?;
    let secret = place.secret()?;
    fs::remove_dir(place.home(KEYCHAINS))?;
    symlink(secret.parent().ok_or("a file has a folder")?, place.home(KEYCHAINS))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_hard_link_to_a_file_that_only_root_can_read_is_not_read() -> Outcome {
    let place = RootFolder::new()?;
    fs::hard_link(place.secret()?, place.home(KEYCHAIN))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_keychain_that_its_own_user_cannot_read_is_an_error() -> Outcome {
    let place = RootFolder::new()?;
    fs::set_permissions(place.home(KEYCHAIN), Permissions::from_mode(0o000))?;
    place.is_undetermined(KEYCHAIN, DENIED)
}

#[test]
#[ignore = "needs root"]
fn a_fifo_does_not_hang() -> Outcome {
    let place = RootFolder::new()?;
    fs::remove_file(place.home(KEYCHAIN))?;
    nix::unistd::mkfifo(&place.home(KEYCHAIN), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
    chown(place.home(KEYCHAIN), Some(USER), Some(GROUP))?;
    place.is_undetermined(
        KEYCHAIN,
        "this is a FIFO, not a regular file; replace it with the real file, or give the path of the real file",
    )
}

#[test]
#[ignore = "needs root"]
fn a_file_of_1_tib_is_refused_without_reading_it() -> Outcome {
    let place = RootFolder::new()?;
    File::options().write(true).open(place.home(KEYCHAIN))?.set_len(1 << 40)?;
    place.is_undetermined(
        KEYCHAIN,
        "the file is too large (1099511627776 bytes; the limit is 268435456); find out what made it so large",
    )
}

#[test]
#[ignore = "needs root"]
fn renamed_keychains_are_read_with_the_rights_of_the_user_too() -> Outcome {
    let place = RootFolder::new()?;
    let renamed = "Library/Keychains/login_renamed_1.keychain-db";
    fs::hard_link(place.secret()?, place.home(renamed))?;
    let (json, _, _) = place.run(&["--json"])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    equal(&json["state"], &serde_json::json!("Not Registered"))?;
    let message = "login_renamed_1.keychain-db cannot be read: permission denied, even to its user (only the primary group counts).";
    equal(&json["findings"][0]["message"], &serde_json::json!(message))?;
    equal(&json["findings"].as_array().map(Vec::len), &Some(1))
}

#[test]
#[ignore = "needs root"]
fn a_keychain_that_root_names_elsewhere_is_read_with_the_rights_of_root() -> Outcome {
    let place = RootFolder::new()?;
    let secret = place.secret()?;
    place.is_registered(&["--keychain", secret.to_str().ok_or("a path in UTF-8")?])
}

/// Runs root without the capabilities to change its user or its groups.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs root"]
fn if_switching_to_the_user_fails_nothing_is_read() -> Outcome {
    for lacking in ["-setuid", "-setgid"] {
        let place = RootFolder::new()?;
        let mut tool = Command::new("setpriv");
        tool.args(["--bounding-set", lacking]).arg(cargo_bin("wpj-state")).arg("--home").arg(place.home(""));
        let output = tool.output()?;
        let reason = "cannot switch to the user with UID 61234";
        let start = format!("wpj-state: {}: {reason}: ", place.home("").display());
        let stderr = errors(&output.stderr);
        equal(&stderr.starts_with(&start), &true)?;
        equal(&stderr.ends_with("; run it as root or as this user\n"), &true)?;
        equal(&(output.stdout, output.status.code()), &(b"<result></result>\n".to_vec(), Some(1)))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn the_group_of_a_home_does_not_count() -> Outcome {
    for group in [0, GROUP] {
        let place = RootFolder::new()?;
        place.secret_of_group(group)?;
        chown(place.home(""), Some(USER), Some(group))?;
        place.is_undetermined(KEYCHAIN, DENIED)?;
    }
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs root"]
fn the_group_of_an_owner_without_account_is_nobody() -> Outcome {
    let place = RootFolder::new()?;
    place.secret_of_group(user::NOBODY)?;
    place.is_registered(&[])
}

#[test]
#[ignore = "needs root"]
fn a_plist_is_read_with_the_rights_of_the_user() -> Outcome {
    let place = RootFolder::new()?;
    let preferences = place.home("Library/Preferences");
    fs::set_permissions(&preferences, Permissions::from_mode(0o700))?;
    chown(&preferences, Some(0), Some(0))?;
    place.is_undetermined(PLIST, DENIED)
}

#[test]
#[ignore = "needs root"]
fn renamed_keychains_are_listed_with_the_rights_of_the_user() -> Outcome {
    let place = RootFolder::new()?;
    fs::remove_file(place.home(KEYCHAIN))?;
    // The user may enter the folder, but not list it.
    chown(place.home(KEYCHAINS), Some(0), Some(0))?;
    fs::set_permissions(place.home(KEYCHAINS), Permissions::from_mode(0o711))?;
    let (json, _, _) = place.run(&["--json"])?;
    let json: serde_json::Value = serde_json::from_str(&json)?;
    let message = "Keychains cannot be read: permission denied, even to its user (only the primary group counts).";
    equal(&json["findings"][0]["message"], &serde_json::json!(message))
}

#[test]
#[cfg(target_os = "linux")]
#[ignore = "needs root"]
fn only_the_primary_group_of_an_account_counts() -> Outcome {
    for (group, expected) in [(GROUP, true), (GROUP + 1, false), (0, false)] {
        let place = RootFolder::new()?;
        place.secret_of_group(group)?;
        let groups = format!("shared:x:{}:adele\n", GROUP + 1);
        let home = place.home("").display().to_string();
        let reason = format!("{}: {DENIED}", place.home(KEYCHAIN).display());
        let expected = if expected { is_registered() } else { undetermined(reason) };
        for options in [["--user", "adele"], ["--home", &home]] {
            let mut tool = Command::new(cargo_bin("wpj-state"));
            let mut tool = user::with_adele(&place.0, &groups, tool.args(options))?;
            equal(&answer(&mut tool)?, &expected).map_err(|failed| format!("{group} {options:?}: {failed:?}"))?;
        }
    }
    Ok(())
}

/// An example is `/Users/Shared`, where any user could create a folder that looks like a home.
#[test]
#[ignore = "needs root"]
fn a_root_folder_in_which_others_can_write_is_not_a_home() -> Outcome {
    for mode in [0o1777, 0o777, 0o775, 0o757] {
        let place = RootFolder::new()?;
        chown(place.home(""), Some(0), Some(0))?;
        fs::set_permissions(place.home(""), Permissions::from_mode(mode))?;
        let words = "this folder belongs to root and others can write to it, so it is not taken for a home; give the home \
                     of one user, or let only its owner write to it (chmod go-w)";
        place.is_undetermined("", words)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_link_of_a_user_is_not_followed_by_root_either() -> Outcome {
    let place = RootFolder::new()?;
    symlink(place.secret()?, place.home(KEYCHAIN))?;
    let keychain = place.home(KEYCHAIN);
    let reason = format!("{}: {LINK}", keychain.display());
    equal(&place.run(&["--keychain", keychain.to_str().ok_or("a path")?])?, &undetermined(reason))
}
