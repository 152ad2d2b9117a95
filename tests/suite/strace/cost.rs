//! Counts the files that are opened and the processes that are started for an answer.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    process::Command,
};

use fixture_generator::Keychain;

use crate::{
    home::Home,
    mac::{KEYCHAIN, PLIST},
    outcome::{Failed, Outcome, equal},
    root::user::{self, GROUP, USER},
};

/// The files that a program opens, and the numbers of processes and programs that it starts.
#[derive(Debug, PartialEq)]
struct Traced {
    opened: Vec<String>,
    forks: usize,
    programs: usize,
}

/// Who runs the tool.
#[derive(Debug, Clone, Copy)]
enum Caller {
    User,
    Root,
}

impl Caller {
    fn trace(self, home: &Home, arguments: &[&str]) -> Result<Traced, Failed> {
        // A folder where the user can write and run the tool.
        let log = home.folder.path().join("log");
        fs::write(&log, "")?;
        chown(&log, Some(USER), None)?;
        let tool = user::tool(home)?;
        let mut strace = Command::new("strace");
        let calls = "--trace=open,openat,creat,clone,clone3,fork,vfork,execve";
        strace.args(["-f", "--quiet=all", calls, "-o"]).arg(&log).arg(tool).args(arguments);
        let output = match self {
            Self::User => strace.uid(USER).gid(GROUP).output()?,
            Self::Root => user::with_adele(home, "", &strace)?.output()?,
        };
        if !output.status.success() {
            return Err(format!("{output:?}").into());
        }
        let log = fs::read_to_string(log)?;
        let calls = |names: &'static [&str]| log.lines().filter(move |line| names.iter().any(|it| line.contains(it)));
        let done = |line: &&str| !line.contains(" = -1 ");
        let name = |line: &str| line.split('"').nth(1).map(str::to_owned);
        Ok(Traced {
            opened: calls(&["open(", "openat(", "creat("]).filter(done).filter_map(name).collect(),
            forks: calls(&["clone(", "clone3(", "fork("]).count(),
            programs: calls(&["execve("]).filter(done).count(),
        })
    }

    /// The cost of an answer without the cost of any program's start, which `--version` shows.
    fn cost(self, home: &Home, arguments: &[&str]) -> Result<Traced, Failed> {
        let start = self.trace(home, &["--version"])?;
        let mut all = self.trace(home, arguments)?;
        if !all.opened.starts_with(&start.opened) {
            return Err(format!("{start:?} is not how {all:?} begins").into());
        }
        all.opened.drain(..start.opened.len());
        Ok(Traced { forks: all.forks - start.forks, programs: all.programs - start.programs, ..all })
    }
}

/// The expected list of opened files: the list of descriptors, and then these files of the home.
fn opened(home: &Home, files: &[&str]) -> Vec<String> {
    let files = files.iter().map(|file| home.file(file).display().to_string());
    ["/dev/fd".to_owned()].into_iter().chain(files).collect()
}

const RENAMED: &str = "Library/Keychains/login_renamed_1.keychain-db";

#[test]
#[ignore = "needs root and strace"]
fn two_files_of_a_home_are_opened_and_one_process_is_started() -> Outcome {
    let home = Home::new()?.belonging_to(USER, GROUP)?;
    let expected = Traced { opened: opened(&home, &[KEYCHAIN, PLIST]), forks: 1, programs: 0 };
    equal(&Caller::User.cost(&home, &["--home", &home.path.to_string_lossy()])?, &expected)?;
    // If root runs it, like Jamf does, the tool itself reads the account records.
    let mut found = Caller::Root.cost(&home, &["--user", "adele"])?;
    found.opened.retain(|file| !file.starts_with("/etc/") && !file.contains(".so"));
    equal(&found, &expected)
}

#[test]
#[ignore = "needs root and strace"]
fn renamed_keychains_are_opened_only_for_details() -> Outcome {
    let home = Home::with_keychain(&Keychain::new().to_bytes())?;
    fs::copy(home.file(KEYCHAIN), home.file(RENAMED))?;
    let home = home.belonging_to(USER, GROUP)?;
    let path = home.path.to_string_lossy();
    let expected = Traced { opened: opened(&home, &[KEYCHAIN, PLIST]), forks: 1, programs: 0 };
    equal(&Caller::User.cost(&home, &["--home", &path])?, &expected)?;
    let files = [KEYCHAIN, "Library/Keychains", RENAMED, PLIST];
    let expected = Traced { opened: opened(&home, &files), forks: 1, programs: 0 };
    equal(&Caller::User.cost(&home, &["--home", &path, "--json"])?, &expected)
}
