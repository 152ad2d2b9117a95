//! `ea-wrapper.sh` in each shell that may run it, with stand-ins for the tool that fail in each way.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;
use wpj_state::cli::attribute::Attribute;

use crate::{
    outcome::{Failed, Outcome, equal},
    shells::{self, Shell, in_each_shell},
};

const BLANK: &str = "<result></result>\n";
const UNSAFE: &str = "must be owned by root, not writable by group or others, and not a link";
const MALFORMED: &str = "failed, or printed what it must not; its output ends: ";

/// Name, what the stand-in does, what the wrapper prints, the last line on standard error without the tool's path.
const STAND_INS: [(&str, &str, &str, &str); 20] = [
    ("registered", "echo '<result>Registered</result>'", "<result>Registered</result>\n", ""),
    (
        "plist missing",
        "echo '<result>WPJ Key present, JamfAAD PLIST missing</result>'",
        "<result>WPJ Key present, JamfAAD PLIST missing</result>\n",
        "",
    ),
    (
        "not acquired",
        "echo '<result>WPJ Key present, AAD ID not acquired</result>'",
        "<result>WPJ Key present, AAD ID not acquired</result>\n",
        "",
    ),
    ("not registered", "echo '<result>Not Registered</result>'", "<result>Not Registered</result>\n", ""),
    ("undetermined", "echo 'the reason' >&2; echo '<result></result>'; exit 1", BLANK, "the reason"),
    ("prints nothing", "exit 0", BLANK, "exit 0 "),
    ("wrong usage", "exit 2", BLANK, "exit 2 "),
    (
        "crashes after its answer",
        "echo '<result>Registered</result>'; exit 101",
        BLANK,
        "<result>Registered</result> exit 101 ",
    ),
    ("is killed", "kill -KILL $$", BLANK, "exit 137 "),
    (
        "is killed after its answer",
        "echo '<result>Registered</result>'; kill -ABRT $$",
        BLANK,
        "<result>Registered</result> exit 134 ",
    ),
    ("blank without a failure", "echo '<result></result>'", BLANK, "<result></result> exit 0 "),
    ("another state", "echo '<result>registered</result>'", BLANK, "<result>registered</result> exit 0 "),
    ("no tag", "echo Registered", BLANK, "Registered exit 0 "),
    (
        "two results",
        "echo '<result>Registered</result>'; echo '<result>Not Registered</result>'",
        BLANK,
        "<result>Not Registered</result> exit 0 ",
    ),
    ("text behind the result", "echo '<result>Registered</result> '", BLANK, "<result>Registered</result>  exit 0 "),
    ("no end of line", "printf '<result>Registered</result>'", BLANK, "<result>Registered</result>exit 0 "),
    ("a NUL byte", "printf '<result>Regis\\000tered</result>\\n'", BLANK, "<result>Regis tered</result> exit 0 "),
    ("empty lines behind the result", "printf '<result>Registered</result>\\n\\n\\n'", BLANK, " exit 0 "),
    (
        "an exit status of its own making, and then too much",
        "printf '<result>Registered</result>\\nexit 0\\n'; i=0; while [ $i -lt 1000 ]; do echo; i=$((i + 1)); done; exit 3",
        BLANK,
        "  ",
    ),
    (
        "a state and an exit status of 1",
        "echo '<result>Not Registered</result>'; exit 1",
        BLANK,
        "<result>Not Registered</result> exit 1 ",
    ),
];

/// Attribute, what stands between the tags, the exit status, and whether it is passed on.
const VALUES: [(&str, &str, u8, bool); 42] = [
    ("user", "adele", 0, true),
    ("user", "Adele Vance", 0, true),
    ("user", "a&b", 0, false),
    ("user", "a<b", 0, false),
    ("user", "a>b", 0, false),
    ("user", "ad\x1bele", 0, false),
    ("user", "j\u{fc}rgen", 0, false),
    ("user", "adele\nben", 0, false),
    ("user", "adele", 1, false),
    ("user", "", 0, false),
    ("user", " ", 0, false),
    ("device-id", "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21", 0, true),
    ("device-id", "0F5B8D8A-98D2-4E3F-8A6C-5D0A3F7E9B21", 0, true),
    ("device-id", "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b2", 0, false),
    ("device-id", "unknown", 0, false),
    ("tenant-id", "7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f", 0, true),
    ("tenant-id", "contoso.com", 0, false),
    ("user-principal-name", "o'neill!#$%*+/=?^_`{|}~.x-y@contoso.com", 0, true),
    ("user-principal-name", "adele&x@contoso.com", 0, false),
    ("key-storage", "Login Keychain", 0, true),
    ("key-storage", "Secure Enclave", 0, true),
    ("key-storage", "None", 0, true),
    ("key-storage", "none", 0, false),
    ("certificate-expires", "2034-02-28 12:34:56", 0, true),
    ("certificate-expires", "2034-02-28T12:34:56Z", 0, false),
    ("certificate-expires", "2034-02-28", 0, false),
    ("last-token", "2024-02-29 12:34:56", 0, true),
    ("last-token", "0", 0, false),
    ("finding", "OK", 0, true),
    ("finding", "WPJ certificate expired", 0, true),
    ("users", "adele: Registered", 0, true),
    ("users", "adele: Registered\nben: WPJ Key present, AAD ID not acquired\nclaire: Not Registered", 0, true),
    ("users", "adele: WPJ Key present, JamfAAD PLIST missing\nben:", 1, true),
    ("users", "a: b: Registered", 0, true),
    ("users", "adele: registered", 0, false),
    ("users", "adele", 0, false),
    ("users", "adele: Registered\n", 0, false),
    ("users", "adele: Registered\n\nben: Registered", 0, false),
    ("users", "adele: Registered\n<b>: Registered", 0, false),
    ("users", "adele: Registered\nben: Registered", 101, false),
    ("state", "OK", 0, false),
    ("users", "", 0, false),
];

type Test = fn(Shell) -> Outcome;

/// What a test needs.
#[derive(Clone, Copy, PartialEq)]
enum Needs {
    Nothing,
    Root,
    LinuxRoot,
}

fn others(needs: &[Needs]) -> Outcome {
    let rows: Vec<_> = OTHERS.into_iter().filter(|(_, it, _)| needs.contains(it)).collect();
    in_each_shell(&rows, |(name, ..)| name.to_owned(), |shell, (_, _, test)| test(shell))
}

#[test]
fn what_the_tool_prints_is_passed_on_or_the_result_is_blank() -> Outcome {
    in_each_shell(&STAND_INS, |(name, ..)| name.to_owned(), stand_in_gives)
}

#[test]
fn the_values_of_an_attribute_are_passed_on_and_no_others() -> Outcome {
    let name = |(attribute, printed, status, _)| format!("{attribute} of {printed:?} with exit status {status}");
    in_each_shell(&VALUES, name, value_gives)
}

#[test]
fn whatever_the_tool_or_the_caller_is_like_there_is_one_result() -> Outcome {
    others(&[Needs::Nothing])
}

mod root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_tool_that_others_can_change_is_refused() -> Outcome {
        others(&[Needs::Root])
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[ignore = "needs root"]
    fn a_system_without_dev_null_changes_nothing() -> Outcome {
        others(&[Needs::LinuxRoot])
    }
}

const OTHERS: [(&str, Needs, Test); 25] = [
    ("each attribute of the tool's own is passed on", Needs::Nothing, |shell| {
        for attribute in Attribute::ALL {
            for home in ["registered", "platform-sso-not-configured", "certificate-expired", "keychain-empty"] {
                let home = env::current_dir()?.join("fixtures").join(home).join("home");
                let tool = cargo_bin("wpj-state");
                let place = Place::with(&format!("exec '{}' --home '{}' \"$@\"", tool.display(), home.display()))?;
                place.set("attribute='state'\n", &format!("attribute='{}'\n", attribute.name()))?;
                let direct = Command::new(&place.tool).args(["--attribute", attribute.name()]).output()?;
                let output = place.run(shell)?;
                equal(&text(&output.stdout), &text(&direct.stdout))?;
                equal(&text(&output.stderr), &text(&direct.stderr))?;
                equal(&output.status.code(), &Some(0))?;
            }
        }
        Ok(())
    }),
    ("an attribute that there is not", Needs::Nothing, |shell| {
        let place = Place::new()?;
        place.set("attribute='state'\n", "attribute='status'\n")?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        let words = format!("status: there is no such attribute; see {} --list-attributes", place.tool.display());
        equal(&text(&output.stderr), &format!("wpj-state extension attribute: {words}\n"))?;
        equal(&output.status.code(), &Some(0))
    }),
    ("the users of a computer room", Needs::Nothing, |shell| {
        let lines: String = (0..1500).map(|number| format!("student{number}: Registered\n")).collect();
        value_gives(shell, ("users", lines.trim_end(), 0, true))?;
        value_gives(shell, ("user", lines.trim_end(), 0, false))
    }),
    ("the tool is missing", Needs::Nothing, |shell| {
        let place = Place::new()?;
        fs::remove_file(&place.tool)?;
        place.refuses(shell, "not installed")
    }),
    ("a folder in place of the tool", Needs::Nothing, |shell| {
        let place = Place::new()?;
        fs::remove_file(&place.tool)?;
        fs::create_dir(&place.tool)?;
        place.refuses(shell, "not a file")
    }),
    ("the tool is not executable", Needs::Nothing, |shell| {
        let place = Place::new()?;
        place.mode(&place.tool, 0o644)?;
        place.refuses(shell, "not executable")
    }),
    ("the tool is no program", Needs::Nothing, |shell| {
        let place = Place::new()?;
        fs::write(&place.tool, [0x7F, b'E', b'L', b'F', 0, 0])?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        equal(&output.status.code(), &Some(0))?;
        let stderr = text(&output.stderr);
        let last = stderr.lines().last().unwrap_or_default();
        equal(&last.contains(MALFORMED), &true)
    }),
    ("the tool prints without end", Needs::Nothing, |shell| {
        let place = Place::with("while :; do echo '<result>Registered</result>'; done")?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        equal(&output.status.code(), &Some(0))
    }),
    ("the tool prints too much", Needs::Nothing, |shell| {
        let place =
            Place::with("i=0; while [ $i -lt 5000 ]; do echo; i=$((i + 1)); done; echo '<result>Registered</result>'")?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        equal(&output.status.code(), &Some(0))
    }),
    ("the tool reads its input", Needs::Nothing, |shell| {
        let place = Place::with("read -r line; echo \"<result>Registered$line</result>\"")?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), "<result>Registered</result>\n")
    }),
    ("the path is relative", Needs::Nothing, |shell| {
        let place = Place::new()?;
        let wrapper = fs::read_to_string("ea-wrapper.sh")?.replace("'/usr/local/wpj-state/wpj-state'", "'wpj-state'");
        fs::write(&place.wrapper, wrapper)?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        equal(
            &text(&output.stderr),
            "wpj-state extension attribute: wpj-state: the path of the tool has to be absolute\n",
        )
    }),
    ("no environment, or a hostile one, changes nothing", Needs::Nothing, |shell| {
        let place = Place::with("echo '<result>Not Registered</result>'")?;
        let folder = place.tool.parent().ok_or("the tool lies in a folder")?;
        for name in ["id", "find", "grep", "head", "tr", "echo"] {
            fs::write(folder.join(name), "#!/bin/sh\necho hostile\n")?;
            place.mode(&folder.join(name), 0o755)?;
        }
        let hostile = [
            ("PATH", folder.to_str().unwrap_or_default()),
            ("HOME", "/nowhere"),
            ("TMPDIR", "/nowhere"),
            ("LANG", "xx_YY"),
            ("LC_ALL", "xx_YY"),
            ("IFS", "esu/"),
        ];
        for environment in [&[][..], &hostile] {
            let mut command = place.command(shell);
            let output = command.env_clear().envs(environment.iter().copied()).current_dir("/").output()?;
            equal(&text(&output.stdout), "<result>Not Registered</result>\n")?;
            equal(&output.status.code(), &Some(0))?;
        }
        Ok(())
    }),
    ("shell functions of the caller's are not called", Needs::Nothing, |shell| {
        let place = Place::new()?;
        place.mode(&place.tool, 0o4777)?;
        let mut command = place.command(shell);
        for name in ["find", "grep", "head", "id", "printf", "tail", "tr"] {
            command.env(format!("BASH_FUNC_{name}%%"), "() { echo 1; }");
        }
        let output = command.output()?;
        let root = nix::unistd::Uid::effective().is_root();
        equal(&text(&output.stdout), if root { BLANK } else { "<result>Registered</result>\n" })?;
        equal(&output.status.code(), &Some(0))
    }),
    ("a system without /dev/null changes nothing", Needs::LinuxRoot, |shell| {
        let place = Place::with("read -r line; echo \"<result>Registered$line</result>\"")?;
        let wrapper = place.command(shell);
        let without = "mount -t tmpfs none /dev && [ ! -e /dev/null ] && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "/bin/sh", "-c", without, "sh"]).arg(wrapper.get_program()).args(wrapper.get_args());
        let output = command.stdin(Stdio::piped()).output()?;
        equal(&(text(&output.stdout).as_str(), text(&output.stderr).as_str()), &("<result>Registered</result>\n", ""))?;
        equal(&output.status.code(), &Some(0))
    }),
    ("root refuses a tool of somebody else's", Needs::Root, |shell| {
        let place = Place::new()?;
        chown(&place.tool, Some(65534), None)?;
        place.refuses(shell, UNSAFE)
    }),
    ("root refuses a tool that its group can write", Needs::Root, |shell| {
        let place = Place::new()?;
        place.mode(&place.tool, 0o775)?;
        place.refuses(shell, UNSAFE)
    }),
    ("root refuses a tool that others can write", Needs::Root, |shell| {
        let place = Place::new()?;
        place.mode(&place.tool, 0o757)?;
        place.refuses(shell, UNSAFE)
    }),
    ("root refuses a link in place of the tool", Needs::Root, |shell| {
        let place = Place::new()?;
        let elsewhere = place.tool.with_extension("elsewhere");
        fs::rename(&place.tool, &elsewhere)?;
        symlink(&elsewhere, &place.tool)?;
        place.refuses(shell, UNSAFE)
    }),
    ("root refuses a folder of somebody else's", Needs::Root, |shell| {
        let place = Place::new()?;
        chown(place.folder()?, Some(65534), None)?;
        place.refuses_folder(shell)
    }),
    ("root refuses a folder that its group can write", Needs::Root, |shell| {
        let place = Place::new()?;
        place.mode(place.folder()?, 0o775)?;
        place.refuses_folder(shell)
    }),
    ("root refuses a folder that others can write", Needs::Root, |shell| {
        let place = Place::new()?;
        place.mode(place.folder()?, 0o1757)?;
        place.refuses_folder(shell)
    }),
    ("root refuses a folder far above that is somebody else's", Needs::Root, |shell| {
        let place = Place::new()?;
        chown(place.above()?, Some(65534), None)?;
        place.refuses_path(shell, place.above()?, UNSAFE)
    }),
    ("root refuses a folder far above that its group can write", Needs::Root, |shell| {
        let place = Place::new()?;
        place.mode(place.above()?, 0o770)?;
        place.refuses_path(shell, place.above()?, UNSAFE)
    }),
    ("root refuses a link on the way", Needs::Root, |shell| {
        let place = Place::new()?;
        let elsewhere = place.above()?.join("elsewhere");
        fs::rename(place.folder()?, &elsewhere)?;
        symlink(&elsewhere, place.folder()?)?;
        place.refuses_folder(shell)
    }),
    ("root names the highest of several", Needs::Root, |shell| {
        let place = Place::new()?;
        place.mode(&place.tool, 0o777)?;
        place.mode(place.folder()?, 0o777)?;
        chown(place.above()?, Some(65534), None)?;
        place.refuses_path(shell, place.above()?, UNSAFE)
    }),
];

fn stand_in_gives(shell: Shell, (_, body, stdout, stderr): (&str, &str, &str, &str)) -> Outcome {
    let place = Place::with(body)?;
    let output = place.run(shell)?;
    equal(&text(&output.stdout), stdout)?;
    equal(&output.status.code(), &Some(0))?;
    let said = text(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    let ours = format!("wpj-state extension attribute: {}: {MALFORMED}{stderr}", place.tool.display());
    let expected = if stderr.starts_with("the ") || stderr.is_empty() { stderr } else { &ours };
    equal(last, expected)
}

fn value_gives(shell: Shell, (attribute, value, status, is_right): (&str, &str, u8, bool)) -> Outcome {
    // The stand-in prints what lies beside it, and notes how it was called.
    let place = Place::with(&format!(
        "echo \"$*\" >\"$0.notes\"; printf '<result>'; cat \"$0.value\"; echo '</result>'; exit {status}"
    ))?;
    let beside = |extension: &str| PathBuf::from(format!("{}.{extension}", place.tool.display()));
    fs::write(beside("value"), value)?;
    place.set("attribute='state'\n", &format!("attribute='{attribute}'\n"))?;
    let output = place.run(shell)?;
    let expected = if is_right { format!("<result>{value}</result>\n") } else { BLANK.to_owned() };
    equal(&text(&output.stdout), &expected)?;
    equal(&output.status.code(), &Some(0))?;
    equal(&text(&output.stderr).contains(MALFORMED), &!is_right)?;
    equal(&fs::read_to_string(beside("notes"))?, &format!("--attribute {attribute}\n"))
}

/// A folder with a stand-in for the tool, and the wrapper with its path.
struct Place {
    _all: TempDir,
    tool: PathBuf,
    wrapper: PathBuf,
}

impl Place {
    fn new() -> Result<Self, Failed> {
        Self::with("echo '<result>Registered</result>'")
    }

    fn with(body: &str) -> Result<Self, Failed> {
        let all = match nix::unistd::Uid::effective().is_root() {
            // Where every folder above it is root's alone.
            true => tempfile::tempdir_in(home_of_root()?)?,
            false => tempfile::tempdir()?,
        };
        let folder = all.path().join("a folder");
        fs::create_dir(&folder)?;
        let place = Self { tool: folder.join("the tool"), wrapper: all.path().join("wrapper"), _all: all };
        // Copied by another process: a program that is open for writing, if only in a child that another test has just
        // forked, cannot be started.
        let draft = place.tool.with_extension("draft");
        fs::write(&draft, format!("#!/bin/sh\n{body}\n"))?;
        equal(&Command::new("cp").arg(draft).arg(&place.tool).status()?.success(), &true)?;
        place.mode(&place.tool, 0o755)?;
        place.mode(&folder, 0o755)?;
        fs::copy("ea-wrapper.sh", &place.wrapper)?;
        place.set("tool='/usr/local/wpj-state/wpj-state'\n", &format!("tool='{}'\n", place.tool.display()))?;
        Ok(place)
    }

    /// Changes a setting of the wrapper's.
    fn set(&self, setting: &str, value: &str) -> Outcome {
        let wrapper = fs::read_to_string(&self.wrapper)?;
        equal(&wrapper.matches(setting).count(), &1)?;
        Ok(fs::write(&self.wrapper, wrapper.replace(setting, value))?)
    }

    fn folder(&self) -> Result<&Path, Failed> {
        Ok(self.tool.parent().ok_or("the tool lies in a folder")?)
    }

    /// The folder of the tool's folder.
    fn above(&self) -> Result<&Path, Failed> {
        Ok(self.folder()?.parent().ok_or("the tool's folder lies in a folder")?)
    }

    fn mode(&self, path: &Path, mode: u32) -> Outcome {
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    }

    fn command(&self, shell: Shell) -> Command {
        let mut command = Command::new(shells::path(shell));
        command.args(shell.1).arg(&self.wrapper).stdin(Stdio::piped());
        command
    }

    fn run(&self, shell: Shell) -> Result<Output, Failed> {
        Ok(self.command(shell).output()?)
    }

    fn refuses(&self, shell: Shell, reason: &str) -> Outcome {
        self.refuses_path(shell, &self.tool, reason)
    }

    fn refuses_folder(&self, shell: Shell) -> Outcome {
        self.refuses_path(shell, self.folder()?, UNSAFE)
    }

    fn refuses_path(&self, shell: Shell, path: &Path, reason: &str) -> Outcome {
        let output = self.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        equal(&text(&output.stderr), &format!("wpj-state extension attribute: {}: {reason}\n", path.display()))?;
        equal(&output.status.code(), &Some(0))
    }
}

/// Without links on the way, of which a Mac has one.
fn home_of_root() -> Result<PathBuf, Failed> {
    Ok(nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(0))?.ok_or("root is a user")?.dir.canonicalize()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
