//! What goes wrong around the files: they change while they are read, the disk fails or is full, there are no descriptors,
//! outputs are closed, the clock is wrong. There is the right answer or none, and nothing is left behind.

use std::{
    cell::Cell,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
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
    outcome::{Failed, Outcome, equal},
    startup_disk,
};

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";
const REGISTERED: &str = "fixtures/registered/home";
const RESULT: &str = "<result>Registered</result>\n";
const BLANK: &str = "<result></result>\n";

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

#[test]
fn a_keychain_that_changes_while_it_is_read_gives_an_answer_of_before_or_after_or_none() -> Outcome {
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

/// Whatever of a table has been read when the disk fails, it is not the table that is damaged.
#[test]
fn a_disk_that_fails_is_not_taken_for_damage() -> Outcome {
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

/// A registered user's home, and a link to it. Behind a link another disk may lie, which only a worker may ask.
struct Homes {
    _folder: tempfile::TempDir,
    homes: [PathBuf; 2],
}

impl Homes {
    fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir_in(startup_disk::folder().unwrap_or_else(std::env::temp_dir))?;
        let homes = ["home", "link"].map(|name| folder.path().join(name));
        let [home, link] = &homes;
        for file in [KEYCHAIN, PLIST] {
            fs::create_dir_all(home.join(file).parent().ok_or("a file has a folder")?)?;
            fs::copy(Path::new(REGISTERED).join(file), home.join(file))?;
        }
        std::os::unix::fs::symlink(home, link)?;
        Ok(Self { _folder: folder, homes })
    }

    fn each(test: impl Fn(&Path) -> Outcome) -> Outcome {
        Self::new()?
            .homes
            .iter()
            .try_for_each(|home| test(home).map_err(|error| Failed::from(format!("{}: {error:?}", home.display()))))
    }
}

/// Runs the tool by a shell that does something before.
fn by_shell(home: &Path, before: &str, redirections: &str) -> Result<Output, Failed> {
    let script = format!("{before}\nexec \"$@\" {redirections}");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &script, "sh"]).arg(cargo_bin("wpj-state")).arg("--home").arg(home);
    Ok(command.output()?)
}

/// Runs the tool so that some of its calls that are about its two files fail.
fn with_faults(home: &Path, faults: &str, options: &[&str]) -> Result<Output, Failed> {
    let mut command = Command::new("strace");
    command.args(["-f", "--quiet=all", "-o", "/dev/null"]).args(options).args(["-e", &format!("inject={faults}")]);
    command.arg(cargo_bin("wpj-state")).arg("--home").arg(home);
    Ok(command.output()?)
}

fn gives(output: &Output, stdout: &str, stderr: &str, status: i32) -> Outcome {
    equal(&(text(&output.stdout).as_str(), text(&output.stderr).as_str()), &(stdout, stderr))?;
    equal(&output.status.code(), &Some(status))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs Linux, which says what it does without descriptors")]
fn a_lack_of_descriptors_gives_the_answer_or_none_with_a_reason() -> Outcome {
    Homes::each(|home| {
        let mut answered = 0;
        for limit in 3..24 {
            let output = by_shell(home, &format!("ulimit -n {limit}"), "")?;
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
    })
}

/// Redirections, and what is then printed. What is written to nowhere is written, as far as anybody can tell.
const CLOSED: [(&str, &str); 6] =
    [("<&-", RESULT), ("2>&-", RESULT), ("<&- 2>&-", RESULT), (">&-", ""), ("<&- >&-", ""), ("<&- >&- 2>&-", "")];

#[test]
fn closed_standard_streams_change_nothing_but_what_is_written_to_them() -> Outcome {
    Homes::each(|home| {
        CLOSED.into_iter().try_for_each(|(streams, stdout)| gives(&by_shell(home, "", streams)?, stdout, "", 0))
    })
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full, which only Linux has")]
fn a_full_disk_behind_standard_output_is_a_failure() -> Outcome {
    Homes::each(|home| {
        let output = by_shell(home, "", ">/dev/full")?;
        let stderr = text(&output.stderr);
        let words = "wpj-state: writing the answer to standard output; run it again where there is room: ";
        equal(&stderr.starts_with(words), &true)?;
        equal(&output.status.code(), &Some(1))
    })
}

#[test]
fn ignored_and_default_sigpipe_are_the_same() -> Outcome {
    Homes::each(|home| {
        for before in ["", "trap '' PIPE"] {
            let (reader, writer) = io::pipe()?;
            drop(reader);
            let script = format!("{before}\nexec \"$@\"");
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script, "sh"]).arg(cargo_bin("wpj-state")).arg("--home").arg(home);
            gives(&command.stdout(writer).output()?, "", "", 0)?;
        }
        Ok(())
    })
}

#[test]
fn no_environment_changes_nothing() -> Outcome {
    Homes::each(|home| {
        let mut command = Command::new(cargo_bin("wpj-state"));
        let output = command.env_clear().current_dir("/").arg("--home").arg(home).output()?;
        gives(&output, RESULT, "", 0)
    })
}

/// More calls than the tool makes to read its two files.
const CALLS: usize = 40;

#[test]
fn a_clock_in_1970_or_in_2100_changes_no_state() -> Outcome {
    let mut evidence = Evidence::none(User::default(), Cause::NotRead.into());
    evidence.obstacle = None;
    let found = login_keychain::read(registered().as_slice(), Depth::Details).map_err(|error| error.to_string())?;
    evidence.login_keychain = Witness { path: None, probe: Probe::Found(found) };
    let plist = fs::read(Path::new(REGISTERED).join(PLIST))?;
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

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn interrupted_calls_are_made_again() -> Outcome {
        Homes::each(|home| {
            let files = [KEYCHAIN, PLIST].map(|file| home.join(file).display().to_string());
            let files = ["-P", &files[0], "-P", &files[1]];
            for call in 1..CALLS {
                for name in ["openat", "read", "pread64"] {
                    gives(&with_faults(home, &format!("{name}:error=EINTR:when={call}"), &files)?, RESULT, "", 0)?;
                }
                gives(&with_faults(home, &format!("write:error=EINTR:when={call}"), &[])?, RESULT, "", 0)?;
            }
            Ok(())
        })
    }

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn a_disk_that_fails_under_the_tool_gives_a_blank_result_and_the_reason() -> Outcome {
        let words = "run it again, and check the disk if that does not help";
        Homes::each(|home| {
            for (file, name) in [(KEYCHAIN, "pread64"), (KEYCHAIN, "openat"), (PLIST, "read"), (PLIST, "openat")] {
                let path = home.join(file).display().to_string();
                let run = |call| with_faults(home, &format!("{name}:error=EIO:when={call}"), &["-P", &path]);
                // The first call that is not made any more does not fail.
                let mut calls = 1;
                let mut output = run(calls)?;
                while output.status.code() != Some(0) {
                    equal(&text(&output.stdout).as_str(), &BLANK)?;
                    let stderr = text(&output.stderr);
                    let is_right = stderr.starts_with(&format!("wpj-state: {path}: "))
                        && stderr.ends_with(&format!("; {words}\n"))
                        && stderr.contains("Input/output error");
                    equal(&(is_right, stderr.as_str()), &(true, stderr.as_str()))?;
                    equal(&output.status.code(), &Some(1))?;
                    calls += 1;
                    output = run(calls)?;
                }
                gives(&output, RESULT, "", 0)?;
                equal(&(calls > 1), &true)?;
            }
            Ok(())
        })
    }

    #[test]
    #[ignore = "needs strace, and the right to trace"]
    fn where_no_thread_can_be_started_the_result_is_blank() -> Outcome {
        let reason = "this tool failed: Resource temporarily unavailable (os error 11); report this, with the output of \
                      --version";
        Homes::each(|home| {
            let output = with_faults(home, "clone3,clone:error=EAGAIN", &[])?;
            gives(&output, BLANK, &format!("wpj-state: {reason}\n"), 1)
        })
    }
}

#[cfg(target_os = "linux")]
mod root {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_system_without_dev_null_gives_the_same_answer() -> Outcome {
        let without = |home: &Path, redirections: &str| -> Result<Output, Failed> {
            let script = format!("mount -t tmpfs none /dev && [ ! -e /dev/null ] && exec \"$@\" {redirections}");
            let mut command = Command::new("unshare");
            command.args(["--mount", "/bin/sh", "-c", &script, "sh"]).arg(cargo_bin("wpj-state"));
            Ok(command.arg("--home").arg(home).output()?)
        };
        Homes::each(|home| {
            gives(&without(home, "")?, RESULT, "", 0)?;
            // Rust's own start puts it in the place of streams that are closed, and ends the process if it cannot.
            let output = without(home, "<&-")?;
            equal(&(text(&output.stdout).as_str(), output.status.signal()), &("", Some(6)))
        })
    }

    #[test]
    #[ignore = "needs root"]
    fn a_full_disk_leaves_no_copy_of_a_keychain_and_no_answer_that_rests_on_it() -> Outcome {
        use nix::mount::{MntFlags, MsFlags, mount, umount2};
        use wpj_state::collect::{progress::Progress, rights::Rights, second_opinion};

        let disk = tempfile::tempdir()?;
        mount(Some("full"), disk.path(), Some("tmpfs"), MsFlags::empty(), Some("size=8k"))?;
        let ask = || -> Outcome {
            let keychain = disk.path().join("../keychain.db");
            let keychain = tempfile::NamedTempFile::new_in(keychain.parent().ok_or("a folder")?)?;
            fs::write(keychain.path(), registered())?;
            let private = disk.path().join("private");
            let opinion = second_opinion::ask(
                &fs::File::open(keychain.path())?,
                &Rights::Own,
                &Progress::silent(&private),
                |_| panic!("there is no whole copy to ask about"),
            );
            let words = opinion.err().ok_or("there is no opinion")?;
            equal(&words.contains("No space left on device"), &true)?;
            equal(&private.exists(), &false)
        };
        let asked = ask();
        umount2(disk.path(), MntFlags::MNT_DETACH)?;
        asked
    }
}
