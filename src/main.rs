//! Prints how far a Mac's Microsoft Entra registration through Jamf got.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use wpj_state::{
    cli::{self, Output, Request},
    inspect::inspect,
    report,
    state::assess,
    timestamp::Timestamp,
};

const STATE_PRINTED: u8 = 0;
const UNDETERMINED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let outcome = match cli::parse(env::args_os()) {
        Ok(request) => run(&request),
        Err(answer) => refuse_or_help(&answer),
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(UNDETERMINED)
    })
}

fn run(request: &Request) -> anyhow::Result<ExitCode> {
    let evidence = inspect(request);
    let assessment = assess(&evidence, Timestamp::now());
    if let Err(undetermined) = &assessment.state {
        complain(&report::reason(undetermined));
    }
    let text = match request.output {
        Output::Result => report::result_line(&assessment),
        Output::Json => report::json(&assessment).context("writing JSON")?,
    };
    print(&format!("{text}\n"))?;
    Ok(ExitCode::from(if assessment.state.is_ok() { STATE_PRINTED } else { UNDETERMINED }))
}

/// Help and version are answers; everything else that the command line gives instead of a request is wrong usage.
fn refuse_or_help(answer: &clap::Error) -> anyhow::Result<ExitCode> {
    let text = answer.render().to_string();
    if answer.use_stderr() {
        // Where even standard error is closed, the exit status has to do.
        let _ = io::stderr().write_all(text.as_bytes());
        return Ok(ExitCode::from(USAGE));
    }
    print(&text)?;
    Ok(ExitCode::from(STATE_PRINTED))
}

/// Writes to standard output. A reader that has seen enough closes the pipe; that is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing the answer to standard output; run it again where there is room")
        }
        _ => Ok(()),
    }
}

fn complain(reason: &str) {
    // Where even standard error is closed, the exit status has to do.
    let _ = writeln!(io::stderr(), "wpj-state: {reason}");
}
