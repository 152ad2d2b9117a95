//! A file that never opens, as behind a dead file server or a security agent that does not answer, does not hold up the
//! tool. Linux lets root hold up each opening of a file; elsewhere and without root these tests are ignored.

use libtest_mimic::{Arguments, Trial};

#[cfg(target_os = "linux")]
mod held_up {
    use std::{
        fs,
        os::unix::process::ExitStatusExt,
        path::{Path, PathBuf},
        process::{Command, Stdio},
        time::Duration,
    };

    use assert_cmd::cargo::cargo_bin;
    use libtest_mimic::Failed;
    use nix::{
        sys::{
            fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags},
            signal::{Signal, kill},
        },
        unistd::Pid,
    };
    use tempfile::TempDir;

    const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";

    pub type Test = fn() -> Result<(), Failed>;

    pub const TESTS: [(&str, Test); 3] = [
        ("the result is blank when the time is over", the_result_is_blank),
        ("the JSON says why there is no state when the time is over", the_json_says_why),
        ("a tool that is held up ends when it is told to", it_ends_when_told_to),
    ];

    /// A registered user's home whose keychain does not open while this lives.
    struct HeldUp {
        home: TempDir,
        holder: Fanotify,
    }

    impl HeldUp {
        fn new() -> Result<Self, Failed> {
            let home = tempfile::tempdir()?;
            let keychain = home.path().join(KEYCHAIN);
            fs::create_dir_all(keychain.parent().ok_or("a file has a folder")?)?;
            fs::copy(Path::new("fixtures/registered/home").join(KEYCHAIN), &keychain)?;
            let holder = Fanotify::init(InitFlags::FAN_CLASS_CONTENT, EventFFlags::O_RDONLY)?;
            holder.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_OPEN_PERM, nix::fcntl::AT_FDCWD, Some(&keychain))?;
            Ok(Self { home, holder })
        }

        fn keychain(&self) -> PathBuf {
            self.home.path().join(KEYCHAIN)
        }

        fn reason(&self) -> String {
            let path = self.keychain();
            format!(
                "{}: no answer within 1 s; find out what holds it up, or give it more time with --deadline",
                path.display()
            )
        }

        /// The tool with a deadline of one second; a tool that does not end is ended, and the test fails.
        fn tool(&self) -> Result<assert_cmd::Command, Failed> {
            let mut tool = assert_cmd::Command::cargo_bin("wpj-state")?;
            tool.timeout(Duration::from_secs(120)).args(["--deadline", "1", "--home"]).arg(self.home.path());
            Ok(tool)
        }
    }

    fn the_result_is_blank() -> Result<(), Failed> {
        let held_up = HeldUp::new()?;
        let output = held_up.tool()?.output()?;
        equal(&String::from_utf8_lossy(&output.stdout).into_owned(), &"<result></result>\n".to_owned())?;
        equal(&String::from_utf8_lossy(&output.stderr).into_owned(), &format!("wpj-state: {}\n", held_up.reason()))?;
        equal(&output.status.code(), &Some(1))
    }

    fn the_json_says_why() -> Result<(), Failed> {
        let held_up = HeldUp::new()?;
        let output = held_up.tool()?.arg("--json").output()?;
        let json: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let expected = serde_json::json!({
            "schema": 1,
            "state": null,
            "undetermined": held_up.reason(),
            "user": { "name": null, "uid": null, "home": null, "source": null },
            "workplace_join": null,
            "keychain": {
                "path": null,
                "status": "not-asked",
                "certificates": null,
                "private_keys": null,
                "identities": null,
                "workplace_join_certificates": null,
            },
            "jamf_aad": { "path": null, "status": "not-asked", "have_an_azure_id": null, "last_token": null },
            "findings": [],
        });
        equal(&json, &expected)?;
        equal(&output.status.code(), &Some(1))
    }

    fn it_ends_when_told_to() -> Result<(), Failed> {
        let held_up = HeldUp::new()?;
        let mut tool = Command::new(cargo_bin("wpj-state"));
        tool.args(["--deadline", "120", "--home"]).arg(held_up.home.path()).stdout(Stdio::piped());
        let mut child = tool.spawn()?;
        // Comes when the tool is at the file.
        let events = held_up.holder.read_events()?;
        equal(&events.len(), &1)?;
        kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
        equal(&child.wait()?.signal(), &Some(Signal::SIGTERM as i32))
    }

    fn equal<T: PartialEq + std::fmt::Debug>(left: &T, right: &T) -> Result<(), Failed> {
        if left == right { Ok(()) } else { Err(format!("found {left:#?}\nexpected {right:#?}").into()) }
    }
}

#[cfg(target_os = "linux")]
fn trials() -> Vec<Trial> {
    let is_root = nix::unistd::geteuid().is_root();
    let reason = if is_root { "" } else { " (ignored: it needs root)" };
    held_up::TESTS
        .into_iter()
        .map(|(name, test)| Trial::test(format!("{name}{reason}"), test).with_ignored_flag(!is_root))
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn trials() -> Vec<Trial> {
    let name = "a file that never opens (ignored: only Linux lets a test hold up a file)";
    vec![Trial::test(name, || Ok(())).with_ignored_flag(true)]
}

fn main() {
    libtest_mimic::run(&Arguments::from_args(), trials()).exit();
}
