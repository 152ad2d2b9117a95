//! What this Mac tells about its users.

use std::{
    fs, io,
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, SystemTime},
};

use nix::unistd::{Uid, User, geteuid};

use crate::{
    collect::{
        command::{self, Failure},
        file,
        inspect::{MAX_PLIST_SIZE, login_keychains},
        platform,
        progress::Progress,
        rights::{Identity, Rights},
        user::{Account, Accounts, ConsoleRecord},
    },
    evidence::{Cause, Obstacle},
    parse::{property_list, records::Records},
};

/// Where the login window remembers the last user.
const LOGIN_WINDOW: &str = "Library/Preferences/com.apple.loginwindow.plist";

/// What a command may print, in bytes.
const MAX_OUTPUT: usize = 1024 * 1024;

/// Where a command finds others.
const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// Where homes normally are.
const HOMES: &str = "Users";

/// A Mac that can be asked for more than files in a home.
pub trait System: Accounts {
    /// The rights with which to look at what belongs to the user with this number; who that is, is asked only if it
    /// matters.
    ///
    /// # Errors
    /// If it matters, and cannot be told.
    fn rights_of(&self, uid: u32, identity: impl FnOnce() -> Result<Identity, Obstacle>) -> Result<Rights, Obstacle>;

    /// The folder below which the system's own files lie.
    fn root(&self) -> &Path;

    /// Whether a program is installed.
    fn is_installed(&self, program: &Path) -> bool;

    /// What to put in front of a command that is to run as a user in the user's session; `None` if it cannot.
    fn command_as(&self, uid: u32) -> Option<Vec<String>>;

    /// Runs a command, and gives what it prints to both of its outputs, whatever its exit status.
    ///
    /// # Errors
    /// If it does not come to its end by itself within `limit`.
    fn run(&self, command: &[String], limit: Duration) -> Result<Vec<u8>, Failure>;

    /// Waits.
    fn pause(&self, time: Duration);

    /// Whether this is a Mac, which has a keychain reader of its own and can be set up for JamfAAD.
    fn is_mac(&self) -> bool;

    /// What macOS' own reader finds in a copy of a keychain.
    ///
    /// # Errors
    /// If there is none, or if it fails; the words.
    fn read_keychain(&self, copy: &Path) -> Result<Records, String>;
}

/// The system that this runs on.
#[derive(Debug, Clone)]
pub struct ThisSystem<'a> {
    root: PathBuf,
    progress: &'a Progress,
}

impl<'a> ThisSystem<'a> {
    /// The system whose files are below `root`; `progress` is told what is asked of it.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, progress: &'a Progress) -> Self {
        Self { root: root.into(), progress }
    }

    /// Looks at something of a file.
    fn at<T>(&self, path: &Path, look: impl FnOnce() -> Result<T, Cause>) -> Result<T, Obstacle> {
        self.progress.asks(path).and_then(|()| look()).map_err(|cause| Obstacle { path: Some(path.to_owned()), cause })
    }
}

impl System for ThisSystem<'_> {
    fn rights_of(&self, uid: u32, identity: impl FnOnce() -> Result<Identity, Obstacle>) -> Result<Rights, Obstacle> {
        if Rights::differ_from_those_of(uid) { identity().map(Rights::Of) } else { Ok(Rights::Own) }
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn is_installed(&self, program: &Path) -> bool {
        program.is_file()
    }

    fn command_as(&self, uid: u32) -> Option<Vec<String>> {
        // `asuser` changes the session only, and `-n` keeps sudo from ever asking for a password. Nobody but root can
        // enter a session for sure: the user's own process may be in another one, as over SSH.
        let (number, user) = (uid.to_string(), format!("#{uid}"));
        let words = ["/bin/launchctl", "asuser", &number, "/usr/bin/sudo", "-n", "-u", &user];
        geteuid().is_root().then(|| words.map(str::to_owned).into())
    }

    fn run(&self, command: &[String], limit: Duration) -> Result<Vec<u8>, Failure> {
        self.progress.only_as_worker().map_err(|cause| Failure::Failed(cause.to_string()))?;
        let (program, arguments) = command.split_first().ok_or(Failure::Missing)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", PATH).current_dir("/");
        // A pipe that nobody writes to: if /dev/null were missing, that would read as if the program were.
        command.stdin(io::pipe().map_err(|error| Failure::Failed(error.to_string()))?.0);
        let finished = command::run(command, limit, MAX_OUTPUT, &|group| self.progress.runs(group));
        if let Some(signal) = finished.outcome?.and_then(|status| status.signal()) {
            return Err(Failure::Failed(format!("it was ended by signal {signal}")));
        }
        Ok([finished.stdout, finished.stderr].concat())
    }

    fn pause(&self, time: Duration) {
        thread::sleep(time);
    }

    fn is_mac(&self) -> bool {
        platform::IS_MACOS
    }

    fn read_keychain(&self, copy: &Path) -> Result<Records, String> {
        platform::read_keychain(copy)
    }
}

impl Accounts for ThisSystem<'_> {
    fn console(&self) -> Result<Option<ConsoleRecord>, Obstacle> {
        let record = platform::console_record().map_err(Cause::AccountsUnavailable)?;
        Ok(record.map(|bytes| ConsoleRecord::parse(&bytes)).transpose()?)
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        let path = self.root.join(LOGIN_WINDOW);
        let bytes = self.at(&path, || file::read(&path, MAX_PLIST_SIZE))?;
        // Something that is no property list remembers nobody.
        let remembered = bytes.and_then(|bytes| property_list::dictionary(&bytes).ok());
        let name = remembered.as_ref().and_then(|it| it.get("lastUserName")?.as_string());
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
        let entries = self.at(&folder, || match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            entries => entries.map(Some).map_err(|error| file::cause_of(&error)),
        })?;
        let mut owners = Vec::new();
        for entry in entries.into_iter().flatten() {
            let entry =
                entry.map_err(|error| Obstacle { path: Some(folder.clone()), cause: file::cause_of(&error) })?;
            owners.extend(self.at(&entry.path(), || owner_of_folder(&entry))?);
        }
        Ok(owners)
    }

    fn has_home(&self, account: &Account) -> Result<bool, Obstacle> {
        let rights = Rights::of(account);
        self.at(&account.home, || match rights.with(|| file::check_home(&account.home)) {
            Ok(_) => Ok(true),
            Err(Cause::HomeMissing | Cause::HomeNotADirectory) => Ok(false),
            Err(cause) => Err(cause),
        })
    }

    fn keychain_changed(&self, account: &Account) -> Result<Option<SystemTime>, Obstacle> {
        let rights = Rights::of(account);
        let mut latest = None;
        for path in login_keychains(&account.home) {
            latest = latest.max(self.at(&path, || rights.with(|| file::changed(&path)))?);
        }
        Ok(latest)
    }
}

/// Who owns it, if it is a folder. Links are not followed: only what is itself a folder is somebody's home.
fn owner_of_folder(entry: &fs::DirEntry) -> Result<Option<u32>, Cause> {
    match entry.metadata() {
        Ok(metadata) => Ok(metadata.is_dir().then_some(metadata.uid())),
        // It has just been removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file::cause_of(&error)),
    }
}

fn account(found: nix::Result<Option<User>>) -> Result<Option<Account>, Obstacle> {
    let found = found.map_err(|errno| Cause::AccountsUnavailable(format!("the account records: {}", errno.desc())))?;
    Ok(found.map(|user| Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Result<String, Failure> {
        let command: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let progress = Progress::silent(Path::new("/nowhere"));
        let output = ThisSystem::new("/", &progress).run(&command, Duration::from_secs(120));
        output.map(|output| String::from_utf8_lossy(&output).into_owned())
    }

    #[test]
    fn a_command_gets_no_input_no_shell_and_no_environment_but_a_path() {
        assert_eq!(run(&["/usr/bin/env"]), Ok("PATH=/usr/bin:/bin:/usr/sbin:/sbin\n".to_owned()));
        assert_eq!(run(&["/bin/sh", "-c", "cat; pwd; echo x >&2; exit 3"]), Ok("/\nx\n".to_owned()));
        assert_eq!(run(&["/bin/echo", "$HOME; `id`", "#501", ""]), Ok("$HOME; `id` #501 \n".to_owned()));
        assert_eq!(run(&["/no/such/program"]), Err(Failure::Missing));
        let killed = Err(Failure::Failed("it was ended by signal 9".to_owned()));
        assert_eq!(run(&["/bin/sh", "-c", "echo 0; kill -KILL $$"]), killed);
        assert_eq!(run(&["/bin/sh", "-c", "head -c 1048577 /dev/zero"]), Err(Failure::TooMuch));
    }

    #[test]
    fn a_command_is_run_as_its_user_in_the_user_s_session() {
        let progress = Progress::silent(Path::new("/nowhere"));
        let system = ThisSystem::new("/", &progress);
        let prefix = "/bin/launchctl asuser 61234 /usr/bin/sudo -n -u #61234";
        let expected = geteuid().is_root().then(|| prefix.to_owned());
        assert_eq!(system.command_as(61_234).map(|words| words.join(" ")), expected);
    }
}
