//! What goes wrong around the files: they change while they are read, the disk fails or is full, there are no descriptors,
//! outputs are closed, the clock is wrong. There is the right answer or none, and nothing is left behind.

use std::{
    cell::Cell,
    fs, io,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;
use fixture_generator::{Certificate, Keychain};
use libtest_mimic::{Arguments, Failed, Trial};
use wpj_state::{
    cause::Cause,
    evidence::{Evidence, Probe, Witness},
    jamf_aad,
    keychain::{ErrorKind, ReadAt},
    login_keychain::{self, Depth},
    state::{Code, assess},
    timestamp::Timestamp,
    user::User,
};

const REGISTERED: &str = "fixtures/registered/home";
const RESULT: &str = "<result>Registered</result>\n";
const BLANK: &str = "<result></result>\n";

type Test = fn() -> Result<(), Failed>;

/// What a test needs, and what is told where that is not there.
const NOTHING: &str = "";
const LINUX: &str = "it needs Linux, which tells what it does without descriptors";
const LINUX_S_ROOT: &str = "it needs root, and Linux";

const TESTS: [(&str, &str, Test); 9] = [
    (
        "a keychain that changes while it is read gives an answer of before or after, or none",
        NOTHING,
        changes_while_read,
    ),
    ("a disk that fails at any moment gives no answer", NOTHING, disk_fails),
    ("a lack of descriptors gives the answer, or none with a reason", LINUX, lack_of_descriptors),
    ("closed standard streams change nothing but what is written to them", NOTHING, closed_streams),
    ("a full disk behind standard output is a failure", NOTHING, full_output),
    ("ignored and default SIGPIPE are the same", NOTHING, broken_pipes),
    ("no environment changes nothing", NOTHING, no_environment),
    ("a clock in 1970 or in 2100 changes no state", NOTHING, wrong_clock),
    ("a full disk leaves no copy of a keychain, and no answer that rests on it", LINUX_S_ROOT, full_disk),
];

fn main() {
    let is_root = nix::unistd::geteuid().is_root();
    let is_linux = cfg!(target_os = "linux");
    let trial = |(name, needs, test): (&str, &str, Test)| {
        let is_ignored = (needs == LINUX && !is_linux) || (needs == LINUX_S_ROOT && !(is_linux && is_root));
        let reason = if is_ignored { format!(" (ignored: {needs})") } else { String::new() };
        Trial::test(format!("{name}{reason}"), test).with_ignored_flag(is_ignored)
    };
    libtest_mimic::run(&Arguments::from_args(), TESTS.map(trial).into()).exit();
}

fn registered() -> Vec<u8> {
    let certificate = Certificate::workplace_join();
    Keychain::new().certificate(&certificate).workplace_join_key(&certificate).to_bytes()
}

fn not_registered() -> Vec<u8> {
    let own = Certificate::contoso();
    Keychain::new().certificate(&own).private_key(["Contoso", "\0"], &[own.public_key_hash()]).to_bytes()
}

/// Bytes that become others at a certain read, or that cannot be read from then on.
struct Changing<'a> {
    before: &'a [u8],
    after: Option<&'a [u8]>,
    reads_left: Cell<usize>,
}

impl<'a> Changing<'a> {
    fn new(before: &'a [u8], after: Option<&'a [u8]>, reads: usize) -> Self {
        Self { before, after, reads_left: Cell::new(reads) }
    }

    fn now(&self) -> io::Result<&'a [u8]> {
        match self.reads_left.get().checked_sub(1) {
            Some(left) => {
                self.reads_left.set(left);
                Ok(self.before)
            }
            None => self.after.ok_or_else(|| io::Error::from_raw_os_error(nix::errno::Errno::EIO as i32)),
        }
    }
}

impl ReadAt for Changing<'_> {
    fn length(&self) -> io::Result<u64> {
        self.now()?.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.now()?.read_exact_at(buffer, offset)
    }
}

/// More than any small keychain takes.
const READS: usize = 40;

fn changes_while_read() -> Result<(), Failed> {
    let (old, new) = (registered(), not_registered());
    let grown = [old.as_slice(), &[0; 5000]].concat();
    let another = [&new[..], &new].concat();
    let after: [&[u8]; 7] =
        [&new, &[], &old[..old.len() / 2], &old[..old.len() - 4], &grown, &another, b"something else"];
    for depth in [Depth::State, Depth::Details] {
        for after in after {
            for reads in 0..READS {
                // The key was there before; that it is not may only be said of the whole keychain that comes after.
                if let Ok(found) = login_keychain::read(Changing::new(&old, Some(after), reads), depth) {
                    equal(&(found.workplace_join_identity().is_some() || after == new), &true)?;
                }
                // No key was there before, nor is one after.
                if let Ok(found) = login_keychain::read(Changing::new(&new, Some(after), reads), depth) {
                    equal(&found.workplace_join_identity().is_some(), &false)?;
                }
            }
        }
    }
    Ok(())
}

fn disk_fails() -> Result<(), Failed> {
    let bytes = registered();
    for depth in [Depth::State, Depth::Details] {
        let complete = (0..READS).find(|&reads| {
            let found = login_keychain::read(Changing::new(&bytes, None, reads), depth);
            found.is_ok_and(|found| found.details.is_none_or(|details| details.other_records.is_ok()))
        });
        let complete = complete.ok_or("it can be read at last")?;
        equal(&(complete > 3), &true)?;
        for reads in 0..complete {
            match login_keychain::read(Changing::new(&bytes, None, reads), depth) {
                Err(error) => equal(&matches!(error.kind, ErrorKind::Read(_)), &true)?,
                // Only what the state does not depend on could not be read.
                Ok(found) => {
                    equal(&found.workplace_join_identity().is_some(), &true)?;
                    let error = found.details.and_then(|details| details.other_records.err()).ok_or("an error")?;
                    equal(&matches!(error.kind, ErrorKind::Read(_)), &true)?;
                }
            }
        }
    }
    Ok(())
}

/// Runs the tool by a shell that does something before.
fn by_shell(before: &str, redirections: &str) -> Result<Output, Failed> {
    let script = format!("{before}\nexec \"$@\" {redirections}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh"]).arg(cargo_bin("wpj-state")).args(["--home", REGISTERED]);
    Ok(command.output()?)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lack_of_descriptors() -> Result<(), Failed> {
    let mut answered = 0;
    for limit in 3..24 {
        let output = by_shell(&format!("ulimit -n {limit}"), "")?;
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        match output.status.code() {
            Some(0) => {
                answered += 1;
                equal(&(stdout.as_str(), stderr.as_str()), &(RESULT, ""))?;
            }
            Some(1) => {
                equal(&stdout, BLANK)?;
                equal(&stderr.contains("wpj-state: "), &true)?;
            }
            // The dynamic linker has not even come so far.
            Some(127) => equal(&stdout, "")?,
            other => return Err(format!("{limit} descriptors: {other:?}: {stdout}{stderr}").into()),
        }
    }
    equal(&(answered > 0), &true)
}

fn closed_streams() -> Result<(), Failed> {
    for (redirections, stdout) in
        [("<&-", RESULT), ("2>&-", RESULT), ("<&- 2>&-", RESULT), (">&-", ""), ("<&- >&-", ""), ("<&- >&- 2>&-", "")]
    {
        let output = by_shell("", redirections)?;
        equal(&(text(&output.stdout).as_str(), text(&output.stderr).as_str()), &(stdout, ""))?;
        // What is written to nowhere is written, as far as anybody can tell.
        equal(&output.status.code(), &Some(0))?;
    }
    Ok(())
}

fn full_output() -> Result<(), Failed> {
    if !Path::new("/dev/full").exists() {
        return equal(&cfg!(target_os = "linux"), &false);
    }
    let output = by_shell("", ">/dev/full")?;
    let stderr = text(&output.stderr);
    let words = "wpj-state: writing the answer to standard output; run it again where there is room: ";
    equal(&stderr.starts_with(words), &true)?;
    equal(&output.status.code(), &Some(1))
}

fn broken_pipes() -> Result<(), Failed> {
    for before in ["", "trap '' PIPE"] {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        let script = format!("{before}\nexec \"$@\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "sh"]).arg(cargo_bin("wpj-state")).args(["--home", REGISTERED]);
        let output = command.stdout(writer).output()?;
        equal(&(text(&output.stderr).as_str(), output.status.code()), &("", Some(0)))?;
    }
    Ok(())
}

fn no_environment() -> Result<(), Failed> {
    let home = std::env::current_dir()?.join(REGISTERED);
    let mut command = Command::new(cargo_bin("wpj-state"));
    let output = command.env_clear().current_dir("/").arg("--home").arg(home).output()?;
    equal(&(text(&output.stdout).as_str(), text(&output.stderr).as_str()), &(RESULT, ""))?;
    equal(&output.status.code(), &Some(0))
}

fn wrong_clock() -> Result<(), Failed> {
    let mut evidence = Evidence::none(User::UNKNOWN, Cause::NotRead.into());
    evidence.obstacle = None;
    let found = login_keychain::read(registered().as_slice(), Depth::Details).map_err(|error| error.to_string())?;
    evidence.login_keychain = Witness { path: None, probe: Probe::Found(found) };
    let plist = fs::read(Path::new(REGISTERED).join("Library/Preferences/com.jamf.management.jamfAAD.plist"))?;
    evidence.jamf_aad = Witness { path: None, probe: Probe::Found(jamf_aad::parse(&plist)) };
    let year = Duration::from_secs(365 * 24 * 60 * 60 + 6 * 60 * 60);
    for (years, codes) in [(0, vec![Code::CertificateNotYetValid]), (60, vec![]), (130, vec![Code::CertificateExpired])]
    {
        let now = Timestamp::from_unix(year * years).ok_or("a time")?;
        let assessment = assess(&evidence, now);
        equal(&assessment.state.map(|state| state.as_str()).ok(), &Some("Registered"))?;
        equal(&assessment.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), &codes)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn full_disk() -> Result<(), Failed> {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    use wpj_state::{progress::Progress, rights::Rights, second_opinion};

    let disk = tempfile::tempdir()?;
    mount(Some("full"), disk.path(), Some("tmpfs"), MsFlags::empty(), Some("size=8k"))?;
    let ask = || -> Result<(), Failed> {
        let keychain = disk.path().join("../keychain.db");
        let keychain = tempfile::NamedTempFile::new_in(keychain.parent().ok_or("a folder")?)?;
        fs::write(keychain.path(), registered())?;
        let private = disk.path().join("private");
        let opinion =
            second_opinion::ask(&fs::File::open(keychain.path())?, &Rights::Own, &Progress::silent(&private), |_| {
                panic!("there is no whole copy to ask about")
            });
        let words = opinion.err().ok_or("there is no opinion")?;
        equal(&words.contains("No space left on device"), &true)?;
        equal(&private.exists(), &false)
    };
    let asked = ask();
    umount2(disk.path(), MntFlags::MNT_DETACH)?;
    asked
}

#[cfg(not(target_os = "linux"))]
fn full_disk() -> Result<(), Failed> {
    Err("only Linux makes a small disk at once".into())
}

fn equal<T: PartialEq<U> + std::fmt::Debug + ?Sized, U: std::fmt::Debug + ?Sized>(
    left: &T,
    right: &U,
) -> Result<(), Failed> {
    if left == right { Ok(()) } else { Err(format!("found {left:?}\nexpected {right:?}").into()) }
}
