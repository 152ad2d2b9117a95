//! The tool as its users call it: whole standard output, standard error and exit status.

use std::{
    fs::{self, File},
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use nix::unistd::{Uid, mkfifo};
use tempfile::TempDir;

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";
const REGISTERED: &str = "fixtures/registered/home";

/// Whoever owns nothing.
const NOBODY: u32 = 65534;

fn tool(arguments: &[&str]) -> Output {
    Command::new(cargo_bin("wpj-state")).args(arguments).output().unwrap()
}

fn assert_output(output: &Output, stdout: &str, stderr: &str, status: i32) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(String::from_utf8_lossy(&output.stderr), stderr);
    assert_eq!(output.status.code(), Some(status));
}

/// A copy of the registered home, which a test may spoil.
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
        // Where nobody may run it from, too. Copied by another process: a program that is open for writing, if only in
        // a child that another test has just forked, cannot be started.
        let tool = all.path().join("wpj-state");
        assert!(Command::new("cp").arg(cargo_bin("wpj-state")).arg(&tool).status().unwrap().success());
        fs::set_permissions(all.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { _all: all, home, tool }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.join(file)
    }

    /// Runs the tool without root's rights.
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
fn without_a_home_the_tool_says_what_to_give() {
    let stderr = "error: which user? Give a home directory with --home DIR, or an account with --user NAME\n\n\
        Usage: wpj-state [OPTIONS]\n\nFor more information, try '--help'.\n";
    for arguments in [&[][..], &["--json"], &["--keychain", "x", "--plist", "x"]] {
        assert_output(&tool(arguments), "", stderr, 2);
    }
}

#[test]
fn a_home_and_a_user_together_are_wrong_usage() {
    let stderr = "error: the argument '--home <DIR>' cannot be used with '--user <NAME>'\n\n\
        Usage: wpj-state --home <DIR>\n\nFor more information, try '--help'.\n";
    assert_output(&tool(&["--home", REGISTERED, "--user", "root"]), "", stderr, 2);
}

#[test]
fn a_user_without_an_account_is_no_answer() {
    let stderr = "wpj-state: there is no account \"nobody\\n-of-this-name\"; name an account of this Mac with --user \
        or a home directory with --home\n";
    assert_output(&tool(&["--user", "nobody\n-of-this-name"]), "<result></result>\n", stderr, 1);
}

#[test]
fn a_user_s_home_is_the_account_s() {
    let account = nix::unistd::User::from_uid(Uid::effective()).unwrap().unwrap();
    for user in [account.name.clone(), account.uid.to_string()] {
        let output = tool(&["--json", "--user", &user, "--keychain", "fixtures/no-such-file"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = serde_json::json!({
            "name": account.name,
            "uid": account.uid.as_raw(),
            "home": account.dir,
            "source": "user-option",
        });
        assert_eq!(json["user"], expected);
        assert_eq!(json["undetermined"], "fixtures/no-such-file: this file does not exist; give an existing file");
    }
}

#[test]
fn a_deadline_has_to_be_between_one_second_and_one_hour() {
    for seconds in ["0", "3601", "-1", "soon"] {
        let output = tool(&["--home", REGISTERED, &format!("--deadline={seconds}")]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        assert_eq!(output.status.code(), Some(2), "{seconds}");
    }
    assert_output(&tool(&["--home", REGISTERED, "--deadline", "3600"]), "<result>Registered</result>\n", "", 0);
}

#[test]
#[cfg(not(target_os = "macos"))]
fn a_second_opinion_is_missing_where_there_is_no_mac() {
    let output = tool(&["--home", REGISTERED, "--second-opinion", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["state"], "Registered");
    let expected = serde_json::json!([{
        "code": "second-opinion-missing",
        "severity": "warning",
        "message": "macOS' own keychain reader does not help: only a Mac has one.",
        "remedy": "Run it on a Mac whose disk has room; if that does not help, report it.",
    }]);
    assert_eq!(json["findings"], expected);
}

#[test]
fn renamed_keychains_are_not_looked_at_for_a_keychain_that_is_given() {
    let keychain = "fixtures/login-keychain-reset/home/Library/Keychains/login.keychain-db";
    let output = tool(&["--home", "fixtures/login-keychain-reset/home", "--keychain", keychain, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["state"], &json["findings"]), (&"Not Registered".into(), &serde_json::json!([])));
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    let stderr = "error: unexpected argument '--homes' found\n\n  tip: a similar argument exists: '--home'\n\n\
        Usage: wpj-state --home <DIR>\n\nFor more information, try '--help'.\n";
    assert_output(&tool(&["--homes", "x"]), "", stderr, 2);
}

#[test]
fn the_version_is_the_package_s() {
    assert_output(&tool(&["--version"]), concat!("wpj-state ", env!("CARGO_PKG_VERSION"), "\n"), "", 0);
}

#[test]
fn the_help_names_every_option_and_exit_status() {
    let help = "\
Tell how far a Mac's Microsoft Entra registration through Jamf got.

Prints <result>STATE</result> for a Jamf extension attribute; blank, with the reason on standard error, if the state cannot be told.

Usage: wpj-state [OPTIONS]

Options:
      --home <DIR>
          Look at this home directory

      --user <NAME>
          Look at the home of this account, given by name or number

      --keychain <FILE>
          Read this file in place of the login keychain

      --plist <FILE>
          Read this file in place of JamfAAD's plist

      --app-sso-state <FILE>
          Read this saved output of `app-sso platform -s` in place of running it

      --psso-status <FILE>
          Read this saved output of Jamf's getPSSOStatus in place of running it

      --second-opinion[=<WHEN>]
          Ask macOS' own reader about a copy of the keychain: always (as with no WHEN), if-damaged, or never
@
          [default: if-damaged]

      --deadline <SECONDS>
          Give up after this many seconds
@
          [default: 10]

      --json
          Print everything that was found, as JSON

  -h, --help
          Print help (see a summary with '-h')

  -V, --version
          Print version

Exit status: 0 a state was printed, 1 it cannot be told, 2 wrong usage.
";
    // The line above a default is not quite empty.
    assert_output(&tool(&["--help"]), &help.replace('@', "          "), "", 0);
}

#[test]
fn a_keychain_and_a_plist_that_are_given_replace_those_of_the_home() {
    let other = ["--keychain", "fixtures/not-registered/home/Library/Keychains/login.keychain-db"];
    assert_output(&tool(&["--home", REGISTERED, other[0], other[1]]), "<result>Not Registered</result>\n", "", 0);
    let plist = "fixtures/aad-id-not-acquired/home/Library/Preferences/com.jamf.management.jamfAAD.plist";
    let stdout = "<result>WPJ Key present, AAD ID not acquired</result>\n";
    assert_output(&tool(&["--home", REGISTERED, "--plist", plist]), stdout, "", 0);
}

#[test]
fn a_file_that_is_given_has_to_exist() {
    for option in ["--keychain", "--plist"] {
        let stderr = "wpj-state: no-such-file: this file does not exist; give an existing file\n";
        assert_output(&tool(&["--home", REGISTERED, option, "no-such-file"]), "<result></result>\n", stderr, 1);
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    for arguments in [&["--home", REGISTERED][..], &["--home", REGISTERED, "--json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(cargo_bin("wpj-state")).args(arguments).stdout(writer).output().unwrap();
        assert_output(&output, "", "", 0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(cargo_bin("wpj-state")).args(["--home", REGISTERED]).stdout(full).output().unwrap();
    let stderr = "wpj-state: writing the answer to standard output; run it again where there is room: \
        No space left on device (os error 28)\n";
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
fn a_home_that_is_not_named_in_utf_8_or_has_spaces_is_read() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let home = Home::new();
    // macOS' file systems take nothing but UTF-8.
    let name = if cfg!(target_os = "macos") { OsStr::new("über all") } else { OsStr::from_bytes(b"\xFCber all") };
    let moved = home.home.with_file_name(name);
    fs::rename(&home.home, &moved).unwrap();
    let output = Command::new(cargo_bin("wpj-state")).arg("--home").arg(&moved).output().unwrap();
    assert_output(&output, "<result>Registered</result>\n", "", 0);
}

#[test]
fn a_keychain_that_permissions_hide_is_undetermined() {
    let home = Home::new();
    fs::set_permissions(home.path(KEYCHAIN), fs::Permissions::from_mode(0o000)).unwrap();
    home.assert_undetermined(KEYCHAIN, "permission denied; run it with sudo");
}

#[test]
fn a_folder_that_permissions_hide_is_undetermined() {
    let home = Home::new();
    let folder = home.path("Library/Keychains");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    home.assert_undetermined(KEYCHAIN, "permission denied; run it with sudo");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_plist_that_permissions_hide_is_undetermined_only_if_there_is_a_key() {
    let home = Home::new();
    fs::set_permissions(home.path(PLIST), fs::Permissions::from_mode(0o000)).unwrap();
    home.assert_undetermined(PLIST, "permission denied; run it with sudo");
    fs::copy(Path::new("fixtures/not-registered/home").join(KEYCHAIN), home.path(KEYCHAIN)).unwrap();
    assert_output(&home.run(), "<result>Not Registered</result>\n", "", 0);
}

#[test]
fn a_fifo_in_place_of_a_file_is_refused_and_does_not_hang() {
    for file in [KEYCHAIN, PLIST] {
        let home = Home::new();
        fs::remove_file(home.path(file)).unwrap();
        mkfifo(&home.path(file), nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        home.assert_undetermined(file, "this is a FIFO, not a regular file; put the file itself in this place");
    }
}

#[test]
fn a_socket_in_place_of_a_file_is_refused() {
    let home = Home::new();
    fs::remove_file(home.path(KEYCHAIN)).unwrap();
    let _listener = UnixListener::bind(home.path(KEYCHAIN)).unwrap();
    fs::set_permissions(home.path(KEYCHAIN), fs::Permissions::from_mode(0o666)).unwrap();
    home.assert_undetermined(KEYCHAIN, "this is a socket, not a regular file; put the file itself in this place");
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    for (file, limit) in [(KEYCHAIN, 1024 * 1024 * 1024), (PLIST, 16 * 1024 * 1024)] {
        let home = Home::new();
        // Sparse: it takes no room, and reading it would take long.
        File::options().write(true).open(home.path(file)).unwrap().set_len(1 << 40).unwrap();
        let reason = format!(
            "the file has 1099511627776 bytes, and no more than {limit} are read; find out what wrote it and move it away"
        );
        home.assert_undetermined(file, &reason);
    }
}
