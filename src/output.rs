//! Prints the answer, and determines the exit status.

use std::{
    fmt::Display,
    io::{self, Write},
};

use anyhow::Context;

use crate::report::Report;

/// Exit status: everything that was requested was printed.
pub(crate) const ANSWERED: u8 = 0;

/// Exit status: something could not be determined; standard error has the reason.
pub const UNDETERMINED: u8 = 1;

/// Exit status: wrong usage.
pub const WRONG_USAGE: u8 = 2;

/// The exit status that belongs to a report.
pub fn status(report: &Report) -> u8 {
    if report.reasons.is_empty() { ANSWERED } else { UNDETERMINED }
}

/// Prints a report: first the reasons, then the document.
/// Fails if standard output cannot be written to.
pub fn print_report(report: &Report) -> anyhow::Result<u8> {
    report.reasons.iter().for_each(print_error);
    print(&report.document)?;
    Ok(status(report))
}

/// Writes to standard output. A reader that closes the pipe early is not an error.
/// Fails if standard output cannot be written to.
pub fn print(text: &str) -> anyhow::Result<u8> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(ANSWERED),
    }
}

/// Writes a line to standard error. If standard error is closed, the exit status must suffice.
pub fn print_error(reason: impl Display) {
    let _ = writeln!(io::stderr(), "{}", line(reason));
}

/// A line for standard error, with the tool's name in front.
pub fn line(reason: impl Display) -> String {
    format!("wpj-state: {reason}")
}
