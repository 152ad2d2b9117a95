//! Runs the tool as its users do, and checks the whole standard output, standard error and exit status.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use nix::unistd::{Uid, mkfifo};
use tempfile::TempDir;

use crate::home::errors;

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";
const REGISTERED: &str = "fixtures/registered/home";

/// A user who owns no files.
const NOBODY: u32 = 65534;

fn tool(arguments: &[&str]) -> Output {
    Command::new(cargo_bin("wpj-state")).args(arguments).output().unwrap()
}

fn assert_output(output: &Output, stdout: &str, stderr: &str, status: i32) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(errors(&output.stderr), errors(stderr.as_bytes()));
    assert_eq!(output.status.code(), Some(status));
}

/// A copy of the registered home, which a test may change.
struct Home {
    _all: TempDir,
    home: PathBuf,
    tool: PathBuf,
}

impl Home {
    fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        let home = all.path().join("home");
        for file in [KEYCHAIN, PLIST] {
            let copy = home.join(file);
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::copy(Path::new(REGISTERED).join(file), copy).unwrap();
        }
        // A copy of the tool, which NOBODY may run, too. `cp` writes it: a program that is open for writing cannot be
        // started, and a child that another test forks would keep it open.
        let tool = all.path().join("wpj-state");
        assert!(Command::new("cp").arg(cargo_bin("wpj-state")).arg(&tool).status().unwrap().success());
        fs::set_permissions(all.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { _all: all, home, tool }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.join(file)
    }

    /// Runs the tool as a user without special rights.
    fn run(&self) -> Output {
        let mut command = Command::new(&self.tool);
        if Uid::effective().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.arg("--home").arg(&self.home).output().unwrap()
    }

    fn assert_undetermined(&self, file: &str, reason: &str) {
        let stderr = format!("wpj-state: {}: {reason}\n", self.path(file).display());
        assert_output(&self.run(), "<result></result>\n", &stderr, 1);
    }
}

#[test]
#[cfg(not(target_os = "macos"))]
fn without_a_home_the_tool_says_which_option_is_needed() {
    let stderr = "wpj-state: no user given; use --home DIR or --user NAME (only on a Mac is the console user the default)\n\n\
        Usage: wpj-state [OPTIONS]\n\nFor more information, try '--help'.\n";
    for arguments in [&[][..], &["--json"], &["--keychain", "x"], &["--plist", "x"]] {
        assert_output(&tool(arguments), "", stderr, 2);
    }
}

#[test]
fn a_keychain_and_a_plist_are_enough_of_a_subject() {
    let [keychain, plist] =
        ["Library/Keychains/login.keychain-db", "Library/Preferences/com.jamf.management.jamfAAD.plist"]
            .map(|file| format!("{REGISTERED}/{file}"));
    let output = tool(&["--keychain", &keychain, "--plist", &plist]);
    assert_output(&output, "<result>Registered</result>\n", "", 0);
    let report = tool(&["--keychain", &keychain, "--plist", &plist, "--explain"]);
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.starts_with("Registered\nUser: from --keychain and --plist\n\n"), "{report}");
}

#[test]
fn a_home_and_a_user_together_are_wrong_usage() {
    let stderr = "wpj-state: the argument '--home <DIR>' cannot be used with '--user <NAME>'\n\n\
        Usage: wpj-state --home <DIR>\n\nFor more information, try '--help'.\n";
    assert_output(&tool(&["--home", REGISTERED, "--user", "root"]), "", stderr, 2);
}

#[test]
fn a_user_without_an_account_is_an_error() {
    let stderr = "wpj-state: no account \"nobody\\n-of-this-name\" was found, or the directory server does not \
        answer; check the name, and the connection to the directory server\n";
    assert_output(&tool(&["--user", "nobody\n-of-this-name"]), "<result></result>\n", stderr, 1);
}

#[test]
fn the_second_reader_reads_only_private_copies() {
    let keychain = format!("{REGISTERED}/Library/Keychains/login.keychain-db");
    let stderr = format!("wpj-state: {keychain}: this is not a copy made by wpj-state\n");
    assert_output(&tool(&["--read-copy", &keychain]), "", &stderr, 1);
}

#[test]
fn the_home_of_an_account_is_read() {
    let account = nix::unistd::User::from_uid(Uid::effective()).unwrap().unwrap();
    for user in [account.name.clone(), account.uid.to_string()] {
        let output = tool(&[
            "--json",
            "--user",
            &user,
            "--keychain",
            "fixtures/no-such-file",
            "--plist",
            "fixtures/registered/home/Library/Preferences/com.jamf.management.jamfAAD.plist",
        ]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = serde_json::json!({
            "name": account.name,
            "uid": account.uid.as_raw(),
            "home": account.dir,
            "source": "user-option",
            "linked_to": null,
        });
        assert_eq!(json["user"], expected);
        assert_eq!(json["undetermined"], "fixtures/no-such-file: this file does not exist; give an existing file");
    }
}

#[test]
fn a_deadline_must_be_between_one_second_and_one_hour() {
    for seconds in ["0", "3601", "-1", "soon"] {
        let output = tool(&["--home", REGISTERED, &format!("--deadline={seconds}")]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(output.status.code(), Some(2), "{seconds}");
    }
    assert_output(&tool(&["--home", REGISTERED, "--deadline", "3600"]), "<result>Registered</result>\n", "", 0);
}

#[test]
#[cfg(not(target_os = "macos"))]
fn there_is_no_second_opinion_on_other_systems() {
    let output = tool(&["--home", REGISTERED, "--second-opinion", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["state"], "Registered");
    let expected = serde_json::json!([{
        "code": "second-opinion-missing",
        "severity": "warning",
        "message": "No second opinion: macOS's keychain reader exists only on a Mac.",
        "remedy": "Run this on a Mac with room on its disk, and with more time (--deadline), because macOS's own reader must read a copy of the keychain.",
    }]);
    assert_eq!(json["findings"], expected);
}

#[test]
fn renamed_keychains_are_not_read_if_an_option_names_the_keychain() {
    let keychain = "fixtures/login-keychain-reset/home/Library/Keychains/login.keychain-db";
    let output = tool(&["--home", "fixtures/login-keychain-reset/home", "--keychain", keychain, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["state"], &json["findings"]), (&"Not Registered".into(), &serde_json::json!([])));
}

#[test]
fn left_overs_beside_a_key_in_the_secure_enclave_are_not_findings() {
    let state = "fixtures/platform-sso-registered/app-sso.txt";
    for fixture in ["login-keychain-reset", "certificate-without-private-key"] {
        let home = format!("fixtures/{fixture}/home");
        let output = tool(&["--json", "--home", &home, "--app-sso-state", state]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&json["state"], &json["findings"]), (&"Registered".into(), &serde_json::json!([])), "{fixture}");
    }
}

#[test]
fn no_finding_sends_a_user_of_platform_sso_to_self_service() {
    let state = "fixtures/platform-sso-needs-registration/app-sso.txt";
    let output = tool(&["--json", "--home", "fixtures/login-keychain-reset/home", "--app-sso-state", state]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\"code\": \"login-keychain-reset\"") && !text.contains("Self Service"), "{text}");
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    let stderr = "wpj-state: unexpected argument '--homes' found\n\n  tip: a similar argument exists: '--home'\n\n\
        Usage: wpj-state --home <DIR>\n\nFor more information, try '--help'.\n";
    assert_output(&tool(&["--homes", "x"]), "", stderr, 2);
}

/// Tests are built with more features of clap, because their libraries need them, so the tool's own are checked here.
#[test]
fn the_tool_is_built_with_suggestions_and_exact_errors() {
    let arguments = ["tree", "--locked", "--offline", "--edges", "no-dev", "--invert", "clap", "--format", "{p} {f}"];
    let output = Command::new(env!("CARGO")).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let features = text.lines().next().unwrap().rsplit(' ').next().unwrap();
    assert_eq!(features, "derive,error-context,help,std,suggestions,usage");
}

#[test]
fn a_long_reason_is_broken_at_200_columns() {
    let home = "no-such-home".repeat(11);
    let stderr = format!(
        "wpj-state: {home}: this home directory does not exist; give an existing\n  home directory with --home\n"
    );
    let output = tool(&["--home", &home]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), stderr);
}

#[test]
fn values_that_cannot_be_used_are_refused_with_what_to_write() {
    let home = ["--home", REGISTERED];
    let end = "\n\nFor more information, try '--help'.\n";
    let seconds = "give a whole number of seconds, 1 to 3600";
    for (arguments, message) in [
        (["--deadline", "abc"], format!("invalid value 'abc' for '--deadline <SECONDS>': {seconds}{end}")),
        (["--deadline", "0"], format!("invalid value '0' for '--deadline <SECONDS>': {seconds}{end}")),
        (
            ["--second-opinion", "never"],
            format!(
                "unexpected argument 'never' found; write --second-opinion=never\n\nUsage: wpj-state [OPTIONS]{end}"
            ),
        ),
    ] {
        let output = tool(&[&home[..], &arguments].concat());
        assert_output(&output, "", &format!("wpj-state: {message}"), 2);
    }
    let message = format!("invalid value '91' for '--remember-key <DAYS>': give a whole number of days, 1 to 90{end}");
    assert_output(&tool(&["--remember-key", "91"]), "", &format!("wpj-state: {message}"), 2);
}

#[test]
fn the_version_is_the_one_of_the_package() {
    assert_output(&tool(&["--version"]), concat!("wpj-state ", env!("CARGO_PKG_VERSION"), "\n"), "", 0);
}

#[test]
fn the_help_fits_on_one_screen_and_lists_every_option_and_exit_status() {
    let help = include_str!("help.txt");
    for option in ["--help", "-h"] {
        assert_output(&tool(&[option]), help, "", 0);
    }
    assert!(help.lines().all(|line| line.len() <= 80));
    assert!(help.lines().count() <= 42);
}

#[test]
fn the_attributes_are_listed_with_types_and_meanings() {
    let list = "\
state                String  how far the registration has got
user                 String  short name of the user reported on
device-id            String  the device ID in Microsoft Entra; empty if none
tenant-id            String  the tenant ID in Microsoft Entra; empty if none
user-principal-name  String  the name that the user registered with; empty if none
key-storage          String  Login Keychain, Secure Enclave, or None
certificate-expires  Date    when the WPJ certificate expires (UTC); empty if none
sign-in-method       String  how the user of Platform SSO signs in; empty if none
last-token           Date    when JamfAAD last obtained a token (UTC)
finding              String  the most severe error or warning, else OK or the state
remedy               String  what to do for this user, or None
users                String  the state of each local user, a line each
";
    assert_output(&tool(&["--list-attributes"]), list, "", 0);
}

#[test]
fn the_manual_page_is_the_packaged_one() {
    assert_output(&tool(&["--man"]), &fs::read_to_string("packaging/wpj-state.1").unwrap(), "", 0);
}

#[test]
fn contradictory_options_are_refused_with_a_message_that_names_them() {
    let cases = [
        ("--json --explain", "the argument '--json' cannot be used with '--explain'"),
        ("--json --attribute state", "the argument '--json' cannot be used with '--attribute <NAME>'"),
        ("--explain --attribute state", "the argument '--explain' cannot be used with '--attribute <NAME>'"),
        ("--all-users --user x", "the argument '--all-users' cannot be used with '--user <NAME>'"),
        ("--all-users --home x --plist x", "the argument '--all-users' cannot be used with '--plist <FILE>'"),
        (
            "--list-attributes --home x",
            "the argument '--list-attributes' cannot be used with one or more of the other specified arguments",
        ),
        (
            "--list-attributes --json",
            "the argument '--list-attributes' cannot be used with one or more of the other specified arguments",
        ),
        ("--man --deadline 3", "the argument '--man' cannot be used with one or more of the other specified arguments"),
        (
            "--man --list-attributes",
            "the argument '--man' cannot be used with one or more of the other specified arguments",
        ),
        (
            "--all-users --attribute state --home x",
            "'--all-users' cannot be used with '--attribute state', which works for one user only; \
             use '--attribute users'",
        ),
        (
            "--home x --home y --attribute device-id",
            "several '--home' cannot be used with '--attribute device-id', which works for one user only; \
             use '--attribute users'",
        ),
        (
            "--home x --home y --keychain x",
            "several '--home' cannot be used with '--keychain', which works for one user only",
        ),
        (
            "--attribute users --user x",
            "'--attribute users' cannot be used with '--user', which works for one user only",
        ),
        (
            "--attribute users --home x --psso-status x",
            "'--attribute users' cannot be used with '--psso-status', which works for one user only",
        ),
    ];
    for (arguments, sentence) in cases {
        let output = tool(&arguments.split(' ').collect::<Vec<_>>());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.lines().next().unwrap(), format!("wpj-state: {sentence}"), "{arguments}");
        assert_eq!((output.stdout, output.status.code()), (Vec::new(), Some(2)), "{arguments}");
    }
}

#[test]
#[cfg(not(target_os = "macos"))]
fn all_users_can_be_found_only_on_a_mac() {
    let stderr = "wpj-state: no users given; use --home DIR for each home (all users can be found only on a Mac)\n\n\
        Usage: wpj-state [OPTIONS]\n\nFor more information, try '--help'.\n";
    for arguments in [&["--all-users"][..], &["--attribute", "users"], &["--all-users", "--json"]] {
        assert_output(&tool(arguments), "", stderr, 2);
    }
}

#[test]
fn an_unknown_value_is_blank_and_the_reason_is_reported() {
    for (attribute, words) in [
        ("user", "with --home or --keychain, the user's name is not known"),
        ("sign-in-method", "the sign-in method was not checked; give the output of app-sso with --app-sso-state"),
    ] {
        let registered = ["--home", "fixtures/registered/home", "--attribute", attribute];
        assert_output(&tool(&registered), "<result></result>\n", &format!("wpj-state: {words}\n"), 1);
    }
    let stderr = "wpj-state: no-such-home: this home directory does not exist; give an existing home directory with \
        --home\n";
    for attribute in ["user", "finding", "last-token"] {
        let output = tool(&["--home", "no-such-home", "--attribute", attribute]);
        assert_output(&output, "<result></result>\n", stderr, 1);
    }
}

#[test]
fn values_that_need_a_registration_are_empty_without_one_and_not_an_error() {
    for attribute in ["device-id", "tenant-id", "user-principal-name", "certificate-expires"] {
        let output = tool(&["--home", "fixtures/not-registered/home", "--attribute", attribute]);
        assert_output(&output, "<result></result>\n", "", 0);
    }
}

#[test]
fn a_value_that_a_spreadsheet_would_evaluate_as_a_formula_is_blank() {
    let home = Home::new();
    let status = home.path("psso-status");
    let output = |name: &str| {
        let pairs = "AnyHashable(\"primary_registration_metadata_device_id\"): 0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";
        let name = format!("AnyHashable(\"primary_registration_metadata_upn\"): {name}");
        fs::write(&status, format!("2\nextraDeviceInformation [{pairs}, {name}]\n")).unwrap();
        tool(&[
            "--home",
            "fixtures/not-registered-plist-says-acquired/home",
            "--psso-status",
            status.to_str().unwrap(),
            "--attribute",
            "user-principal-name",
        ])
    };
    let guest = "adele_contoso.com#EXT#@fabrikam.onmicrosoft.com";
    assert_output(&output(guest), &format!("<result>{guest}</result>\n"), "", 0);
    let has_characters = "the user-principal-name has characters that an extension attribute cannot have";
    let is_not_one = "this is not a user principal name";
    for (name, reason) in [
        ("-adele@contoso.com", has_characters),
        ("+adele@contoso.com", has_characters),
        ("adele+x@contoso.com", is_not_one),
        ("adele@x@contoso.com", is_not_one),
    ] {
        let stderr = format!("wpj-state: {reason}; run with --explain to see it\n");
        assert_output(&output(name), "<result></result>\n", &stderr, 1);
    }
}

#[test]
fn a_tenant_must_be_a_guid_and_no_key_is_remembered_for_a_given_home() {
    let output = tool(&["--home", "fixtures/registered/home", "--tenant", "contoso.com"]);
    assert_eq!(output.status.code(), Some(2));
    let words = "give a tenant ID, which is a GUID such as 7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f";
    assert!(String::from_utf8(output.stderr).unwrap().contains(words));
    for days in ["0", "91", "x"] {
        let output = tool(&["--user", "root", "--remember-key", days]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{days}");
    }
    let output = tool(&["--home", "fixtures/registered/home", "--remember-key", "30"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}

#[test]
fn a_registration_with_another_tenant_than_the_one_given_does_not_count() {
    let of = |tenants: &[&str]| {
        let tenants = tenants.iter().flat_map(|tenant| ["--tenant", tenant]);
        tool(&["--home", "fixtures/registered/home"].into_iter().chain(tenants).collect::<Vec<_>>())
    };
    let (ours, other) = ("7E0C6B1D-2F4A-4C58-9D3E-1A2B3C4D5E6F", "11111111-1111-1111-1111-111111111111");
    assert_output(&of(&[ours]), "<result>Registered</result>\n", "", 0);
    assert_output(&of(&[other, ours]), "<result>Registered</result>\n", "", 0);
    assert_output(&of(&[other]), "<result>Not Registered</result>\n", "", 0);
}

#[test]
fn a_value_that_jamf_might_refuse_is_blank() {
    let home = Home::new();
    let status = home.path("psso-status");
    let name = "a&b@contoso.com";
    let ids = "AnyHashable(\"primary_registration_metadata_device_id\"): 0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";
    let upn = format!("AnyHashable(\"primary_registration_metadata_upn\"): {name}");
    fs::write(&status, format!("2\nextraDeviceInformation [{ids}, {upn}]\n")).unwrap();
    fs::remove_file(home.path(KEYCHAIN)).unwrap();
    let (folder, status) = (home.home.to_str().unwrap(), status.to_str().unwrap());
    let arguments = ["--home", folder, "--psso-status", status, "--attribute", "user-principal-name"];
    let stderr = "wpj-state: the user-principal-name has characters that an extension attribute cannot have; run with --explain to see it\n";
    assert_output(&tool(&arguments), "<result></result>\n", stderr, 1);
    let report = tool(&[&arguments[..4], &["--explain"]].concat());
    assert!(String::from_utf8(report.stdout).unwrap().contains(name));
}

#[test]
fn a_report_is_in_ascii_unless_the_locale_is_utf_8() {
    let report = |home: &str, locale: &[(&str, &str)]| {
        let mut command = Command::new(cargo_bin("wpj-state"));
        command.env_remove("LC_ALL").env_remove("LC_CTYPE").env_remove("LANG").envs(locale.iter().copied());
        String::from_utf8(command.args(["--explain", "--home", home]).output().unwrap().stdout).unwrap()
    };
    let nowhere = "fixtures/no-such-h\u{f6}me";
    for locale in [&[][..], &[("LC_ALL", "C")], &[("LANG", "de_DE.ISO8859-1")], &[("LC_CTYPE", "POSIX")]] {
        assert!(report(nowhere, locale).contains("\nUser: fixtures/no-such-h\\u{f6}me: "), "{locale:?}");
        let report = report(REGISTERED, locale);
        assert!(report.is_ascii() && report.contains("\n .  Device ID"), "{report}");
    }
    for locale in [&[("LC_ALL", "C.UTF-8")][..], &[("LANG", "de_DE.utf8")], &[("LC_CTYPE", "UTF-8")]] {
        assert!(report(nowhere, locale).contains("\nUser: fixtures/no-such-h\u{f6}me: "), "{locale:?}");
        assert!(report(REGISTERED, locale).contains("\n \u{b7}  Device ID"), "{locale:?}");
    }
}

#[test]
fn control_characters_in_a_name_do_not_reach_the_terminal() {
    let name = "fixtures/no\u{1b}]0;title\u{7}\n[+] such\u{202e} home";
    for arguments in [&["--explain"][..], &[], &["--explain", "--all-users"]] {
        let mut command = Command::new(cargo_bin("wpj-state"));
        let output = command.env("LC_ALL", "C.UTF-8").args(["--home", name]).args(arguments).output().unwrap();
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8(text).unwrap();
            let is_odd = |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
            assert!(!text.contains(is_odd), "{text:?}");
            assert!(text.lines().all(|line| !line.starts_with("[+] such")), "{text:?}");
        }
    }
}

#[test]
fn a_report_is_coloured_only_on_a_terminal_and_not_with_no_color() {
    let on_terminal = |environment: &[(&str, &str)]| {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let mut command = Command::new(cargo_bin("wpj-state"));
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
        command.args(["--explain", "--home", REGISTERED]).stdout(terminal.slave);
        let mut child = command.spawn().unwrap();
        // Reads until the other end is closed.
        drop(command);
        let mut text = Vec::new();
        let mut reader = File::from(terminal.master);
        let mut buffer = [0; 4096];
        // On Linux, reading at the end of a terminal gives an error.
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            text.extend(&buffer[..length]);
        }
        assert!(child.wait().unwrap().success());
        String::from_utf8(text).unwrap().replace("\r\n", "\n")
    };
    let coloured = on_terminal(&[]);
    assert!(coloured.starts_with("\u{1b}[1m\u{1b}[32mRegistered\u{1b}[0m\n"), "{coloured:?}");
    assert!(!on_terminal(&[("NO_COLOR", "1")]).contains('\u{1b}'));
    assert!(!on_terminal(&[("TERM", "dumb")]).contains('\u{1b}'));
    // An empty variable does not count.
    assert!(on_terminal(&[("NO_COLOR", "")]).contains('\u{1b}'));
    assert!(!tool(&["--explain", "--home", REGISTERED]).stdout.contains(&0x1b));
}

#[test]
fn options_replace_the_keychain_and_the_plist_of_the_home() {
    let other = ["--keychain", "fixtures/not-registered/home/Library/Keychains/login.keychain-db"];
    assert_output(&tool(&["--home", REGISTERED, other[0], other[1]]), "<result>Not Registered</result>\n", "", 0);
    let plist = "fixtures/aad-id-not-acquired/home/Library/Preferences/com.jamf.management.jamfAAD.plist";
    let stdout = "<result>WPJ Key present, AAD ID not acquired</result>\n";
    assert_output(&tool(&["--home", REGISTERED, "--plist", plist]), stdout, "", 0);
}

#[test]
fn a_file_that_an_option_names_must_exist() {
    for option in ["--keychain", "--plist"] {
        let stderr = "wpj-state: no-such-file: this file does not exist; give an existing file\n";
        assert_output(&tool(&["--home", REGISTERED, option, "no-such-file"]), "<result></result>\n", stderr, 1);
    }
    // Even if the key is elsewhere.
    let shown = ["--app-sso-state", "fixtures/platform-sso-registered/app-sso.txt"];
    let output = tool(&[&["--home", REGISTERED, "--keychain", "no-such-file"][..], &shown].concat());
    let stderr = "wpj-state: no-such-file: this file does not exist; give an existing file\n";
    assert_output(&output, "<result></result>\n", stderr, 1);
}

/// A terminal must not act on text from the Mac in any output.
#[test]
fn control_and_format_characters_are_escaped_in_json() {
    let home = "no-such-\u{9b}2J\u{202e}\u{7f}\u{e0001}-h\u{f6}me";
    let stdout = String::from_utf8(tool(&["--json", "--home", home]).stdout).unwrap();
    let written = r#""home": "no-such-\u009b2J\u202e\u007f\udb40\udc01-höme""#;
    assert!(stdout.contains(written), "{stdout}");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["user"]["home"], home);
}

#[test]
fn suggested_commands_name_the_same_home_in_a_shell() {
    for (home, written) in [
        ("-dash", "--home=-dash"),
        ("a b", "--home 'a b'"),
        ("it's", r"--home 'it'\''s'"),
        ("a\nb'\u{fc}\\", r"--home $'a\012b\'\303\274\\'"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(home).join("Library")).unwrap();
        let mut command = Command::new(cargo_bin("wpj-state"));
        let home = format!("--home={home}");
        let output = command.current_dir(folder.path()).args(["--explain", &home]).output().unwrap();
        let report = String::from_utf8(output.stdout).unwrap();
        assert!(report.contains(written), "{report}");
    }
}

#[test]
fn a_folder_with_system_files_must_exist() {
    for root in ["no-such-folder", "fixtures/registered/home/Library/Preferences/com.jamf.management.jamfAAD.plist"] {
        let stderr = format!("wpj-state: {root}: there is no folder with this path; give an existing folder\n");
        let output = tool(&["--home", REGISTERED, "--system-root", root]);
        assert_output(&output, "<result></result>\n", &stderr, 1);
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let home = ["--home", REGISTERED];
    let with = |option| [home[0], home[1], option];
    for arguments in [&home[..], &with("--json"), &with("--explain"), &["--help"], &["--man"], &["--list-attributes"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(cargo_bin("wpj-state")).args(arguments).stdout(writer).output().unwrap();
        assert_output(&output, "", "", 0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(cargo_bin("wpj-state")).args(["--home", REGISTERED]).stdout(full).output().unwrap();
    let stderr = "wpj-state: cannot write to standard output: No space left on device (os error 28)\n";
    assert_output(&output, "", stderr, 1);
}

#[test]
fn closed_standard_streams_do_not_change_the_exit_status() {
    let run = |redirection: &str, home: &str| {
        let script = format!("exec \"$0\" --home \"$1\" {redirection}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).arg(cargo_bin("wpj-state")).arg(home).stdin(Stdio::null());
        shell.status().unwrap().code()
    };
    assert_eq!(run("<&- >&- 2>&-", REGISTERED), Some(0));
    assert_eq!(run("<&- >&- 2>&-", "fixtures/keychain-empty/home"), Some(1));
    assert_eq!(run("2>&- >/dev/null", "fixtures/home-missing/home"), Some(1));
}

#[test]
fn a_home_whose_name_is_not_utf_8_or_has_spaces_is_read() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let home = Home::new();
    // macOS's file systems accept only UTF-8.
    let name = if cfg!(target_os = "macos") { OsStr::new("über all") } else { OsStr::from_bytes(b"\xFCber all") };
    let moved = home.home.with_file_name(name);
    fs::rename(&home.home, &moved).unwrap();
    let output = Command::new(cargo_bin("wpj-state")).arg("--home").arg(&moved).output().unwrap();
    assert_output(&output, "<result>Registered</result>\n", "", 0);
}

#[test]
fn without_permission_to_read_the_keychain_the_state_is_undetermined() {
    let home = Home::new();
    fs::set_permissions(home.path(KEYCHAIN), fs::Permissions::from_mode(0o000)).unwrap();
    home.assert_undetermined(KEYCHAIN, "permission denied; run it with sudo");
}

#[test]
fn without_permission_to_enter_the_folder_the_state_is_undetermined() {
    let home = Home::new();
    let folder = home.path("Library/Keychains");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    home.assert_undetermined(KEYCHAIN, "permission denied; run it with sudo");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_permission_to_read_the_plist_the_state_is_undetermined_only_with_a_key() {
    let home = Home::new();
    fs::set_permissions(home.path(PLIST), fs::Permissions::from_mode(0o000)).unwrap();
    home.assert_undetermined(PLIST, "permission denied; run it with sudo");
    fs::copy(Path::new("fixtures/not-registered/home").join(KEYCHAIN), home.path(KEYCHAIN)).unwrap();
    assert_output(&home.run(), "<result>Not Registered</result>\n", "", 0);
}

#[test]
fn a_fifo_instead_of_a_file_is_refused_and_does_not_hang() {
    for file in [KEYCHAIN, PLIST] {
        let home = Home::new();
        fs::remove_file(home.path(file)).unwrap();
        mkfifo(&home.path(file), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        home.assert_undetermined(
            file,
            "this is a FIFO, not a regular file; replace it with the real file, or give the path of the real file",
        );
    }
}

#[test]
fn a_socket_instead_of_a_file_is_refused() {
    let home = Home::new();
    fs::remove_file(home.path(KEYCHAIN)).unwrap();
    // The keychain's path may be longer than the path of a socket may be on a Mac.
    let _listener = UnixListener::bind(home.path("socket")).unwrap();
    fs::rename(home.path("socket"), home.path(KEYCHAIN)).unwrap();
    fs::set_permissions(home.path(KEYCHAIN), fs::Permissions::from_mode(0o666)).unwrap();
    home.assert_undetermined(
        KEYCHAIN,
        "this is a socket, not a regular file; replace it with the real file, or give the path of the real file",
    );
}

#[test]
fn a_file_that_is_too_large_is_refused_without_reading_it() {
    for (file, limit) in [(KEYCHAIN, 256 * 1024 * 1024), (PLIST, 1024 * 1024)] {
        let home = Home::new();
        // A sparse file uses no space, but reading it would take long.
        File::options().write(true).open(home.path(file)).unwrap().set_len(1 << 40).unwrap();
        let reason = format!(
            "the file is too large (1099511627776 bytes; the limit is {limit}); find out what made it so large"
        );
        home.assert_undetermined(file, &reason);
    }
}
