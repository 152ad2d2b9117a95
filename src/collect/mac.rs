//! What is asked of a Mac. Tests ask a made-up one.

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

/// A Mac, as far as it is asked.
pub trait Mac {
    /// Whether this is a Mac, which knows a console user and has a keychain reader of its own.
    fn is_mac(&self) -> bool;

    /// Whether this process may take any user's rights.
    fn is_root(&self) -> bool;

    /// With whose rights to read what belongs to a user; only root can take another's.
    fn rights_of(&self, uid: u32, gid: u32) -> Rights {
        if self.is_root() && uid != 0 { Rights::User { uid, gid } } else { Rights::Caller }
    }

    /// The folder that holds the system's own files.
    fn root(&self) -> &Path;

    /// Who is at the console; `None` if there is no record of it.
    /// Fails if the system does not say.
    fn console(&self) -> Result<Option<ConsoleRecord>, Cause>;

    /// The account with this UID.
    /// Fails if the account records do not answer.
    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Cause>;

    /// The account with this name.
    /// Fails if the account records do not answer.
    fn by_name(&self, name: &str) -> Result<Option<Account>, Cause>;

    /// The name that the login window remembers.
    /// Fails if that cannot be read.
    fn last_user(&self) -> Result<Option<String>, Obstacle>;

    /// Who owns the folders in which homes are kept.
    /// Fails if these cannot be listed.
    fn home_owners(&self) -> Result<Vec<u32>, Obstacle>;

    /// Whether an account's home is a folder.
    fn has_home(&self, account: &Account) -> Result<bool, Obstacle> {
        read_home(self, account, home::is_there)
    }

    /// When an account's login keychain was changed last, in microseconds since 1970; `None` if it has none.
    fn keychain_changed(&self, account: &Account) -> Result<Option<u64>, Obstacle> {
        read_home(self, account, home::keychain_changed)
    }

    /// Does each job with its rights.
    fn read<T: Serialize + DeserializeOwned>(&self, jobs: Vec<Job<'_, T>>) -> Vec<Result<T, Obstacle>>;

    /// Whether a program is installed.
    /// Fails if the system does not say.
    fn is_installed(&self, program: &Path) -> Result<bool, Cause>;

    /// What to put in front of a command that is to run as a user in the user's session; `None` if it cannot.
    fn command_as(&self, uid: u32) -> Option<Vec<String>>;

    /// The first number of macOS's version, if that can be read.
    fn macos_version(&self) -> Option<u32>;

    /// Runs commands side by side, and gives what each prints, whatever its exit status.
    fn run(&self, commands: Vec<Vec<String>>) -> Vec<Result<Printed, Failure>>;

    /// Waits before a command is asked again, for as long as the time allows.
    fn wait_before_asking_again(&self);

    /// What macOS's own reader finds in a private copy of the keychain at this path, in one of so many parts of the
    /// time. Fails with the words why it finds nothing.
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

/// Reads something of an account's home, as that user.
fn read_home<T: Serialize + DeserializeOwned>(
    mac: &(impl Mac + ?Sized),
    account: &Account,
    read: impl FnOnce(&Path, &Trail) -> Result<T, Cause>,
) -> Result<T, Obstacle> {
    read_one(mac, mac.rights_of(account.uid, account.gid), |trail| {
        read(&account.home, trail).map_err(|cause| Obstacle { path: Some(account.home.clone()), cause })
    })
}
