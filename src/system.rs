//! What this Mac tells about its users.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use nix::unistd::{Uid, User};

use crate::{
    cause::{Cause, Obstacle},
    file,
    inspect::{MAX_PLIST_SIZE, login_keychains},
    platform,
    rights::Rights,
    second_opinion::Records,
    user::{Account, Accounts, ConsoleRecord},
};

/// Where the login window remembers the last user.
const LOGIN_WINDOW: &str = "Library/Preferences/com.apple.loginwindow.plist";

/// Where homes normally are.
const HOMES: &str = "Users";

/// A Mac that can be asked for more than files in a home.
pub trait System: Accounts {
    /// Waits.
    fn pause(&self, time: Duration);

    /// Whether there is a reader of macOS' own.
    fn has_keychain_reader(&self) -> bool;

    /// What macOS' own reader finds in a copy of a keychain.
    ///
    /// # Errors
    /// If there is none, or if it fails; the words.
    fn read_keychain(&self, copy: &Path) -> Result<Records, String>;
}

/// The system that this runs on.
#[derive(Debug, Clone)]
pub struct ThisSystem {
    root: PathBuf,
}

impl ThisSystem {
    /// The system whose files are below `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl System for ThisSystem {
    fn pause(&self, time: Duration) {
        thread::sleep(time);
    }

    fn has_keychain_reader(&self) -> bool {
        platform::IS_MACOS
    }

    fn read_keychain(&self, copy: &Path) -> Result<Records, String> {
        platform::read_keychain(copy)
    }
}

impl Accounts for ThisSystem {
    fn console(&self) -> Result<Option<ConsoleRecord>, Obstacle> {
        let record = platform::console_record().map_err(Cause::AccountsUnavailable)?;
        Ok(record.map(|bytes| ConsoleRecord::parse(&bytes)).transpose()?)
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        let path = self.root.join(LOGIN_WINDOW);
        let bytes = file::read(&path, MAX_PLIST_SIZE).map_err(at(&path))?;
        // Something that is no property list remembers nobody.
        let remembered = bytes.and_then(|bytes| plist::from_bytes::<plist::Value>(&bytes).ok());
        let name = remembered.as_ref().and_then(|it| it.as_dictionary()?.get("lastUserName")?.as_string());
        Ok(name.map(str::to_owned))
    }

    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Obstacle> {
        account(User::from_uid(Uid::from_raw(uid)))
    }

    fn by_name(&self, name: &str) -> Result<Option<Account>, Obstacle> {
        account(User::from_name(name))
    }

    fn home_owners(&self) -> Result<Vec<u32>, Obstacle> {
        let folder = self.root.join(HOMES);
        let unreadable = |error: io::Error| at(&folder)(file::cause_of(&error));
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unreadable)?,
        };
        let mut owners = Vec::new();
        for entry in entries {
            // This does not follow links: only what is itself a folder is somebody's home.
            let metadata = entry.and_then(|entry| entry.metadata()).map_err(unreadable)?;
            owners.extend(metadata.is_dir().then_some(metadata.uid()));
        }
        Ok(owners)
    }

    fn has_home(&self, account: &Account) -> Result<bool, Obstacle> {
        let rights = Rights::of(account.into());
        match rights.with(|| file::check_home(&account.home)) {
            Ok(_) => Ok(true),
            Err(Cause::HomeMissing | Cause::HomeNotADirectory) => Ok(false),
            Err(cause) => Err(at(&account.home)(cause)),
        }
    }

    fn keychain_changed(&self, account: &Account) -> Result<Option<SystemTime>, Obstacle> {
        let rights = Rights::of(account.into());
        let mut latest = None;
        for path in login_keychains(&account.home) {
            let changed = rights.with(|| file::changed(&path)).map_err(at(&path))?;
            latest = latest.max(changed);
        }
        Ok(latest)
    }
}

/// Says where it was that something was in the way.
fn at(path: &Path) -> impl Fn(Cause) -> Obstacle {
    |cause| Obstacle { path: Some(path.to_owned()), cause }
}

fn account(found: nix::Result<Option<User>>) -> Result<Option<Account>, Obstacle> {
    let found = found.map_err(|errno| Cause::AccountsUnavailable(format!("the account records: {}", errno.desc())))?;
    Ok(found.map(|user| Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }))
}
