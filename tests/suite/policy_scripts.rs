//! The policy scripts for Jamf Pro in each shell that may run them, with stand-ins for Apple's and Jamf's programs that
//! note how they are called.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use tempfile::TempDir;

use crate::{
    outcome::{Failed, Outcome, equal},
    shells::{self, Shell, in_each_shell},
};

type Test = fn(Shell) -> Outcome;

/// A script and what Jamf passes to it at the least.
#[derive(Clone, Copy)]
struct Script {
    name: &'static str,
    parameters: &'static [&'static str],
}

const PROMPT: Script = Script { name: "prompt-registration.sh", parameters: &["/", "a Mac", "adele", "12"] };
const GATHER: Script = Script { name: "gather-aad-info.sh", parameters: &["/", "a Mac", "adele"] };

const REGISTERED: &str = "Registered";
const PLIST_MISSING: &str = "WPJ Key present, JamfAAD PLIST missing";
const NOT_ACQUIRED: &str = "WPJ Key present, AAD ID not acquired";
const NOT_REGISTERED: &str = "Not Registered";

const CONDITIONAL_ACCESS: &str = "Library/Application Support/JAMF/Jamf.app/Contents/MacOS/\
    Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access";
const JAMF_AAD: &str = "Library/Application Support/JAMF/Jamf.app/Contents/MacOS/JamfAAD.app/Contents/MacOS/JamfAAD";
const COUNTS: &str = "Library/Application Support/wpj-state";
const TOOL: &str = "usr/local/wpj-state/wpj-state";
const JAMF: &str = "usr/local/jamf/bin/jamf";
const OSASCRIPT: &str = "usr/bin/osascript";
const PROGRAMS: [&str; 8] =
    [TOOL, "bin/launchctl", "usr/bin/sudo", OSASCRIPT, "usr/bin/open", "usr/sbin/scutil", JAMF, CONDITIONAL_ACCESS];

const TITLE: &str = "Register this Mac";
const TEXT: &str = "\
This Mac still has to be registered with Microsoft Entra. The registration shows that you work on a Mac that your \
organization manages; without it, mail, documents and other apps for work may be closed to you.\n\n\
Self Service opens with the registration. Start it there, and sign in with your work account when you are asked to.";

fn both_end_early(needs_root: bool) -> Outcome {
    let scripts = [PROMPT, GATHER].into_iter();
    let rows: Vec<_> = scripts.flat_map(|script| BOTH.into_iter().map(move |row| (script, row))).collect();
    let rows: Vec<_> = rows.into_iter().filter(|(_, (_, it, ..))| *it == needs_root).collect();
    let name = |(script, (name, ..)): (Script, Row)| format!("{}: {name}", script.name);
    in_each_shell(&rows, name, |shell, (script, row)| nothing_is_done(shell, script, row))
}

#[test]
fn nothing_is_done_where_that_is_not_called_for() -> Outcome {
    both_end_early(false)
}

mod root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn nothing_is_done_with_a_tool_that_belongs_to_somebody_else() -> Outcome {
        both_end_early(true)
    }
}

#[test]
fn the_prompt_asks_who_is_not_registered() -> Outcome {
    in_each_shell(&PROMPTS, |(name, _)| name.to_owned(), |shell, (_, test)| test(shell))
}

#[test]
fn gather_aad_info_is_run_for_who_has_a_key_alone() -> Outcome {
    in_each_shell(&GATHERS, |(name, _)| name.to_owned(), |shell, (_, test)| test(shell))
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac has a compiler for it")]
fn the_dialogs_source_compiles() -> Outcome {
    let folder = tempfile::tempdir()?;
    let compiled = folder.path().join("dialog.scpt");
    let output = Command::new("/usr/bin/osacompile").arg("-o").arg(compiled).args(["-e", &dialog()?]).output()?;
    equal(&text(&output.stderr), "")?;
    equal(&output.status.success(), &true)
}

#[test]
fn the_dialog_can_be_cancelled_only_by_the_button_that_puts_it_off_and_gives_up() -> Outcome {
    let dialog = dialog()?;
    let count = |clause: &str| dialog.matches(clause).count();
    equal(&count("display dialog aText with title aTitle buttons both"), &2)?;
    equal(&count("set both to {anAgreement}"), &1)?;
    equal(&count("set both to {aDelay, anAgreement}"), &1)?;
    equal(&count("buttons both default button 2 cancel button 1 giving up after aTime\n"), &1)?;
    equal(&count("buttons both default button 1 giving up after aTime\n"), &1)?;
    equal(&count("on error number -128\n        return \"later\"\n"), &1)?;
    equal(&count("if gave up of aReply then return \"gave up\"\n"), &1)
}

#[test]
fn what_the_scripts_have_in_common_is_the_same() -> Outcome {
    let common = |script: Script| -> Result<String, Failed> {
        let script = fs::read_to_string(Path::new("jamf").join(script.name))?;
        let (_, rest) = script.split_once("# From here to the line of dashes, ").ok_or("it begins somewhere")?;
        Ok(rest.split_once(&format!("\n# {}\n", "-".repeat(118))).ok_or("it ends somewhere")?.0.to_owned())
    };
    equal(&common(PROMPT)?, &common(GATHER)?)
}

/// The source of the dialog.
fn dialog() -> Result<String, Failed> {
    let script = fs::read_to_string(Path::new("jamf").join(PROMPT.name))?;
    let (_, rest) = script.split_once("\ndialog='").ok_or("the dialog's source begins")?;
    Ok(rest.split_once("'\n").ok_or("the dialog's source ends")?.0.to_owned())
}

/// How far a script comes before it ends.
#[derive(Clone, Copy)]
enum Asked {
    Nobody,
    Console,
    State,
}

type Row = (&'static str, bool, fn(&Place) -> Outcome, &'static str, i32, Asked);

const NOBODY: &str = "nothing done: nobody is logged in\n";
const UNSAFE_ROOT: &str = "failed: ROOT: must be owned by root, not writable by group or others, and not a link\n";
const UNSAFE_LOCAL: &str =
    "failed: ROOT/usr/local: must be owned by root, not writable by group or others, and not a link\n";
const UNSAFE_FOLDER: &str =
    "failed: ROOT/usr/local/wpj-state: must be owned by root, not writable by group or others, and not a link\n";
const UNSAFE_TOOL: &str = "failed: ROOT/usr/local/wpj-state/wpj-state: must be owned by root, not writable by group or others, and not a link\n";

/// What ends both scripts early: name, whether it needs root, what is arranged, what is printed, exit status, who was
/// asked before.
const BOTH: [Row; 47] = [
    ("nothing is in the console's record", false, |it| it.console("  No such key\n"), NOBODY, 0, Asked::Console),
    (
        "nothing is in the console's record, which is a failure",
        false,
        |it| it.body("scutil", "echo '  No such key'; exit 1"),
        NOBODY,
        0,
        Asked::Console,
    ),
    ("the login window is there", false, |it| it.user("loginwindow", "0"), NOBODY, 0, Asked::Console),
    ("Setup Assistant is there", false, |it| it.user("_mbsetupuser", "248"), NOBODY, 0, Asked::Console),
    (
        "the login window is there with a person's number",
        false,
        |it| it.user("loginwindow", "501"),
        NOBODY,
        0,
        Asked::Console,
    ),
    (
        "Setup Assistant is there with a person's number",
        false,
        |it| it.user("_mbsetupuser", "501"),
        NOBODY,
        0,
        Asked::Console,
    ),
    ("root is logged in", false, |it| it.user("root", "0"), NOBODY, 0, Asked::Console),
    ("root is logged in by another name", false, |it| it.user("System Administrator", "0"), NOBODY, 0, Asked::Console),
    ("a service's account is logged in", false, |it| it.user("daemon", "499"), NOBODY, 0, Asked::Console),
    ("the name is empty", false, |it| it.user("", "501"), NOBODY, 0, Asked::Console),
    (
        "all sessions are behind the login window",
        false,
        |it| it.console(&record("adele", "501").replace("  Name : adele\n", "").replace("\n  UID : 501", "")),
        NOBODY,
        0,
        Asked::Console,
    ),
    (
        "the record has no number",
        false,
        |it| it.console(&record("adele", "501").replace("\n  UID : 501", "")),
        "failed: it cannot be told who is at the console: scutil gives no number\n",
        1,
        Asked::Console,
    ),
    (
        "the number is none",
        false,
        |it| it.user("adele", "$(id)"),
        "failed: it cannot be told who is at the console: scutil gives no number\n",
        1,
        Asked::Console,
    ),
    (
        "a name adds a second number",
        false,
        |it| it.user("adele\n  UID : 502", "501"),
        "failed: it cannot be told who is at the console: scutil names several users\n",
        1,
        Asked::Console,
    ),
    (
        "a name adds a second name",
        false,
        |it| it.user("root\n  Name : adele", "501"),
        "failed: it cannot be told who is at the console: scutil names several users\n",
        1,
        Asked::Console,
    ),
    (
        "scutil prints nothing",
        false,
        |it| it.console(""),
        "failed: it cannot be told who is at the console; scutil: exit status 0\n",
        1,
        Asked::Console,
    ),
    (
        "scutil fails",
        false,
        |it| it.body("scutil", "cat 'ROOT/console'; echo 'no configd' >&2; exit 1"),
        "failed: it cannot be told who is at the console; scutil: exit status 1: no configd\n",
        1,
        Asked::Console,
    ),
    (
        "scutil hangs",
        false,
        |it| it.hangs("scutil"),
        "failed: scutil did not tell within 5 s who is at the console\n",
        1,
        Asked::Console,
    ),
    (
        "the tool is missing",
        false,
        |it| Ok(fs::remove_file(it.path(TOOL))?),
        "failed: ROOT/usr/local/wpj-state/wpj-state: not installed\n",
        1,
        Asked::Console,
    ),
    (
        "a folder is in place of the tool",
        false,
        |it| {
            fs::remove_file(it.path(TOOL))?;
            Ok(fs::create_dir(it.path(TOOL))?)
        },
        "failed: ROOT/usr/local/wpj-state/wpj-state: not a file\n",
        1,
        Asked::Console,
    ),
    (
        "the tool is not executable",
        false,
        |it| {
            fs::remove_file(it.path(TOOL))?;
            fs::write(it.path(TOOL), "")?;
            it.mode(TOOL, 0o644)
        },
        "failed: ROOT/usr/local/wpj-state/wpj-state: not executable\n",
        1,
        Asked::Console,
    ),
    ("the tool can be written by others", false, |it| it.mode(TOOL, 0o757), UNSAFE_TOOL, 1, Asked::Console),
    ("the tool can be written by its group", false, |it| it.mode(TOOL, 0o775), UNSAFE_TOOL, 1, Asked::Console),
    ("the tool is a link", false, |it| it.becomes_a_link(TOOL), UNSAFE_TOOL, 1, Asked::Console),
    (
        "the tool is somebody else's",
        true,
        |it| Ok(chown(it.path(TOOL), Some(65534), None)?),
        UNSAFE_TOOL,
        1,
        Asked::Console,
    ),
    (
        "the tool's folder can be written by others",
        false,
        |it| it.mode("usr/local/wpj-state", 0o1757),
        UNSAFE_FOLDER,
        1,
        Asked::Console,
    ),
    (
        "the tool's folder is somebody else's",
        true,
        |it| Ok(chown(it.path("usr/local/wpj-state"), Some(65534), None)?),
        UNSAFE_FOLDER,
        1,
        Asked::Console,
    ),
    (
        "the tool's folder is a link",
        false,
        |it| it.becomes_a_link("usr/local/wpj-state"),
        UNSAFE_FOLDER,
        1,
        Asked::Console,
    ),
    (
        "a folder far above the tool can be written by its group",
        false,
        |it| it.mode("usr/local", 0o775),
        UNSAFE_LOCAL,
        1,
        Asked::Console,
    ),
    (
        "a folder far above the tool is somebody else's",
        true,
        |it| Ok(chown(it.path("usr/local"), Some(65534), None)?),
        UNSAFE_LOCAL,
        1,
        Asked::Console,
    ),
    (
        "a folder far above the tool is a link",
        false,
        |it| it.becomes_a_link("usr/local"),
        UNSAFE_LOCAL,
        1,
        Asked::Console,
    ),
    ("the topmost folder can be written by others", false, |it| it.mode("", 0o757), UNSAFE_ROOT, 1, Asked::Console),
    (
        "the path of the tool is relative",
        false,
        |it| it.setting(&format!("tool='{}/{TOOL}'", it.root()), "tool='..'"),
        "failed: ..: not a file\n",
        1,
        Asked::Console,
    ),
    (
        "the tool hangs",
        false,
        |it| it.hangs("wpj-state"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: no answer within 5 s\n",
        1,
        Asked::State,
    ),
    (
        "the tool crashes without a word",
        false,
        |it| it.body("wpj-state", "exit 134"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: exit status 134\n",
        1,
        Asked::State,
    ),
    (
        "the tool crashes after its answer",
        false,
        |it| it.body("wpj-state", "echo '<result>Not Registered</result>'; echo panicked >&2; exit 101"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: exit status 101: panicked\n",
        1,
        Asked::State,
    ),
    (
        "the tool finds its usage wrong",
        false,
        |it| it.body("wpj-state", "exit 2"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: exit status 2\n",
        1,
        Asked::State,
    ),
    (
        "the tool prints garbage",
        false,
        |it| it.body("wpj-state", "printf 'a\\000b\\tc\\n$(id)\\001'"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: exit status 0: $(id) \n",
        1,
        Asked::State,
    ),
    (
        "the tool prints two states",
        false,
        |it| it.body("wpj-state", "echo '<result>Registered</result>'; echo '<result>Not Registered</result>'"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: \
         exit status 0: <result>Not Registered</result>\n",
        1,
        Asked::State,
    ),
    (
        "the tool prints an exit status of its own making",
        false,
        |it| it.body("wpj-state", "printf '<result>Not Registered</result>\\nexit 0'"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: exit status 0: exit 0\n",
        1,
        Asked::State,
    ),
    (
        "the tool prints nothing",
        false,
        |it| it.body("wpj-state", "exit 0"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: exit status 0\n",
        1,
        Asked::State,
    ),
    (
        "the tool prints a blank result without a failure",
        false,
        |it| it.body("wpj-state", "echo '<result></result>'"),
        "failed: ROOT/usr/local/wpj-state/wpj-state: failed, or printed what it must not: \
         exit status 0: <result></result>\n",
        1,
        Asked::State,
    ),
    (
        "the state cannot be told",
        false,
        |it| it.body("wpj-state", "echo 'wpj-state: the reason' >&2; echo '<result></result>'; exit 1"),
        "nothing done; the state of user 501 cannot be told; wpj-state: exit status 1: wpj-state: the reason\n",
        0,
        Asked::State,
    ),
    (
        "the user is registered",
        false,
        |it| it.state(REGISTERED),
        "nothing done: user 501 is registered\n",
        0,
        Asked::State,
    ),
    (
        "there is no room for a private folder",
        false,
        |it| Ok(fs::remove_dir(it.path("tmp"))?),
        "failed: no private folder can be made in /tmp\n",
        1,
        Asked::Nobody,
    ),
    (
        "somebody else than root runs it",
        false,
        |it| it.setting(&format!("owner='{}'", Uid::effective()), "owner='12345'"),
        "refused: only root can run this\n",
        2,
        Asked::Nobody,
    ),
    (
        "another user comes to the console meanwhile",
        false,
        |it| {
            it.state(if it.script.name == PROMPT.name { NOT_REGISTERED } else { NOT_ACQUIRED })?;
            it.body("wpj-state.after", "cp 'ROOT/ben' 'ROOT/console'")
        },
        "nothing done: user 501 has just left the console\n",
        0,
        Asked::State,
    ),
];

fn nothing_is_done(shell: Shell, script: Script, (name, _, arrange, stdout, status, asked): Row) -> Outcome {
    let place = Place::new(script)?;
    arrange(&place)?;
    let mut notes = match asked {
        Asked::Nobody => vec![],
        Asked::Console => vec![scutil()],
        Asked::State => vec![scutil(), tool("501")],
    };
    if name.starts_with("another user comes") {
        notes.push(scutil());
    }
    place.run(shell, script.parameters)?.gives(stdout, status, &notes)?;
    place.nothing_runs()
}

const PROMPTS: [(&str, Test); 31] = [
    ("who is not registered is asked, and agrees", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 (Not Registered) was asked, and agreed; Self Service was opened with policy 12\n",
            0,
            &[asked("501", &DEFAULT), vec![scutil(), opened("501", "12")]].concat(),
        )?;
        place.has_count("501", None)
    }),
    ("whose plist is missing is asked, and agrees", |shell| {
        let place = Place::prompt(PLIST_MISSING)?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 (WPJ Key present, JamfAAD PLIST missing) was asked, and agreed; \
             Self Service was opened with policy 12\n",
            0,
            &[asked("501", &DEFAULT), vec![scutil(), opened("501", "12")]].concat(),
        )
    }),
    ("who has a key, but no AAD ID, is not asked", |shell| {
        let place = Place::prompt(NOT_ACQUIRED)?;
        place.run(shell, PROMPT.parameters)?.gives(
            "nothing done: user 501 has a key, but no AAD ID; the remedy is gather-aad-info.sh, not registration\n",
            0,
            &[scutil(), tool("501")],
        )
    }),
    ("a name with spaces, a large number, and others' sessions do not matter", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.user("Adele  Vance : UID : 7", "1894301234")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 1894301234 (Not Registered) was asked, and agreed; Self Service was opened with policy 12\n",
            0,
            &[asked("1894301234", &DEFAULT), vec![scutil(), opened("1894301234", "12")]].concat(),
        )
    }),
    ("texts reach the dialog as they are", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        let texts = ["-e \"title\" \\", "it's\n\"a\" \\n $HOME `id` $(id)\n", "Öffnen & 'go' %s", "*"];
        let parameters = ["/", "", "", "7", "1", texts[0], texts[1], texts[2], texts[3], "60"];
        place.run(shell, &parameters)?.gives(
            "user 501 (Not Registered) was asked, and agreed; Self Service was opened with policy 7\n",
            0,
            &[asked("501", &["60", texts[0], texts[1], texts[2], "* (1)"]), vec![scutil(), opened("501", "7")]]
                .concat(),
        )
    }),
    ("blank parameters take their defaults", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.answer("later")?;
        place.run(shell, &["/", "", "", "12", "", "", "", "", "", "", ""])?.gives(
            "user 501 (Not Registered) was asked, and put it off; deferrals left: 2\n",
            0,
            &asked("501", &DEFAULT),
        )
    }),
    ("deferrals count down, and at the end there is no button for it", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        let parameters = ["/", "", "", "12", "2"];
        for (button, left, count) in [("Later (2)", "1", "1\n"), ("Later (1)", "0", "2\n")] {
            place.answer("later")?;
            place.run(shell, &parameters)?.gives(
                &format!("user 501 (Not Registered) was asked, and put it off; deferrals left: {left}\n"),
                0,
                &asked("501", &["300", TITLE, TEXT, "Open Self Service", button]),
            )?;
            place.has_count("501", Some(count))?;
        }
        let last = asked("501", &["300", TITLE, TEXT, "Open Self Service", ""]);
        place.run(shell, &parameters)?.gives(
            "user 501 (Not Registered) was asked, and closed the dialog; no deferral is left\n",
            0,
            &last,
        )?;
        place.has_count("501", Some("2\n"))?;
        place.answer("agree")?;
        place.run(shell, &parameters)?.gives(
            "user 501 (Not Registered) was asked, and agreed; Self Service was opened with policy 12\n",
            0,
            &[last, vec![scutil(), opened("501", "12")]].concat(),
        )?;
        place.has_count("501", Some("2\n"))
    }),
    ("more deferrals are left when the number is raised, and none when it is lowered", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.write_count("501", "4\n")?;
        place.answer("gave up")?;
        for (deferrals, button) in [("5", "Later (1)"), ("4", ""), ("3", "")] {
            place.run(shell, &["/", "", "", "12", deferrals])?.gives(
                "user 501 (Not Registered) was asked, and did not answer within 300 s\n",
                0,
                &asked("501", &["300", TITLE, TEXT, "Open Self Service", button]),
            )?;
        }
        Ok(())
    }),
    ("each user has a count", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.write_count("502", "3\n")?;
        place.answer("later")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 (Not Registered) was asked, and put it off; deferrals left: 2\n",
            0,
            &asked("501", &DEFAULT),
        )?;
        place.has_count("501", Some("1\n"))?;
        place.has_count("502", Some("3\n"))
    }),
    ("without deferrals there is no button for it, and no count", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.answer("gave up")?;
        place.run(shell, &["/", "", "", "12", "0"])?.gives(
            "user 501 (Not Registered) was asked, and did not answer within 300 s\n",
            0,
            &asked("501", &["300", TITLE, TEXT, "Open Self Service", ""]),
        )?;
        equal(&place.path(COUNTS).exists(), &false)
    }),
    ("not to answer is no deferral", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.answer("gave up")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 (Not Registered) was asked, and did not answer within 300 s\n",
            0,
            &asked("501", &DEFAULT),
        )?;
        place.has_count("501", None)
    }),
    ("the count is reset when the user is registered", |shell| {
        let place = Place::prompt(REGISTERED)?;
        place.write_count("501", "3\n")?;
        place.write_count("502", "3\n")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "nothing done: user 501 is registered\n",
            0,
            &[scutil(), tool("501")],
        )?;
        place.has_count("501", None)?;
        place.has_count("502", Some("3\n"))
    }),
    ("a count that is no number starts anew", |shell| {
        for content in ["", "\n", "x", "-1", "08", "1\n2\n", "1 2", "1001", "99999999999999999999", "$(id)", "1\0"] {
            let place = Place::prompt(NOT_REGISTERED)?;
            place.write_count("501", content)?;
            place.count_starts_anew(shell)?;
        }
        Ok(())
    }),
    ("a link in place of the count is replaced, and not followed", |shell| {
        for exists in [true, false] {
            let place = Place::prompt(NOT_REGISTERED)?;
            place.write_count("502", "3\n")?;
            let elsewhere = place.path("elsewhere");
            if exists {
                fs::write(&elsewhere, "2\n")?;
            }
            symlink(&elsewhere, place.count("501"))?;
            place.count_starts_anew(shell)?;
            equal(&fs::read_to_string(&elsewhere).ok().as_deref(), &exists.then_some("2\n"))?;
            equal(&place.count("501").is_symlink(), &false)?;
        }
        Ok(())
    }),
    ("a folder in place of the count is replaced", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.make_counts()?;
        fs::create_dir_all(place.count("501").join("more"))?;
        place.count_starts_anew(shell)
    }),
    ("a count of long ago has lapsed", |shell| {
        for (days, left) in [(40, "2"), (20, "0")] {
            let place = Place::prompt(NOT_REGISTERED)?;
            place.write_count("501", "2\n")?;
            let date = Command::new("date").args([format!("-d-{days} days"), "+%Y%m%d%H%M".to_owned()]).output()?;
            let date = match date.status.success() {
                true => date,
                false => Command::new("date").args([format!("-v-{days}d"), "+%Y%m%d%H%M".to_owned()]).output()?,
            };
            let touched =
                Command::new("touch").args(["-t", text(&date.stdout).trim()]).arg(place.count("501")).status()?;
            equal(&touched.success(), &true)?;
            place.answer("later")?;
            let stdout = format!("user 501 (Not Registered) was asked, and put it off; deferrals left: {left}\n");
            let later = if left == "2" { "Later (3)" } else { "Later (1)" };
            let words = ["300", TITLE, TEXT, "Open Self Service", later];
            place.run(shell, PROMPT.parameters)?.gives(&stdout, 0, &asked("501", &words))?;
        }
        Ok(())
    }),
    ("a count that others can write starts anew", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.write_count("501", "2\n")?;
        fs::set_permissions(place.count("501"), fs::Permissions::from_mode(0o666))?;
        place.count_starts_anew(shell)?;
        equal(&(fs::metadata(place.count("501"))?.permissions().mode() & 0o777), &0o644)
    }),
    ("nobody is asked if the folder of the counts is a link or can be written by others", |shell| {
        for is_link in [true, false] {
            let place = Place::prompt(NOT_REGISTERED)?;
            let elsewhere = place.path("elsewhere");
            fs::create_dir(&elsewhere)?;
            fs::write(elsewhere.join("deferrals-501"), "1\n")?;
            match is_link {
                true => symlink(&elsewhere, place.path(COUNTS))?,
                false => {
                    fs::rename(&elsewhere, place.path(COUNTS))?;
                    place.mode(COUNTS, 0o777)?;
                }
            }
            place.run(shell, PROMPT.parameters)?.gives(
                "failed: ROOT/Library/Application Support/wpj-state: \
                 must be owned by root, not writable by group or others, and not a link\n",
                1,
                &[scutil(), tool("501")],
            )?;
            // Nor is anything removed there.
            place.state(REGISTERED)?;
            place.run(shell, PROMPT.parameters)?.gives(
                "nothing done: user 501 is registered\n",
                0,
                &[scutil(), tool("501")],
            )?;
            place.has_count("501", Some("1\n"))?;
        }
        Ok(())
    }),
    ("a deferral that cannot be written down is a failure", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.body("osascript", "rm -r 'ROOT/Library/Application Support/wpj-state'; echo later")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: ROOT/Library/Application Support/wpj-state/deferrals-501: \
             the deferral could not be written down\n",
            1,
            &asked("501", &DEFAULT),
        )
    }),
    ("osascript is missing", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        fs::remove_file(place.path(OSASCRIPT))?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: ROOT/usr/bin/osascript: missing, so that nobody can be asked\n",
            1,
            &[scutil(), tool("501")],
        )
    }),
    ("osascript fails", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        let failure = "29:101: execution error: No user interaction allowed. (-1713)";
        place.body("osascript", &format!("echo agree; echo '{failure}' >&2; exit 1"))?;
        place.run(shell, PROMPT.parameters)?.gives(
            &format!("failed: osascript could not ask user 501: exit status 1: {failure}\n"),
            1,
            &asked("501", &DEFAULT),
        )?;
        place.has_count("501", None)
    }),
    ("osascript prints something else", |shell| {
        for (words, last) in [("", ""), ("agreed", ": agreed"), ("button returned:Later", ": button returned:Later")] {
            let place = Place::prompt(NOT_REGISTERED)?;
            place.answer(words)?;
            place.run(shell, PROMPT.parameters)?.gives(
                &format!("failed: osascript could not ask user 501: exit status 0{last}\n"),
                1,
                &asked("501", &DEFAULT),
            )?;
        }
        Ok(())
    }),
    ("a dialog that hangs is ended with all that it has started", |shell| {
        for sudo in ["shift 3; \"$@\"; exit $?", "trap '' TERM; shift 3; \"$@\"; exit $?"] {
            let place = Place::prompt(NOT_REGISTERED)?;
            place.hangs("osascript")?;
            place.body("sudo", sudo)?;
            let parameters = ["/", "", "", "12", "", "", "", "", "", "5"];
            place.run(shell, &parameters)?.gives(
                "failed: the dialog for user 501 did not end by itself, and was ended after 10 s\n",
                1,
                &asked("501", &["5", TITLE, TEXT, "Open Self Service", "Later (3)"]),
            )?;
            place.nothing_runs()?;
        }
        Ok(())
    }),
    ("a policy that is cancelled takes its dialog with it", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.hangs("osascript")?;
        place.setting("patience='5'", "patience='30'")?;
        let script = place.command(shell, PROMPT.parameters).spawn()?;
        while fs::read_to_string(place.path("running")).unwrap_or_default().lines().count() < 2 {
            thread::sleep(Duration::from_millis(10));
        }
        kill(Pid::from_raw(script.id().cast_signed()), Signal::SIGTERM)?;
        place.ran(script.wait_with_output()?)?.gives("failed: ended by a signal\n", 143, &asked("501", &DEFAULT))?;
        place.nothing_runs()
    }),
    ("a user who has agreed may have left the console", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.body("osascript", "cp 'ROOT/ben' 'ROOT/console'; echo agree")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 (Not Registered) agreed, but has left the console; Self Service was not opened\n",
            0,
            &[asked("501", &DEFAULT), vec![scutil()]].concat(),
        )
    }),
    ("Self Service cannot be opened", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.body("open", "echo 'No application knows how to open URL' >&2; exit 1")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: user 501 (Not Registered) agreed, but Self Service could not be opened: \
             exit status 1: No application knows how to open URL\n",
            1,
            &[asked("501", &DEFAULT), vec![scutil(), opened("501", "12")]].concat(),
        )
    }),
    ("Self Service hangs", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.hangs("open")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: user 501 (Not Registered) agreed, but Self Service did not open within 5 s\n",
            1,
            &[asked("501", &DEFAULT), vec![scutil(), opened("501", "12")]].concat(),
        )?;
        place.nothing_runs()
    }),
    ("what is left behind does not hold up the policy", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        place.body("open", "sleep 1000 & echo $! >>'ROOT/running'")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 (Not Registered) was asked, and agreed; Self Service was opened with policy 12\n",
            0,
            &[asked("501", &DEFAULT), vec![scutil(), opened("501", "12")]].concat(),
        )?;
        place.end_what_runs()
    }),
    ("nothing of root's environment reaches the user's programs, and nothing of it matters", |shell| {
        let place = Place::prompt(NOT_REGISTERED)?;
        let check = "[ \"${HOME-}${SECRET-}\" = '' ] && [ \"$PWD\" = / ] || exit 9";
        place.body("osascript", &format!("{check}; echo agree"))?;
        place.body("open", check)?;
        fs::write(place.path("id"), "#!/bin/sh\necho hostile\n")?;
        place.mode("id", 0o755)?;
        let mut command = place.command(shell, PROMPT.parameters);
        command.env_clear().env("HOME", "/var/root").env("SECRET", "1").env("IFS", "05");
        command.env("PATH", place.path("")).env("BASH_FUNC_id%%", "() { echo 1; }");
        place.ran(command.output()?)?.gives(
            "user 501 (Not Registered) was asked, and agreed; Self Service was opened with policy 12\n",
            0,
            &[asked("501", &DEFAULT), vec![scutil(), opened("501", "12")]].concat(),
        )
    }),
    ("without the number of a policy nobody is asked", |shell| {
        for policy in ["", " ", "0", "-1", "012", "12 ", "1&id=2", "twelve", "9999999999", "1.5"] {
            let place = Place::prompt(NOT_REGISTERED)?;
            let stdout = "refused: parameter 4 has to be the number of the Self Service policy\n";
            place.run(shell, &["/", "", "", policy])?.gives(stdout, 2, &[])?;
        }
        let place = Place::prompt(NOT_REGISTERED)?;
        place.run(shell, &[])?.gives("refused: parameter 4 has to be the number of the Self Service policy\n", 2, &[])
    }),
    ("other numbers have to be right, too", |shell| {
        for number in ["-1", "x", "1000", "03", "1 "] {
            let place = Place::prompt(NOT_REGISTERED)?;
            let stdout = "refused: parameter 5, the number of deferrals, has to be 0 to 999\n";
            place.run(shell, &["/", "", "", "12", number])?.gives(stdout, 2, &[])?;
        }
        for number in ["0", "x", "3601", "007"] {
            let place = Place::prompt(NOT_REGISTERED)?;
            let stdout = "refused: parameter 10, the seconds that the dialog stays, has to be 1 to 3600\n";
            place.run(shell, &["/", "", "", "12", "", "", "", "", "", number])?.gives(stdout, 2, &[])?;
        }
        Ok(())
    }),
];

const GATHERED: &str =
    "gatherAADInfo ran as user 501, and Jamf Pro has a new inventory; the state is now \"Registered\"\n";

const GATHERS: [(&str, Test); 15] = [
    ("whose AAD ID was not acquired gets it, and the inventory is new", |shell| {
        let place = Place::gather()?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))
    }),
    ("the tool of earlier releases will do", |shell| {
        let place = Place::gather()?;
        place.stand_in(JAMF_AAD)?;
        fs::remove_file(place.path(CONDITIONAL_ACCESS))?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", JAMF_AAD))
    }),
    ("the tool of later releases goes first", |shell| {
        let place = Place::gather()?;
        place.stand_in(JAMF_AAD)?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))
    }),
    ("Jamf's tool is missing", |shell| {
        let place = Place::gather()?;
        fs::remove_file(place.path(CONDITIONAL_ACCESS))?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: neither Jamf Conditional Access nor JamfAAD is installed\n",
            1,
            &[scutil(), tool("501")],
        )
    }),
    ("others than those whose AAD ID was not acquired have another remedy", |shell| {
        for state in [NOT_REGISTERED, PLIST_MISSING] {
            let place = Place::gather()?;
            place.state(state)?;
            place.run(shell, GATHER.parameters)?.gives(
                &format!(
                    "nothing done: user 501 is in the state \"{state}\"; \
                     the remedy is registration in Self Service\n"
                ),
                0,
                &[scutil(), tool("501")],
            )?;
        }
        Ok(())
    }),
    ("a name with spaces, a large number, and others' sessions do not matter", |shell| {
        let place = Place::gather()?;
        place.user("Adele  Vance : UID : 7", "1894301234")?;
        place.run(shell, GATHER.parameters)?.gives(
            "gatherAADInfo ran as user 1894301234, and Jamf Pro has a new inventory; the state is now \"Registered\"\n",
            0,
            &complete("1894301234", CONDITIONAL_ACCESS),
        )
    }),
    ("what comes of it is told", |shell| {
        let done = "gatherAADInfo ran as user 501, and Jamf Pro has a new inventory";
        let still = format!("failed: {done}, but the AAD ID is still not acquired\n");
        let lost = format!("{done}; the state is now \"Not Registered\"\n");
        let unknown = format!("{done}; the state of user 501 cannot be told; wpj-state: exit status 1: the reason\n");
        for (next, stdout, status) in [
            (format!("echo '<result>{NOT_ACQUIRED}</result>'"), still, 1),
            (format!("echo '<result>{NOT_REGISTERED}</result>'"), lost, 0),
            ("echo 'the reason' >&2; echo '<result></result>'; exit 1".to_owned(), unknown, 0),
        ] {
            let place = Place::gather()?;
            place.body("wpj-state.next", &next)?;
            place.run(shell, GATHER.parameters)?.gives(&stdout, status, &complete("501", CONDITIONAL_ACCESS))?;
        }
        Ok(())
    }),
    ("gatherAADInfo fails", |shell| {
        let place = Place::gather()?;
        place.body("Jamf Conditional Access", "printf 'first\\nno token\\r\\n'; exit 70")?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo as user 501 failed: exit status 70: no token \n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, false),
        )
    }),
    ("gatherAADInfo that hangs is ended with all that it has started", |shell| {
        for sudo in ["shift 3; \"$@\"; exit $?", "trap '' TERM; shift 3; \"$@\"; exit $?"] {
            let place = Place::gather()?;
            place.hangs("Jamf Conditional Access")?;
            place.body("sudo", sudo)?;
            place.run(shell, &["/", "", "", "5"])?.gives(
                "failed: gatherAADInfo as user 501 did not end by itself, and was ended after 5 s\n",
                1,
                &gathered("501", CONDITIONAL_ACCESS, false),
            )?;
            place.nothing_runs()?;
        }
        Ok(())
    }),
    ("Jamf's tool, or a folder above it, can be written by others or is a link", |shell| {
        let apps = "Library/Application Support/JAMF";
        for (arrange, path) in [
            (Place::open_to_others as fn(&Place, &str) -> _, apps),
            (Place::becomes_a_link, apps),
            (Place::becomes_a_link, CONDITIONAL_ACCESS),
        ] {
            let place = Place::gather()?;
            arrange(&place, path)?;
            let stdout = format!(
                "failed: ROOT/{path}: must be owned by root, not writable by group or others, and not a link\n"
            );
            place.run(shell, GATHER.parameters)?.gives(&stdout, 1, &[scutil(), tool("501")])?;
        }
        Ok(())
    }),
    ("jamf, or a folder above it, can be written by others or is a link", |shell| {
        for (arrange, path) in [
            (Place::open_to_others as fn(&Place, &str) -> _, "usr/local/jamf/bin"),
            (Place::becomes_a_link, "usr/local/jamf"),
            (Place::becomes_a_link, JAMF),
        ] {
            let place = Place::gather()?;
            arrange(&place, path)?;
            place.run(shell, GATHER.parameters)?.gives(
                &format!(
                    "failed: gatherAADInfo ran as user 501, but there is no new inventory: ROOT/{path}: \
                     must be owned by root, not writable by group or others, and not a link\n"
                ),
                1,
                &gathered("501", CONDITIONAL_ACCESS, false),
            )?;
        }
        Ok(())
    }),
    ("jamf is missing", |shell| {
        let place = Place::gather()?;
        fs::remove_file(place.path(JAMF))?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo ran as user 501, but there is no new inventory: \
             ROOT/usr/local/jamf/bin/jamf is missing\n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, false),
        )
    }),
    ("the inventory fails", |shell| {
        let place = Place::gather()?;
        place.body("jamf", "echo 'There was an error.' >&2; exit 1")?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo ran as user 501, but jamf recon failed: exit status 1: There was an error.\n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, true),
        )
    }),
    ("the inventory hangs", |shell| {
        let place = Place::gather()?;
        place.hangs("jamf")?;
        place.setting("inventory='1800'", "inventory='5'")?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo ran as user 501, but jamf recon did not end by itself, and was ended after 5 s\n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, true),
        )?;
        place.nothing_runs()
    }),
    ("the time limit has to be right", |shell| {
        for limit in ["0", "x", "3601", "-5", "1 ", "010"] {
            let place = Place::gather()?;
            let stdout = "refused: parameter 4, the seconds that gatherAADInfo may take, has to be 1 to 3600\n";
            place.run(shell, &["/", "", "", limit])?.gives(stdout, 2, &[])?;
        }
        let place = Place::gather()?;
        place.run(shell, &["/", "", "", ""])?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))
    }),
];

/// What the dialog gets if only the policy is given.
const DEFAULT: [&str; 5] = ["300", TITLE, TEXT, "Open Self Service", "Later (3)"];

fn note(program: &str, arguments: &[&str]) -> String {
    let arguments: String = arguments.iter().map(|argument| format!("  <{argument}>\n")).collect();
    format!("{program}\n{arguments}")
}

fn scutil() -> String {
    "scutil\n  show State:/Users/ConsoleUser\n".to_owned()
}

fn tool(uid: &str) -> String {
    note("wpj-state", &["--user", uid])
}

fn as_user(uid: &str, path: &str, arguments: &[&str]) -> String {
    let program = format!("ROOT/{path}");
    let user = format!("#{uid}");
    let words = [&["-n", "-u", &user, &program][..], arguments].concat();
    let name = path.rsplit('/').next().unwrap_or_default();
    let launchctl = [&["asuser", uid, "ROOT/usr/bin/sudo"][..], &words].concat();
    note("launchctl", &launchctl) + &note("sudo", &words) + &note(name, arguments)
}

fn asked(uid: &str, words: &[&str]) -> Vec<String> {
    let dialog = as_user(uid, OSASCRIPT, &[&["-e", "DIALOG"], words].concat());
    vec![scutil(), tool(uid), scutil(), dialog]
}

fn opened(uid: &str, policy: &str) -> String {
    as_user(uid, "usr/bin/open", &[&format!("jamfselfservice://content?entity=policy&id={policy}&action=view")])
}

fn gathered(uid: &str, program: &str, with_inventory: bool) -> Vec<String> {
    let mut notes = vec![scutil(), tool(uid), scutil(), as_user(uid, program, &["gatherAADInfo"])];
    notes.extend(with_inventory.then(|| note("jamf", &["recon"])));
    notes
}

/// With a look at what came of it.
fn complete(uid: &str, program: &str) -> Vec<String> {
    [gathered(uid, program, true), vec![tool(uid)]].concat()
}

/// The console's record as `scutil` prints it, with another user's session behind this one's.
fn record(name: &str, uid: &str) -> String {
    let session = |index, name: &str, uid: &str, on_console| {
        format!(
            "    {index} : <dictionary> {{\n      kCGSSessionOnConsoleKey : {on_console}\n      \
             kCGSSessionUserIDKey : {uid}\n      kCGSSessionUserNameKey : {name}\n      UID : {uid}\n      \
             Name : {name}\n    }}\n"
        )
    };
    let sessions = session(0, "ben", "502", "FALSE") + &session(1, name, uid, "TRUE");
    format!(
        "<dictionary> {{\n  GID : 20\n  Name : {name}\n  SessionInfo : <array> {{\n{sessions}  }}\n  UID : {uid}\n}}\n"
    )
}

/// What a run of a script came to.
struct Ran {
    output: Output,
    root: String,
    notes: String,
}

impl Ran {
    fn gives(&self, stdout: &str, status: i32, notes: &[String]) -> Outcome {
        equal(&text(&self.output.stdout).replace(&self.root, "ROOT"), stdout)?;
        equal(&text(&self.output.stderr), "")?;
        equal(&self.output.status.code(), &Some(status))?;
        equal(&self.notes, &notes.concat())
    }
}

/// A folder that stands for a Mac's root, with stand-ins for the programs, and the script with the settings for it.
struct Place {
    all: TempDir,
    script: Script,
}

impl Place {
    fn new(script: Script) -> Result<Self, Failed> {
        let place = Self { all: tempfile::Builder::new().prefix("a root").tempdir()?, script };
        let root = place.root();
        for folder in ["tmp", "bodies", "Library/Application Support"] {
            place.make(&place.path(folder))?;
        }
        let stand_in = "#!/bin/sh\n\
            name=${0##*/}\n\
            {\n\
                printf '%s\\n' \"$name\"\n\
                for word in \"$@\"; do printf '  <%s>\\n' \"$word\"; done\n\
                sed 's/^/  /'\n\
            } >>'ROOT/notes'\n\
            . \"ROOT/bodies/$name\"\n";
        // Copied by another process: a program that is open for writing, if only in a child that another test has just
        // forked, cannot be started.
        fs::write(place.path("draft"), stand_in.replace("ROOT", &root))?;
        let (draft, program) = (place.path("draft"), place.path("stand-in"));
        equal(&Command::new("cp").args([&draft, &program]).status()?.success(), &true)?;
        place.mode("stand-in", 0o755)?;
        for program in PROGRAMS {
            place.stand_in(program)?;
        }
        place.body("scutil", "cat 'ROOT/console'")?;
        place.body("launchctl", "shift 2; exec \"$@\"")?;
        place.body("sudo", "shift 3; exec \"$@\"")?;
        place.body("wpj-state.after", "")?;
        for program in ["open", "jamf", "Jamf Conditional Access", "JamfAAD"] {
            place.body(program, "")?;
        }
        place.answer("agree")?;
        place.user("adele", "501")?;
        fs::write(place.path("ben"), record("ben", "502"))?;
        fs::copy(Path::new("jamf").join(script.name), place.path("script"))?;
        place.setting("tool='/", &format!("tool='{root}/"))?;
        place.setting("root=''", &format!("root='{root}'"))?;
        place.setting("owner='0'", &format!("owner='{}'", Uid::effective()))?;
        Ok(place)
    }

    fn prompt(state: &str) -> Result<Self, Failed> {
        let place = Self::new(PROMPT)?;
        place.state(state)?;
        Ok(place)
    }

    fn gather() -> Result<Self, Failed> {
        let place = Self::new(GATHER)?;
        place.state(NOT_ACQUIRED)?;
        place.body("wpj-state.next", &format!("echo '<result>{REGISTERED}</result>'"))?;
        for program in ["Jamf Conditional Access", "JamfAAD"] {
            place.body(program, "cp 'ROOT/bodies/wpj-state.next' 'ROOT/bodies/wpj-state'")?;
        }
        Ok(place)
    }

    fn root(&self) -> String {
        self.all.path().display().to_string()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.all.path().join(path)
    }

    fn mode(&self, path: &str, mode: u32) -> Outcome {
        Ok(fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode))?)
    }

    fn open_to_others(&self, path: &str) -> Outcome {
        self.mode(path, 0o757)
    }

    /// Moves something elsewhere, and leaves a link to it.
    fn becomes_a_link(&self, path: &str) -> Outcome {
        fs::rename(self.path(path), self.path("elsewhere"))?;
        Ok(symlink(self.path("elsewhere"), self.path(path))?)
    }

    /// Makes a folder, and those above it, with the same rights whatever the umask is.
    fn make(&self, folder: &Path) -> Outcome {
        let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    fn stand_in(&self, program: &str) -> Outcome {
        let program = self.path(program);
        self.make(program.parent().ok_or("it lies in a folder")?)?;
        Ok(fs::hard_link(self.path("stand-in"), program)?)
    }

    /// What a stand-in does after its notes.
    fn body(&self, program: &str, body: &str) -> Outcome {
        Ok(fs::write(self.path("bodies").join(program), body.replace("ROOT", &self.root()) + "\n")?)
    }

    fn state(&self, state: &str) -> Outcome {
        self.body("wpj-state", &format!("echo '<result>{state}</result>'; . 'ROOT/bodies/wpj-state.after'"))
    }

    fn answer(&self, words: &str) -> Outcome {
        self.body("osascript", &format!("echo '{words}'"))
    }

    /// Has a program hang, together with one that it has started; both note their numbers. Its time limit is shortened,
    /// but not by so much that a busy machine could not start the programs before it.
    fn hangs(&self, program: &str) -> Outcome {
        self.setting("patience='30'", "patience='5'")?;
        self.body(program, "sleep 1000 & echo $! >>'ROOT/running'; echo $$ >>'ROOT/running'; wait")
    }

    fn console(&self, record: &str) -> Outcome {
        Ok(fs::write(self.path("console"), record)?)
    }

    fn user(&self, name: &str, uid: &str) -> Outcome {
        self.console(&record(name, uid))
    }

    fn setting(&self, old: &str, new: &str) -> Outcome {
        let script = fs::read_to_string(self.path("script"))?;
        let old = format!("\n{old}");
        equal(&script.matches(&old).count(), &1)?;
        Ok(fs::write(self.path("script"), script.replace(&old, &format!("\n{new}")))?)
    }

    fn count(&self, uid: &str) -> PathBuf {
        self.path(COUNTS).join(format!("deferrals-{uid}"))
    }

    fn make_counts(&self) -> Outcome {
        fs::create_dir_all(self.path(COUNTS))?;
        self.mode(COUNTS, 0o755)
    }

    fn write_count(&self, uid: &str, content: &str) -> Outcome {
        self.make_counts()?;
        fs::write(self.count(uid), content)?;
        Ok(fs::set_permissions(self.count(uid), fs::Permissions::from_mode(0o644))?)
    }

    fn has_count(&self, uid: &str, content: Option<&str>) -> Outcome {
        equal(&fs::read_to_string(self.count(uid)).ok().as_deref(), &content)
    }

    fn count_starts_anew(&self, shell: Shell) -> Outcome {
        self.answer("later")?;
        self.run(shell, PROMPT.parameters)?.gives(
            "ROOT/Library/Application Support/wpj-state/deferrals-501: unusable; the count starts anew\n\
             user 501 (Not Registered) was asked, and put it off; deferrals left: 2\n",
            0,
            &asked("501", &DEFAULT),
        )?;
        self.has_count("501", Some("1\n"))
    }

    fn command(&self, shell: Shell, parameters: &[&str]) -> Command {
        let mut command = Command::new(shells::path(shell));
        command.args(shell.1).arg(self.path("script")).args(parameters);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, shell: Shell, parameters: &[&str]) -> Result<Ran, Failed> {
        self.ran(self.command(shell, parameters).output()?)
    }

    fn ran(&self, output: Output) -> Result<Ran, Failed> {
        let left = fs::read_dir(self.path("tmp")).map_or(0, Iterator::count);
        equal(&left, &0)?;
        let root = self.root();
        let mut notes = fs::read_to_string(self.path("notes")).unwrap_or_default().replace(&root, "ROOT");
        let _ = fs::remove_file(self.path("notes"));
        notes = notes.replace(&format!("<{}>", dialog()?), "<DIALOG>");
        Ok(Ran { output, root, notes })
    }

    fn running(&self) -> Vec<String> {
        let numbers = fs::read_to_string(self.path("running")).unwrap_or_default();
        let runs = |number: &&str| {
            let output = Command::new("ps").args(["-o", "stat=", "-p", number]).output();
            // One that has ended may still wait to be asked about that.
            output.is_ok_and(|output| !matches!(text(&output.stdout).trim().chars().next(), None | Some('Z')))
        };
        numbers.lines().filter(runs).map(str::to_owned).collect()
    }

    fn nothing_runs(&self) -> Outcome {
        equal(&self.running(), &Vec::<String>::new())
    }

    fn end_what_runs(&self) -> Outcome {
        let running = self.running();
        equal(&running.len(), &1)?;
        for number in running {
            kill(Pid::from_raw(number.parse()?), Signal::SIGKILL)?;
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
