//! What a look costs, start-up included: this tool and `cat`, on the same keychains, beside a program that does nothing.
//! Prints a table.
//!
//! Peak memory and what is read are only told on Linux, instructions only where valgrind is installed.

use std::{
    env, fs,
    io::{self, Write},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use fixture_generator::keychain::bulk;
use nix::unistd::{User, geteuid};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Name, and number of generic passwords.
const SIZES: [(&str, usize); 4] = [("30 kB", 13), ("300 kB", 560), ("10 MB", 20_000), ("100 MB", 200_000)];

/// At which size the look at another user's home is measured, too: root's rights have to be changed for it.
const OF_ANOTHER: &str = "300 kB";

const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// How often a program is run, unless that takes too long.
const RUNS: usize = 500;
const LONG: Duration = Duration::from_secs(10);

/// The first argument of this program when it is run to make a keychain.
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

/// In a process of its own, whose memory is not this one's.
fn make(passwords: &str, keychain: &Path) -> Result<()> {
    Ok(fs::write(keychain, bulk(passwords.parse()?).to_bytes())?)
}

/// A program with its arguments.
struct Contender {
    name: &'static str,
    words: Vec<PathBuf>,
}

impl Contender {
    fn new(name: &'static str, words: &[&Path]) -> Self {
        Self { name, words: words.iter().map(|&word| word.to_owned()).collect() }
    }

    fn command(&self, before: &[&str]) -> Command {
        let mut words = before.iter().map(Path::new).chain(self.words.iter().map(PathBuf::as_path));
        let mut command = Command::new(words.next().unwrap_or(Path::new("")));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn time(&self) -> Result<Duration> {
        let begun = Instant::now();
        let status = self.command(&[]).status()?;
        let time = begun.elapsed();
        if status.success() { Ok(time) } else { Err(format!("{}: {status}", self.name).into()) }
    }

    /// As callgrind counts them.
    fn instructions(&self) -> Option<u64> {
        let mut command = self.command(&["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        let output = command.stderr(Stdio::piped()).output().ok()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().find_map(|line| line.split_once("Collected : "))?.1.trim().parse().ok()
    }
}

/// What a program costs.
struct Cost {
    median: Duration,
    instructions: Option<u64>,
    /// Peak memory, and what was read by calls, in bytes.
    memory_and_read: Option<(u64, u64)>,
}

/// Runs the programs in turn, so that what disturbs one disturbs all.
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
        let memory_and_read = last_moment::memory_and_read(contender.command(&[]))?;
        Ok(Cost { median, instructions: contender.instructions(), memory_and_read })
    };
    contenders.iter().zip(&mut times).map(cost).collect()
}

fn compare() -> Result<()> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cost");
    let tool = Path::new(env!("CARGO_BIN_EXE_wpj-state"));
    let this = env::current_exe()?;
    let empty = empty_program(&folder)?;
    let mut lines = vec![
        "| Keychain | Program | Median | to an empty one's | Instructions | Peak memory | Read |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    let mut most = 0.0_f64;
    for (size, passwords) in SIZES {
        let (home, keychain) = home_in(&folder, &this, passwords)?;
        let mut contenders = vec![
            Contender::new("empty", &[&empty]),
            Contender::new("wpj-state", &[tool, Path::new("--home"), &home]),
            Contender::new("cat", &[Path::new("/bin/cat"), &keychain]),
        ];
        let others = folder.join("another user's");
        if size == OF_ANOTHER && geteuid().is_root() {
            let (home, _) = home_in(&others, &this, passwords)?;
            give_away(&others)?;
            contenders
                .push(Contender::new("wpj-state as root, another user's home", &[tool, Path::new("--home"), &home]));
        }
        let costs = costs(&contenders)?;
        let floor = costs.first().ok_or("the empty program was run")?.median;
        let own = costs.get(1).ok_or("the tool was run")?;
        most = most.max(own.median.as_secs_f64() / floor.as_secs_f64());
        for (contender, cost) in contenders.iter().zip(&costs) {
            lines.push(line(size, contender.name, cost, floor));
        }
    }
    lines.push(format!("\nwpj-state takes at most {most:.2} times as long as a program that does nothing."));
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

/// A registered user's home, and the keychain in it.
fn home_in(folder: &Path, this: &Path, passwords: usize) -> Result<(PathBuf, PathBuf)> {
    let home = folder.join(passwords.to_string());
    let (keychain, plist) = (home.join("Library/Keychains/login.keychain-db"), home.join(PLIST));
    for file in [&keychain, &plist] {
        fs::create_dir_all(file.parent().ok_or("a file has a folder")?)?;
    }
    let made = Command::new(this).arg(MAKE).arg(passwords.to_string()).arg(&keychain).status()?;
    if !made.success() {
        return Err(format!("{}: it cannot be made", keychain.display()).into());
    }
    fs::copy(Path::new("fixtures/registered/home").join(PLIST), plist)?;
    Ok((home, keychain))
}

/// Makes everything in a folder nobody's.
fn give_away(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            give_away(&path)?;
        }
        let nobody = User::from_name("nobody")?.ok_or("there is no account named nobody")?;
        chown(&path, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw()))?;
    }
    Ok(())
}

/// Linux stops a traced process when it ends, so that it can be asked what it has cost.
#[cfg(target_os = "linux")]
mod last_moment {
    use std::{fs, os::unix::process::CommandExt, process::Command};

    use nix::{
        sys::{
            ptrace::{self, Event, Options},
            signal::Signal,
            wait::{WaitStatus, waitpid},
        },
        unistd::Pid,
    };

    use super::Result;

    pub fn memory_and_read(mut command: Command) -> Result<Option<(u64, u64)>> {
        // SAFETY: it makes one call to the system.
        unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
        let child = command.spawn()?;
        let pid = Pid::from_raw(child.id().cast_signed());
        waitpid(pid, None)?;
        ptrace::setoptions(pid, Options::PTRACE_O_TRACEEXIT | Options::PTRACE_O_EXITKILL)?;
        ptrace::cont(pid, None)?;
        let mut cost = None;
        loop {
            match waitpid(pid, None)? {
                WaitStatus::PtraceEvent(_, _, event) if event == Event::PTRACE_EVENT_EXIT as i32 => {
                    let of = |file: &str, field: &str| {
                        number(&fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?, field)
                    };
                    cost = of("status", "VmHWM:").map(|kilobytes| kilobytes * 1024).zip(of("io", "rchar:"));
                    ptrace::cont(pid, None)?;
                }
                WaitStatus::Stopped(_, signal) if signal != Signal::SIGTRAP => ptrace::cont(pid, signal)?,
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Ok(cost),
                _ => ptrace::cont(pid, None)?,
            }
        }
    }

    /// The number behind a field's name.
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
