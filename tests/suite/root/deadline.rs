//! File systems that never answer: the tool answers at the deadline, and leaves no process that keeps its outputs open.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output},
    sync::mpsc,
    thread,
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;

use super::{
    held_up::{Dead, HeldUp, no_answer},
    user::{self, GROUP, USER},
};
use crate::{
    home::{Answer, Home, errors, undetermined},
    mac::{KEYCHAIN, PLIST},
    outcome::{Failed, Outcome, all, equal},
};

/// Longer than the tool needs. If it hangs, it cannot be killed before the dead file system is unmounted.
const LONG: Duration = Duration::from_secs(120);

/// Runs the tool in the background, and reads both of its outputs to their ends.
fn start(mut tool: Command) -> mpsc::Receiver<io::Result<Output>> {
    let (answer, answers) = mpsc::channel();
    thread::spawn(move || answer.send(tool.output()));
    answers
}

fn answer_of(started: &mpsc::Receiver<io::Result<Output>>) -> Result<Answer, Failed> {
    let output = started.recv_timeout(LONG)??;
    Ok((String::from_utf8(output.stdout)?, errors(&output.stderr), output.status.code()))
}

/// Who runs the tool, and which option names the home.
#[derive(Debug, Clone, Copy)]
enum Caller {
    RootByHome,
    RootByName,
    User,
}

const CALLERS: [Caller; 3] = [Caller::RootByHome, Caller::RootByName, Caller::User];

impl Caller {
    fn tool(self, home: &Home) -> Result<Command, Failed> {
        let mut tool = match self {
            Self::RootByHome => home.tool(),
            Self::RootByName => user::named(home)?,
            Self::User => {
                let mut tool = Command::new(user::tool(home)?);
                tool.uid(USER).gid(GROUP).arg("--home").arg(&home.path);
                tool
            }
        };
        tool.args(["--deadline", "1"]);
        Ok(tool)
    }
}

/// The path of a dead file system in the home, and the file that cannot be read because of it.
const PLACES: [(&str, &str); 6] = [
    ("", ""),
    ("Library", "Library"),
    ("Library/Keychains", KEYCHAIN),
    (KEYCHAIN, KEYCHAIN),
    ("Library/Preferences", PLIST),
    (PLIST, PLIST),
];

#[test]
#[ignore = "needs root"]
fn a_dead_file_system_anywhere_in_a_home_does_not_block_the_answer() -> Outcome {
    let cases =
        PLACES.iter().flat_map(|place| CALLERS.map(|caller| (format!("{place:?}, {caller:?}"), (*place, caller))));
    all(&cases.collect::<Vec<_>>(), |((place, file), caller)| {
        let home = Home::new()?.belonging_to(USER, GROUP)?;
        let tool = caller.tool(&home)?;
        let mut dead = Dead::mount_on(&home.file(place))?;
        let started = start(tool);
        dead.leave_request_unanswered()?;
        equal(&answer_of(&started)?, &undetermined(no_answer(&home.file(file), 1)))
    })
}

/// An option, its value, the path of a dead file system, and the file that cannot be read because of it.
const GIVEN: [(&str, &str, &str, &str); 11] = [
    ("--keychain", "given/keychain", "given", "given/keychain"),
    ("--keychain", "given/keychain", "given/keychain", "given/keychain"),
    ("--plist", "given/plist", "given", "given/plist"),
    ("--plist", "given/plist", "given/plist", "given/plist"),
    ("--app-sso-state", "given/saved", "given", "given/saved"),
    ("--app-sso-state", "given/saved", "given/saved", "given/saved"),
    ("--psso-status", "given/saved", "given", "given/saved"),
    ("--psso-status", "given/saved", "given/saved", "given/saved"),
    ("--system-root", "given", "given", "given"),
    ("--system-root", "given", "given/Library/Preferences", "given/Library/Preferences"),
    ("--system-root", "given", "given/Applications", "given/Applications"),
];

#[test]
#[ignore = "needs root"]
fn a_dead_file_system_in_the_path_of_an_option_does_not_block_the_answer() -> Outcome {
    let case = |given: &'static (_, _, _, _)| CALLERS.map(|caller| (format!("{given:?}, {caller:?}"), (given, caller)));
    all(&GIVEN.iter().flat_map(case).collect::<Vec<_>>(), |((option, given, place, file), caller)| {
        let home = Home::new()?.belonging_to(USER, GROUP)?;
        let path = |file: &str| home.folder.path().join(file);
        for folder in ["given/Library/Preferences", "given/Applications"] {
            fs::create_dir_all(path(folder))?;
        }
        fs::copy(home.file(KEYCHAIN), path("given/keychain"))?;
        fs::copy(home.file(PLIST), path("given/plist"))?;
        fs::write(path("given/saved"), "")?;
        for file in ["keychain", "plist", "saved"] {
            fs::set_permissions(path("given").join(file), Permissions::from_mode(0o644))?;
        }
        let mut tool = caller.tool(&home)?;
        // This output needs all files.
        tool.args(["--attribute", "finding"]).arg(option).arg(path(given));
        let mut dead = Dead::mount_on(&path(place))?;
        let started = start(tool);
        dead.leave_request_unanswered()?;
        equal(&answer_of(&started)?, &undetermined(no_answer(&path(file), 1)))
    })
}

#[test]
#[ignore = "needs root"]
fn dead_file_systems_do_not_affect_other_homes() -> Outcome {
    // More than sixteen homes are read in groups.
    for count in [1, 5, 20] {
        for place in ["", "Library", "Library/Keychains"] {
            others_answer(count, place).map_err(|failed| format!("{count} homes, {place:?}: {failed:?}"))?;
        }
    }
    Ok(())
}

fn others_answer(count: usize, place: &str) -> Outcome {
    let homes = (0..count).map(|_| Home::new()?.belonging_to(USER, GROUP)).collect::<Result<Vec<_>, _>>()?;
    let mut dead = homes.iter().map(|home| Dead::mount_on(&home.file(place))).collect::<Result<Vec<_>, _>>()?;
    let mut tool = Command::new(cargo_bin("wpj-state"));
    tool.args(["--deadline", "6", "--json"]).args(homes.iter().flat_map(|home| [Path::new("--home"), &home.path]));
    tool.args(["--home", "fixtures/registered/home", "--home", "fixtures/not-registered/home"]);
    let started = start(tool);
    dead.iter_mut().take(16).try_for_each(Dead::leave_request_unanswered)?;
    let (stdout, stderr, status) = answer_of(&started)?;
    let json: Vec<serde_json::Value> = serde_json::from_str(&stdout)?;
    let states: Vec<_> = json.iter().map(|user| user["state"].as_str()).collect();
    let expected = [&vec![None; count][..], &[Some("Registered"), Some("Not Registered")]].concat();
    equal(&states, &expected).map_err(|failed| format!("{failed:?}\n{stderr}"))?;
    equal(&(stderr.lines().count(), status), &(count, Some(1)))
}

#[test]
#[ignore = "needs root"]
fn every_kind_of_output_has_the_reason_at_the_deadline() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let home = held_up.home.path.display().to_string();
    let reason = format!("wpj-state: {}\n", held_up.reason(1));
    let lines = format!("<result>{home}:</result>");
    for (options, first_line, stderr) in [
        (&["--attribute", "user"][..], "<result></result>", reason.as_str()),
        (&["--explain"], "Could not be determined: no answer within 1 s", ""),
        (&["--json"], "{", &reason),
        (&["--attribute", "users"], &lines, &reason),
        (&["--json", "--all-users"], "[", &reason),
    ] {
        let mut tool = held_up.home.tool();
        tool.args(["--deadline", "1"]).args(options);
        let (stdout, found, status) = answer_of(&start(tool))?;
        equal(&stdout.lines().next(), &Some(first_line))?;
        equal(&(found.as_str(), status), &(stderr, Some(1)))?;
    }
    Ok(())
}

/// The first reading counts, even if the second one hangs.
#[test]
#[ignore = "needs root"]
fn a_second_opinion_that_hangs_is_missing() -> Outcome {
    let held_up = HeldUp::belonging_to_user()?;
    let mut tool = held_up.home.tool();
    tool.args(["--deadline", "2", "--second-opinion=always"]);
    let started = start(tool);
    held_up.let_one_through()?;
    equal(&answer_of(&started)?, &crate::home::is_registered())
}
