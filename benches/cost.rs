//! Measures what a run costs, including its start: this tool and `cat` on the same keychains, and a program that does
//! nothing. Prints a table.
//!
//! As root on Linux, it also measures how Jamf runs the tool: as root, on the home of another user. It creates that
//! user's account for this run only, in its own mount namespace. It also measures the whole extension attribute,
//! including the shell, with the tool where the package installs it.
//!
//! Peak memory and bytes read are known only on Linux, instructions only if valgrind is installed. Both include the
//! reader process, and are not measured for shells.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use fixture_generator::keychain::bulk;
use nix::unistd::geteuid;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The keychains that are measured: name, and number of generic passwords.
const SIZES: [(&str, usize); 4] = [("30 kB", 13), ("300 kB", 560), ("10 MB", 20_000), ("100 MB", 200_000)];

/// The size at which runs of root on other users' homes are measured, too.
const OF_ANOTHER: &str = "300 kB";

/// The other user.
const UID: u32 = 61_234;
const NAME: &str = "wpj-state-bench";
/// The number of homes in runs on several homes.
const SEVERAL: usize = 8;

const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// How many times a program is run, unless that takes too long.
const RUNS: usize = 500;
const LONG: Duration = Duration::from_secs(10);

/// The first argument of this program when it is run to create a keychain.
const MAKE: &str = "--make";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let outcome = match words[..] {
        [MAKE, passwords, keychain] => make(passwords, Path::new(keychain)),
        _ => compare(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Creates a keychain. Runs in a separate process, because the memory that it needs would affect the measurements.
fn make(passwords: &str, keychain: &Path) -> Result<()> {
    Ok(fs::write(keychain, bulk(passwords.parse()?).to_bytes())?)
}

/// A program to measure, with its arguments.
struct Contender {
    name: String,
    words: Vec<PathBuf>,
    /// The user who runs it, if another one than the current user.
    uid: Option<u32>,
    /// Whether it starts other programs, so only its time is meaningful.
    is_shell: bool,
}

impl Contender {
    fn new<'a>(name: impl Into<String>, words: impl IntoIterator<Item = &'a Path>) -> Self {
        Self { name: name.into(), words: words.into_iter().map(Path::to_owned).collect(), uid: None, is_shell: false }
    }

    fn shell<'a>(name: impl Into<String>, words: impl IntoIterator<Item = &'a Path>) -> Self {
        let words = [Path::new("/bin/dash")].into_iter().chain(words);
        Self { is_shell: true, ..Self::new(name, words) }
    }

    fn command(&self, before: &[&str]) -> Command {
        let mut words = before.iter().map(Path::new).chain(self.words.iter().map(PathBuf::as_path));
        let mut command = Command::new(words.next().unwrap_or(Path::new("")));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        command
    }

    fn time(&self) -> Result<Duration> {
        let begun = Instant::now();
        let status = self.command(&[]).status()?;
        let time = begun.elapsed();
        if status.success() { Ok(time) } else { Err(format!("{}: {status}", self.name).into()) }
    }

    /// The instructions that callgrind counts, including the reader process. Those before a fork are counted once.
    fn instructions(&self) -> Option<u64> {
        let own = self.collected(&[]).last().copied()?;
        let of_readers = self.collected(&["--collect-atstart=no", "--toggle-collect=*become_reader*"]);
        Some(own + of_readers.iter().sum::<u64>())
    }

    /// The number of instructions that callgrind reports for each process, the first process last.
    fn collected(&self, options: &[&str]) -> Vec<u64> {
        let valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let mut command = self.command(&[&valgrind[..], options].concat());
        let Ok(output) = command.stderr(Stdio::piped()).output() else { return Vec::new() };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().filter_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok()).collect()
    }
}

/// What a program costs.
struct Cost {
    median: Duration,
    instructions: Option<u64>,
    /// Peak memory, and bytes read by system calls.
    memory_and_read: Option<(u64, u64)>,
}

/// Measures the programs in turn, because a disturbance then affects all of them.
fn costs(contenders: &[Contender]) -> Result<Vec<Cost>> {
    let mut times = vec![Vec::new(); contenders.len()];
    for _ in 0..RUNS {
        for (contender, times) in contenders.iter().zip(&mut times) {
            if times.iter().sum::<Duration>() < LONG {
                times.push(contender.time()?);
            }
        }
    }
    let cost = |(contender, times): (&Contender, &mut Vec<Duration>)| {
        times.sort_unstable();
        let median = *times.get(times.len() / 2).ok_or("it was run")?;
        if contender.is_shell {
            return Ok(Cost { median, instructions: None, memory_and_read: None });
        }
        let memory_and_read = last_moment::memory_and_read(contender.command(&[]))?;
        Ok(Cost { median, instructions: contender.instructions(), memory_and_read })
    };
    contenders.iter().zip(&mut times).map(cost).collect()
}

fn compare() -> Result<()> {
    let folder = env::temp_dir().join(format!("wpj-state-bench.{}", std::process::id()));
    let outcome = compare_in(&folder);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn compare_in(folder: &Path) -> Result<()> {
    let this = env::current_exe()?;
    let empty = empty_program(folder)?;
    // Any user must be able to run it.
    let tool = folder.join("wpj-state");
    fs::copy(env!("CARGO_BIN_EXE_wpj-state"), &tool)?;
    let uid = geteuid().is_root().then_some(UID);
    let mut lines = vec![
        "| Keychain | Program | Median | vs empty program | Instructions | Peak memory | Read |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (size, passwords) in SIZES {
        let home = folder.join(passwords.to_string());
        let keychain = make_home(&home, &this, passwords)?;
        give_away(&home, uid)?;
        let mut contenders = vec![
            Contender::new("empty", [&*empty]),
            Contender { uid, ..Contender::new("wpj-state", [&*tool, Path::new("--home"), &home]) },
            Contender::new("cat", [Path::new("/bin/cat"), &keychain]),
        ];
        if size == OF_ANOTHER && account::is_made(&home)? {
            let words = [&*tool, Path::new("--user"), Path::new(NAME)];
            contenders.push(Contender::new("wpj-state as root, another user's home", words));
            contenders.push(Contender::shell("dash -c :", ["-c", ":"].map(Path::new)));
            let wrapper = install_wrapper(folder, &tool)?;
            contenders
                .push(Contender::shell("the extension attribute in dash as root, another user's home", [&*wrapper]));
            let mut several: Vec<PathBuf> = vec![tool.clone()];
            for number in 0..SEVERAL {
                let home = folder.join(format!("user {number}"));
                make_home(&home, &this, passwords)?;
                give_away(&home, uid.map(|uid| uid + u32::try_from(number).unwrap_or_default()))?;
                several.extend([PathBuf::from("--home"), home]);
            }
            let one = several.iter().take(3).map(PathBuf::as_path);
            contenders.push(Contender::new("wpj-state as root, one given home", one));
            let name = format!("wpj-state as root, {SEVERAL} given homes");
            contenders.push(Contender::new(name, several.iter().map(PathBuf::as_path)));
        }
        let costs = costs(&contenders)?;
        let floor = costs.first().ok_or("the empty program was not run")?.median;
        lines.extend(contenders.iter().zip(&costs).map(|(contender, cost)| line(size, &contender.name, cost, floor)));
    }
    writeln!(io::stdout(), "{}", lines.join("\n"))?;
    Ok(())
}

fn line(size: &str, name: &str, cost: &Cost, floor: Duration) -> String {
    let unknown = || "–".to_owned();
    let [median, ratio] = [cost.median.as_secs_f64() * 1e3, cost.median.as_secs_f64() / floor.as_secs_f64()];
    let instructions = cost.instructions.map_or_else(unknown, |count| format!("{:.2} million", count as f64 / 1e6));
    let (memory, read) = cost.memory_and_read.map_or_else(
        || (unknown(), unknown()),
        |(memory, read)| (format!("{:.1} MB", memory as f64 / 1e6), format!("{} kB", read / 1000)),
    );
    format!("| {size} | {name} | {median:.2} ms | {ratio:.2} | {instructions} | {memory} | {read} |")
}

/// Installs the tool where the wrapper expects it, and returns the wrapper. It names the user with an option, because
/// there is no console user here.
fn install_wrapper(folder: &Path, tool: &Path) -> Result<PathBuf> {
    account::cover("/usr/local")?;
    fs::create_dir("/usr/local/wpj-state")?;
    fs::copy(tool, "/usr/local/wpj-state/wpj-state")?;
    let pasted = fs::read_to_string("ea-wrapper.sh")?;
    let with_user = pasted.replace(" --attribute ", &format!(" --user {NAME} --attribute "));
    let wrapper = folder.join("ea-wrapper.sh");
    fs::write(&wrapper, with_user)?;
    let output = Command::new("/bin/dash").arg(&wrapper).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if printed == "<result>Registered</result>\n" { Ok(wrapper) } else { Err(format!("{output:?}").into()) }
}

/// A Rust program that does nothing.
fn empty_program(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    fs::write(&source, "fn main() {}\n")?;
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let options = ["--edition=2024", "-Copt-level=s", "-Clto=fat", "-Ccodegen-units=1", "-Cstrip=symbols", "-o"];
    let status = Command::new(compiler).args(options).arg(&program).arg(source).status()?;
    if status.success() { Ok(program) } else { Err("the empty program cannot be compiled".into()) }
}

/// Creates the home of a registered user, and returns the path of its keychain.
fn make_home(home: &Path, this: &Path, passwords: usize) -> Result<PathBuf> {
    let (keychain, plist) = (home.join("Library/Keychains/login.keychain-db"), home.join(PLIST));
    for file in [&keychain, &plist] {
        fs::create_dir_all(file.parent().ok_or("a file has a folder")?)?;
    }
    let made = Command::new(this).arg(MAKE).arg(passwords.to_string()).arg(&keychain).status()?;
    if !made.success() {
        return Err(format!("{}: it cannot be made", keychain.display()).into());
    }
    // macOS writes binary plists.
    fs::copy(Path::new("fixtures/registered-binary-plist/home").join(PLIST), plist)?;
    Ok(keychain)
}

/// Changes the owner of a folder and everything in it.
fn give_away(path: &Path, uid: Option<u32>) -> Result<()> {
    chown(path, uid, uid)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path(), uid)?;
        }
    }
    Ok(())
}

/// An account that exists only for this process and its children.
#[cfg(target_os = "linux")]
mod account {
    use std::{fs, path::Path};

    use nix::{
        mount::{MsFlags, mount},
        sched::{CloneFlags, unshare},
        unistd::geteuid,
    };

    use super::{NAME, Result, UID};

    /// Creates the account, if this process has the rights for that.
    pub fn is_made(home: &Path) -> Result<bool> {
        const ACCOUNTS: &str = "/etc/passwd";
        if !geteuid().is_root() {
            return Ok(false);
        }
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        let accounts = home.with_extension("accounts");
        let line = format!("{NAME}:x:{UID}:{UID}::{}:/bin/false\n", home.display());
        fs::write(&accounts, fs::read_to_string(ACCOUNTS)? + &line)?;
        mount(Some(&accounts), ACCOUNTS, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(true)
    }

    /// Mounts an empty folder over another one, for this process and its children.
    pub fn cover(folder: &str) -> Result<()> {
        Ok(mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?)
    }
}

#[cfg(not(target_os = "linux"))]
mod account {
    pub fn is_made(_: &std::path::Path) -> super::Result<bool> {
        Ok(false)
    }

    pub fn cover(folder: &str) -> super::Result<()> {
        Err(format!("{folder}: only Linux can cover it").into())
    }
}

/// Measures a process by tracing it: Linux stops a traced process when it ends, and its costs can then be read.
#[cfg(target_os = "linux")]
mod last_moment {
    use std::{fs, os::unix::process::CommandExt, process::Command};

    use nix::{
        sys::{
            ptrace::{self, Event, Options},
            signal::Signal,
            wait::{WaitPidFlag, WaitStatus, waitpid},
        },
        unistd::Pid,
    };

    use super::Result;

    pub fn memory_and_read(mut command: Command) -> Result<Option<(u64, u64)>> {
        // SAFETY: the closure makes only one system call.
        unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
        let child = command.spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        waitpid(pid, None)?;
        let options = Options::PTRACE_O_TRACEEXIT | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(pid, options)?;
        ptrace::cont(pid, None)?;
        let (mut memory, mut read) = (0, 0);
        loop {
            match waitpid(None, Some(WaitPidFlag::__WALL))? {
                WaitStatus::PtraceEvent(one, _, event) if event == Event::PTRACE_EVENT_EXIT as i32 => {
                    let of = |file: &str, field: &str| {
                        number(&fs::read_to_string(format!("/proc/{one}/{file}")).ok()?, field)
                    };
                    memory += of("status", "VmHWM:").unwrap_or_default() * 1024;
                    read += of("io", "rchar:").unwrap_or_default();
                    ptrace::cont(one, None)?;
                }
                // A new traced process starts with a SIGSTOP.
                WaitStatus::Stopped(one, Signal::SIGTRAP | Signal::SIGSTOP) => ptrace::cont(one, None)?,
                WaitStatus::Stopped(one, signal) => ptrace::cont(one, signal)?,
                WaitStatus::Exited(one, _) | WaitStatus::Signaled(one, ..) if one == pid => {
                    return Ok(Some((memory, read)).filter(|&(memory, _)| memory > 0));
                }
                other => {
                    if let Some(one) = other.pid().filter(|_| matches!(other, WaitStatus::PtraceEvent(..))) {
                        ptrace::cont(one, None)?;
                    }
                }
            }
        }
    }

    /// The number after the name of a field.
    fn number(text: &str, field: &str) -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(field))?.split_whitespace().next()?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod last_moment {
    pub fn memory_and_read(_: std::process::Command) -> super::Result<Option<(u64, u64)>> {
        Ok(None)
    }
}
