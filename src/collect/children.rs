//! Child processes: one loop reads what they print, until they end or have to.

use std::{
    fmt,
    io::{self, PipeReader, Read},
    os::fd::AsFd,
    process, thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{platform, signals};

/// How often to look whether a child has ended, or this process has to.
const TICK: Duration = Duration::from_millis(20);

/// How long not to sleep: a processor may take longer to wake than a reader process to answer.
const AWAKE: Duration = Duration::from_millis(1);

/// How long a command has to end by itself when it is told to: sudo has to end what it has started.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How long to wait for what was killed. A process that hangs in a dead file system ends when that does.
const DEATH: Duration = Duration::from_millis(200);

/// What a child may print to each of its outputs, in bytes.
pub(super) const MAX_OUTPUT: usize = 1024 * 1024;

pub(super) struct Child {
    pub(super) pid: Pid,
    /// Whether it is a process group of its own, with all that it starts; it is then told to end before it is killed.
    pub(super) is_group: bool,
    pub(super) outputs: Vec<PipeReader>,
    pub(super) limit: Instant,
}

#[derive(Debug)]
pub(super) struct Ended {
    /// How it ended, if the system says, or why it was stopped.
    pub(super) outcome: Result<Option<Exit>, Failure>,
    /// What it printed until then, to each of its outputs.
    pub(super) outputs: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Status(i32),
    Signal(Signal),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it ended with exit status {status}"),
            Self::Signal(signal) => write!(f, "it was ended by {signal}"),
        }
    }
}

/// What a program printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Why a program gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Missing,
    TimedOut,
    TooMuch,
    /// It could not be run; the operating system's words.
    Failed(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Failed(error.to_string()) }
    }
}

/// Waits until each of these children has ended, or was stopped because it exceeds its limit.
///
/// A process that cannot be killed, or a descendant of a command's that holds its outputs open, is not waited for.
pub(super) fn await_all(children: Vec<Child>) -> Vec<Ended> {
    let _signals = signals::Hold::new();
    let mut watched: Vec<Watched> = children.into_iter().map(Watched::new).collect();
    let awake_until = Instant::now() + AWAKE;
    loop {
        let now = Instant::now();
        watched.iter_mut().for_each(|child| child.step(now));
        if watched.iter().all(|child| child.phase == Phase::Over) {
            return watched.into_iter().map(Watched::into_ended).collect();
        }
        let is_awake = now < awake_until;
        if is_awake {
            thread::yield_now();
        }
        wait_for_output(&mut watched, now, is_awake);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Runs,
    /// It was told to end, and is killed then.
    Told(Instant),
    /// It was killed, and is left alone then.
    Killed(Instant),
    Over,
}

struct Watched {
    child: Child,
    phase: Phase,
    open: Vec<Option<PipeReader>>,
    outputs: Vec<Vec<u8>>,
    failure: Option<Failure>,
    exit: Option<Exit>,
}

impl Watched {
    fn new(mut child: Child) -> Self {
        let open: Vec<_> = child.outputs.drain(..).map(Some).collect();
        let outputs = open.iter().map(|_| Vec::new()).collect();
        Self { child, phase: Phase::Runs, open, outputs, failure: None, exit: None }
    }

    fn into_ended(self) -> Ended {
        Ended { outcome: self.failure.map_or(Ok(self.exit), Err), outputs: self.outputs }
    }

    /// Does what the time, the outputs, and the child's state call for.
    fn step(&mut self, now: Instant) {
        if self.phase == Phase::Over {
            return;
        }
        if self.phase == Phase::Runs {
            if signals::is_ending() {
                self.stop(Failure::Failed("it was interrupted".to_owned()), now);
            } else if self.outputs.iter().any(|output| output.len() > MAX_OUTPUT) {
                self.stop(Failure::TooMuch, now);
            }
        }
        let has_ended = platform::has_ended(self.child.pid);
        let is_read = self.open.iter().all(Option::is_none);
        match self.phase {
            _ if has_ended && (is_read || now >= self.child.limit || self.failure.is_some()) => self.reap(),
            // A reader process that has closed its output is about to end.
            Phase::Runs if is_read && !self.child.is_group => self.reap(),
            // What a command has left behind is ended with it.
            Phase::Runs if has_ended && self.child.is_group => self.signal(Signal::SIGKILL),
            Phase::Runs if !has_ended && now >= self.child.limit => self.stop(Failure::TimedOut, now),
            Phase::Told(until) if now >= until => self.kill(now),
            Phase::Killed(until) if now >= until => self.phase = Phase::Over,
            _ => {}
        }
    }

    fn stop(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        if self.child.is_group {
            self.signal(Signal::SIGTERM);
            self.phase = Phase::Told(now + GRACE);
        } else {
            self.kill(now);
        }
    }

    fn kill(&mut self, now: Instant) {
        self.signal(Signal::SIGKILL);
        self.phase = Phase::Killed(now + DEATH);
    }

    /// Only ever called while the child was not waited for, so that its number is nobody else's.
    fn signal(&self, signal: Signal) {
        let _ = if self.child.is_group { killpg(self.child.pid, signal) } else { kill(self.child.pid, signal) };
    }

    /// Takes note of how it ended. What is left of a command's group goes first.
    fn reap(&mut self) {
        if self.child.is_group {
            self.signal(Signal::SIGKILL);
        }
        self.exit = exit_of(self.child.pid);
        self.phase = Phase::Over;
    }
}

/// How a child that has closed its outputs ended, if it does within a moment.
pub(super) fn exit_of(pid: Pid) -> Option<Exit> {
    let begun = Instant::now();
    while !platform::has_ended(pid) && begun.elapsed() < DEATH {
        if begun.elapsed() < AWAKE { thread::yield_now() } else { thread::sleep(TICK) }
    }
    match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, status)) => Some(Exit::Status(status)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Exit::Signal(signal)),
        _ => None,
    }
}

/// Waits for output, though no longer than until something else is due, and reads what is there.
fn wait_for_output(watched: &mut [Watched], now: Instant, is_awake: bool) {
    let due = watched.iter().filter(|child| child.phase == Phase::Runs).map(|child| child.child.limit).min();
    let time = due.map_or(TICK, |due| due.saturating_duration_since(now).min(TICK));
    let mut open: Vec<(&mut Option<PipeReader>, &mut Vec<u8>)> = watched
        .iter_mut()
        .filter(|child| child.phase != Phase::Over)
        .flat_map(|child| child.open.iter_mut().zip(&mut child.outputs))
        .filter(|(pipe, _)| pipe.is_some())
        .collect();
    let mut waited: Vec<PollFd<'_>> = open
        .iter()
        .flat_map(|(pipe, _)| pipe.as_ref())
        .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
        .collect();
    // A closed output says nothing more; whether its process has ended is seen a moment later.
    let time = if waited.is_empty() { time.min(Duration::from_millis(1)) } else { time };
    // Rounded up, so that what is due then is.
    let time = u16::try_from(time.as_millis()).unwrap_or(u16::MAX).saturating_add(1);
    let time = if is_awake { 0 } else { time };
    // A signal interrupts it, which the next round looks at; of anything else that fails, the limits make an end.
    let _ = poll(&mut waited, PollTimeout::from(time));
    let ready: Vec<bool> = waited.iter().map(|fd| fd.any().unwrap_or(false)).collect();
    drop(waited);
    for ((pipe, output), _) in open.iter_mut().zip(ready).filter(|(_, is_ready)| *is_ready) {
        if read_some(pipe.as_mut(), output).is_none() {
            **pipe = None;
        }
    }
}

/// Reads what is there; `None` at the end.
fn read_some(pipe: Option<&mut PipeReader>, output: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 2 * 1024];
    match pipe?.read(&mut buffer) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Some(()),
        Ok(0) | Err(_) => None,
        Ok(length) => {
            output.extend(buffer.get(..length)?);
            Some(())
        }
    }
}

/// Runs commands side by side, each until a limit.
pub(super) fn run(commands: Vec<(Vec<String>, Instant)>) -> Vec<Ended> {
    // From here on, so that a signal between the start and the wait ends what was started.
    let _signals = signals::Hold::new();
    let mut running = Vec::new();
    let started: Vec<Result<(), Failure>> =
        commands.iter().map(|(words, limit)| start(words, *limit).map(|child| running.push(child))).collect();
    let mut ended = await_all(running).into_iter();
    let outcome = |started: Result<(), Failure>| match started {
        Ok(()) => ended.next(),
        Err(failure) => Some(Ended { outcome: Err(failure), outputs: Vec::new() }),
    };
    started.into_iter().filter_map(outcome).collect()
}

/// Starts a command, as a process group of its own, with neither input nor environment but a path.
fn start(words: &[String], limit: Instant) -> Result<Child, Failure> {
    use std::os::unix::process::CommandExt;
    let (program, arguments) = words.split_first().ok_or(Failure::Missing)?;
    let [(stdout, to_stdout), (stderr, to_stderr)] = [io::pipe()?, io::pipe()?];
    // A pipe that nobody writes to: if /dev/null were missing, that would be reported as a missing program.
    let input = io::pipe().map_err(|error| Failure::Failed(error.to_string()))?.0;
    let child = process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .current_dir("/")
        .process_group(0)
        .stdin(input)
        .stdout(to_stdout)
        .stderr(to_stderr)
        .spawn()?;
    Ok(Child { pid: Pid::from_raw(child.id().cast_signed()), is_group: true, outputs: vec![stdout, stderr], limit })
}

#[cfg(test)]
mod tests;
