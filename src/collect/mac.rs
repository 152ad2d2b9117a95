//! What the tool needs from a Mac. Tests implement it with a made-up Mac.

use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    children::{Failure, Printed},
    home,
    reader::{Job, Rights, Trail},
    second_opinion::SecondReading,
};
use crate::{
    evidence::{Cause, Obstacle},
    parse::console::ConsoleRecord,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// The Mac that is checked: its accounts, files and commands.
pub trait Mac {
    /// Whether this is a Mac, so there is a console user and macOS's own keychain reader.
    fn is_mac(&self) -> bool;

    /// Whether this process runs as root, so it can switch to any user.
    fn is_root(&self) -> bool;

    /// The rights with which to read a user's files. Only root can switch to another user.
    fn rights_of(&self, uid: u32, gid: u32) -> Rights {
        if self.is_root() && uid != 0 { Rights::User { uid, gid } } else { Rights::Caller }
    }

    /// The folder with the system's own files.
    fn root(&self) -> &Path;

    /// macOS's record of the console user; `None` if there is none.
    /// Fails if it cannot be read.
    fn console(&self) -> Result<Option<ConsoleRecord>, Cause>;

    /// The account with this UID.
    /// Fails if the account records do not answer.
    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Cause>;

    /// The account with this name.
    /// Fails if the account records do not answer.
    fn by_name(&self, name: &str) -> Result<Option<Account>, Cause>;

    /// The name of the last user at the login window.
    /// Fails if it cannot be read.
    fn last_user(&self) -> Result<Option<String>, Obstacle>;

    /// The UIDs of the owners of the folders in `/Users`.
    /// Fails if the folders cannot be listed.
    fn home_owners(&self) -> Result<Vec<u32>, Obstacle>;

    /// Whether an account's home exists and is a folder.
    fn has_home(&self, account: &Account) -> Result<bool, Obstacle> {
        read_home(self, account, home::exists)
    }

    /// When an account's login keychain was last modified, in microseconds since 1970; `None` if there is none.
    fn keychain_changed(&self, account: &Account) -> Result<Option<u64>, Obstacle> {
        read_home(self, account, home::keychain_changed)
    }

    /// Runs each job with its rights.
    fn read<T: Serialize + DeserializeOwned>(&self, jobs: Vec<Job<'_, T>>) -> Vec<Result<T, Obstacle>>;

    /// Whether a program is installed.
    /// Fails if that cannot be determined.
    fn is_installed(&self, program: &Path) -> Result<bool, Cause>;

    /// The words to put before a command to run it as a user in that user's session; `None` if that is not possible.
    fn command_as(&self, uid: u32) -> Option<Vec<String>>;

    /// The major version of macOS, if it can be read.
    fn macos_version(&self) -> Option<u32>;

    /// Runs commands in parallel, and returns what each prints, for any exit status.
    fn run(&self, commands: Vec<Vec<String>>) -> Vec<Result<Printed, Failure>>;

    /// Waits before a command is run again, as long as the remaining time allows.
    fn wait_before_retry(&self);

    /// What macOS's own reader finds in a private copy of the keychain at this path. It may take one of `parts` equal
    /// shares of the remaining time.
    /// Fails with the reason, as text.
    fn second_reading(&self, keychain: &Path, rights: Rights, parts: usize) -> Result<SecondReading, String>;
}

pub(super) fn read_one<T: Serialize + DeserializeOwned>(
    mac: &(impl Mac + ?Sized),
    rights: Rights,
    read: impl FnOnce(&Trail) -> Result<T, Obstacle>,
) -> Result<T, Obstacle> {
    let answer = mac.read(vec![Job::new(rights, read)]).pop();
    answer.unwrap_or_else(|| Err(Cause::NotRead.into()))
}

/// Reads something in an account's home, with that user's rights.
fn read_home<T: Serialize + DeserializeOwned>(
    mac: &(impl Mac + ?Sized),
    account: &Account,
    read: impl FnOnce(&Path, &Trail) -> Result<T, Cause>,
) -> Result<T, Obstacle> {
    read_one(mac, mac.rights_of(account.uid, account.gid), |trail| {
        read(&account.home, trail).map_err(|cause| Obstacle { path: Some(account.home.clone()), cause })
    })
}
