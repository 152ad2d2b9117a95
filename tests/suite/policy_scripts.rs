//! The policy scripts for Jamf Pro in each shell that may run them, with stand-ins for Apple's and Jamf's programs that
//! record how they are called.

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
    unistd::{Pid, Uid, User},
};
use tempfile::TempDir;

use crate::{
    jamf_api::under_harsh_conditions,
    outcome::{Failed, Outcome, equal},
    shells::{self, Shell, in_each_shell},
};

type Test = fn(Shell) -> Outcome;

/// A script and the fewest parameters that Jamf passes to it.
#[derive(Clone, Copy)]
struct Script {
    name: &'static str,
    parameters: &'static [&'static str],
}

const PROMPT: Script = Script { name: "prompt-registration.sh", parameters: &["/", "a Mac", "adele", "12"] };
const GATHER: Script = Script { name: "gather-aad-info.sh", parameters: &["/", "a Mac", "adele"] };

/// The remedies that the tool reports.
const NOTHING: &str = "None";
const SELF_SERVICE: &str = "Register in Self Service";
const WITH_PROFILE: &str = "Deploy SSO profile, then register";
const LACKS_PROFILE: &str =
    "failed: nothing done; this Mac has no profile for Microsoft's SSO extension, which new registrations need\n";
const IN_MACOS: &str = "Register or repair in macOS";
const GATHER_AAD_INFO: &str = "Run gatherAADInfo";
const CHECK_TENANT: &str = "Check tenant";
const FINISH: &str = "Finish registration in macOS";

const CONDITIONAL_ACCESS: &str = "Library/Application Support/JAMF/Jamf.app/Contents/MacOS/\
    Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access";
const JAMF_AAD: &str = "Library/Application Support/JAMF/Jamf.app/Contents/MacOS/JamfAAD.app/Contents/MacOS/JamfAAD";
const COUNTS: &str = "Library/Application Support/wpj-state";
const TOOL: &str = "usr/local/wpj-state/wpj-state";
const JAMF: &str = "usr/local/jamf/bin/jamf";
const OSASCRIPT: &str = "usr/bin/osascript";
const OPEN: &str = "usr/bin/open";
const PROGRAMS: [&str; 9] = [
    TOOL,
    "bin/launchctl",
    "usr/bin/sudo",
    OSASCRIPT,
    OPEN,
    "usr/bin/plutil",
    "usr/sbin/scutil",
    JAMF,
    CONDITIONAL_ACCESS,
];
const PLUS: &str = "Applications/Self Service+.app";
const CLASSIC: &str = "Applications/Self Service.app";

const TITLE: &str = "Register your Mac";
const TEXT: &str = "\
Your Mac is not registered with your organisation yet. Until it is, you may lose access to work email, documents and \
apps.\n\n\
Open Self Service, start the registration, and sign in with your work account when asked. It takes a few minutes.";
const MACOS_TEXT: &str = "\
Your Mac's registration with your organisation is not complete. Until it is, you may lose access to work email, \
documents and apps.\n\n\
If macOS shows the notification Registration Required, click it. If not, click Open System Settings, then the (i) next \
to your name, Platform SSO, and Register or Repair.\n\n\
Sign in with your work account when asked.";
/// Up to macOS 14, System Settings has this in another place.
const MACOS_14_TEXT: &str = "\
Your Mac's registration with your organisation is not complete. Until it is, you may lose access to work email, \
documents and apps.\n\n\
If macOS shows the notification Registration Required, click it. If not, click Open System Settings, then Edit next to \
Network Account Server, and Register or Repair.\n\n\
Sign in with your work account when asked.";
const FINISH_TEXT: &str = "\
macOS has not finished registering your Mac with your organisation. Until it has, you may lose access to work email, \
documents and apps.\n\n\
If macOS shows the notification Registration Required, click it, and sign in with your work account when asked. If not, \
log out of your Mac and log in again, so macOS can continue.";

/// Runs a test for each row of a table, with both scripts.
fn with_both<T: Copy + Sync>(rows: &[T], name: fn(T) -> String, test: fn(Shell, Script, T) -> Outcome) -> Outcome {
    let rows: Vec<_> =
        [PROMPT, GATHER].into_iter().flat_map(|script| rows.iter().map(move |&row| (script, row))).collect();
    let name = |(script, row): (Script, T)| format!("{}: {}", script.name, name(row));
    in_each_shell(&rows, name, |shell, (script, row)| test(shell, script, row))
}

#[test]
fn nothing_is_done_if_no_action_is_needed() -> Outcome {
    with_both(&BOTH, |(name, ..)| name.to_owned(), nothing_is_done)
}

#[test]
fn nothing_is_done_without_a_console_user() -> Outcome {
    with_both(&CONSOLES, |(name, uid, _)| format!("{name:?}, {uid}"), console_gives)
}

#[test]
fn nothing_is_done_if_the_tool_gives_no_answer() -> Outcome {
    with_both(&BROKEN_TOOLS, |(body, _)| body.to_owned(), broken_tool_fails)
}

#[test]
fn a_tool_that_prints_much_gives_one_short_line() -> Outcome {
    with_both(&TALKATIVE_TOOLS, |(body, _)| body.to_owned(), talkative_tool_fails)
}

#[test]
fn nothing_is_done_with_a_tool_that_others_can_change() -> Outcome {
    with_both(&UNSAFE_TOOLS, |(path, _)| path.to_owned(), unsafe_tool_is_refused)
}

mod root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn nothing_is_done_with_a_tool_that_another_user_owns() -> Outcome {
        let given_away: Arrange = |place, path| Ok(chown(place.path(path), Some(65534), None)?);
        let paths = [TOOL, "usr/local"].map(|path| (path, given_away));
        with_both(&paths, |(path, _)| path.to_owned(), unsafe_tool_is_refused)
    }
}

#[test]
fn the_prompt_asks_users_who_have_to_register() -> Outcome {
    in_each_shell(&PROMPTS, |(name, _)| name.to_owned(), |shell, (_, test)| test(shell))
}

#[test]
fn gather_aad_info_is_run_for_users_who_need_it() -> Outcome {
    in_each_shell(&GATHERS, |(name, _)| name.to_owned(), |shell, (_, test)| test(shell))
}

#[test]
fn the_dialogs_name_what_the_remedies_name() -> Outcome {
    let remedies = fs::read_to_string("docs/remedies.md")?;
    for (remedy, text, names) in [
        (IN_MACOS, MACOS_TEXT, &["Registration Required", "(i)", "Platform SSO", "Register or Repair"][..]),
        (IN_MACOS, MACOS_14_TEXT, &["Edit", "Network Account Server", "Register or Repair"]),
        (FINISH, FINISH_TEXT, &["notification", "log out"]),
        (SELF_SERVICE, TEXT, &["Open Self Service"]),
    ] {
        let steps =
            remedies.lines().find(|line| line.starts_with(&format!("| {remedy} |"))).ok_or("a row is missing")?;
        for name in names {
            equal(&(steps.contains(name), text.contains(name)), &(true, true))?;
        }
    }
    Ok(())
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can compile AppleScript")]
fn the_dialogs_source_compiles() -> Outcome {
    let folder = tempfile::tempdir()?;
    let compiled = folder.path().join("dialog.scpt");
    let output = Command::new("/usr/bin/osacompile").arg("-o").arg(compiled).args(["-e", &dialog()?]).output()?;
    equal(&text(&output.stderr), "")?;
    equal(&output.status.success(), &true)
}

#[test]
fn only_the_later_button_cancels_the_dialog_and_the_dialog_closes_by_itself() -> Outcome {
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

/// The source of the dialog.
fn dialog() -> Result<String, Failed> {
    let script = fs::read_to_string(Path::new("jamf").join(PROMPT.name))?;
    let (_, rest) = script.split_once("\ndialog='").ok_or("the dialog's source begins")?;
    Ok(rest.split_once("'\n").ok_or("the dialog's source ends")?.0.to_owned())
}

/// The last program that a script runs before it ends.
#[derive(Clone, Copy)]
enum LastRun {
    Nothing,
    Scutil,
    Tool,
    ScutilAgain,
}

const NOBODY: &str = "nothing done: nobody is logged in\n";
const NO_UID: &str = "failed: cannot determine the console user: scutil prints no UID\n";
const SEVERAL: &str = "failed: cannot determine the console user: scutil names several users\n";
const ABSENT: &str = "failed: ROOT/usr/local/wpj-state/wpj-state: not installed, or not executable\n";
const NO_ANSWER: &str = "failed: ROOT/usr/local/wpj-state/wpj-state: timed out after 5 s: waiting\n";
const UNSAFE: &str = "must be owned by root, not writable by group or others, and not a link";

/// The console user's name and UID as scutil prints them, and what both scripts print.
const CONSOLES: [(&str, &str, &str); 16] = [
    ("loginwindow", "501", NOBODY),
    ("_mbsetupuser", "501", NOBODY),
    ("System Administrator", "0", NOBODY),
    ("daemon", "499", NOBODY),
    ("", "501", NOBODY),
    ("nobody", "-2", NOBODY),
    ("adele", "-1", NOBODY),
    ("nobody", "4294967294", NOBODY),
    ("adele", "$(id)", NO_UID),
    ("adele", "-", NO_UID),
    ("adele", "--5", NO_UID),
    ("adele", "-0", NO_UID),
    ("adele", "-2147483649", NO_UID),
    ("adele", "4294967296", NO_UID),
    ("adele\n  UID : 502", "501", SEVERAL),
    ("root\n  Name : adele", "501", SEVERAL),
];

fn console_gives(shell: Shell, script: Script, (name, uid, stdout): (&str, &str, &str)) -> Outcome {
    let place = Place::new(script)?;
    place.user(name, uid)?;
    let status = i32::from(stdout != NOBODY);
    place.run(shell, script.parameters)?.gives(stdout, status, &[scutil()])
}

/// What the tool does, and how both scripts report its end.
const BROKEN_TOOLS: [(&str, &str); 13] = [
    ("exit 134", "exit status 134"),
    ("printf '\\n \\t\\r\\n \\001' >&2; printf '\\nthe reason'; exit 3", "exit status 3: the reason"),
    ("printf 'no end of line' >&2; echo 'an answer'; exit 3", "exit status 3: no end of line"),
    ("exit 0", "exit status 0"),
    ("echo '<result>Run gatherAADInfo</result>'; echo panicked >&2; exit 101", "exit status 101: panicked"),
    // A release of the tool without remedies
    ("printf 'error: invalid value\\n\\nmore\\n' >&2; exit 2", "exit status 2: error: invalid value"),
    ("printf '\\n \\r\\n\\303\\226a\\000b\\t\\033[31mc\\r\\n$(id)\\001'", "exit status 0: a b  [31mc"),
    ("echo '<result>None</result>'; echo '<result>None</result>'", "exit status 0: <result>None</result>"),
    ("printf '<result>No\\000ne</result>\\n'", "exit status 0: <result>No ne</result>"),
    ("echo '<result></result>'", "exit status 0: <result></result>"),
    ("echo '<result>None</result>'; exit 1", "exit status 1: <result>None</result>"),
    ("echo '<result>Not Registered</result>'", "exit status 0: <result>Not Registered</result>"),
    ("printf '<result>None</result>\\n%2000s' x", "exit status 0: <result>None</result>"),
];

fn broken_tool_fails(shell: Shell, script: Script, (body, ending): (&str, &str)) -> Outcome {
    let place = Place::new(script)?;
    place.body("wpj-state", body)?;
    let stdout = format!("failed: ROOT/usr/local/wpj-state/wpj-state: failed or printed an unknown remedy: {ending}\n");
    place.run(shell, script.parameters)?.gives(&stdout, 1, &[scutil(), tool("501")])
}

/// The same for tools that print much. Many blanks in a line make it slow to find those at its end.
const TALKATIVE_TOOLS: [(&str, &str); 3] = [
    ("echo first >&2; printf '%65000s' x >&2; printf '%65000s' x; exit 3", "exit status 3: first"),
    ("printf 'a%60000sb\\n' ''; exit 3", "exit status 3: a"),
    ("printf '%60000s\\n' a; exit 3", "exit status 3: a"),
];

fn talkative_tool_fails(shell: Shell, script: Script, (body, ending): (&str, &str)) -> Outcome {
    let place = Place::new(script)?;
    place.body("wpj-state", body)?;
    let stdout = format!("failed: ROOT/usr/local/wpj-state/wpj-state: failed or printed an unknown remedy: {ending}\n");
    let mut command = under_harsh_conditions(4, &place.command(shell, script.parameters));
    place.ran(command.output()?)?.gives(&stdout, 1, &[scutil(), tool("501")])
}

type Arrange = fn(&Place, &str) -> Outcome;

/// The path that others can change, and the preparation for that.
const UNSAFE_TOOLS: [(&str, Arrange); 9] = [
    (TOOL, |place, path| place.mode(path, 0o757)),
    (TOOL, |place, path| place.mode(path, 0o775)),
    (TOOL, Place::becomes_a_link),
    ("usr/local/wpj-state", |place, path| place.mode(path, 0o1757)),
    ("usr/local/wpj-state", Place::becomes_a_link),
    ("usr/local", |place, path| place.mode(path, 0o775)),
    ("usr/local", Place::becomes_a_link),
    ("", |place, path| place.mode(path, 0o757)),
    ("", |place, path| place.mode(path, 0o775)),
];

fn unsafe_tool_is_refused(shell: Shell, script: Script, (path, arrange): (&str, Arrange)) -> Outcome {
    let place = Place::new(script)?;
    arrange(&place, path)?;
    let path = format!("ROOT/{path}");
    let stdout = format!("failed: {}: {UNSAFE}\n", path.trim_end_matches('/'));
    place.run(shell, script.parameters)?.gives(&stdout, 1, &[scutil()])
}

type Row = (&'static str, fn(&Place) -> Outcome, &'static str, i32, LastRun);

/// Other reasons to end early for both scripts: name, preparation, output, exit status, the last program that runs.
const BOTH: [Row; 19] = [
    ("the console's record is missing", |it| it.console("  No such key\n"), NOBODY, 0, LastRun::Scutil),
    (
        "the console's record is missing, and scutil fails",
        |it| it.body("scutil", "echo '  No such key'; exit 1"),
        NOBODY,
        0,
        LastRun::Scutil,
    ),
    (
        "the login window hides all sessions",
        |it| it.console(&record("adele", "501").replace("  Name : adele\n", "").replace("\n  UID : 501", "")),
        NOBODY,
        0,
        LastRun::Scutil,
    ),
    (
        "the record has no UID",
        |it| it.console(&record("adele", "501").replace("\n  UID : 501", "")),
        NO_UID,
        1,
        LastRun::Scutil,
    ),
    (
        "scutil prints nothing",
        |it| it.console(""),
        "failed: cannot determine the console user; scutil: exit status 0\n",
        1,
        LastRun::Scutil,
    ),
    (
        "scutil fails",
        |it| it.body("scutil", "cat 'ROOT/console'; echo 'no configd' >&2; exit 1"),
        "failed: cannot determine the console user; scutil: exit status 1: no configd\n",
        1,
        LastRun::Scutil,
    ),
    ("scutil hangs", |it| it.hangs("scutil"), "failed: scutil timed out after 5 s: waiting\n", 1, LastRun::Scutil),
    ("the tool is missing", |it| Ok(fs::remove_file(it.path(TOOL))?), ABSENT, 1, LastRun::Scutil),
    (
        "the tool is not executable",
        |it| {
            fs::remove_file(it.path(TOOL))?;
            fs::write(it.path(TOOL), "")?;
            it.mode(TOOL, 0o644)
        },
        ABSENT,
        1,
        LastRun::Scutil,
    ),
    (
        "the path of the tool is relative and not ASCII",
        |it| {
            fs::write(it.path("schön\n"), "")?;
            it.mode("schön\n", 0o755)?;
            it.setting(&format!("tool='{}/{TOOL}'", it.root()), &format!("tool='./{}/schön\n'", it.root()))
        },
        "failed: ./ROOT/sch??n?: must be an absolute path\n",
        1,
        LastRun::Scutil,
    ),
    ("the tool hangs", |it| it.hangs("wpj-state"), NO_ANSWER, 1, LastRun::Tool),
    (
        "the tool prints without end",
        |it| {
            it.setting("patience='30'", "patience='5'")?;
            it.body("wpj-state", "while :; do echo '<result>None</result>'; echo waiting >&2; done")
        },
        NO_ANSWER,
        1,
        LastRun::Tool,
    ),
    (
        "what the user needs cannot be determined",
        |it| it.body("wpj-state", "printf 'the reason\\nmore\\n' >&2; echo '<result></result>'; exit 1"),
        "nothing done; cannot determine what user 501 needs: the reason\n",
        0,
        LastRun::Tool,
    ),
    (
        "the user is registered with another tenant",
        |it| it.remedy(CHECK_TENANT),
        "nothing done; user 501 is registered with an unexpected tenant\n",
        0,
        LastRun::Tool,
    ),
    (
        "the user has to sign in with the local password",
        |it| it.remedy("Sign in with local password"),
        "nothing done; user 501 has to sign in once with the local password\n",
        0,
        LastRun::Tool,
    ),
    (
        "the user's session cannot be entered",
        |it| it.remedy("Check while user is logged in"),
        "nothing done; user 501 can be checked only inside the login session, which could not be entered\n",
        0,
        LastRun::Tool,
    ),
    (
        "a private folder cannot be created",
        |it| Ok(fs::remove_dir(it.path("tmp"))?),
        "failed: cannot create a private folder in /tmp\n",
        1,
        LastRun::Nothing,
    ),
    (
        "another user than root runs it",
        |it| it.setting(&format!("owner='{}'", user_name()?), "owner='another user'"),
        "refused: only root can run this\n",
        2,
        LastRun::Nothing,
    ),
    (
        "another user comes to the console meanwhile",
        |it| {
            it.remedy(if it.script.name == PROMPT.name { FINISH } else { GATHER_AAD_INFO })?;
            it.body("wpj-state.after", "cp 'ROOT/ben' 'ROOT/console'")
        },
        "nothing done: user 501 has just left the console\n",
        0,
        LastRun::ScutilAgain,
    ),
];

fn nothing_is_done(shell: Shell, script: Script, (_, arrange, stdout, status, last_run): Row) -> Outcome {
    let place = Place::new(script)?;
    arrange(&place)?;
    let notes = match last_run {
        LastRun::Nothing => vec![],
        LastRun::Scutil => vec![scutil()],
        LastRun::Tool => vec![scutil(), tool("501")],
        LastRun::ScutilAgain => vec![scutil(), tool("501"), scutil()],
    };
    place.run(shell, script.parameters)?.gives(stdout, status, &notes)?;
    place.nothing_runs()
}

const PROMPTS: [(&str, Test); 38] = [
    ("a user who has to register is asked, and agrees", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 was asked (Register in Self Service), and agreed; Self Service+ was opened\n",
            0,
            &[asked("501", &DEFAULT), opened("501", "12")].concat(),
        )?;
        place.has_count("501", None)
    }),
    ("nobody is asked before the profile is deployed", |shell| {
        let place = Place::prompt(WITH_PROFILE)?;
        place.run(shell, PROMPT.parameters)?.gives(LACKS_PROFILE, 1, &[scutil(), tool("501")])
    }),
    ("a user of Platform SSO is sent to System Settings, and Self Service need not be installed", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        fs::remove_dir(place.path(PLUS))?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 was asked (Register or repair in macOS), and agreed; System Settings was opened\n",
            0,
            &[asked_in_macos("501"), opened_in_macos("501")].concat(),
        )?;
        place.answer("later")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 was asked (Register or repair in macOS), and chose Later; deferrals left: 2\n",
            0,
            &asked_in_macos("501"),
        )?;
        place.has_count("501", Some("1\n"))
    }),
    ("the dialog before System Settings has the steps of this version of macOS", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        let mut later = asked_in_macos("501");
        let mut earlier = later.clone();
        earlier[4] = later[4].replace(MACOS_TEXT, MACOS_14_TEXT);
        for (version, notes) in [
            ("13.0", &earlier),
            ("14.7.1", &earlier),
            ("15.0", &later),
            ("26.1", &later),
            ("140.1", &later),
            ("", &later),
        ] {
            fs::write(place.path("preferences/ProductVersion"), format!("{version}\n"))?;
            let stdout = "user 501 was asked (Register or repair in macOS), and agreed; System Settings was opened\n";
            let notes = [notes.clone(), opened_in_macos("501")].concat();
            place.run(shell, PROMPT.parameters)?.gives(stdout, 0, &notes)?;
        }
        place.hangs("plutil")?;
        later.extend(opened_in_macos("501"));
        let stdout = "user 501 was asked (Register or repair in macOS), and agreed; System Settings was opened\n";
        place.run(shell, PROMPT.parameters)?.gives(stdout, 0, &later)?;
        place.nothing_runs()
    }),
    ("a user whom macOS is registering is asked to finish that, and nothing is opened", |shell| {
        let place = Place::prompt(FINISH)?;
        let words = ["-e", "DIALOG", "300", TITLE, FINISH_TEXT, "OK", "Later (3 left)"];
        let notes = [scutil(), tool("501"), scutil(), as_user("501", OSASCRIPT, &words)];
        let stdout = "user 501 was asked (Finish registration in macOS), and agreed\n";
        place.run(shell, PROMPT.parameters)?.gives(stdout, 0, &notes)?;
        place.answer("later")?;
        let stdout = "user 501 was asked (Finish registration in macOS), and chose Later; deferrals left: 2\n";
        place.run(shell, PROMPT.parameters)?.gives(stdout, 0, &notes)
    }),
    ("a user who needs gatherAADInfo is not asked", |shell| {
        let place = Place::prompt(GATHER_AAD_INFO)?;
        place.run(shell, PROMPT.parameters)?.gives(
            "nothing done: user 501 needs gatherAADInfo; use gather-aad-info.sh\n",
            0,
            &[scutil(), tool("501")],
        )
    }),
    ("a name with spaces, a large UID and other users' sessions change nothing", |shell| {
        for (printed, uid) in [
            ("1894301234", "1894301234"),
            ("2147483648", "2147483648"),
            ("-2147483648", "2147483648"),
            ("-3", "4294967293"),
        ] {
            let place = Place::prompt(SELF_SERVICE)?;
            place.user("Adele  Vance : UID : 7", printed)?;
            place.run(shell, PROMPT.parameters)?.gives(
                &format!("user {uid} was asked (Register in Self Service), and agreed; Self Service+ was opened\n"),
                0,
                &[asked(uid, &DEFAULT), opened(uid, "12")].concat(),
            )?;
        }
        Ok(())
    }),
    ("texts reach the dialogs unchanged", |shell| {
        let texts = ["-e \"title\" \\", "it's\n\"a\" \\n $HOME `id` $(id)\n", "Öffnen & 'go' %s", "*", "-n\\c ü"];
        let parameters = ["/", "", "", "7", "1", texts[0], texts[1], texts[2], texts[3], "60", texts[4]];
        let place = Place::prompt(SELF_SERVICE)?;
        place.run(shell, &parameters)?.gives(
            "user 501 was asked (Register in Self Service), and agreed; Self Service+ was opened\n",
            0,
            &[asked("501", &["60", texts[0], texts[1], texts[2], "* (1)"]), opened("501", "7")].concat(),
        )?;
        let place = Place::prompt(IN_MACOS)?;
        let words = ["-e", "DIALOG", "60", texts[0], texts[4], "Open System Settings", "* (1)"];
        let dialog = vec![scutil(), tool("501"), version(), scutil(), as_user("501", OSASCRIPT, &words)];
        place.run(shell, &parameters)?.gives(
            "user 501 was asked (Register or repair in macOS), and agreed; System Settings was opened\n",
            0,
            &[dialog, opened_in_macos("501")].concat(),
        )
    }),
    ("blank parameters take their defaults", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.answer("later")?;
        place.run(shell, &["/", "", "", "12", "", "", "", "", "", "", ""])?.gives(
            "user 501 was asked (Register in Self Service), and chose Later; deferrals left: 2\n",
            0,
            &asked("501", &DEFAULT),
        )
    }),
    ("the app is at the path in Jamf's preferences, or else in its usual place", |shell| {
        let plus = "selfservicecapability://content?entity=policy&id=12";
        let classic = "jamfselfservice://content?entity=policy&id=12&action=view";
        let (plus_key, classic_key) = ("self_service_plus_path", "self_service_app_path");
        let (renamed, nowhere) = ("/Applications/IT/Contoso Help.app", "/Applications/Nowhere.app");
        for (apps, preferences, name, app, address, keys) in [
            (&[CLASSIC][..], &[][..], "Self Service", CLASSIC, classic, 2),
            (&[PLUS, CLASSIC], &[(classic_key, "/Applications/Self Service.app")], "Self Service+", PLUS, plus, 1),
            (&[CLASSIC, &renamed[1..]], &[(plus_key, renamed)], "Self Service+", &renamed[1..], plus, 1),
            (&[PLUS], &[(plus_key, nowhere)], "Self Service+", PLUS, plus, 1),
            (&[PLUS], &[(plus_key, "")], "Self Service+", PLUS, plus, 1),
            (&[PLUS, "usr"], &[(plus_key, "/usr")], "Self Service+", PLUS, plus, 1),
            (
                &[&renamed[1..]],
                &[(classic_key, "/Applications/IT/Contoso Help.app/")],
                "Self Service",
                &renamed[1..],
                classic,
                2,
            ),
            (&[CLASSIC], &[(plus_key, nowhere), (classic_key, "-a.app")], "Self Service", CLASSIC, classic, 2),
        ] {
            let place = Place::prompt(SELF_SERVICE)?;
            fs::remove_dir(place.path(PLUS))?;
            apps.iter().try_for_each(|app| place.make(&place.path(app)))?;
            for (key, value) in preferences {
                fs::write(place.path("preferences").join(key), format!("{value}\n"))?;
            }
            let read = [plutil(plus_key), plutil(classic_key)];
            let dialog = asked("501", &DEFAULT).pop().unwrap_or_default();
            let open = |what: &str| as_user("501", OPEN, &[what]);
            let notes = [
                vec![scutil(), tool("501")],
                read.into_iter().take(keys).collect(),
                vec![scutil(), dialog, scutil(), open(&format!("ROOT/{app}")), open(address)],
            ];
            let stdout = format!("user 501 was asked (Register in Self Service), and agreed; {name} was opened\n");
            place.run(shell, PROMPT.parameters)?.gives(&stdout, 0, &notes.concat())?;
        }
        Ok(())
    }),
    ("if plutil hangs, it is stopped, and the usual paths apply", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.hangs("plutil")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 was asked (Register in Self Service), and agreed; Self Service+ was opened\n",
            0,
            &[asked("501", &DEFAULT), opened("501", "12")].concat(),
        )?;
        place.nothing_runs()
    }),
    ("without Self Service nobody is asked", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        fs::remove_dir(place.path(PLUS))?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: neither Self Service+ nor Self Service is installed, so user 501 was not asked\n",
            1,
            &[scutil(), tool("501"), plutil("self_service_plus_path"), plutil("self_service_app_path")],
        )
    }),
    ("deferrals count down, and then the Later button disappears", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        let parameters = ["/", "", "", "12", "2"];
        for (button, left, count) in [("Later (2 left)", "1", "1\n"), ("Later (1 left)", "0", "2\n")] {
            place.answer("later")?;
            place.run(shell, &parameters)?.gives(
                &format!("user 501 was asked (Register in Self Service), and chose Later; deferrals left: {left}\n"),
                0,
                &asked("501", &["300", TITLE, TEXT, "Open Self Service", button]),
            )?;
            place.has_count("501", Some(count))?;
        }
        let last = asked("501", &["300", TITLE, TEXT, "Open Self Service", ""]);
        place.run(shell, &parameters)?.gives(
            "user 501 was asked (Register in Self Service), and closed the dialog; no deferral is left\n",
            0,
            &last,
        )?;
        place.has_count("501", Some("2\n"))?;
        place.answer("agree")?;
        place.run(shell, &parameters)?.gives(
            "user 501 was asked (Register in Self Service), and agreed; Self Service+ was opened\n",
            0,
            &[last, opened("501", "12")].concat(),
        )?;
        place.has_count("501", Some("2\n"))
    }),
    ("a changed number of deferrals applies to users who have already used some", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.write_count("501", "4\n")?;
        place.answer("gave up")?;
        for (deferrals, button) in [("5", "Later (1 left)"), ("4", ""), ("3", "")] {
            place.run(shell, &["/", "", "", "12", deferrals])?.gives(
                "user 501 was asked (Register in Self Service), and did not answer within 300 s\n",
                0,
                &asked("501", &["300", TITLE, TEXT, "Open Self Service", button]),
            )?;
        }
        Ok(())
    }),
    ("with 0 deferrals there is no Later button and no count", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.answer("gave up")?;
        place.run(shell, &["/", "", "", "12", "0"])?.gives(
            "user 501 was asked (Register in Self Service), and did not answer within 300 s\n",
            0,
            &asked("501", &["300", TITLE, TEXT, "Open Self Service", ""]),
        )?;
        equal(&place.path(COUNTS).exists(), &false)
    }),
    ("the count is reset when the user is registered", |shell| {
        let place = Place::prompt(NOTHING)?;
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
    ("a count that is not a number starts again", |shell| {
        for content in ["", "x", "-1", "08", "1\n2\n", "1001", "99999999999999999999", "$(id)", "1\0"] {
            let place = Place::prompt(SELF_SERVICE)?;
            place.write_count("501", content)?;
            place.count_starts_again(shell)?;
        }
        Ok(())
    }),
    ("a link instead of the count is replaced, and not followed", |shell| {
        for exists in [true, false] {
            let place = Place::prompt(SELF_SERVICE)?;
            place.write_count("502", "3\n")?;
            let elsewhere = place.path("elsewhere");
            if exists {
                fs::write(&elsewhere, "2\n")?;
            }
            symlink(&elsewhere, place.count("501"))?;
            place.count_starts_again(shell)?;
            equal(&fs::read_to_string(&elsewhere).ok().as_deref(), &exists.then_some("2\n"))?;
            equal(&place.count("501").is_symlink(), &false)?;
        }
        Ok(())
    }),
    ("a folder instead of the count is replaced", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.make_counts()?;
        fs::create_dir_all(place.count("501").join("more"))?;
        place.count_starts_again(shell)
    }),
    ("an old count no longer applies", |shell| {
        for (days, left) in [(40, "2"), (20, "0")] {
            let place = Place::prompt(SELF_SERVICE)?;
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
            let stdout =
                format!("user 501 was asked (Register in Self Service), and chose Later; deferrals left: {left}\n");
            let later = if left == "2" { "Later (3 left)" } else { "Later (1 left)" };
            let words = ["300", TITLE, TEXT, "Open Self Service", later];
            place.run(shell, PROMPT.parameters)?.gives(&stdout, 0, &asked("501", &words))?;
        }
        Ok(())
    }),
    ("a count that others can change starts again", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.write_count("501", "2\n")?;
        fs::set_permissions(place.count("501"), fs::Permissions::from_mode(0o666))?;
        place.count_starts_again(shell)?;
        equal(&(fs::metadata(place.count("501"))?.permissions().mode() & 0o777), &0o644)
    }),
    ("nobody is asked if the folder of the counts is a link or others can write to it", |shell| {
        for is_link in [true, false] {
            let place = Place::prompt(SELF_SERVICE)?;
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
                &[scutil(), tool("501"), plutil("self_service_plus_path")],
            )?;
            // Nothing is removed there either.
            place.remedy(NOTHING)?;
            place.run(shell, PROMPT.parameters)?.gives(
                "nothing done: user 501 is registered\n",
                0,
                &[scutil(), tool("501")],
            )?;
            place.has_count("501", Some("1\n"))?;
        }
        Ok(())
    }),
    ("a deferral that cannot be stored is a failure", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.body("osascript", "rm -r 'ROOT/Library/Application Support/wpj-state'; echo later")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: ROOT/Library/Application Support/wpj-state/deferrals-501: the deferral could not be stored\n",
            1,
            &asked("501", &DEFAULT),
        )
    }),
    ("osascript is missing", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        fs::remove_file(place.path(OSASCRIPT))?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: ROOT/usr/bin/osascript: missing, so user 501 was not asked\n",
            1,
            &[scutil(), tool("501"), version()],
        )
    }),
    ("osascript fails", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        let failure = "29:101: execution error: No user interaction allowed. (-1713)";
        place.body("osascript", &format!("echo agree; echo '{failure}' >&2; exit 1"))?;
        place.run(shell, PROMPT.parameters)?.gives(
            &format!("failed: osascript could not ask user 501: exit status 1: {failure}\n"),
            1,
            &[asked_in_macos("501"), vec![scutil()]].concat(),
        )?;
        place.has_count("501", None)
    }),
    ("osascript prints something else", |shell| {
        for (words, shown) in [("", ""), ("agreed", ": agreed"), ("agree\nagree", ": agree")] {
            let place = Place::prompt(IN_MACOS)?;
            place.answer(words)?;
            place.run(shell, PROMPT.parameters)?.gives(
                &format!("failed: osascript could not ask user 501: exit status 0{shown}\n"),
                1,
                &[asked_in_macos("501"), vec![scutil()]].concat(),
            )?;
        }
        Ok(())
    }),
    ("a warning from osascript changes nothing", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        place.body("osascript", "echo 'a warning' >&2; echo agree")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 was asked (Register or repair in macOS), and agreed; System Settings was opened\n",
            0,
            &[asked_in_macos("501"), opened_in_macos("501")].concat(),
        )
    }),
    ("if sudo refuses root, its first line says why", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        place.sudo_refuses()?;
        let mut notes = asked_in_macos("501").concat();
        notes.truncate(notes.rfind("osascript\n").unwrap_or_default());
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: osascript could not ask user 501: \
             exit status 1: sudo: PAM account management error: permission denied\n",
            1,
            &[notes, scutil()],
        )
    }),
    ("if the dialog hangs, it and its processes are stopped", |shell| {
        for sudo in ["shift 3; \"$@\"; exit $?", "trap '' TERM; shift 3; \"$@\"; exit $?"] {
            let place = Place::prompt(SELF_SERVICE)?;
            place.hangs("osascript")?;
            place.body("sudo", sudo)?;
            let parameters = ["/", "", "", "12", "", "", "", "", "", "5"];
            place.run(shell, &parameters)?.gives(
                "failed: the dialog for user 501 did not finish and was stopped after 10 s: waiting\n",
                1,
                &asked("501", &["5", TITLE, TEXT, "Open Self Service", "Later (3 left)"]),
            )?;
            place.nothing_runs()?;
        }
        Ok(())
    }),
    ("a cancelled policy closes its dialog", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
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
    ("a logout that ends the dialog is not a failure", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        place.body("osascript", "cp 'ROOT/ben' 'ROOT/console'; kill -TERM $$")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 left the console before answering\n",
            0,
            &[asked("501", &DEFAULT), vec![scutil()]].concat(),
        )
    }),
    ("a user who agrees and then leaves the console gets nothing opened", |shell| {
        for (remedy, name, notes) in [
            (SELF_SERVICE, "Self Service+", asked("501", &DEFAULT)),
            (IN_MACOS, "System Settings", asked_in_macos("501")),
        ] {
            let place = Place::prompt(remedy)?;
            place.body("osascript", "cp 'ROOT/ben' 'ROOT/console'; echo agree")?;
            place.run(shell, PROMPT.parameters)?.gives(
                &format!("user 501 agreed, but has left the console; {name} was not opened\n"),
                0,
                &[notes, vec![scutil()]].concat(),
            )?;
        }
        Ok(())
    }),
    ("Self Service or its policy cannot be opened", |shell| {
        for (opens, notes) in [("/", 2), ("self", 3)] {
            let place = Place::prompt(SELF_SERVICE)?;
            let failure = "echo 'No application knows how to open URL' >&2; exit 1";
            place.body("open", &format!("case $1 in {opens}*) {failure} ;; esac"))?;
            let opened = opened("501", "12").into_iter().take(notes).collect();
            place.run(shell, PROMPT.parameters)?.gives(
                "failed: user 501 agreed, but Self Service+ could not be opened: \
                 exit status 1: No application knows how to open URL\n",
                1,
                &[asked("501", &DEFAULT), opened].concat(),
            )?;
        }
        Ok(())
    }),
    ("System Settings hangs", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        place.hangs("open")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "failed: user 501 agreed, but System Settings did not open within 5 s: waiting\n",
            1,
            &[asked_in_macos("501"), opened_in_macos("501")].concat(),
        )?;
        place.nothing_runs()
    }),
    ("a process left behind neither delays the policy nor loses the answer", |shell| {
        let place = Place::prompt(IN_MACOS)?;
        place.body("osascript", "sleep 1000 & echo $! >>'ROOT/running'; echo agree")?;
        place.run(shell, PROMPT.parameters)?.gives(
            "user 501 was asked (Register or repair in macOS), and agreed; System Settings was opened\n",
            0,
            &[asked_in_macos("501"), opened_in_macos("501")].concat(),
        )?;
        place.end_what_runs()
    }),
    ("the user's programs inherit nothing from root, and the caller's environment changes nothing", |shell| {
        let place = Place::prompt(SELF_SERVICE)?;
        let no_descriptor = "for number in 3 4 5 6 7 8 9; do ! (: >&$number) 2>&- || exit 8; done";
        let check = format!("[ \"${{HOME-}}${{SECRET-}}\" = '' ] && [ \"$PWD\" = / ] || exit 9; {no_descriptor}");
        place.body("osascript", &format!("{check}; echo agree"))?;
        place.body("open", &check)?;
        fs::write(place.path("id"), "#!/bin/sh\necho hostile\n")?;
        place.mode("id", 0o755)?;
        let mut command = place.command(shell, PROMPT.parameters);
        command.env_clear().env("HOME", "/var/root").env("SECRET", "1").env("IFS", "05");
        command.env("PATH", place.path(""));
        place.ran(command.output()?)?.gives(
            "user 501 was asked (Register in Self Service), and agreed; Self Service+ was opened\n",
            0,
            &[asked("501", &DEFAULT), opened("501", "12")].concat(),
        )
    }),
    ("without the ID of a policy nobody is asked", |shell| {
        let stdout = "refused: parameter 4 must be the ID of the Self Service policy\n";
        for policy in ["", " ", "0", "-1", "012", "12 ", "1&id=2", "twelve", "9999999999", "1.5"] {
            let place = Place::prompt(SELF_SERVICE)?;
            place.run(shell, &["/", "", "", policy])?.gives(stdout, 2, &[])?;
        }
        Place::prompt(SELF_SERVICE)?.run(shell, &[])?.gives(stdout, 2, &[])
    }),
    ("the other numbers must be valid, too", |shell| {
        for number in ["-1", "x", "1000", "03", "1 "] {
            let place = Place::prompt(SELF_SERVICE)?;
            let stdout = "refused: parameter 5, the number of deferrals, must be 0 to 999\n";
            place.run(shell, &["/", "", "", "12", number])?.gives(stdout, 2, &[])?;
        }
        for number in ["0", "x", "3601", "007"] {
            let place = Place::prompt(SELF_SERVICE)?;
            let stdout = "refused: parameter 10, the seconds until a dialog closes, must be 1 to 3600\n";
            place.run(shell, &["/", "", "", "12", "", "", "", "", "", number])?.gives(stdout, 2, &[])?;
        }
        Ok(())
    }),
];

const GATHERED: &str = "gatherAADInfo ran as user 501, and the inventory was updated; the user is now registered\n";

const GATHERS: [(&str, Test); 17] = [
    ("gatherAADInfo runs for a user who needs it, and the inventory is updated", |shell| {
        let place = Place::gather()?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))
    }),
    ("the tool of earlier Jamf releases is used if it is the only one", |shell| {
        let place = Place::gather()?;
        place.stand_in(JAMF_AAD)?;
        fs::remove_file(place.path(CONDITIONAL_ACCESS))?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", JAMF_AAD))
    }),
    ("the tool of later Jamf releases is preferred", |shell| {
        let place = Place::gather()?;
        place.stand_in(JAMF_AAD)?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))
    }),
    ("Jamf's tool is missing", |shell| {
        let place = Place::gather()?;
        fs::remove_file(place.path(CONDITIONAL_ACCESS))?;
        place.run(shell, GATHER.parameters)?.gives(
            &format!("failed: ROOT/{JAMF_AAD}: not installed, or not executable\n"),
            1,
            &[scutil(), tool("501")],
        )
    }),
    ("users who need another remedy are referred to the other script", |shell| {
        for remedy in [SELF_SERVICE, IN_MACOS] {
            let place = Place::gather()?;
            place.remedy(remedy)?;
            place.run(shell, GATHER.parameters)?.gives(
                &format!("nothing done: user 501 needs another remedy ({remedy}); use prompt-registration.sh\n"),
                0,
                &[scutil(), tool("501")],
            )?;
        }
        let place = Place::gather()?;
        place.remedy(WITH_PROFILE)?;
        place.run(shell, GATHER.parameters)?.gives(LACKS_PROFILE, 1, &[scutil(), tool("501")])
    }),
    ("a name with spaces, a large UID and other users' sessions change nothing", |shell| {
        let place = Place::gather()?;
        place.user("Adele  Vance : UID : 7", "-2147483648")?;
        place.run(shell, GATHER.parameters)?.gives(
            &GATHERED.replace("501", "2147483648"),
            0,
            &complete("2147483648", CONDITIONAL_ACCESS),
        )
    }),
    ("the log line says what the user needs afterwards", |shell| {
        let done = "gatherAADInfo ran as user 501, and the inventory was updated";
        let still = format!("failed: {done}, but the user still needs gatherAADInfo\n");
        let other = format!("{done}; the user now needs another remedy: {IN_MACOS}\n");
        let tenant = format!("{done}; user 501 is registered with an unexpected tenant\n");
        let unknown = format!("{done}; cannot determine what user 501 needs: the reason\n");
        for (next, stdout, status) in [
            (format!("echo '<result>{GATHER_AAD_INFO}</result>'"), still, 1),
            (format!("echo '<result>{IN_MACOS}</result>'"), other, 0),
            (format!("echo '<result>{CHECK_TENANT}</result>'"), tenant, 0),
            ("echo 'the reason' >&2; echo '<result></result>'; exit 1".to_owned(), unknown, 0),
        ] {
            let place = Place::gather()?;
            place.body("wpj-state.next", &next)?;
            place.run(shell, GATHER.parameters)?.gives(&stdout, status, &complete("501", CONDITIONAL_ACCESS))?;
        }
        Ok(())
    }),
    ("a process left behind by a user's program cannot write into the tool's later output", |shell| {
        let place = Place::gather()?;
        place.body("wpj-state.next", &format!("echo '<result>{IN_MACOS}</result>'"))?;
        let forge = "echo '<result>None</result>'; echo 'forged' >&2; sleep 0.02";
        place.body(
            "Jamf Conditional Access",
            &format!(
                "cp 'ROOT/bodies/wpj-state.next' 'ROOT/bodies/wpj-state'\n\
                 while :; do {forge}; done & echo $! >>'ROOT/running'"
            ),
        )?;
        place.run(shell, GATHER.parameters)?.gives(
            "gatherAADInfo ran as user 501, and the inventory was updated; \
             the user now needs another remedy: Register or repair in macOS\n",
            0,
            &complete("501", CONDITIONAL_ACCESS),
        )?;
        place.end_what_runs()
    }),
    ("only the start of a long output is kept", |shell| {
        let place = Place::gather()?;
        let much = "head -c 3000000 /dev/zero";
        place.body(
            "Jamf Conditional Access",
            &format!("cp 'ROOT/bodies/wpj-state.next' 'ROOT/bodies/wpj-state'; {much}; {much} >&2; echo done"),
        )?;
        place.body("jamf", "find 'ROOT/tmp' -type f -size +128 >'ROOT/large'")?;
        place.run(shell, GATHER.parameters)?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))?;
        equal(fs::read_to_string(place.path("large"))?.as_str(), "")
    }),
    ("gatherAADInfo fails", |shell| {
        let place = Place::gather()?;
        place.body("Jamf Conditional Access", "printf 'no token\\r\\nlast\\n'; exit 70")?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo as user 501 failed: exit status 70: no token\n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, false),
        )
    }),
    ("if sudo refuses root, its first line says why", |shell| {
        let place = Place::gather()?;
        place.sudo_refuses()?;
        let mut notes = gathered("501", CONDITIONAL_ACCESS, false).concat();
        notes.truncate(notes.rfind("Jamf Conditional Access\n").unwrap_or_default());
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo as user 501 failed: \
             exit status 1: sudo: PAM account management error: permission denied\n",
            1,
            &[notes],
        )
    }),
    ("if gatherAADInfo hangs, it and its processes are stopped", |shell| {
        for sudo in ["shift 3; \"$@\"; exit $?", "trap '' TERM; shift 3; \"$@\"; exit $?"] {
            let place = Place::gather()?;
            place.hangs("Jamf Conditional Access")?;
            place.body("sudo", sudo)?;
            place.run(shell, &["/", "", "", "5"])?.gives(
                "failed: gatherAADInfo as user 501 did not finish and was stopped after 5 s: waiting\n",
                1,
                &gathered("501", CONDITIONAL_ACCESS, false),
            )?;
            place.nothing_runs()?;
        }
        Ok(())
    }),
    ("others can write to Jamf's tool or a folder above it, or one of them is a link", |shell| {
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
    ("jamf is missing, or others can write to it or a folder above it, or one of them is a link", |shell| {
        let unsafe_path = "must be owned by root, not writable by group or others, and not a link";
        for (arrange, path, why) in [
            (Place::open_to_others as fn(&Place, &str) -> _, "usr/local/jamf/bin", unsafe_path),
            (Place::becomes_a_link, "usr/local/jamf", unsafe_path),
            (Place::becomes_a_link, JAMF, unsafe_path),
            (|place, path| Ok(fs::remove_file(place.path(path))?), JAMF, "not installed, or not executable"),
        ] {
            let place = Place::gather()?;
            arrange(&place, path)?;
            place.run(shell, GATHER.parameters)?.gives(
                &format!(
                    "failed: gatherAADInfo ran as user 501, but the inventory was not updated: ROOT/{path}: {why}\n"
                ),
                1,
                &gathered("501", CONDITIONAL_ACCESS, false),
            )?;
        }
        Ok(())
    }),
    ("jamf recon fails", |shell| {
        let place = Place::gather()?;
        place.body("jamf", "echo 'There was an error.' >&2; exit 1")?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo ran as user 501, but jamf recon failed: exit status 1: There was an error.\n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, true),
        )
    }),
    ("jamf recon hangs", |shell| {
        let place = Place::gather()?;
        place.hangs("jamf")?;
        place.setting("inventory='1800'", "inventory='5'")?;
        place.run(shell, GATHER.parameters)?.gives(
            "failed: gatherAADInfo ran as user 501, but jamf recon did not finish and was stopped after 5 s: waiting\n",
            1,
            &gathered("501", CONDITIONAL_ACCESS, true),
        )?;
        place.nothing_runs()
    }),
    ("the time limit must be valid", |shell| {
        for limit in ["0", "x", "3601", "-5", "1 ", "010"] {
            let place = Place::gather()?;
            let stdout = "refused: parameter 4, the seconds that gatherAADInfo may take, must be 1 to 3600\n";
            place.run(shell, &["/", "", "", limit])?.gives(stdout, 2, &[])?;
        }
        let place = Place::gather()?;
        place.run(shell, &["/", "", "", ""])?.gives(GATHERED, 0, &complete("501", CONDITIONAL_ACCESS))
    }),
];

/// The dialog's arguments if only the policy's ID is given.
const DEFAULT: [&str; 5] = ["300", TITLE, TEXT, "Open Self Service", "Later (3 left)"];

fn note(program: &str, arguments: &[&str]) -> String {
    let arguments: String = arguments.iter().map(|argument| format!("  <{argument}>\n")).collect();
    format!("{program}\n{arguments}")
}

fn scutil() -> String {
    "scutil\n  show State:/Users/ConsoleUser\n".to_owned()
}

fn tool(uid: &str) -> String {
    note("wpj-state", &["--user", uid, "--attribute", "remedy"])
}

fn plutil(key: &str) -> String {
    let file = "ROOT/Library/Preferences/com.jamfsoftware.jamf.plist";
    note("plutil", &["-extract", key, "raw", "-o", "-", file])
}

/// The same for the version of macOS.
fn version() -> String {
    let file = "ROOT/System/Library/CoreServices/SystemVersion.plist";
    note("plutil", &["-extract", "ProductVersion", "raw", "-o", "-", file])
}

fn as_user(uid: &str, path: &str, arguments: &[&str]) -> String {
    let program = format!("ROOT/{path}");
    let user = format!("#{uid}");
    let words = [&["-n", "-u", &user, &program][..], arguments].concat();
    let name = path.rsplit('/').next().unwrap_or_default();
    let launchctl = [&["asuser", uid, "ROOT/usr/bin/sudo"][..], &words].concat();
    note("launchctl", &launchctl) + &note("sudo", &words) + &note(name, arguments)
}

/// The programs that run to ask a user who has to register in Self Service.
fn asked(uid: &str, words: &[&str]) -> Vec<String> {
    let dialog = as_user(uid, OSASCRIPT, &[&["-e", "DIALOG"], words].concat());
    vec![scutil(), tool(uid), plutil("self_service_plus_path"), scutil(), dialog]
}

/// The programs that run to ask a user who has to register in System Settings.
fn asked_in_macos(uid: &str) -> Vec<String> {
    let words = ["-e", "DIALOG", "300", TITLE, MACOS_TEXT, "Open System Settings", "Later (3 left)"];
    vec![scutil(), tool(uid), version(), scutil(), as_user(uid, OSASCRIPT, &words)]
}

/// The programs that run to open Self Service+, and then the policy in it.
fn opened(uid: &str, policy: &str) -> Vec<String> {
    let app = as_user(uid, OPEN, &[&format!("ROOT/{PLUS}")]);
    vec![scutil(), app, as_user(uid, OPEN, &[&format!("selfservicecapability://content?entity=policy&id={policy}")])]
}

fn opened_in_macos(uid: &str) -> Vec<String> {
    vec![scutil(), as_user(uid, OPEN, &["x-apple.systempreferences:com.apple.Users-Groups-Settings.extension"])]
}

fn gathered(uid: &str, program: &str, with_inventory: bool) -> Vec<String> {
    let mut notes = vec![scutil(), tool(uid), scutil(), as_user(uid, program, &["gatherAADInfo"])];
    notes.extend(with_inventory.then(|| note("jamf", &["recon"])));
    notes
}

/// The same, followed by a check of the result.
fn complete(uid: &str, program: &str) -> Vec<String> {
    [gathered(uid, program, true), vec![tool(uid)]].concat()
}

/// The console's record as `scutil` prints it. Another user's session runs in the background.
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

/// The result of a run: the script's output, and how it called the programs.
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

/// A folder that represents a Mac's root, with stand-ins for the programs, and the script with settings for it.
struct Place {
    all: TempDir,
    script: Script,
}

impl Place {
    fn new(script: Script) -> Result<Self, Failed> {
        let place = Self { all: tempfile::Builder::new().prefix("a root").tempdir()?, script };
        let root = place.root();
        for folder in ["tmp", "bodies", "preferences", "Library/Application Support", PLUS] {
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
        // Another process copies it: a program cannot be started while it is open for writing, even in a child that
        // another test has just forked.
        fs::write(place.path("draft"), stand_in.replace("ROOT", &root))?;
        let (draft, program) = (place.path("draft"), place.path("stand-in"));
        equal(&Command::new("cp").args([&draft, &program]).status()?.success(), &true)?;
        place.mode("stand-in", 0o755)?;
        for program in PROGRAMS {
            place.stand_in(program)?;
        }
        place.body("scutil", "cat 'ROOT/console'")?;
        place.body("plutil", "cat \"ROOT/preferences/$2\"")?;
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
        place.setting("owner='root'", &format!("owner='{}'", user_name()?))?;
        if script.name == PROMPT.name {
            place.setting("start='3'", "start='0'")?;
        }
        Ok(place)
    }

    fn prompt(remedy: &str) -> Result<Self, Failed> {
        let place = Self::new(PROMPT)?;
        place.remedy(remedy)?;
        Ok(place)
    }

    fn gather() -> Result<Self, Failed> {
        let place = Self::new(GATHER)?;
        place.remedy(GATHER_AAD_INFO)?;
        place.body("wpj-state.next", &format!("echo '<result>{NOTHING}</result>'"))?;
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

    /// Moves a file or folder elsewhere, and leaves a link to it.
    fn becomes_a_link(&self, path: &str) -> Outcome {
        fs::rename(self.path(path), self.path("elsewhere"))?;
        Ok(symlink(self.path("elsewhere"), self.path(path))?)
    }

    /// Creates a folder and those above it. Their permissions do not depend on the umask.
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
        self.make(program.parent().ok_or("it has no folder")?)?;
        Ok(fs::hard_link(self.path("stand-in"), program)?)
    }

    /// Sets what a stand-in does after it has recorded the call.
    fn body(&self, program: &str, body: &str) -> Outcome {
        Ok(fs::write(self.path("bodies").join(program), body.replace("ROOT", &self.root()) + "\n")?)
    }

    /// Sets the remedy that the tool reports.
    fn remedy(&self, remedy: &str) -> Outcome {
        self.body("wpj-state", &format!("echo '<result>{remedy}</result>'; . 'ROOT/bodies/wpj-state.after'"))
    }

    fn answer(&self, words: &str) -> Outcome {
        self.body("osascript", &format!("echo '{words}'"))
    }

    /// Makes a program print something and then hang, together with a child; both record their process IDs. The time
    /// limit becomes shorter, but long enough for a busy machine to start the other programs.
    fn hangs(&self, program: &str) -> Outcome {
        self.setting("patience='30'", "patience='5'")?;
        let runs_on = "sleep 1000 & echo $! >>'ROOT/running'; echo $$ >>'ROOT/running'; wait";
        self.body(program, &format!("echo 'waiting' >&2; echo 'an answer'; {runs_on}"))
    }

    /// Makes sudo fail, as it does if the password policy does not allow root's account to use it.
    fn sudo_refuses(&self) -> Outcome {
        let words = "sudo: PAM account management error: permission denied\nsudo: a password is required";
        self.body("sudo", &format!("echo '{words}' >&2; exit 1"))
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

    fn count_starts_again(&self, shell: Shell) -> Outcome {
        self.answer("later")?;
        self.run(shell, PROMPT.parameters)?.gives(
            "ROOT/Library/Application Support/wpj-state/deferrals-501: not a valid count; it starts again at 0\n\
             user 501 was asked (Register in Self Service), and chose Later; deferrals left: 2\n",
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
            // A process that has ended may still be a zombie.
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

fn user_name() -> Result<String, Failed> {
    Ok(User::from_uid(Uid::effective())?.ok_or("the current user has no account")?.name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
