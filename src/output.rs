//! What this program prints, and its end.

use std::{
    fmt::Display,
    io::{self, Write},
};

use anyhow::Context;

use crate::report::Report;

/// Exit status: everything that was asked for was printed.
pub(crate) const ANSWERED: u8 = 0;

/// Exit status: something could not be determined; standard error says why.
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
    report.reasons.iter().for_each(complain);
    print(&report.document)?;
    Ok(status(report))
}

/// Writes to standard output. A reader that has seen enough closes the pipe; that is not an error.
/// Fails if standard output cannot be written to.
pub fn print(text: &str) -> anyhow::Result<u8> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing the answer to standard output; run it again where there is room")
        }
        _ => Ok(ANSWERED),
    }
}

/// Writes a line to standard error. Where even that is closed, the exit status has to do.
pub fn complain(reason: impl Display) {
    let _ = writeln!(io::stderr(), "{}", line(reason));
}

/// A line for standard error.
pub fn line(reason: impl Display) -> String {
    format!("wpj-state: {reason}")
}
