//! What this program prints, and its end.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::{Command, Stdio},
};

use anyhow::Context;
use textwrap::{Options, WordSplitter};

use crate::report::Report;

/// Exit status: everything that was asked for was printed.
pub(crate) const ANSWERED: u8 = 0;

/// Exit status: something could not be determined; standard error says why.
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

/// What shows a manual page that it reads from standard input: macOS has the first, most others the second.
const READERS: [(&str, &[&str]); 2] = [("/usr/bin/mandoc", &["-a"]), ("/usr/bin/man", &["-l", "-"])];

/// Shows the manual page on a terminal, and else prints its source.
/// Fails if standard output cannot be written to.
pub fn show_manual(source: &str) -> anyhow::Result<u8> {
    let is_shown = io::stdout().is_terminal() && READERS.iter().any(|reader| is_shown_by(reader, source));
    if is_shown { Ok(ANSWERED) } else { print(source) }
}

fn is_shown_by((program, arguments): &(&str, &[&str]), source: &str) -> bool {
    let Ok(mut reader) = Command::new(program).args(*arguments).stdin(Stdio::piped()).spawn() else { return false };
    // One that ends before it has read all has been left by its user.
    let _ = reader.stdin.take().map(|mut input| input.write_all(source.as_bytes()));
    reader.wait().is_ok_and(|status| status.success())
}

/// No line on standard error is longer, unless a word is.
const MAX_COLUMNS: usize = 200;

/// Writes to standard error. Where even that is closed, the exit status has to do.
pub fn complain(reason: impl Display) {
    let columns = if io::stderr().is_terminal() { 80 } else { MAX_COLUMNS };
    let options = Options::new(columns).subsequent_indent("  ").word_splitter(WordSplitter::NoHyphenation);
    for line in line(reason).lines() {
        let _ = writeln!(io::stderr(), "{}", textwrap::fill(line, options.clone().break_words(false)));
    }
}

/// A line for standard error.
pub fn line(reason: impl Display) -> String {
    format!("wpj-state: {reason}")
}
