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

use crate::collect::platform;

/// How long to wait for a program that was told to end, and again for one that was made to.
const GRACE: Duration = Duration::from_millis(200);

/// How often to look whether the program has ended while something else still holds its output open.
const TICK: Duration = Duration::from_millis(20);

/// What became of a program.
#[derive(Debug)]
pub struct Finished {
    /// How it ended, if the operating system tells, or why it was ended.
    pub outcome: Result<Option<ExitStatus>, Failure>,
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
/// It does not wait for what cannot be ended, such as a process that hangs in a dead file system, nor for a program that
/// is not even let start. `note` is told the program's process group once it runs, and that there is none before its
/// number may be another's.
pub fn run(command: Command, limit: Duration, most: usize, note: &dyn Fn(Option<Pid>)) -> Finished {
    let begun = Instant::now();
    let mut finished = Finished { outcome: Err(Failure::TimedOut), stdout: Vec::new(), stderr: Vec::new() };
    finished.outcome = start(command, limit, note).and_then(|(group, chunks)| {
        let outputs = [&mut finished.stdout, &mut finished.stderr];
        group.collect(&chunks, outputs, limit.saturating_sub(begun.elapsed()), most)?;
        Ok(group.into_status())
    });
    finished
}

/// Which output, and a piece of it.
type Chunk = (usize, Vec<u8>);

fn start(
    mut command: Command,
    limit: Duration,
    note: &dyn Fn(Option<Pid>),
) -> Result<(Group<'_>, mpsc::Receiver<Chunk>), Failure> {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (started, starting) = mpsc::channel();
    let body = move || {
        if let Err(mpsc::SendError(Ok(mut late))) = started.send(command.spawn()) {
            // Nobody waits for it any more.
            let _: io::Result<()> = late.kill();
        }
    };
    thread::Builder::new().name("start".to_owned()).spawn(body)?;
    let mut child = starting.recv_timeout(limit).map_err(|_| Failure::TimedOut)??;
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
        loop {
            let length = match output.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
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

    /// Collects the outputs until they end. What the program has started and left behind is ended with it; only
    /// something outside its group can then hold them open, and is not waited for beyond `limit`.
    fn collect(
        &self,
        chunks: &mpsc::Receiver<Chunk>,
        mut outputs: [&mut Vec<u8>; 2],
        limit: Duration,
        most: usize,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let has_ended = match platform::state_of(self.pid) {
                ChildState::Runs => false,
                ChildState::Ended => {
                    // Until it is waited for, its number, which is the group's, is not given to anybody else.
                    let _ = killpg(self.pid, Signal::SIGKILL);
                    true
                }
                ChildState::Gone => true,
            };
            let left = limit.saturating_sub(begun.elapsed());
            match chunks.recv_timeout(left.min(TICK)) {
                Ok((which, chunk)) => {
                    if let Some(output) = outputs.get_mut(which) {
                        output.extend(chunk);
                        if output.len() > most {
                            return Err(Failure::TooMuch);
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) if has_ended => return Ok(()),
                Err(_) if left.is_zero() => return if has_ended { Ok(()) } else { Err(Failure::TimedOut) },
                Err(RecvTimeoutError::Timeout) => {}
                // It has closed its outputs and is about to end, or goes on.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(left.min(Duration::from_millis(1))),
            }
        }
    }

    /// How it ended, once it has; nobody tells a process that ignores the ends of its children.
    fn into_status(mut self) -> Option<ExitStatus> {
        (self.note)(None);
        self.was_waited_for = true;
        self.child.wait().ok()
    }

    fn ends_within(&self, time: Duration) -> bool {
        let begun = Instant::now();
        while platform::state_of(self.pid) == ChildState::Runs {
            if begun.elapsed() > time {
                return false;
            }
            thread::sleep(TICK);
        }
        true
    }

    fn signal(&self, signal: Signal) {
        if platform::state_of(self.pid) != ChildState::Gone {
            let _ = killpg(self.pid, signal);
        }
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if self.was_waited_for {
            return;
        }
        // The worker ends when its input does. Others are told to; what they have started outside their group they alone
        // can end, as sudo does.
        drop(self.child.stdin.take());
        self.signal(Signal::SIGTERM);
        let _ = self.ends_within(GRACE);
        self.signal(Signal::SIGKILL);
        if self.ends_within(GRACE) {
            (self.note)(None);
            let _ = self.child.wait();
        }
    }
}

/// Whether a child of this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// It does.
    Runs,
    /// It has ended, and can be waited for.
    Ended,
    /// It is not there any more: this process ignores the ends of its children.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_are_read_late_are_waited_for() {
        let child = Command::new("/bin/sh").args(["-c", "exit 0"]).process_group(0).spawn().unwrap();
        let group = Group::new(child, &|_| ());
        assert!(group.ends_within(Duration::from_secs(120)));
        let (chunks, received) = mpsc::channel();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            chunks.send((0, b"late".to_vec())).unwrap();
        });
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let collected = group.collect(&received, [&mut stdout, &mut stderr], Duration::from_secs(120), 100);
        assert_eq!((collected, stdout.as_slice()), (Ok(()), &b"late"[..]));
    }
}
