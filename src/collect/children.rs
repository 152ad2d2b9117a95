//! Runs child processes: one loop reads their output until they end or exceed a limit.

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

/// How often to check whether a child has ended or this process received a signal.
const TICK: Duration = Duration::from_millis(20);

/// How long to poll without sleeping, because waking from sleep may take longer than a reader process needs.
const BUSY_WAIT: Duration = Duration::from_millis(1);

/// How long a command has to exit after SIGTERM: sudo needs it to stop the command that it started.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// How long to wait for a killed process. One that hangs in a dead file system cannot be killed, so it is abandoned.
const KILL_TIMEOUT: Duration = Duration::from_millis(200);

/// The most that a child may print to each of its outputs, in bytes.
pub(super) const MAX_OUTPUT: usize = 1024 * 1024;

pub(super) struct Child {
    pub(super) pid: Pid,
    /// Whether the child leads its own process group. A group gets SIGTERM before SIGKILL.
    pub(super) is_group: bool,
    pub(super) outputs: Vec<PipeReader>,
    pub(super) limit: Instant,
}

#[derive(Debug)]
pub(super) struct Ended {
    /// The exit, if the system reports it, or why the child was stopped.
    pub(super) outcome: Result<Option<Exit>, Failure>,
    /// What the child printed to each of its outputs until then.
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
    /// The program was ended by a signal; contains which one.
    Ended(String),
    /// The program could not be run; contains the operating system's message.
    Failed(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Failed(error.to_string()) }
    }
}

/// Waits until each of these children has ended, or was stopped because it exceeded a limit.
///
/// Does not wait for a process that cannot be killed, or for a descendant that keeps a command's outputs open.
pub(super) fn await_all(children: Vec<Child>) -> Vec<Ended> {
    let _signals = signals::Hold::new();
    let mut watched: Vec<Watched> = children.into_iter().map(Watched::new).collect();
    let busy_until = Instant::now() + BUSY_WAIT;
    loop {
        let now = Instant::now();
        watched.iter_mut().for_each(|child| child.step(now));
        if watched.iter().all(|child| child.phase == Phase::Done) {
            return watched.into_iter().map(Watched::into_ended).collect();
        }
        let is_busy = now < busy_until;
        if is_busy {
            thread::yield_now();
        }
        wait_for_output(&mut watched, now, is_busy);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The child got SIGTERM, and gets SIGKILL at this time.
    Terminating(Instant),
    /// The child got SIGKILL, and is abandoned at this time.
    Killed(Instant),
    Done,
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
        Self { child, phase: Phase::Running, open, outputs, failure: None, exit: None }
    }

    fn into_ended(self) -> Ended {
        Ended { outcome: self.failure.map_or(Ok(self.exit), Err), outputs: self.outputs }
    }

    /// Advances the child's phase, depending on the time, its outputs and its state.
    fn step(&mut self, now: Instant) {
        if self.phase == Phase::Done {
            return;
        }
        if self.phase == Phase::Running {
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
            // A reader process that has closed its output is about to exit.
            Phase::Running if is_read && !self.child.is_group => self.reap(),
            // Background processes that a command left behind are killed.
            Phase::Running if has_ended && self.child.is_group => self.signal(Signal::SIGKILL),
            Phase::Running if !has_ended && now >= self.child.limit => self.stop(Failure::TimedOut, now),
            Phase::Terminating(until) if now >= until => self.kill(now),
            Phase::Killed(until) if now >= until => self.phase = Phase::Done,
            _ => {}
        }
    }

    fn stop(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        if self.child.is_group {
            self.signal(Signal::SIGTERM);
            self.phase = Phase::Terminating(now + GRACE);
        } else {
            self.kill(now);
        }
    }

    fn kill(&mut self, now: Instant) {
        self.signal(Signal::SIGKILL);
        self.phase = Phase::Killed(now + KILL_TIMEOUT);
    }

    /// Called only before the child is waited for, while its PID cannot belong to another process.
    fn signal(&self, signal: Signal) {
        let _ = if self.child.is_group { killpg(self.child.pid, signal) } else { kill(self.child.pid, signal) };
    }

    /// Records the exit, after killing what is left of a command's process group.
    fn reap(&mut self) {
        if self.child.is_group {
            self.signal(Signal::SIGKILL);
        }
        self.exit = exit_of(self.child.pid);
        self.phase = Phase::Done;
    }
}

/// The exit of a child that has closed its outputs, if it exits within [`KILL_TIMEOUT`].
pub(super) fn exit_of(pid: Pid) -> Option<Exit> {
    let begun = Instant::now();
    while !platform::has_ended(pid) && begun.elapsed() < KILL_TIMEOUT {
        if begun.elapsed() < BUSY_WAIT { thread::yield_now() } else { thread::sleep(TICK) }
    }
    match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, status)) => Some(Exit::Status(status)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Exit::Signal(signal)),
        _ => None,
    }
}

/// Waits for output, at most until the next limit is due, and reads what is available.
fn wait_for_output(watched: &mut [Watched], now: Instant, is_busy: bool) {
    let due = watched.iter().filter(|child| child.phase == Phase::Running).map(|child| child.child.limit).min();
    let time = due.map_or(TICK, |due| due.saturating_duration_since(now).min(TICK));
    let mut open: Vec<(&mut Option<PipeReader>, &mut Vec<u8>)> = watched
        .iter_mut()
        .filter(|child| child.phase != Phase::Done)
        .flat_map(|child| child.open.iter_mut().zip(&mut child.outputs))
        .filter(|(pipe, _)| pipe.is_some())
        .collect();
    let mut waited: Vec<PollFd<'_>> = open
        .iter()
        .flat_map(|(pipe, _)| pipe.as_ref())
        .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
        .collect();
    // After all outputs are closed, only the exit is left to wait for, so check for it soon.
    let time = if waited.is_empty() { time.min(Duration::from_millis(1)) } else { time };
    // Rounded up, because a wait that ends just before the limit would have to be repeated.
    let time = u16::try_from(time.as_millis()).unwrap_or(u16::MAX).saturating_add(1);
    let time = if is_busy { 0 } else { time };
    // The next round checks for a signal that interrupts this. If it fails for another reason, the limits still apply.
    let _ = poll(&mut waited, PollTimeout::from(time));
    let ready: Vec<bool> = waited.iter().map(|fd| fd.any().unwrap_or(false)).collect();
    drop(waited);
    for ((pipe, output), _) in open.iter_mut().zip(ready).filter(|(_, is_ready)| *is_ready) {
        if read_some(pipe.as_mut(), output).is_none() {
            **pipe = None;
        }
    }
}

/// Reads the available output; `None` at its end.
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

/// Runs commands in parallel, each until its limit.
pub(super) fn run(commands: Vec<(Vec<String>, Instant)>) -> Vec<Ended> {
    // Held from before the start, because a signal that arrives before the wait must stop the commands, too.
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

/// Starts a command in its own process group, with empty input and no environment except `PATH`.
fn start(words: &[String], limit: Instant) -> Result<Child, Failure> {
    use std::os::unix::process::CommandExt;
    let (program, arguments) = words.split_first().ok_or(Failure::Missing)?;
    let [(stdout, to_stdout), (stderr, to_stderr)] = [io::pipe()?, io::pipe()?];
    // An empty pipe instead of /dev/null: a missing /dev/null would be reported as a missing program.
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
