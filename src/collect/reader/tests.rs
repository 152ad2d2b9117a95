//! What the parent concludes from a reader process's output and exit. Nothing is forked here.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::*;
use crate::collect::children::MAX_OUTPUT;

const FILE: &str = "/Users/adele/Library/Keychains/login.keychain-db";

fn line(message: &Message<String>) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap();
    line.push(b'\n');
    line
}

fn at() -> Vec<u8> {
    line(&Message::At(FILE.as_bytes().to_vec()))
}

fn whole() -> Vec<u8> {
    line(&Message::Answer(Ok("read".to_owned())))
}

const EXITED: Result<Option<Exit>, Failure> = Ok(Some(Exit::Status(0)));

/// What the parent concludes from what a reader process sent.
fn concluded(outcome: Result<Option<Exit>, Failure>, sent: &[&[u8]]) -> Result<String, Obstacle> {
    answer(Ended { outcome, outputs: vec![sent.concat()] }, &Deadline::in_time(Duration::from_secs(9)))
}

/// The error that there is no answer, with the reason.
fn no_answer(words: &str) -> Result<String, Obstacle> {
    Err(Obstacle { path: Some(FILE.into()), cause: Cause::ReaderFailed(words.to_owned()) })
}

#[test]
fn an_answer_counts_for_every_exit_of_its_process() {
    let outcomes =
        [EXITED, Ok(None), Ok(Some(Exit::Status(1))), Ok(Some(Exit::Signal(Signal::SIGKILL))), Err(Failure::TimedOut)];
    for outcome in outcomes {
        assert_eq!(concluded(outcome.clone(), &[&at(), &whole()]), Ok("read".to_owned()), "{outcome:?}");
    }
}

#[test]
fn a_library_that_prints_lines_does_no_harm() {
    assert_eq!(concluded(EXITED, &[b"a warning\n", &at(), b"\n\xff\n", &whole(), b"more"]), Ok("read".to_owned()));
}

#[test]
fn a_reader_that_ends_without_an_answer_is_an_error() {
    assert_eq!(concluded(EXITED, &[&at()]), no_answer("it ended with exit status 0"));
    assert_eq!(concluded(Ok(Some(Exit::Status(101))), &[&at()]), no_answer("it ended with exit status 101"));
    assert_eq!(concluded(Ok(None), &[&at()]), no_answer("it ended without an answer"));
    let failed = Obstacle { path: None, cause: Cause::ReaderFailed("it ended with exit status 0".to_owned()) };
    assert_eq!(concluded(EXITED, &[]), Err(failed));
}

#[test]
fn the_signal_is_the_reason_if_a_reader_printed_a_message_before_it() {
    let killed = || Ok(Some(Exit::Signal(Signal::SIGKILL)));
    assert_eq!(concluded(killed(), &[&at()]), no_answer("it was ended by SIGKILL"));
    let aborted = Ok(Some(Exit::Signal(Signal::SIGABRT)));
    let words = b"memory allocation of 67108864 bytes failed\n";
    assert_eq!(concluded(aborted, &[&at(), words]), no_answer("it was ended by SIGABRT"));
}

#[test]
fn nonsense_is_not_an_answer() {
    let without_end = &whole()[..whole().len() - 3];
    let of_another_type = b"{\"Answer\":[1]}\n";
    let two = [&whole()[..whole().len() - 1], &whole()].concat();
    for sent in [&b"nonsense\n"[..], without_end, of_another_type, &two, b"\"Answer\"\n", b"{\"At\":[-1]}\n", b"\0"] {
        let words = String::from_utf8_lossy(sent);
        assert_eq!(concluded(EXITED, &[&at(), sent]), no_answer("it sent something else"), "{words}");
    }
}

#[test]
fn more_than_1_mib_is_not_an_answer() {
    let much = vec![b' '; MAX_OUTPUT];
    assert_eq!(concluded(Err(Failure::TooMuch), &[&at(), &much]), no_answer("it sent more than 1 MiB"));
    assert_eq!(concluded(Err(Failure::TooMuch), &[&at(), &whole(), &much]), no_answer("it sent more than 1 MiB"));
}

#[test]
fn the_deadline_names_the_file_that_was_being_read() {
    let before = line(&Message::At(b"/Users/adele".to_vec()));
    let passed = |path: Option<&str>| Err(Obstacle { path: path.map(PathBuf::from), cause: Cause::DeadlinePassed(9) });
    assert_eq!(concluded(Err(Failure::TimedOut), &[&before, &at(), &whole()[..5]]), passed(Some(FILE)));
    assert_eq!(concluded(Err(Failure::TimedOut), &[]), passed(None));
}

#[test]
fn a_path_need_not_be_text() {
    let path = line(&Message::At(b"/Users/\xff\n\"".to_vec()));
    let found = concluded(Err(Failure::TimedOut), &[&path]);
    let path = OsString::from_vec(b"/Users/\xff\n\"".to_vec());
    assert_eq!(found, Err(Obstacle { path: Some(path.into()), cause: Cause::DeadlinePassed(9) }));
}

#[test]
fn a_panic_is_reported_with_the_file_that_was_being_read() {
    let cause = Cause::Crashed("a panic in src/parse/keychain.rs, line 1".to_owned());
    let found = concluded(EXITED, &[&at(), &line(&Message::Failed(cause.clone()))]);
    assert_eq!(found, Err(Obstacle { path: Some(FILE.into()), cause }));
}

#[test]
fn readers_that_could_not_be_started_are_reported_in_order() {
    let started = vec![Err(failed("Resource temporarily unavailable")), Err(failed("Too many open files"))];
    let found: Vec<Result<String, Obstacle>> = finish(started, &Deadline::in_time(Duration::ZERO));
    assert_eq!(found, [Err(failed("Resource temporarily unavailable")), Err(failed("Too many open files"))]);
}
