//! Blocks a reader process with a file whose opening is never permitted, like a security agent can do, or with a file
//! system that never answers. On Linux, root can create both.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::{
    fcntl::{AT_FDCWD, OFlag},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::fanotify::{EventFFlags, Fanotify, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response},
    unistd::Pid,
};

use super::user::{GROUP, USER};
use crate::{
    home::Home,
    mac::KEYCHAIN,
    outcome::{Failed, Outcome, equal},
};

/// Repeats a check until it succeeds, for far longer than anything here takes.
pub fn wait_for<T>(what: &str, mut it: impl FnMut() -> Result<Option<T>, Failed>) -> Result<T, Failed> {
    for _ in 0..60_000 {
        if let Some(it) = it()? {
            return Ok(it);
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(format!("{what} does not come").into())
}

/// The home of a registered user with a file that cannot be opened as long as this exists.
pub struct HeldUp {
    pub home: Home,
    holder: Fanotify,
    file: PathBuf,
}

impl HeldUp {
    /// A home that belongs to root, whose keychain cannot be opened.
    pub fn new() -> Result<Self, Failed> {
        Self::of(Home::new()?, KEYCHAIN)
    }

    /// A home that belongs to a user, whose keychain cannot be opened.
    pub fn belonging_to_user() -> Result<Self, Failed> {
        Self::of(Home::new()?.belonging_to(USER, GROUP)?, KEYCHAIN)
    }

    pub fn of(home: Home, file: &str) -> Result<Self, Failed> {
        let flags = InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_NONBLOCK | InitFlags::FAN_CLOEXEC;
        let holder = Fanotify::init(flags, EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC)?;
        let file = home.file(file);
        holder.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_OPEN_PERM, AT_FDCWD, Some(&file))?;
        Ok(Self { home, holder, file })
    }

    /// Waits until a process tries to open the file, and returns its PID.
    pub fn reader(&self) -> Result<Pid, Failed> {
        wait_for("a reader process", || match self.holder.read_events() {
            Ok(events) => Ok(events.first().map(|event| Pid::from_raw(event.pid()))),
            Err(nix::errno::Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        })
    }

    /// Waits until a process tries to open the file, and permits it.
    pub fn let_one_through(&self) -> Outcome {
        wait_for("a reader process", || match self.holder.read_events() {
            Ok(events) => {
                let Some(event) = events.first() else { return Ok(None) };
                let file = event.fd().ok_or("the file")?;
                Ok(Some(self.holder.write_response(FanotifyResponse::new(file, Response::FAN_ALLOW))?))
            }
            Err(nix::errno::Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        })
    }

    /// Discards the events of processes that tried to open the file.
    pub fn forget(&self) {
        while self.holder.read_events().is_ok() {}
    }

    /// Permits all processes to open the file.
    pub fn release(self) -> Home {
        self.home
    }

    /// The tool's reason when the deadline has passed.
    pub fn reason(&self, seconds: u32) -> String {
        no_answer(&self.file, seconds)
    }
}

pub fn no_answer(file: &Path, seconds: u32) -> String {
    let remedy = "check for a hung file server or security agent, or give it more time with --deadline";
    format!("{}: no answer within {seconds} s; {remedy}", file.display())
}

/// A FUSE file system that answers only the initial request.
pub struct Dead {
    place: PathBuf,
    device: File,
}

const INIT: u32 = 26;

impl Dead {
    /// Mounts such a file system on a folder or a file.
    pub fn mount_on(place: &Path) -> Result<Self, Failed> {
        let device = File::options().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open("/dev/fuse")?;
        let mode = if fs::metadata(place)?.is_dir() { "40000" } else { "100000" };
        let options = format!("fd={},rootmode={mode},user_id=0,group_id=0,allow_other", device.as_raw_fd());
        mount(Some("dead"), place, Some("fuse"), MsFlags::empty(), Some(options.as_str()))?;
        let mut dead = Self { place: place.to_owned(), device };
        dead.begin()?;
        Ok(dead)
    }

    /// Reads the next request, and returns its kind and its number.
    fn next(&mut self) -> Result<(u32, [u8; 8]), Failed> {
        let mut request = vec![0; 1 << 17];
        let length = wait_for("a request", || match self.device.read(&mut request) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        })?;
        let header = request.get(..length).and_then(|it| it.first_chunk::<16>()).ok_or("a whole header")?;
        let [_, _, _, _, a, b, c, d, number @ ..] = *header;
        Ok((u32::from_ne_bytes([a, b, c, d]), number))
    }

    /// Answers the initial request: version 7.31, without special features.
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

    /// Reads a request without answering it. After that, the process that sent it cannot even be killed.
    pub fn leave_request_unanswered(&mut self) -> Outcome {
        let (kind, _) = self.next()?;
        equal(&(kind == INIT), &false)
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        let _ = umount2(&self.place, MntFlags::MNT_DETACH);
    }
}
