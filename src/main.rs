//! Prints how far a Mac's Microsoft Entra registration through Jamf got.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use wpj_state::{
    cause::Cause,
    cli::{self, Output, Request},
    deadline::{self, Progress, Stopped},
    evidence::{Evidence, Obstacle},
    inspect::inspect,
    report,
    state::assess,
    system::ThisSystem,
    timestamp::Timestamp,
    user::User,
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
    let evidence = gather(request);
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

/// Gathers the evidence; there is none if that takes too long.
fn gather(request: &Request) -> Evidence {
    let progress = Arc::new(Progress::default());
    let work = {
        let (request, progress) = (request.clone(), Arc::clone(&progress));
        move || inspect(&request, &ThisSystem::new("/"), &progress)
    };
    let stopped = match deadline::within(request.deadline, work) {
        Ok(evidence) => return evidence,
        Err(stopped) => stopped,
    };
    progress.clean_up();
    let cause = match stopped {
        Stopped::TooLate => Cause::DeadlinePassed(request.deadline.as_secs()),
        Stopped::Failed(words) => Cause::Crashed(words),
        Stopped::Signal(signal) => {
            deadline::die_of(signal);
            Cause::Crashed(format!("it was told to end by {signal}"))
        }
    };
    Evidence::none(User::UNKNOWN, Obstacle { path: progress.asked(), cause })
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
