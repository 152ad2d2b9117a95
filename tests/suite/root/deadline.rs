//! A file that never opens does not hold up the tool: one that a security agent does not let through, whether the tool
//! or its worker asks for it, and one in a file system that never answers, where a process cannot even be killed. Linux
//! lets root make both.

use std::{
    env,
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{fs::symlink, process::ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::{
        fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{
    outcome::{Failed, Outcome, equal},
    startup_disk,
};

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// The way to a home. Behind a link another disk may lie, which only a worker may ask.
#[derive(Debug, Clone, Copy)]
enum Way {
    Direct,
    Link,
}

const WAYS: [Way; 2] = [Way::Direct, Way::Link];

/// A registered user's home whose keychain does not open while this lives.
struct HeldUp {
    _folder: TempDir,
    home: PathBuf,
    holder: Fanotify,
}

impl HeldUp {
    fn new(way: Way) -> Result<Self, Failed> {
        let place = startup_disk::folder().unwrap_or_else(env::temp_dir);
        let folder = tempfile::tempdir_in(place)?;
        let [home, link] = ["home", "link"].map(|name| folder.path().join(name));
        let keychain = home.join(KEYCHAIN);
        fs::create_dir_all(keychain.parent().ok_or("a file has a folder")?)?;
        symlink(&home, &link)?;
        fs::copy(Path::new("fixtures/registered/home").join(KEYCHAIN), &keychain)?;
        let holder = Fanotify::init(InitFlags::FAN_CLASS_CONTENT, EventFFlags::O_RDONLY)?;
        holder.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_OPEN_PERM, nix::fcntl::AT_FDCWD, Some(&keychain))?;
        let home = match way {
            Way::Direct => home,
            Way::Link => link,
        };
        Ok(Self { _folder: folder, home, holder })
    }

    fn keychain(&self) -> PathBuf {
        self.home.join(KEYCHAIN)
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
        tool.timeout(Duration::from_secs(120)).args(["--deadline", "1", "--home"]).arg(&self.home);
        Ok(tool)
    }
}

#[test]
#[ignore = "needs root"]
fn the_result_is_blank_when_the_time_is_over() -> Outcome {
    WAYS.into_iter().try_for_each(the_result_is_blank)
}

fn the_result_is_blank(way: Way) -> Outcome {
    let held_up = HeldUp::new(way)?;
    let output = held_up.tool()?.output()?;
    equal(&String::from_utf8_lossy(&output.stdout).into_owned(), &"<result></result>\n".to_owned())?;
    equal(&String::from_utf8_lossy(&output.stderr).into_owned(), &format!("wpj-state: {}\n", held_up.reason()))?;
    equal(&output.status.code(), &Some(1))
}

#[test]
#[ignore = "needs root"]
fn the_json_says_why_there_is_no_state_when_the_time_is_over() -> Outcome {
    WAYS.into_iter().try_for_each(the_json_says_why)
}

fn the_json_says_why(way: Way) -> Outcome {
    let held_up = HeldUp::new(way)?;
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
        "platform_sso": {
            "asked": false,
            "status": "not-asked",
            "registration_completed": null,
            "user_state": null,
            "extension": null,
            "device_id": null,
            "tenant_id": null,
            "user_principal_name": null,
        },
        "sso_extension": {
            "asked": false,
            "status": "not-asked",
            "device_id": null,
            "tenant_id": null,
            "user_principal_name": null,
        },
        "jamf_aad": { "path": null, "status": "not-asked", "have_an_azure_id": null, "last_token": null },
        "set_up": {
            "asked": false,
            "use_wk_web_view": null,
            "token_retry_count": null,
            "token_retry_wait_time": null,
            "sso_extension_allows_jamf": null,
            "microsoft_ca_enabled": null,
            "gathered_as_root": null,
            "company_portal_installed": null,
            "jamf_tool": null,
        },
        "findings": [],
    });
    equal(&json, &expected)?;
    equal(&output.status.code(), &Some(1))
}

#[test]
#[ignore = "needs root"]
fn every_kind_of_output_says_why_when_the_time_is_over() -> Outcome {
    WAYS.into_iter().try_for_each(every_kind_of_output_says_why)
}

fn every_kind_of_output_says_why(way: Way) -> Outcome {
    let held_up = HeldUp::new(way)?;
    let home = held_up.home.display().to_string();
    let reason = format!("wpj-state: {}\n", held_up.reason());
    let of_list = format!("wpj-state: {home}: {}\n", held_up.reason());
    let lines = format!("<result>{home}:</result>");
    for (options, first_line, stderr) in [
        (&["--attribute", "user"][..], "<result></result>", &reason),
        (&["--explain"], "State: Cannot be told", &reason),
        (&["--attribute", "users"], &lines, &of_list),
        (&["--json", "--all-users"], "[", &of_list),
    ] {
        let output = held_up.tool()?.args(options).output()?;
        let stdout = String::from_utf8(output.stdout)?;
        equal(&stdout.lines().next(), &Some(first_line))?;
        equal(&String::from_utf8(output.stderr)?, stderr)?;
        equal(&output.status.code(), &Some(1))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_home_that_is_held_up_hides_no_other() -> Outcome {
    let registered = "fixtures/registered/home";
    for place in 0..3 {
        let held_up = HeldUp::new(Way::Direct)?;
        let home = held_up.home.display().to_string();
        let mut homes = vec![registered; 2];
        homes.insert(place, &home);
        let mut tool = assert_cmd::Command::cargo_bin("wpj-state")?;
        tool.timeout(Duration::from_secs(120)).args(["--deadline", "3"]);
        let output = tool.args(homes.iter().flat_map(|home| ["--home", home])).output()?;
        let line = |it: &&str| if *it == home { format!("{home}:") } else { format!("{it}: Registered") };
        let lines: Vec<String> = homes.iter().map(line).collect();
        equal(&String::from_utf8(output.stdout)?, &format!("<result>{}</result>\n", lines.join("\n")))?;
        let stderr = String::from_utf8(output.stderr)?;
        let keychain = held_up.keychain();
        let begin = format!("wpj-state: {home}: {}: no answer within ", keychain.display());
        equal(&(stderr.starts_with(&begin), stderr.lines().count()), &(true, 1))?;
        equal(&output.status.code(), &Some(1))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_tool_that_is_held_up_ends_when_it_is_told_to() -> Outcome {
    for (signal, way) in [Signal::SIGTERM, Signal::SIGKILL].into_iter().flat_map(|it| WAYS.map(|way| (it, way))) {
        let held_up = HeldUp::new(way)?;
        let mut tool = Command::new(cargo_bin("wpj-state"));
        tool.args(["--deadline", "3600", "--home"]).arg(&held_up.home).stdout(Stdio::piped());
        let mut child = tool.spawn()?;
        // Comes when the worker, or the tool itself, is at the file.
        let events = held_up.holder.read_events()?;
        equal(&events.len(), &1)?;
        let worker = events[0].pid();
        kill(Pid::from_raw(i32::try_from(child.id())?), signal)?;
        let is_itself = u32::try_from(worker)? == child.id();
        equal(&is_itself, &(matches!(way, Way::Direct) && startup_disk::folder().is_some()))?;
        equal(&child.wait()?.signal(), &Some(signal as i32))?;
        // The worker has noticed, and is gone, too.
        is_gone(worker)?;
    }
    Ok(())
}

fn is_gone(pid: i32) -> Outcome {
    for _ in 0..60_000 {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(format!("process {pid} is still there").into())
}

#[test]
#[ignore = "needs root"]
fn a_worker_without_its_supervisor_ends() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut worker = Command::new(cargo_bin("wpj-state"));
    let held_up = HeldUp::new(Way::Direct)?;
    worker
        .arg("--worker")
        .arg(folder.path().join("private"))
        .args(["plain", "3600000", "whole", "--home"])
        .arg(&held_up.home);
    let mut child = worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    equal(&held_up.holder.read_events()?.len(), &1)?;
    // Whatever it is told to remove, it removes only what it has made.
    fs::create_dir(folder.path().join("private"))?;
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM)?;
    drop(child.stdin.take());
    equal(&child.wait()?.signal(), &Some(Signal::SIGKILL as i32))?;
    equal(&folder.path().join("private").exists(), &true)
}

#[test]
#[ignore = "needs root"]
fn a_caller_that_ignores_the_ends_of_its_children_gets_an_answer() -> Outcome {
    let mut tool = Command::new("env");
    let folder = tempfile::tempdir()?;
    let home = folder.path().join("link");
    symlink(Path::new("fixtures/registered/home").canonicalize()?, &home)?;
    tool.arg("--ignore-signal=CHLD").arg(cargo_bin("wpj-state")).arg("--home").arg(home);
    let output = tool.output()?;
    equal(&String::from_utf8(output.stdout)?, &"<result>Registered</result>\n".to_owned())?;
    equal(&output.status.code(), &Some(0))
}

/// A file system that answers the first question, whether anybody is there, and then no other.
struct Dead {
    folder: PathBuf,
    device: File,
}

const INIT: u32 = 26;

impl Dead {
    fn mount_on(folder: &Path) -> Result<Self, Failed> {
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        mount(Some("dead"), folder, Some("fuse"), MsFlags::empty(), Some(options.as_str()))?;
        Ok(Self { folder: folder.to_owned(), device })
    }

    /// Takes the next question: its kind and its number.
    fn next(&mut self) -> Result<(u32, [u8; 8]), Failed> {
        let mut question = vec![0; 1 << 17];
        let length = self.device.read(&mut question)?;
        let header = question.get(..length).and_then(|it| it.first_chunk::<16>()).ok_or("a whole header")?;
        let [_, _, _, _, a, b, c, d, number @ ..] = *header;
        Ok((u32::from_ne_bytes([a, b, c, d]), number))
    }

    /// Says that it is there: version 7.31, and nothing special.
    fn begin(&mut self) -> Outcome {
        let (kind, number) = self.next()?;
        equal(&kind, &INIT)?;
        let mut answer = Vec::new();
        answer.extend(80u32.to_ne_bytes());
        answer.extend(0i32.to_ne_bytes());
        answer.extend(number);
        answer.extend(7u32.to_ne_bytes());
        answer.extend(31u32.to_ne_bytes());
        answer.resize(80, 0);
        self.device.write_all(&answer)?;
        Ok(())
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
    }
}

#[test]
#[ignore = "needs root"]
fn dead_file_systems_hide_no_other_home() -> Outcome {
    let folders = (0..5).map(|_| tempfile::tempdir()).collect::<Result<Vec<_>, _>>()?;
    let mut dead = folders.iter().map(|it| Dead::mount_on(it.path())).collect::<Result<Vec<_>, _>>()?;
    dead.iter_mut().try_for_each(Dead::begin)?;
    let mut homes: Vec<String> = dead.iter().map(|it| it.folder.display().to_string()).collect();
    homes.push("fixtures/registered/home".to_owned());
    let asking = ask_about(&homes);
    // Whoever asked cannot be killed: the question was taken.
    for dead in &mut dead {
        equal(&(dead.next()?.0 == INIT), &false)?;
    }
    let output = asking.recv_timeout(LONG)??;
    let lines: Vec<String> = homes.iter().take(5).map(|home| format!("{home}:")).collect();
    let lines = format!("<result>{}\nfixtures/registered/home: Registered</result>\n", lines.join("\n"));
    equal(&String::from_utf8(output.stdout)?, &lines)?;
    equal(&String::from_utf8(output.stderr)?.lines().count(), &5)?;
    equal(&output.status.code(), &Some(1))
}

/// If the tool does not end by itself, it cannot be ended either, until the dead file system is given up.
const LONG: Duration = Duration::from_secs(120);

/// Asks about homes, with a deadline of one second.
fn ask_about(homes: &[String]) -> mpsc::Receiver<io::Result<Output>> {
    let mut tool = Command::new(cargo_bin("wpj-state"));
    tool.args(["--deadline", "1"]).args(homes.iter().flat_map(|home| ["--home", home]));
    let (answer, answers) = mpsc::channel();
    thread::spawn(move || answer.send(tool.output()));
    answers
}

/// Asks about a home in which a file system is dead.
fn no_answer_from(home: &Path, dead: &mut Dead) -> Result<Output, Failed> {
    dead.begin()?;
    let asking = ask_about(&[home.display().to_string()]);
    // From now on whoever asked cannot be killed: the question was taken.
    let (kind, _) = dead.next()?;
    equal(&(kind == INIT), &false)?;
    Ok(asking.recv_timeout(LONG)??)
}

fn gives_no_answer(output: Output, path: &Path) -> Outcome {
    let reason = "no answer within 1 s; find out what holds it up, or give it more time with --deadline";
    equal(&String::from_utf8(output.stdout)?, &"<result></result>\n".to_owned())?;
    equal(&String::from_utf8(output.stderr)?, &format!("wpj-state: {}: {reason}\n", path.display()))?;
    equal(&output.status.code(), &Some(1))
}

#[test]
#[ignore = "needs root"]
fn a_file_system_that_never_answers_does_not_hold_up_the_answer() -> Outcome {
    let home = tempfile::tempdir()?;
    let mut dead = Dead::mount_on(home.path())?;
    gives_no_answer(no_answer_from(home.path(), &mut dead)?, home.path())
}

/// As its user can mount it.
#[test]
#[ignore = "needs root"]
fn a_file_system_within_a_home_that_never_answers_does_not_hold_up_the_answer() -> Outcome {
    for (folder, file) in [("Library", KEYCHAIN), ("Library/Keychains", KEYCHAIN), ("Library/Preferences", PLIST)] {
        let home = tempfile::tempdir()?;
        for file in [KEYCHAIN, PLIST] {
            let copy = home.path().join(file);
            fs::create_dir_all(copy.parent().ok_or("a file has a folder")?)?;
            fs::copy(Path::new("fixtures/registered/home").join(file), copy)?;
        }
        let mut dead = Dead::mount_on(&home.path().join(folder))?;
        gives_no_answer(no_answer_from(home.path(), &mut dead)?, &home.path().join(file))?;
    }
    Ok(())
}
