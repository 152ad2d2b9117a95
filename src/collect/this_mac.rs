//! The Mac that this tool runs on, or another system, which has only files and accounts.

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

/// The time limit of each command.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// The time that is kept free after the commands: to stop them, and to answer.
const RESERVE: Duration = Duration::from_secs(2);

pub(super) struct ThisMac<'a> {
    deadline: Deadline,
    watchdog: Watchdog<'a>,
}

impl<'a> ThisMac<'a> {
    pub(super) fn new(deadline: Deadline, late_answer: &'a dyn Fn() -> LateAnswer) -> Self {
        signals::reset_sigchld();
        Self { deadline, watchdog: Watchdog::new(deadline, late_answer) }
    }

    fn account(&self, look_up: impl FnOnce() -> nix::Result<Option<User>>) -> Result<Option<Account>, Cause> {
        self.watchdog.arm();
        let user = look_up()
            .map_err(|errno| Cause::AccountsUnavailable(format!("the account lookup failed: {}", errno.desc())))?;
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
        // `asuser` changes only the session, and `-n` prevents sudo from prompting for a password. Only root can enter
        // a session reliably: a process of that user may be in another one, for example over SSH.
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

    fn wait_before_retry(&self) {
        thread::sleep(pause(self.deadline.left()));
    }

    fn second_reading(&self, keychain: &Path, rights: Rights, parts: usize) -> Result<SecondReading, String> {
        self.watchdog.disarm();
        second_opinion::get(keychain, rights, &self.deadline.part(parts))
    }
}

/// The time limit of commands, for this remaining time.
fn time_for_commands(left: Duration) -> Duration {
    COMMAND_LIMIT.min(left.saturating_sub(RESERVE))
}

/// How long to wait before a command is run again, for this remaining time. It leaves two seconds for the command.
fn pause(left: Duration) -> Duration {
    COMMAND_LIMIT.min(left.saturating_sub(RESERVE + Duration::from_secs(2)))
}

/// What a command printed, if it exited by itself.
fn output(ended: children::Ended) -> Result<Printed, Failure> {
    match ended.outcome? {
        Some(Exit::Signal(signal)) => Err(Failure::Ended(format!("it was ended by {signal}"))),
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
    fn commands_get_five_seconds_or_the_time_that_is_left() {
        let seconds = |left| time_for_commands(Duration::from_secs(left)).as_secs();
        assert_eq!([3600, 7, 6, 3, 2, 1].map(seconds), [5, 5, 4, 1, 0, 0]);
    }

    #[test]
    fn the_pause_before_a_command_is_run_again_leaves_time_for_it() {
        let seconds = |left| pause(Duration::from_secs(left)).as_secs();
        assert_eq!([3600, 9, 8, 5, 4, 1].map(seconds), [5, 5, 4, 1, 0, 0]);
    }

    #[test]
    #[cfg_attr(not(target_os = "macos"), ignore = "only a Mac has a console record")]
    fn the_console_record_and_the_accounts_can_be_read() {
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
