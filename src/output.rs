//! Prints the answer, and determines the exit status.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::{Command, Stdio},
};

use anyhow::Context;
use textwrap::{Options, WordSplitter};

use crate::report::Report;

/// Exit status: everything that was requested was printed.
pub(crate) const ANSWERED: u8 = 0;

/// Exit status: something could not be determined; standard error has the reason.
pub const UNDETERMINED: u8 = 1;

/// Exit status: wrong usage.
pub const WRONG_USAGE: u8 = 2;

/// The exit status that belongs to a report.
pub fn status(report: &Report) -> u8 {
    if report.is_complete { ANSWERED } else { UNDETERMINED }
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

/// Programs that show a manual page given on standard input. macOS has the first, most other systems the second.
const READERS: [(&str, &[&str]); 2] = [("/usr/bin/mandoc", &["-a"]), ("/usr/bin/man", &["-l", "-"])];

/// Shows the manual page on a terminal, and otherwise prints its source.
/// Fails if standard output cannot be written to.
pub fn show_manual(source: &str) -> anyhow::Result<u8> {
    let is_shown = io::stdout().is_terminal() && READERS.iter().any(|reader| is_shown_by(reader, source));
    if is_shown { Ok(ANSWERED) } else { print(source) }
}

fn is_shown_by((program, arguments): &(&str, &[&str]), source: &str) -> bool {
    let Ok(mut reader) = Command::new(program).args(*arguments).stdin(Stdio::piped()).spawn() else { return false };
    // The user may quit the program before it has read everything.
    let _ = reader.stdin.take().map(|mut input| input.write_all(source.as_bytes()));
    reader.wait().is_ok_and(|status| status.success())
}

/// The longest line on standard error, unless a single word is longer.
const MAX_COLUMNS: usize = 200;

/// Writes to standard error. If standard error is closed, the exit status must suffice.
pub fn print_error(reason: impl Display) {
    let columns = if io::stderr().is_terminal() { 80 } else { MAX_COLUMNS };
    let options = Options::new(columns).subsequent_indent("  ").word_splitter(WordSplitter::NoHyphenation);
    for line in line(reason).lines() {
        let _ = writeln!(io::stderr(), "{}", textwrap::fill(line, options.clone().break_words(false)));
    }
}

/// A line for standard error, with the tool's name in front.
pub fn line(reason: impl Display) -> String {
    format!("wpj-state: {reason}")
}
