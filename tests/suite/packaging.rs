//! Tests the scripts that build the package, with stand-ins for Apple's tools that log their calls.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clap_complete::Shell;
use quick_xml::events::Event;
use tempfile::TempDir;
use wpj_state::cli::{self, attribute::Attribute};

const BINARY: &str = "echo 'wpj-state 1.2.3'";

/// A folder with the stand-ins and their log.
struct StandIns {
    folder: TempDir,
}

impl StandIns {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.stand_in("lipo", "exit 0");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates a program that logs its name and arguments, and then runs `body`.
    fn stand_in(&self, name: &str, body: &str) {
        let notes = self.path("notes");
        let script = format!("#!/bin/sh\necho \"{name} $*\" >>'{}'\n{body}\n", notes.display());
        // `cp` writes it: a program that is open for writing cannot be started, and a child that another test forks
        // would keep it open.
        fs::write(self.path("draft"), script).unwrap();
        fs::set_permissions(self.path("draft"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Command::new("cp").arg(self.path("draft")).arg(self.path(name)).status().unwrap().success());
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(Path::new("packaging").join(script));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display()));
        command
    }

    /// The log, without the names of temporary folders.
    fn calls(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.path("notes")).unwrap_or_default();
        let here = format!("{}/", self.folder.path().display());
        let lines = notes.lines().map(|line| {
            let mut words: Vec<String> = line
                .split(' ')
                .map(|word| match word.rsplit_once('/') {
                    Some((_, last @ ("payload" | "scripts" | "component.pkg" | "distribution.xml"))) => last.to_owned(),
                    _ => word.replace(&here, ""),
                })
                .collect();
            if let Some(option) = words.iter().position(|word| word == "--package-path") {
                words[option + 1] = "STAGED".to_owned();
            }
            words.join(" ")
        });
        lines.collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_output(output: &Output, stdout: &str, stderr: &str, status: i32) {
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), (stdout, stderr));
    assert_eq!(output.status.code(), Some(status));
}

/// Builds the package. The stand-in for `pkgbuild` lists its content, and the one for `productbuild` prints the
/// distribution file.
fn build(place: &StandIns, identity: Option<&str>) -> Output {
    place.stand_in("tool", BINARY);
    place.stand_in(
        "pkgbuild",
        "for last; do :; done; echo component >\"$last\"
        cd \"$2\" && ls -l | awk 'NR > 1 { print substr($1, 1, 10), $NF }' && ls -l \"$4\" | awk 'NR > 1 { print substr($1, 1, 10), $NF }'",
    );
    place.stand_in("productbuild", "cmp \"$2\" packaging/distribution.xml && cat \"$4/component.pkg\"");
    let mut command = place.command("build-pkg.sh");
    command.env_remove("INSTALLER_IDENTITY").envs(identity.map(|identity| ("INSTALLER_IDENTITY", identity)));
    command.arg(place.path("tool")).arg(place.path("out")).output().unwrap()
}

const CONTENT: &str = "\
-rw-r--r-- _wpj-state
-rwxr-xr-x uninstall.sh
-rwxr-xr-x wpj-state
-rw-r--r-- wpj-state.1
-rw-r--r-- wpj-state.bash
-rw-r--r-- wpj-state.fish
-rwxr-xr-x postinstall
-rwxr-xr-x preinstall
component
";

const PKGBUILD: &str = "pkgbuild --root payload --scripts scripts --identifier wpj-state --version 1.2.3 \
     --install-location /usr/local/wpj-state --ownership recommended component.pkg";

#[test]
fn a_package_without_a_certificate_is_named_unsigned() {
    let place = StandIns::new();
    let output = build(&place, None);
    let package = place.path("out/wpj-state-unsigned.pkg");
    assert_output(&output, &format!("{CONTENT}{}\n", package.display()), "", 0);
    let expected = [
        "lipo tool -verify_arch arm64",
        "lipo tool -verify_arch x86_64",
        "tool --version",
        PKGBUILD,
        "productbuild --distribution distribution.xml --package-path STAGED out/wpj-state-unsigned.pkg",
    ];
    assert_eq!(place.calls(), expected);
}

#[test]
fn a_package_is_signed_if_there_is_a_certificate() {
    let place = StandIns::new();
    let output = build(&place, Some("Contoso"));
    assert_output(&output, &format!("{CONTENT}{}\n", place.path("out/wpj-state.pkg").display()), "", 0);
    let expected = [
        PKGBUILD,
        "productbuild --distribution distribution.xml --package-path STAGED --sign Contoso --timestamp out/wpj-state.pkg",
    ];
    assert_eq!(place.calls()[3..], expected);
}

#[test]
fn a_binary_that_lacks_a_slice_is_not_packaged() {
    let place = StandIns::new();
    place.stand_in("lipo", "[ \"$3\" = arm64 ]");
    let output = build(&place, None);
    let stderr = format!("{}: the slice for x86_64 is missing\n", place.path("tool").display());
    assert_output(&output, "", &stderr, 1);
    assert_eq!(place.calls(), ["lipo tool -verify_arch arm64", "lipo tool -verify_arch x86_64"]);
}

/// The text between `before`, which occurs only once, and `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    assert_eq!(text.matches(before).count(), 1, "{before}");
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

#[test]
fn the_package_is_for_both_kinds_of_mac_and_for_the_macos_that_the_tool_is_built_for() {
    let distribution = fs::read_to_string("packaging/distribution.xml").unwrap();
    let mut reader = quick_xml::Reader::from_str(&distribution);
    let mut elements = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) | Event::Empty(element) => elements.push(element.trim_end().to_owned()),
            Event::Eof => break,
            _ => (),
        }
    }
    let expected = [
        "installer-gui-script minSpecVersion=\"2\"",
        "title",
        "options customize=\"never\" require-scripts=\"false\" hostArchitectures=\"arm64,x86_64\"",
        "volume-check",
        "allowed-os-versions",
        "os-version min=\"13.0\"",
        "choices-outline",
        "line choice=\"wpj-state\"",
        "choice id=\"wpj-state\"",
        "pkg-ref id=\"wpj-state\"",
        "pkg-ref id=\"wpj-state\"",
    ];
    assert_eq!(elements, expected);
    assert_eq!(between(&distribution, "<pkg-ref id=\"wpj-state\">", "<"), "component.pkg");
    let build = fs::read_to_string("packaging/build-universal.sh").unwrap();
    assert_eq!(between(&build, "MACOSX_DEPLOYMENT_TARGET='", "'"), "13.0");
    let readme = fs::read_to_string("README.md").unwrap();
    assert_eq!(between(&readme, "\n- macOS ", " or later"), "13");
}

#[test]
fn the_universal_binary_is_built_for_each_kind_of_mac_with_the_list_of_its_crates() {
    let place = StandIns::new();
    for program in ["rustup", "cargo"] {
        place.stand_in(program, "echo \"for macOS $MACOSX_DEPLOYMENT_TARGET\"");
    }
    let build = |bytes: u32| {
        place.stand_in("lipo", &format!("head -c {bytes} /dev/zero >\"$3\""));
        place.command("build-universal.sh").arg(place.path("out/tool")).output().unwrap()
    };
    let built = "for macOS 13.0\n".repeat(4);
    let words = "larger than 3 MB; find out what has grown, and make it smaller";
    let stderr = format!("{}: {words}\n", place.path("out/tool").display());
    assert_output(&build(3_145_729), &built, &stderr, 1);
    fs::remove_file(place.path("notes")).unwrap();
    assert_output(&build(3_145_728), &built, "", 0);
    let build = |target| {
        [format!("rustup target add {target}"), format!("cargo auditable build --release --locked --target {target}")]
    };
    let lipo = "lipo -create -output out/tool target/aarch64-apple-darwin/release/wpj-state \
                target/x86_64-apple-darwin/release/wpj-state";
    let targets = ["aarch64-apple-darwin", "x86_64-apple-darwin"];
    let expected: Vec<String> = targets.into_iter().flat_map(build).chain([lipo.to_owned()]).collect();
    assert_eq!(place.calls(), expected);
    assert!(place.path("out").is_dir());
}

fn notarise(place: &StandIns, answer: &str) -> Output {
    place.stand_in("xcrun", &format!("case $2 in submit) {answer} ;; esac"));
    let mut command = place.command("notarise.sh");
    command.env("NOTARY_KEY", "key").env("NOTARY_KEY_ID", "id").env("NOTARY_ISSUER", "issuer");
    command.arg("a.pkg").output().unwrap()
}

const SUBMIT: &str = "xcrun notarytool submit a.pkg --key key --key-id id --issuer issuer --wait --output-format json";

#[test]
fn an_accepted_package_gets_its_ticket() {
    let place = StandIns::new();
    let output = notarise(&place, "printf '{\\n  \"id\": \"1-2\",\\n  \"status\": \"Accepted\"\\n}\\n'");
    assert_output(&output, "{\n  \"id\": \"1-2\",\n  \"status\": \"Accepted\"\n}\n", "", 0);
    assert_eq!(place.calls(), [SUBMIT, "xcrun stapler staple a.pkg", "xcrun stapler validate a.pkg"]);
}

#[test]
fn every_status_except_accepted_fails_and_shows_the_log_from_apple() {
    for status in ["Invalid", "In Progress", "Rejected"] {
        let place = StandIns::new();
        let answer = format!("{{\"status\":\"{status}\",\"id\":\"1-2\"}}");
        let output = notarise(&place, &format!("echo '{answer}'"));
        let status = status.replace(' ', "");
        let stderr = format!("a.pkg: not notarised; Apple's status is: {status}\n");
        assert_output(&output, &format!("{answer}\n"), &stderr, 1);
        assert_eq!(place.calls(), [SUBMIT, "xcrun notarytool log 1-2 --key key --key-id id --issuer issuer"]);
    }
    let place = StandIns::new();
    assert_output(&notarise(&place, "echo nonsense"), "nonsense\n", "a.pkg: not notarised; Apple's status is: \n", 1);
    assert_eq!(place.calls(), [SUBMIT]);
}

#[test]
fn a_failed_submission_is_an_error() {
    let place = StandIns::new();
    assert_output(&notarise(&place, "exit 69"), "", "", 69);
    assert_eq!(place.calls(), [SUBMIT]);
}

#[test]
fn an_installation_is_checked_by_its_answer_and_exit_status() {
    let place = StandIns::new();
    let check = |body: &str| {
        place.stand_in("tool", body);
        place.command("check-installed.sh").arg(place.path("tool")).output().unwrap().status.code()
    };
    assert_eq!(check("echo '<result>Not Registered</result>'"), Some(0));
    assert_eq!(check("echo '<result></result>'; exit 1"), Some(0));
    for wrong in ["echo '<result></result>'", "echo '<result>Registered</result>'; exit 1", "exit 0", "kill -KILL $$"] {
        assert_eq!(check(wrong), Some(1), "{wrong}");
    }
}

#[test]
fn the_manual_page_explains_every_option() {
    let manual = fs::read_to_string("packaging/wpj-state.1").unwrap();
    let help = assert_cmd::Command::cargo_bin("wpj-state").unwrap().arg("--help").output().unwrap().stdout;
    let help = text(&help);
    let options = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let mut options: Vec<&str> = options.map(|word| word.split(['[', '=']).next().unwrap()).collect();
    options.sort_unstable();
    options.dedup();
    let expected = [
        "all-users",
        "app-sso-state",
        "attribute",
        "deadline",
        "explain",
        "help",
        "home",
        "json",
        "keychain",
        "list-attributes",
        "man",
        "plist",
        "psso-status",
        "remember-key",
        "second-opinion",
        "system-root",
        "tenant",
        "user",
        "version",
    ];
    assert_eq!(options, expected);
    for option in options {
        let explained = |line: &str| line.starts_with(&format!(".It Fl -{option}"));
        assert!(manual.lines().any(explained), "{option}");
    }
    for attribute in Attribute::ALL {
        let line = format!(".It Cm {}", attribute.name());
        assert!(manual.lines().any(|it| it == line), "{line}");
    }
}

#[test]
fn the_changelog_and_the_manual_page_have_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = fs::read_to_string("CHANGELOG.md").unwrap();
    let mut releases = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split_once("] - "));
    let (number, date) = releases.next().unwrap();
    assert_eq!(number, version);
    let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { panic!("{date}") };
    let months = "January February March April May June July August September October November December";
    let month = months.split(' ').nth(month.parse::<usize>().unwrap() - 1).unwrap();
    let manual = fs::read_to_string("packaging/wpj-state.1").unwrap();
    let head =
        format!(".Dd {month} {}, {year}\n.Dt WPJ-STATE 1\n.Os wpj-state {version}\n", day.trim_start_matches('0'));
    assert_eq!(manual.lines().take(3).map(|line| format!("{line}\n")).collect::<String>(), head);
}

/// Adds completions of users and folders to those for bash. They also work in macOS's old bash. The words of
/// `--second-opinion` come only after an equals sign.
fn for_bash(completions: &str) -> String {
    // To bash, the equals sign in `--option=value` is a word.
    let equals = "    if [[ \"${prev}\" == \"=\" ]]; then prev=\"${COMP_WORDS[COMP_CWORD-2]}\"\n    \
        elif [[ \"${prev}\" == \"--second-opinion\" && \"${cur}\" != \"=\" ]]; then prev=\"\"; fi\n    \
        if [[ \"${cur}\" == \"=\" ]]; then cur=\"\"; fi\n";
    let prev = "    prev=\"$3\"\n";
    let completions = completions.replace(prev, &format!("{prev}{equals}"));
    let mut options = completions.split("                --").map(str::to_owned);
    let first = options.next().unwrap();
    options.fold(first, |text, option| {
        let words = match option.split(')').next().unwrap() {
            "user" => Some("-u -- \"${cur}\""),
            "home" | "system-root" => Some("-d -- \"${cur}\""),
            _ => None,
        };
        let Some(words) = words else { return format!("{text}                --{option}") };
        let (name, rest) = option.split_once(')').unwrap();
        let (_, rest) = rest.split_once("return 0").unwrap();
        let reply = format!("                    COMPREPLY=($(compgen {words}))\n                    return 0");
        format!("{text}                --{name})\n{reply}{rest}")
    })
}

/// `WPJ_STATE_UPDATE_FIXTURES=1` stores the present ones.
#[test]
fn the_shell_completions_match_the_command_line() {
    for (shell, file) in [(Shell::Bash, "wpj-state.bash"), (Shell::Fish, "wpj-state.fish"), (Shell::Zsh, "_wpj-state")]
    {
        let mut completions = Vec::new();
        clap_complete::generate(shell, &mut cli::definition(), "wpj-state", &mut completions);
        let completions = match shell {
            Shell::Bash => for_bash(&text(&completions)),
            Shell::Fish => {
                text(&completions).replace("never, if-damaged, always' -r -f", "never, if-damaged, always' -f")
            }
            _ => text(&completions).replace("'--second-opinion=[", "'--second-opinion=-["),
        };
        let path = Path::new("packaging/completions").join(file);
        if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
            fs::write(&path, &completions).unwrap();
        }
        assert_eq!(completions, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
        assert!(!completions.contains("read-copy"), "what is not for people is not offered");
    }
}

/// What bash completes after these words; the last one is not finished.
fn completed(words: &[&str]) -> String {
    let script = "source packaging/completions/wpj-state.bash; COMP_WORDS=(wpj-state \"$@\"); COMP_CWORD=$#; \
        _wpj__state wpj-state \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash").args(["-c", script, "bash"]).args(words).output().unwrap();
    assert_eq!(text(&output.stderr), "");
    text(&output.stdout).trim_end().to_owned()
}

/// The tool takes the word of `--second-opinion` only after an equals sign, which is a word of its own to bash.
#[test]
fn bash_completes_what_the_tool_takes() {
    let words = "never if-damaged always";
    assert_eq!(completed(&["--second-opinion", "="]), words);
    assert_eq!(completed(&["--second-opinion", "=", ""]), words);
    assert_eq!(completed(&["--second-opinion", "=", "if"]), "if-damaged");
    assert!(!completed(&["--second-opinion", ""]).contains("never"));
    assert_eq!(completed(&["--attribute", "fi"]), "finding");
    assert_eq!(completed(&["--attribute", "=", "fi"]), "finding");
    assert_eq!(completed(&["--home", "fixtures/registered/h"]), "fixtures/registered/home");
}
