//! Faults of the system: files change while they are read, the disk fails or is full, there are no descriptors, outputs
//! are closed, the clock is wrong. The tool gives the correct answer or none, and leaves nothing behind.

use std::{
    cell::Cell,
    fs, io,
    process::{Command, Stdio},
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;
use fixture_generator::{Certificate, Keychain};
use wpj_state::{
    assess::{assess, finding::Code},
    evidence::{Cause, Evidence, Probe, User, Witness},
    parse::{
        jamf_aad,
        keychain::{ErrorKind, ReadAt},
        login_keychain::{self, Depth},
        timestamp::Timestamp,
    },
};

use crate::{
    home::{BLANK, Home, REGISTERED, answer, is_registered},
    mac::PLIST,
    outcome::{Outcome, equal},
};

fn registered() -> Vec<u8> {
    let certificate = Certificate::workplace_join();
    Keychain::new().certificate(&certificate).workplace_join_key(&certificate).to_bytes()
}

fn not_registered() -> Vec<u8> {
    let own = Certificate::contoso();
    Keychain::new().certificate(&own).private_key(["Contoso", "\0"], &[own.public_key_hash()]).to_bytes()
}

/// Bytes that change after a number of reads, or cannot be read after that.
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

/// More reads than any small keychain needs.
const READS: usize = 40;

#[test]
fn a_keychain_that_changes_while_it_is_read_gives_the_old_or_the_new_answer_or_none() -> Outcome {
    let (old, new) = (registered(), not_registered());
    let grown = [old.as_slice(), &[0; 5000]].concat();
    let another = [&new[..], &new].concat();
    let after: [&[u8]; 7] =
        [&new, &[], &old[..old.len() / 2], &old[..old.len() - 4], &grown, &another, b"something else"];
    for depth in [Depth::State, Depth::Details] {
        for after in after {
            for reads in 0..READS {
                // The old keychain has the key. "No key" is correct only for the complete new keychain.
                if let Ok(found) = login_keychain::read(Changing::new(&old, Some(after), reads), depth) {
                    equal(&(found.workplace_join_identity().is_some() || after == new), &true)?;
                }
                // Neither keychain has a key.
                if let Ok(found) = login_keychain::read(Changing::new(&new, Some(after), reads), depth) {
                    equal(&found.workplace_join_identity().is_some(), &false)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_disk_that_fails_at_any_moment_gives_no_answer() -> Outcome {
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
                // Only tables that the state does not depend on could not be read.
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

/// An input error must not be reported as a damaged table, even in the middle of a table.
#[test]
fn a_failing_disk_is_not_reported_as_damage() -> Outcome {
    let own = Certificate::contoso();
    for size in (600..1624).step_by(4) {
        let one = |keychain: Keychain, _| keychain.certificate_record(&own, vec![0; size]);
        let bytes = (0..40).fold(Keychain::new(), one).to_bytes();
        for reads in 0..READS {
            if let Err(error) = login_keychain::read(Changing::new(&bytes, None, reads), Depth::State) {
                equal(&matches!(error.kind, ErrorKind::Read(_)), &true).map_err(|_| format!("{size}: {error:?}"))?;
            }
        }
    }
    Ok(())
}

/// A command that runs the tool from a shell, after these shell commands.
fn by_shell(home: &Home, before: &str, redirections: &str) -> Command {
    let script = format!("{before}\nexec \"$@\" {redirections}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh"]).arg(cargo_bin("wpj-state")).arg("--home").arg(&home.path);
    command
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux, which says what it does without descriptors")]
fn with_few_descriptors_there_is_an_answer_or_a_reason() -> Outcome {
    let home = Home::new()?;
    let mut answered = 0;
    for limit in 3..24 {
        let (stdout, stderr, status) = answer(&mut by_shell(&home, &format!("ulimit -n {limit}"), ""))?;
        match status {
            Some(0) => {
                answered += 1;
                equal(&(stdout.as_str(), stderr.as_str()), &(REGISTERED, ""))?;
            }
            Some(1) => {
                equal(&stdout, BLANK)?;
                let names_file = stderr.starts_with(&format!("wpj-state: {}", home.path.display()));
                let is_right = names_file && stderr.contains("Too many open files") && stderr.lines().count() == 1;
                equal(&is_right, &true).map_err(|_| stderr)?;
            }
            // Not even the dynamic linker could run.
            Some(127) => equal(&stdout, "")?,
            other => return Err(format!("{limit} descriptors: {other:?}: {stdout}{stderr}").into()),
        }
    }
    equal(&(answered > 0), &true)
}

/// Redirections, and the expected standard output. Writing to a closed stream does not count as an error.
const CLOSED: [(&str, &str); 6] = [
    ("<&-", REGISTERED),
    ("2>&-", REGISTERED),
    ("<&- 2>&-", REGISTERED),
    (">&-", ""),
    ("<&- >&-", ""),
    ("<&- >&- 2>&-", ""),
];

#[test]
fn closed_standard_streams_do_not_affect_the_others() -> Outcome {
    let home = Home::new()?;
    CLOSED.into_iter().try_for_each(|(streams, stdout)| {
        let expected = (stdout.to_owned(), String::new(), Some(0));
        equal(&answer(&mut by_shell(&home, "", streams))?, &expected)
            .map_err(|failed| format!("{streams}: {failed:?}").into())
    })
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full, which only Linux has")]
fn a_full_disk_behind_standard_output_is_an_error() -> Outcome {
    let (_, stderr, status) = answer(&mut by_shell(&Home::new()?, "", ">/dev/full"))?;
    let words = "wpj-state: cannot write to standard output: ";
    equal(&(stderr.starts_with(words), status), &(true, Some(1)))
}

#[test]
fn sigpipe_may_be_ignored_or_not() -> Outcome {
    let home = Home::new()?;
    for before in ["", "trap '' PIPE"] {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        let output = by_shell(&home, before, "").stdout(writer).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
        equal(&(output.stderr, output.status.code()), &(Vec::new(), Some(0)))?;
    }
    Ok(())
}

#[test]
fn an_empty_environment_gives_the_same_answer() -> Outcome {
    equal(&answer(Home::new()?.tool().env_clear().current_dir("/"))?, &is_registered())
}

#[test]
fn a_clock_in_1970_or_in_2100_changes_no_state() -> Outcome {
    let mut evidence = Evidence::none(User::default(), Cause::NotRead.into());
    evidence.obstacle = None;
    let found = login_keychain::read(registered().as_slice(), Depth::Details).map_err(|error| error.to_string())?;
    evidence.login_keychain = Witness { path: None, probe: Probe::Found(found) };
    let plist = fs::read(Home::new()?.file(PLIST))?;
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

mod strace {
    use super::*;
    use crate::{
        home::{Answer, undetermined},
        mac::KEYCHAIN,
        outcome::Failed,
    };

    /// More calls than the tool needs to read its two files.
    const CALLS: usize = 40;

    /// Runs the tool under strace, which makes some of its system calls fail.
    fn with_faults(home: &Home, faults: &str, options: &[&str]) -> Result<Answer, Failed> {
        let mut command = Command::new("strace");
        command.args(["-f", "--quiet=all", "-o", "/dev/null"]).args(options).args(["-e", &format!("inject={faults}")]);
        answer(command.arg(cargo_bin("wpj-state")).arg("--home").arg(&home.path))
    }

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn interrupted_calls_are_repeated() -> Outcome {
        let home = Home::new()?;
        let files = [KEYCHAIN, PLIST].map(|file| home.file(file).display().to_string());
        let files = ["-P", &files[0], "-P", &files[1]];
        for call in 1..CALLS {
            for name in ["openat", "read", "pread64"] {
                equal(&with_faults(&home, &format!("{name}:error=EINTR:when={call}"), &files)?, &is_registered())?;
            }
            for name in ["write", "poll", "waitid", "wait4"] {
                let found = with_faults(&home, &format!("{name}:error=EINTR:when={call}"), &[])?;
                equal(&found, &is_registered()).map_err(|failed| format!("{name} {call}: {failed:?}"))?;
            }
        }
        Ok(())
    }

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn a_failing_disk_gives_a_blank_result_and_the_reason() -> Outcome {
        let words = "run it again; if that does not help, check the disk";
        let home = Home::new()?;
        for (file, name) in [(KEYCHAIN, "pread64"), (KEYCHAIN, "openat"), (PLIST, "read"), (PLIST, "openat")] {
            let path = home.file(file).display().to_string();
            let run = |call| with_faults(&home, &format!("{name}:error=EIO:when={call}"), &["-P", &path]);
            // With more calls than the tool makes, nothing fails.
            let mut calls = 1;
            let mut found = run(calls)?;
            while found.2 != Some(0) {
                let (stdout, stderr, status) = found;
                let is_right = stderr.starts_with(&format!("wpj-state: {path}: "))
                    && stderr.ends_with(&format!("; {words}\n"))
                    && stderr.contains("Input/output error");
                equal(&(stdout.as_str(), is_right, status), &(BLANK, true, Some(1))).map_err(|_| stderr)?;
                calls += 1;
                found = run(calls)?;
            }
            equal(&found, &is_registered())?;
            equal(&(calls > 1), &true)?;
        }
        Ok(())
    }

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn if_no_reader_process_can_be_started_the_result_is_blank() -> Outcome {
        let home = Home::new()?;
        let reason = "the reader process gave no answer";
        let remedy = "run it again, or find out which program ends this user's processes";
        for (faults, words) in [
            ("clone3,clone,fork,vfork:error=EAGAIN", "Try again"),
            ("pipe2,pipe:error=EMFILE", "Too many open files (os error 24)"),
        ] {
            let reason = format!("{}: {reason}: {words}; {remedy}", home.path.display());
            equal(&with_faults(&home, faults, &[])?, &undetermined(reason))?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod root {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_system_without_dev_null_gives_the_same_answer() -> Outcome {
        let home = Home::new()?;
        let without = |redirections: &str| {
            let script = format!("mount -t tmpfs none /dev && [ ! -e /dev/null ] && exec \"$@\" {redirections}");
            let mut command = Command::new("unshare");
            command.args(["--mount", "/bin/sh", "-c", &script, "sh"]).arg(cargo_bin("wpj-state"));
            command.arg("--home").arg(&home.path);
            command
        };
        equal(&answer(&mut without(""))?, &is_registered())?;
        // Rust's runtime opens /dev/null for standard streams that are closed, and aborts if that fails.
        let output = without("<&-").output()?;
        equal(&(output.stdout, output.status.signal()), &(Vec::new(), Some(6)))
    }
}
