//! Creates a user's home, and runs the tool on it.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

use crate::{
    mac::{KEYCHAIN, PLIST},
    outcome::Failed,
};

/// Standard output, standard error and exit status.
pub type Answer = (String, String, Option<i32>);

pub const REGISTERED: &str = "<result>Registered</result>\n";
pub const BLANK: &str = "<result></result>\n";

/// The home of a registered user, in a temporary folder that every user may enter.
pub struct Home {
    pub folder: TempDir,
    pub path: PathBuf,
}

impl Home {
    pub fn new() -> Result<Self, Failed> {
        Self::within(Path::new("/tmp"))
    }

    pub fn within(place: &Path) -> Result<Self, Failed> {
        let folder = tempfile::tempdir_in(place)?;
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let home = Self { path: folder.path().join("home"), folder };
        for file in [KEYCHAIN, PLIST] {
            let copy = home.file(file);
            fs::create_dir_all(copy.parent().ok_or("a file has a folder")?)?;
            fs::copy(Path::new("fixtures/registered/home").join(file), &copy)?;
            home.age(file)?;
        }
        Ok(home)
    }

    /// A home with this keychain.
    pub fn with_keychain(bytes: &[u8]) -> Result<Self, Failed> {
        let home = Self::new()?;
        fs::write(home.file(KEYCHAIN), bytes)?;
        home.age(KEYCHAIN)?;
        Ok(home)
    }

    /// Sets a file's modification time to an hour ago, because a file that has just changed is read twice.
    pub fn age(&self, file: &str) -> Result<(), Failed> {
        let file = File::options().write(true).open(self.file(file))?;
        Ok(file.set_modified(SystemTime::now() - Duration::from_secs(3600))?)
    }

    /// Changes the owner of the home, which needs root.
    pub fn belonging_to(self, uid: u32, gid: u32) -> Result<Self, Failed> {
        for path in ["", "Library", "Library/Keychains", "Library/Preferences", KEYCHAIN, PLIST] {
            chown(self.file(path), Some(uid), Some(gid))?;
        }
        Ok(self)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.path.clone() } else { self.path.join(name) }
    }

    /// A command that runs the tool on this home.
    pub fn tool(&self) -> Command {
        let mut tool = Command::new(cargo_bin("wpj-state"));
        tool.arg("--home").arg(&self.path);
        tool
    }
}

pub fn answer(command: &mut Command) -> Result<Answer, Failed> {
    let output = command.output()?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), errors(&output.stderr), output.status.code()))
}

/// Standard error, with each message on one line: the tool breaks long ones, depending on the length of paths.
pub fn errors(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).replace("\n  ", " ")
}

/// The answer that the state could not be determined, with this reason.
pub fn undetermined(reason: impl std::fmt::Display) -> Answer {
    (BLANK.to_owned(), format!("wpj-state: {reason}\n"), Some(1))
}

pub fn is_registered() -> Answer {
    (REGISTERED.to_owned(), String::new(), Some(0))
}
