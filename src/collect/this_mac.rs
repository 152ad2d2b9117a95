//! The Mac that this runs on; or another system, which can only be asked about files and accounts.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use nix::unistd::{Uid, User, geteuid};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    children::{self, Exit, Failure, Printed},
    deadline::Deadline,
    file,
    mac::{Account, Mac, read_one},
    platform,
    reader::{self, Job, Rights},
    second_opinion::{self, SecondReading},
    signals, system_files,
    watchdog::{LateAnswer, Watchdog},
};
use crate::{
    evidence::{Cause, Obstacle},
    parse::console::ConsoleRecord,
};

/// What each command may take.
const TIME: Duration = Duration::from_secs(5);

/// What is left of the time for what comes after the commands: to end them, and to answer.
const RESERVE: Duration = Duration::from_secs(2);

pub(super) struct ThisMac<'a> {
    deadline: Deadline,
    watchdog: Watchdog<'a>,
}

impl<'a> ThisMac<'a> {
    pub(super) fn new(deadline: Deadline, late_answer: &'a dyn Fn() -> LateAnswer) -> Self {
        signals::heed_children();
        Self { deadline, watchdog: Watchdog::new(deadline, late_answer) }
    }

    fn account(&self, ask: impl FnOnce() -> nix::Result<Option<User>>) -> Result<Option<Account>, Cause> {
        self.watchdog.arm();
        let user =
            ask().map_err(|errno| Cause::AccountsUnavailable(format!("the account records: {}", errno.desc())))?;
        Ok(user.map(|user| Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }))
    }
}

impl Mac for ThisMac<'_> {
    fn is_mac(&self) -> bool {
        platform::IS_MACOS
    }

    fn is_root(&self) -> bool {
        geteuid().is_root()
    }

    fn root(&self) -> &Path {
        Path::new("/")
    }

    fn console(&self) -> Result<Option<ConsoleRecord>, Cause> {
        self.watchdog.arm();
        let record = platform::console_record().map_err(Cause::AccountsUnavailable)?;
        let record = record.map(|bytes| ConsoleRecord::parse(&bytes)).transpose();
        record.map_err(|words| Cause::AccountsUnavailable(words.to_owned()))
    }

    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Cause> {
        self.account(|| User::from_uid(Uid::from_raw(uid)))
    }

    fn by_name(&self, name: &str) -> Result<Option<Account>, Cause> {
        self.account(|| User::from_name(name))
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        read_one(self, Rights::Caller, |trail| system_files::last_user(self.root(), trail))
    }

    fn home_owners(&self) -> Result<Vec<u32>, Obstacle> {
        read_one(self, Rights::Caller, |trail| system_files::home_owners(self.root(), trail))
    }

    fn read<T: Serialize + DeserializeOwned>(&self, jobs: Vec<Job<'_, T>>) -> Vec<Result<T, Obstacle>> {
        self.watchdog.disarm();
        reader::read_all(jobs, &self.deadline)
    }

    fn is_installed(&self, program: &Path) -> Result<bool, Cause> {
        file::is_installed(program)
    }

    fn command_as(&self, uid: u32) -> Option<Vec<String>> {
        // `asuser` changes the session only, and `-n` keeps sudo from ever asking for a password. Nobody but root can
        // enter a session for sure: the user's own process may be in another one, as over SSH.
        let (number, user) = (uid.to_string(), format!("#{uid}"));
        let words = ["/bin/launchctl", "asuser", &number, "/usr/bin/sudo", "-n", "-u", &user];
        geteuid().is_root().then(|| words.map(str::to_owned).into())
    }

    fn macos_version(&self) -> Option<u32> {
        read_one(self, Rights::Caller, |trail| Ok(system_files::macos_version(self.root(), trail))).ok()?
    }

    fn run(&self, commands: Vec<Vec<String>>) -> Vec<Result<Printed, Failure>> {
        let time = time_for_commands(self.deadline.left());
        if time.is_zero() {
            return commands.iter().map(|_| Err(Failure::TimedOut)).collect();
        }
        self.watchdog.disarm();
        let started = commands.into_iter().map(|words| (words, Instant::now() + time)).collect();
        children::run(started).into_iter().map(output).collect()
    }

    fn wait_before_asking_again(&self) {
        thread::sleep(pause(self.deadline.left()));
    }

    fn second_reading(&self, keychain: &Path, rights: Rights, parts: usize) -> Result<SecondReading, String> {
        self.watchdog.disarm();
        second_opinion::ask(keychain, rights, &self.deadline.part(parts))
    }
}

/// What commands may take of what is left of the time.
fn time_for_commands(left: Duration) -> Duration {
    TIME.min(left.saturating_sub(RESERVE))
}

/// How long to wait before a command is asked again, so that it still has two seconds.
fn pause(left: Duration) -> Duration {
    TIME.min(left.saturating_sub(RESERVE + Duration::from_secs(2)))
}

/// What a command printed, if it came to its end by itself.
fn output(ended: children::Ended) -> Result<Printed, Failure> {
    match ended.outcome? {
        Some(Exit::Signal(signal)) => Err(Failure::Failed(format!("it was ended by {signal}"))),
        Some(Exit::Status(_)) | None => {
            let mut outputs = ended.outputs.into_iter();
            Ok(Printed { stdout: outputs.next().unwrap_or_default(), stderr: outputs.next().unwrap_or_default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_five_seconds_or_what_can_be_spared() {
        let seconds = |left| time_for_commands(Duration::from_secs(left)).as_secs();
        assert_eq!([3600, 7, 6, 3, 2, 1].map(seconds), [5, 5, 4, 1, 0, 0]);
    }

    #[test]
    fn before_a_command_is_asked_again_there_is_a_pause_that_leaves_it_time() {
        let seconds = |left| pause(Duration::from_secs(left)).as_secs();
        assert_eq!([3600, 9, 8, 5, 4, 1].map(seconds), [5, 5, 4, 1, 0, 0]);
    }

    #[test]
    #[cfg_attr(not(target_os = "macos"), ignore = "only a Mac has a console record")]
    fn the_console_and_the_accounts_answer() {
        let mac = ThisMac::new(Deadline::in_time(Duration::from_secs(60)), &|| panic!("there is no answer"));
        mac.console().unwrap();
        let uid = geteuid().as_raw();
        let account = mac.by_uid(uid).unwrap().unwrap();
        assert_eq!(mac.by_name(&account.name).unwrap().unwrap(), account);
        assert!(account.home.is_dir());
        assert_eq!(mac.by_uid(4_000_000_000).unwrap(), None);
        mac.watchdog.disarm();
    }
}
