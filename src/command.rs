//! Runs another program so that it cannot do any harm to this one: it may take only so long and print only so much, and
//! is ended with all that it has started.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::platform;

/// How long to wait for a program that was told to end, and again for one that was made to.
const GRACE: Duration = Duration::from_millis(200);

/// How often to look whether the program has ended while something else still holds its output open.
const TICK: Duration = Duration::from_millis(20);

/// What became of a program.
#[derive(Debug)]
pub struct Finished {
    /// How it ended, or why it was ended.
    pub outcome: Result<ExitStatus, Failure>,
    /// What it printed on standard output until then.
    pub stdout: Vec<u8>,
    /// What it printed on standard error until then.
    pub stderr: Vec<u8>,
}

/// Why a program did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no such program.
    Missing,
    /// It took too long.
    TimedOut,
    /// It printed too much.
    TooMuch,
    /// It could not be run; the operating system's words.
    Failed(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Failed(error.to_string()) }
    }
}

/// Runs a program for at most `limit`, and lets it print at most `most` bytes to each of its outputs.
///
/// It does not wait for what cannot be ended, such as a process that hangs in a dead file system. `note` is told the
/// program's process group once it runs, and that there is none before its number may be another's.
pub fn run(command: &mut Command, limit: Duration, most: usize, note: &dyn Fn(Option<Pid>)) -> Finished {
    let mut finished = Finished { outcome: Err(Failure::TimedOut), stdout: Vec::new(), stderr: Vec::new() };
    finished.outcome = start(command, note).and_then(|(group, chunks)| {
        let outputs = [&mut finished.stdout, &mut finished.stderr];
        group.collect(&chunks, outputs, limit, most)?;
        group.into_status()
    });
    finished
}

/// Which output, and a piece of it.
type Chunk = (usize, Vec<u8>);

fn start<'a>(
    command: &mut Command,
    note: &'a dyn Fn(Option<Pid>),
) -> Result<(Group<'a>, mpsc::Receiver<Chunk>), Failure> {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let outputs = (child.stdout.take(), child.stderr.take());
    let group = Group::new(child, note);
    let (chunks, received) = mpsc::channel();
    if let (Some(stdout), Some(stderr)) = outputs {
        read(0, stdout, chunks.clone())?;
        read(1, stderr, chunks)?;
    }
    Ok((group, received))
}

/// Reads an output in a thread, which is left behind if something outside the group holds the output open for ever.
fn read(which: usize, mut output: impl Read + Send + 'static, chunks: mpsc::Sender<Chunk>) -> io::Result<()> {
    let body = move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            let chunk = buffer.get(..length).unwrap_or_default().to_vec();
            if chunks.send((which, chunk)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("output".to_owned()).spawn(body).map(drop)
}

/// A program and all that it has started; ended when dropped.
struct Group<'a> {
    child: Child,
    pid: Pid,
    was_waited_for: bool,
    note: &'a dyn Fn(Option<Pid>),
}

impl<'a> Group<'a> {
    fn new(child: Child, note: &'a dyn Fn(Option<Pid>)) -> Self {
        // The operating system's own numbers are signed.
        let pid = Pid::from_raw(child.id().cast_signed());
        note(Some(pid));
        Self { child, pid, was_waited_for: false, note }
    }

    /// Collects the outputs until they end, or until the program does while something else keeps them open.
    fn collect(
        &self,
        chunks: &mpsc::Receiver<Chunk>,
        mut outputs: [&mut Vec<u8>; 2],
        limit: Duration,
        most: usize,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let mut had_ended = false;
        loop {
            let left = limit.checked_sub(started.elapsed()).ok_or(Failure::TimedOut)?;
            // Asked before the outputs are: what it printed last is there when it has ended.
            let has_ended = platform::has_ended(self.pid);
            match chunks.recv_timeout(left.min(TICK)) {
                Ok((which, chunk)) => {
                    if let Some(output) = outputs.get_mut(which) {
                        output.extend(chunk);
                        if output.len() > most {
                            return Err(Failure::TooMuch);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) if had_ended => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if has_ended => return Ok(()),
                // It has closed its outputs and is about to end, or goes on.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(left.min(Duration::from_millis(1))),
            }
            had_ended = has_ended;
        }
    }

    /// How it ended, once it has.
    fn into_status(mut self) -> Result<ExitStatus, Failure> {
        // Before it is waited for: until then its number, which is the group's, is not given to anybody else.
        let _ = killpg(self.pid, Signal::SIGKILL);
        (self.note)(None);
        self.was_waited_for = true;
        Ok(self.child.wait()?)
    }

    fn ends_within(&self, time: Duration) -> bool {
        let begun = Instant::now();
        while !platform::has_ended(self.pid) {
            if begun.elapsed() > time {
                return false;
            }
            thread::sleep(TICK);
        }
        true
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if self.was_waited_for {
            return;
        }
        // What it has started outside its group it alone can end, as sudo does.
        let _ = killpg(self.pid, Signal::SIGTERM);
        let _ = self.ends_within(GRACE);
        let _ = killpg(self.pid, Signal::SIGKILL);
        if self.ends_within(GRACE) {
            (self.note)(None);
            let _ = self.child.wait();
        }
    }
}
