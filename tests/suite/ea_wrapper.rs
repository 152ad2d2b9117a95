//! `ea-wrapper.sh` in each shell that may run it, with stand-ins for the tool that fail in every way.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use nix::{
    sys::signal::Signal,
    unistd::{Uid, User},
};
use tempfile::TempDir;
use wpj_state::cli::attribute::Attribute;

use crate::{
    outcome::{Failed, Outcome, equal},
    shells::{self, Shell, in_each_shell},
};

const BLANK: &str = "<result></result>\n";
const REGISTERED: &str = "<result>Registered</result>\n";
const GOOD: &str = "echo '<result>Registered</result>'";
const UNSAFE: &str = "must exist, be owned by root, not writable by group or others, and not a link";

/// Name, what the stand-in does, the wrapper's output, and its last line on standard error.
const STAND_INS: [(&str, &str, &str, &str); 31] = [
    ("a state", GOOD, REGISTERED, ""),
    ("an absent value", "echo '<result></result>'", BLANK, ""),
    ("an unknown value", "echo 'the reason' >&2; echo '<result></result>'; exit 1", BLANK, "the reason"),
    (
        "a message on standard error",
        "echo '<result>Registered</result>'; echo 'a warning' >&2",
        REGISTERED,
        "a warning",
    ),
    ("several lines", "printf '<result>adele: Registered\\nben:</result>\\n'; exit 1", TWO_USERS, ""),
    ("all printable characters that a value may have", "cat \"$0.value\"", VALUE, ""),
    ("no end of line", "printf '<result>Registered</result>'", REGISTERED, ""),
    ("empty lines after the result", "printf '<result>Registered</result>\\n\\n\\n'", REGISTERED, ""),
    ("nothing", "exit 0", BLANK, "exit status 0: "),
    ("nothing, with exit status 1", "exit 1", BLANK, "exit status 1: "),
    ("nothing, and a signal", "kill -KILL $$", BLANK, "exit status 137: "),
    (
        "a result, and a panic",
        "echo '<result>Registered</result>'; exit 101",
        BLANK,
        "exit status 101: <result>Registered</result>",
    ),
    ("wrong usage", "echo 'error: unexpected argument' >&2; exit 2", BLANK, "exit status 2: "),
    (
        "a result, and another exit status",
        "echo '<result>a</result>'; exit 2",
        BLANK,
        "exit status 2: <result>a</result>",
    ),
    ("no tag", "echo Registered", BLANK, "exit status 0: Registered"),
    ("no start tag", "echo 'Registered</result>'", BLANK, "exit status 0: Registered</result>"),
    ("no end tag", "echo '<result>Registered'", BLANK, "exit status 0: <result>Registered"),
    ("a truncated result", "printf '<result>Registered</resul'", BLANK, "exit status 0: <result>Registered</resul"),
    ("the tags in the wrong order", "echo '</result><result>'", BLANK, "exit status 0: </result><result>"),
    ("another tag", "echo '<results>a</results>'", BLANK, "exit status 0: <results>a</results>"),
    ("two results", "echo '<result>a</result>'; echo '<result>b</result>'", BLANK, "<result>b</result>"),
    (
        "two results on a line",
        "echo '<result>a</result><result>b</result>'",
        BLANK,
        "exit status 0: <result>a</result><result>b</result>",
    ),
    ("two blank results", "echo '<result></result><result></result>'", BLANK, TWO_BLANKS),
    ("text before the result", "echo 'a <result>b</result>'", BLANK, "exit status 0: a <result>b</result>"),
    ("text after the result", "echo '<result>b</result> '", BLANK, "exit status 0: <result>b</result> "),
    ("an empty line before the result", "echo; echo '<result>b</result>'", BLANK, "<result>b</result>"),
    ("a <", "echo '<result>a<b</result>'", BLANK, "exit status 0: <result>a<b</result>"),
    ("a >", "echo '<result>a>b</result>'", BLANK, "exit status 0: <result>a>b</result>"),
    ("an &", "echo '<result>a&lt;b</result>'", BLANK, "exit status 0: <result>a&lt;b</result>"),
    ("an unfinished end tag", "echo '<result>a</result'", BLANK, "exit status 0: <result>a</result"),
    ("a fake exit status in the output", "echo 'exit status 0: <result>a</result>'; exit 3", BLANK, FAKE_STATUS),
];

const TWO_USERS: &str = "<result>adele: Registered\nben:</result>\n";
const TWO_BLANKS: &str = "exit status 0: <result></result><result></result>";
const FAKE_STATUS: &str = "exit status 3: exit status 0: <result>a</result>";
const VALUE: &str = "<result> !\"#$%'()*+,-./09:;=?@AZ[\\]^_`az{|}~</result>\n";

/// The signals that end a program by default, on Linux and macOS.
const FATAL: [Signal; 20] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGABRT,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGKILL,
    Signal::SIGUSR1,
    Signal::SIGSEGV,
    Signal::SIGUSR2,
    Signal::SIGPIPE,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGXCPU,
    Signal::SIGXFSZ,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGSYS,
];

type Test = fn(Shell) -> Outcome;

#[test]
fn a_well_formed_result_is_passed_on_and_any_other_output_is_blank() -> Outcome {
    in_each_shell(
        &STAND_INS,
        |(name, ..)| name.to_owned(),
        |shell, (_, body, stdout, stderr)| {
            let place = Place::with(body)?;
            fs::write(format!("{}.value", place.tool.display()), VALUE)?;
            place.gives(shell, stdout, stderr)
        },
    )
}

#[test]
fn there_is_always_exactly_one_result() -> Outcome {
    in_each_shell(&OTHERS, |(name, _)| name.to_owned(), |shell, (_, test)| test(shell))
}

#[test]
fn the_wrapper_can_be_read_at_a_glance() -> Outcome {
    let wrapper = fs::read_to_string("ea-wrapper.sh")?;
    equal(&(wrapper.lines().count() <= 30), &true)?;
    equal(&wrapper.lines().filter(|line| line.len() > 120).count(), &0)
}

mod root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_tool_that_others_can_change_is_refused() -> Outcome {
        in_each_shell(
            &UNSAFE_TOOLS,
            |(name, _)| name.to_owned(),
            |shell, (_, arrange)| {
                let place = Place::new()?;
                let unsafe_path = arrange(&place)?;
                place.gives(shell, BLANK, &format!("{UNSAFE}: {unsafe_path}"))
            },
        )
    }

    #[test]
    #[ignore = "needs root"]
    fn every_path_that_others_can_change_is_named() -> Outcome {
        in_each_shell(
            &[()],
            |()| String::new(),
            |shell, ()| {
                let place = Place::new()?;
                place.mode(&place.tool, 0o777)?;
                chown(place.above()?, Some(65534), None)?;
                let output = place.run(shell)?;
                let [above, tool] = [place.above()?, &place.tool].map(|path| path.display().to_string());
                equal(&text(&output.stdout), BLANK)?;
                equal(&text(&output.stderr), &format!("{PREFIX}{UNSAFE}: {above}\n{tool}\n"))
            },
        )
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[ignore = "needs root"]
    fn the_wrapper_does_not_need_dev_null() -> Outcome {
        in_each_shell(
            &[()],
            |()| String::new(),
            |shell, ()| {
                let place = Place::new()?;
                let wrapper = place.command(shell);
                let without = "mount -t tmpfs none /dev && [ ! -e /dev/null ] && exec \"$@\"";
                let mut command = Command::new("unshare");
                command
                    .args(["--mount", "/bin/sh", "-c", without, "sh"])
                    .arg(wrapper.get_program())
                    .args(wrapper.get_args());
                let output = command.stdin(Stdio::piped()).output()?;
                equal(&(text(&output.stdout).as_str(), text(&output.stderr).as_str()), &(REGISTERED, ""))?;
                equal(&output.status.code(), &Some(0))
            },
        )
    }
}

const OTHERS: [(&str, Test); 17] = [
    ("each of the tool's attributes is passed on", |shell| {
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
    ("an unknown attribute", |shell| {
        let place = Place::with(&format!("exec '{}' \"$@\"", cargo_bin("wpj-state").display()))?;
        place.set("attribute='state'\n", "attribute='status'\n")?;
        let direct = Command::new(&place.tool).args(["--attribute", "status"]).output()?;
        equal(&direct.status.code(), &Some(2))?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout), BLANK)?;
        equal(&text(&output.stderr), &format!("{}{PREFIX}exit status 2: \n", text(&direct.stderr)))
    }),
    ("the tool gets the attribute and nothing else", |shell| {
        let place = Place::with("echo \"<result>$*, $#</result>\"")?;
        place.gives(shell, "<result>--attribute state, 2</result>\n", "")
    }),
    ("the users of a computer room", |shell| {
        let lines: String = (0..1500).map(|number| format!("\nstudent{number}: Registered")).collect();
        let result = format!("<result>{}</result>\n", lines.trim_start());
        let place = Place::with("cat \"$0.value\"")?;
        fs::write(format!("{}.value", place.tool.display()), &result)?;
        place.gives(shell, &result, "")
    }),
    ("too much output", |shell| {
        for output in [format!("<result>{}</result>", "a".repeat(100_000)), "<".repeat(1 << 20)] {
            let place = Place::with("cat \"$0.value\"")?;
            fs::write(format!("{}.value", place.tool.display()), &output)?;
            place.gives(shell, BLANK, &format!("exit status 0: {output}")[..200])?;
        }
        Ok(())
    }),
    // dash and bash remove it, zsh does not.
    ("a NUL byte", |shell| {
        let place = Place::with("printf '<result>Regis\\000tered</result>\\n'")?;
        let output = place.run(shell)?;
        equal(&text(&output.stdout).replace('\0', ""), REGISTERED)?;
        equal(&output.status.code(), &Some(0))
    }),
    ("the tool is missing", |shell| {
        let place = Place::new()?;
        fs::remove_file(&place.tool)?;
        place.gives(shell, BLANK, &format!("{UNSAFE}: {}", place.tool.display()))
    }),
    ("the tool ends by a signal", |shell| {
        for signal in FATAL {
            let number = signal as i32;
            let place = Place::with(&format!("ulimit -c 0; echo '<result>Registered</result>'; kill -{number} $$"))?;
            place.gives(shell, BLANK, &format!("exit status {}: <result>Registered</result>", 128 + number))?;
        }
        Ok(())
    }),
    ("nobody reads standard error", |shell| {
        let crash = "ulimit -c 0; kill -ABRT $$";
        for (body, stdout) in [(crash, BLANK), ("printf 'a\\000b'", BLANK), ("exit 2", BLANK), (GOOD, REGISTERED)] {
            let place = Place::with(body)?;
            let (reader, writer) = std::io::pipe()?;
            drop(reader);
            let output = place.command(shell).stderr(writer).output()?;
            equal(&(text(&output.stdout).as_str(), output.status.code()), &(stdout, Some(0)))?;
        }
        Ok(())
    }),
    ("nobody reads the result", |shell| {
        for body in [GOOD, "exit 2"] {
            let place = Place::with(body)?;
            let (reader, writer) = std::io::pipe()?;
            drop(reader);
            equal(&place.command(shell).stdout(writer).stderr(Stdio::piped()).output()?.status.code(), &Some(0))?;
        }
        Ok(())
    }),
    ("the tool's folder is missing", |shell| {
        let place = Place::new()?;
        fs::remove_dir_all(place.folder()?)?;
        place.gives(shell, BLANK, &format!("{UNSAFE}: {}", place.tool.display()))
    }),
    ("a folder instead of the tool", |shell| {
        let place = Place::new()?;
        fs::remove_file(&place.tool)?;
        fs::create_dir(&place.tool)?;
        place.mode(&place.tool, 0o755)?;
        place.gives(shell, BLANK, "exit status 126: ")
    }),
    ("the tool is not executable", |shell| {
        let place = Place::new()?;
        place.mode(&place.tool, 0o644)?;
        place.gives(shell, BLANK, "exit status 126: ")
    }),
    ("the tool is truncated", |shell| {
        for part in [&[][..], &[0x7F, b'E', b'L', b'F', 0, 0]] {
            let place = Place::new()?;
            fs::write(&place.tool, part)?;
            let output = place.run(shell)?;
            equal(&text(&output.stdout), BLANK)?;
            equal(&output.status.code(), &Some(0))?;
            equal(&text(&output.stderr).lines().last().unwrap_or_default().starts_with(PREFIX), &true)?;
        }
        Ok(())
    }),
    ("a relative path starts at the root folder", |shell| {
        let place = Place::new()?;
        let setting = format!("tool='{}'\n", place.tool.display());
        place.set(&setting, &setting.replace("'/", "'"))?;
        place.gives(shell, REGISTERED, "")?;
        place.set(&setting.replace("'/", "'"), "tool='the tool'\n")?;
        let output = place.command(shell).current_dir(place.folder()?).env("PATH", place.folder()?).output()?;
        equal(&text(&output.stdout), BLANK)?;
        equal(&text(&output.stderr).ends_with(&format!("{PREFIX}{UNSAFE}: the tool\n")), &true)
    }),
    ("no environment, or a hostile one, changes nothing", |shell| {
        let place = Place::new()?;
        let folder = place.folder()?;
        for name in ["find", "printf", "[", "wpj-state"] {
            fs::write(folder.join(name), "#!/bin/sh\necho hostile\n")?;
            place.mode(&folder.join(name), 0o755)?;
        }
        let hostile = [
            ("PATH", folder.to_str().unwrap_or_default()),
            ("HOME", "/nowhere"),
            ("TMPDIR", "/nowhere"),
            ("LANG", "xx_YY"),
            ("LC_ALL", "ja_JP.SJIS"),
            ("IFS", "esu/01"),
        ];
        for environment in [&[][..], &hostile] {
            let mut command = place.command(shell);
            let output = command.env_clear().envs(environment.iter().copied()).current_dir(folder).output()?;
            equal(&text(&output.stdout), REGISTERED)?;
            equal(&output.status.code(), &Some(0))?;
        }
        Ok(())
    }),
    ("the working directory was deleted", |shell| {
        let place = Place::new()?;
        let gone = place.above()?.join("gone");
        fs::create_dir(&gone)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "cd \"$1\" && rmdir \"$1\" && shift && exec \"$@\"", "sh"]).arg(&gone);
        let wrapper = place.command(shell);
        let output = command.arg(wrapper.get_program()).args(wrapper.get_args()).output()?;
        equal(&text(&output.stdout), REGISTERED)?;
        equal(&output.status.code(), &Some(0))
    }),
];

type Arrange = fn(&Place) -> Result<String, Failed>;

/// Name and preparation, which returns the path that others can change.
const UNSAFE_TOOLS: [(&str, Arrange); 11] = [
    ("another user owns the tool", |place| place.given_away(&place.tool)),
    ("the tool's group can write to it", |place| place.opened(&place.tool, 0o775)),
    ("others can write to the tool", |place| place.opened(&place.tool, 0o757)),
    ("the tool is a link", |place| place.becomes_a_link(&place.tool)),
    ("another user owns the folder", |place| place.given_away(place.folder()?)),
    ("the folder's group can write to it", |place| place.opened(place.folder()?, 0o775)),
    ("others can write to the folder, but not rename in it", |place| place.opened(place.folder()?, 0o1757)),
    ("the folder is a link", |place| place.becomes_a_link(place.folder()?)),
    ("another user owns a folder far above", |place| place.given_away(place.above()?)),
    ("the group of a folder far above can write to it", |place| place.opened(place.above()?, 0o770)),
    ("others can write to a folder far above", |place| place.opened(place.above()?, 0o707)),
];

const PREFIX: &str = "wpj-state extension attribute: ";

/// A folder with a stand-in for the tool, and the wrapper with its path.
struct Place {
    _all: TempDir,
    tool: PathBuf,
    wrapper: PathBuf,
}

impl Place {
    fn new() -> Result<Self, Failed> {
        Self::with(GOOD)
    }

    fn with(body: &str) -> Result<Self, Failed> {
        let is_root = Uid::effective().is_root();
        let all = match is_root {
            // Only root can write to the folders above this one.
            true => tempfile::tempdir_in(home_of_root()?)?,
            false => tempfile::tempdir()?,
        };
        let folder = all.path().join("a folder");
        fs::create_dir(&folder)?;
        let place = Self { tool: folder.join("the tool"), wrapper: all.path().join("wrapper"), _all: all };
        // Another process copies it: a program cannot be started while it is open for writing, even in a child that
        // another test has just forked.
        let draft = place.tool.with_extension("draft");
        fs::write(&draft, format!("#!/bin/sh\n{body}\n"))?;
        equal(&Command::new("cp").arg(draft).arg(&place.tool).status()?.success(), &true)?;
        place.mode(&place.tool, 0o755)?;
        place.mode(&folder, 0o755)?;
        fs::copy("ea-wrapper.sh", &place.wrapper)?;
        place.set("tool='/usr/local/wpj-state/wpj-state'\n", &format!("tool='{}'\n", place.tool.display()))?;
        if !is_root {
            // Only root can create a tool that root owns.
            place.set("-type l -o ! -user root -o -perm -020 -o -perm -002", "-false")?;
        }
        Ok(place)
    }

    /// Changes a setting of the wrapper.
    fn set(&self, setting: &str, value: &str) -> Outcome {
        let wrapper = fs::read_to_string(&self.wrapper)?;
        equal(&wrapper.matches(setting).count(), &1)?;
        Ok(fs::write(&self.wrapper, wrapper.replace(setting, value))?)
    }

    fn folder(&self) -> Result<&Path, Failed> {
        Ok(self.tool.parent().ok_or("the tool has no folder")?)
    }

    /// The folder above the tool's folder.
    fn above(&self) -> Result<&Path, Failed> {
        Ok(self.folder()?.parent().ok_or("the tool's folder has no parent")?)
    }

    fn mode(&self, path: &Path, mode: u32) -> Outcome {
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    }

    fn opened(&self, path: &Path, mode: u32) -> Result<String, Failed> {
        self.mode(path, mode)?;
        Ok(path.display().to_string())
    }

    fn given_away(&self, path: &Path) -> Result<String, Failed> {
        chown(path, Some(65534), None)?;
        Ok(path.display().to_string())
    }

    /// Moves a file or folder elsewhere, and leaves a link to it.
    fn becomes_a_link(&self, path: &Path) -> Result<String, Failed> {
        let elsewhere = self.above()?.join("elsewhere");
        fs::rename(path, &elsewhere)?;
        symlink(&elsewhere, path)?;
        Ok(path.display().to_string())
    }

    fn command(&self, shell: Shell) -> Command {
        let mut command = Command::new(shells::path(shell));
        command.args(shell.1).arg(&self.wrapper).stdin(Stdio::piped());
        command
    }

    fn run(&self, shell: Shell) -> Result<Output, Failed> {
        Ok(self.command(shell).output()?)
    }

    /// Checks the output. On standard error only the last line counts, because a shell may print lines before it.
    fn gives(&self, shell: Shell, stdout: &str, stderr: &str) -> Outcome {
        let output = self.run(shell)?;
        equal(&text(&output.stdout), stdout)?;
        equal(&output.status.code(), &Some(0))?;
        let said = text(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        equal(last.strip_prefix(PREFIX).unwrap_or(last), stderr)
    }
}

/// Root's home, without the symbolic link that a Mac has in its path.
fn home_of_root() -> Result<PathBuf, Failed> {
    Ok(User::from_uid(Uid::from_raw(0))?.ok_or("root has no account")?.dir.canonicalize()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
