//! The scripts that build, install and remove the package, with stand-ins for Apple's tools that note how they are called.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clap_complete::Shell;
use tempfile::TempDir;
use wpj_state::cli::{self, attribute::Attribute};

const BINARY: &str = "echo 'wpj-state 1.2.3'";

/// A folder with stand-ins, and their notes.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.stand_in("lipo", "exit 0");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a program that notes its name and arguments, and then does what `body` says.
    fn stand_in(&self, name: &str, body: &str) {
        let notes = self.path("notes");
        let script = format!("#!/bin/sh\necho \"{name} $*\" >>'{}'\n{body}\n", notes.display());
        // Copied by another process: a program that is open for writing, if only in a child that another test has just
        // forked, cannot be started.
        fs::write(self.path("draft"), script).unwrap();
        fs::set_permissions(self.path("draft"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Command::new("cp").arg(self.path("draft")).arg(self.path(name)).status().unwrap().success());
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(Path::new("packaging").join(script));
        command.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display()));
        command
    }

    /// What was noted, without the folders that are others each time.
    fn notes(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.path("notes")).unwrap_or_default();
        let here = format!("{}/", self.folder.path().display());
        let lines = notes.lines().map(|line| {
            let words = line.split(' ').map(|word| match word.rsplit_once('/') {
                Some((_, last @ ("payload" | "scripts"))) => last.to_owned(),
                _ => word.replace(&here, ""),
            });
            words.collect::<Vec<_>>().join(" ")
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

/// Has the package built; the stand-in for `pkgbuild` lists what would be in it.
fn build(place: &Place, identity: Option<&str>) -> Output {
    place.stand_in("tool", BINARY);
    place.stand_in(
        "pkgbuild",
        "cd \"$2\" && ls -l | awk 'NR > 1 { print substr($1, 1, 10), $NF }' && ls -l \"$4\" | awk 'NR > 1 { print substr($1, 1, 10), $NF }'",
    );
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
";

#[test]
fn a_package_without_a_certificate_is_named_unsigned() {
    let place = Place::new();
    let output = build(&place, None);
    let package = place.path("out/wpj-state-unsigned.pkg");
    assert_output(&output, &format!("{CONTENT}{}\n", package.display()), "", 0);
    let expected = [
        "lipo tool -verify_arch arm64",
        "lipo tool -verify_arch x86_64",
        "tool --version",
        "pkgbuild --root payload --scripts scripts --identifier wpj-state --version 1.2.3 \
         --install-location /usr/local/wpj-state --ownership recommended out/wpj-state-unsigned.pkg",
    ];
    assert_eq!(place.notes(), expected);
}

#[test]
fn a_package_is_signed_if_there_is_a_certificate() {
    let place = Place::new();
    let output = build(&place, Some("Contoso"));
    assert_output(&output, &format!("{CONTENT}{}\n", place.path("out/wpj-state.pkg").display()), "", 0);
    let expected = "pkgbuild --root payload --scripts scripts --identifier wpj-state --version 1.2.3 \
         --install-location /usr/local/wpj-state --ownership recommended --sign Contoso --timestamp out/wpj-state.pkg";
    assert_eq!(place.notes().last().unwrap(), expected);
}

#[test]
fn a_binary_that_lacks_a_slice_is_not_packaged() {
    let place = Place::new();
    place.stand_in("lipo", "[ \"$3\" = arm64 ]");
    let output = build(&place, None);
    let stderr = format!("{}: it lacks the slice for x86_64\n", place.path("tool").display());
    assert_output(&output, "", &stderr, 1);
    assert_eq!(place.notes(), ["lipo tool -verify_arch arm64", "lipo tool -verify_arch x86_64"]);
}

fn notarise(place: &Place, answer: &str) -> Output {
    place.stand_in("xcrun", &format!("case $2 in submit) {answer} ;; esac"));
    let mut command = place.command("notarise.sh");
    command.env("NOTARY_KEY", "key").env("NOTARY_KEY_ID", "id").env("NOTARY_ISSUER", "issuer");
    command.arg("a.pkg").output().unwrap()
}

const SUBMIT: &str = "xcrun notarytool submit a.pkg --key key --key-id id --issuer issuer --wait --output-format json";

#[test]
fn an_accepted_package_gets_its_ticket() {
    let place = Place::new();
    let output = notarise(&place, "printf '{\\n  \"id\": \"1-2\",\\n  \"status\": \"Accepted\"\\n}\\n'");
    assert_output(&output, "{\n  \"id\": \"1-2\",\n  \"status\": \"Accepted\"\n}\n", "", 0);
    assert_eq!(place.notes(), [SUBMIT, "xcrun stapler staple a.pkg", "xcrun stapler validate a.pkg"]);
}

#[test]
fn anything_but_accepted_fails_and_shows_apple_s_log() {
    for status in ["Invalid", "In Progress", "Rejected"] {
        let place = Place::new();
        let answer = format!("{{\"status\":\"{status}\",\"id\":\"1-2\"}}");
        let output = notarise(&place, &format!("echo '{answer}'"));
        let status = status.replace(' ', "");
        let stderr = format!("a.pkg: not notarised; Apple says: {status}\n");
        assert_output(&output, &format!("{answer}\n"), &stderr, 1);
        assert_eq!(place.notes(), [SUBMIT, "xcrun notarytool log 1-2 --key key --key-id id --issuer issuer"]);
    }
    let place = Place::new();
    assert_output(&notarise(&place, "echo nonsense"), "nonsense\n", "a.pkg: not notarised; Apple says: \n", 1);
    assert_eq!(place.notes(), [SUBMIT]);
}

#[test]
fn a_submission_that_fails_is_no_success() {
    let place = Place::new();
    assert_output(&notarise(&place, "exit 69"), "", "", 69);
    assert_eq!(place.notes(), [SUBMIT]);
}

/// A volume's root, and the links that the package makes there.
struct Volume {
    root: TempDir,
}

const LINKS: [(&str, &str); 5] = [
    ("usr/local/bin/wpj-state", "/usr/local/wpj-state/wpj-state"),
    ("usr/local/share/man/man1/wpj-state.1", "/usr/local/wpj-state/wpj-state.1"),
    ("usr/local/share/zsh/site-functions/_wpj-state", "/usr/local/wpj-state/_wpj-state"),
    ("usr/local/share/bash-completion/completions/wpj-state", "/usr/local/wpj-state/wpj-state.bash"),
    ("usr/local/share/fish/vendor_completions.d/wpj-state.fish", "/usr/local/wpj-state/wpj-state.fish"),
];

impl Volume {
    fn new() -> Self {
        let volume = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir_all(volume.path("usr/local/wpj-state")).unwrap();
        fs::write(volume.path("usr/local/wpj-state/wpj-state"), "").unwrap();
        volume
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn install(&self) -> Output {
        let volume = format!("{}/", self.root.path().display());
        Command::new("packaging/postinstall").args(["a.pkg", "/usr/local/wpj-state", &volume, "/"]).output().unwrap()
    }

    fn uninstall(&self) -> Output {
        Command::new("packaging/uninstall.sh").arg(self.root.path()).output().unwrap()
    }

    fn assert_links(&self) {
        for (link, target) in LINKS {
            assert_eq!(fs::read_link(self.path(link)).unwrap(), Path::new(target));
        }
    }
}

#[test]
fn the_installation_makes_links_and_the_removal_takes_them_away() {
    let volume = Volume::new();
    // A second installation, as with a new version, finds them there.
    for _ in 0..2 {
        assert_output(&volume.install(), "", "", 0);
        volume.assert_links();
    }
    fs::create_dir_all(volume.path("Library/Application Support/wpj-state")).unwrap();
    fs::write(volume.path("Library/Application Support/wpj-state/deferrals-501"), "1\n").unwrap();
    assert_output(&volume.uninstall(), "", "", 0);
    assert!(!volume.path("usr/local/wpj-state").exists());
    assert!(!volume.path("Library/Application Support/wpj-state").exists());
    for (link, _) in LINKS {
        assert!(!volume.path(link).is_symlink());
        assert!(volume.path(link).parent().unwrap().is_dir());
    }
    assert_output(&volume.uninstall(), "", "", 0);
}

#[test]
fn the_installation_replaces_a_link_that_leads_to_a_folder() {
    let volume = Volume::new();
    fs::create_dir_all(volume.path("usr/local/bin")).unwrap();
    fs::create_dir_all(volume.path("usr/local/wpj-state/old")).unwrap();
    symlink("/usr/local/wpj-state/old", volume.path(LINKS[0].0)).unwrap();
    assert_output(&volume.install(), "", "", 0);
    volume.assert_links();
}

#[test]
fn neither_installation_nor_removal_touches_a_file_of_somebody_else_s() {
    let volume = Volume::new();
    let place = volume.path(LINKS[0].0);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&place, "somebody else's").unwrap();
    let stdout = format!("{}: left as it is, because it is somebody else's\n", place.display());
    assert_output(&volume.install(), &stdout, "", 0);
    assert_output(&volume.uninstall(), "", "", 0);
    assert_eq!(fs::read_to_string(&place).unwrap(), "somebody else's");
    fs::remove_file(&place).unwrap();
    symlink("/opt/wpj-state", &place).unwrap();
    assert_output(&volume.install(), &stdout, "", 0);
    assert_output(&volume.uninstall(), "", "", 0);
    assert_eq!(fs::read_link(&place).unwrap(), Path::new("/opt/wpj-state"));
}

#[test]
fn an_installation_is_checked_by_its_answer_and_exit_status() {
    let place = Place::new();
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
        "second-opinion",
        "system-root",
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

/// `WPJ_STATE_UPDATE_FIXTURES=1` keeps them as they are now.
#[test]
fn the_shell_completions_are_those_of_the_command_line() {
    for (shell, file) in [(Shell::Bash, "wpj-state.bash"), (Shell::Fish, "wpj-state.fish"), (Shell::Zsh, "_wpj-state")]
    {
        let mut completions = Vec::new();
        clap_complete::generate(shell, &mut cli::definition(), "wpj-state", &mut completions);
        let path = Path::new("packaging/completions").join(file);
        if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
            fs::write(&path, &completions).unwrap();
        }
        assert_eq!(text(&completions), fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
        assert!(!text(&completions).contains("worker"), "what is not for people is not offered");
    }
}
