//! Prints how far a Mac's Microsoft Entra registration through Jamf got.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    thread,
};

use anyhow::Context;
use wpj_state::{
    attribute,
    cli::{self, Command, Request, Worker},
    evidence::Evidence,
    inspect::inspect,
    progress::{Progress, leave_signals_to_supervisor},
    report::{
        report,
        style::{Style, is_coloured, is_utf8},
    },
    state::assess,
    supervise::{Answer, supervise},
    system::ThisSystem,
    timestamp::Timestamp,
    user::User,
};

const STATE_PRINTED: u8 = 0;
const UNDETERMINED: u8 = 1;
const USAGE: u8 = 2;

const MANUAL: &str = include_str!("../packaging/wpj-state.1");

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let outcome = match cli::parse(&arguments) {
        Ok(Command::Answer(request)) => match &request.worker {
            Some(worker) => work(&request, worker),
            None => supervise_worker(&request, &arguments),
        },
        Ok(Command::ListAttributes) => print(attribute::list().as_bytes()).map(|()| ExitCode::from(STATE_PRINTED)),
        Ok(Command::Manual) => print(MANUAL.as_bytes()).map(|()| ExitCode::from(STATE_PRINTED)),
        Err(answer) => refuse_or_help(&answer),
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(UNDETERMINED)
    })
}

/// Has the worker answer, and answers in its place if it does not.
fn supervise_worker(request: &Request, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let colour = is_coloured();
    let answer = match supervise(arguments, colour, request.deadline) {
        Ok(answer) => answer,
        Err(obstacle) => answer(request, colour, &[Evidence::none(User::UNKNOWN, obstacle)])?,
    };
    for reason in &answer.reasons {
        complain(reason);
    }
    print(&answer.stdout)?;
    Ok(ExitCode::from(answer.status))
}

/// Gathers the evidence, and answers to the supervisor.
fn work(request: &Request, worker: &Worker) -> anyhow::Result<ExitCode> {
    leave_signals_to_supervisor();
    let progress = Arc::new(Progress::of_worker(&worker.private_folder));
    let watching = Arc::clone(&progress);
    thread::Builder::new().spawn(move || watching.end_with_supervisor()).context("starting a thread")?;
    let answer = answer(request, worker.colour, &inspect(request, &ThisSystem::new("/"), &progress))?;
    for reason in &answer.reasons {
        progress.reason(reason);
    }
    print(&answer.stdout)?;
    progress.ends(answer.status, answer.stdout.len());
    Ok(ExitCode::from(answer.status))
}

fn answer(request: &Request, colour: bool, evidence: &[Evidence]) -> anyhow::Result<Answer> {
    let now = Timestamp::now();
    let assessments: Vec<_> = evidence.iter().map(|evidence| assess(evidence, now)).collect();
    let style = Style { colour, unicode: is_utf8(|name| env::var_os(name)) };
    let report = report(request, &assessments, style).context("writing JSON")?;
    let status = if report.reasons.is_empty() { STATE_PRINTED } else { UNDETERMINED };
    Ok(Answer { stdout: report.document.into_bytes(), reasons: report.reasons, status })
}

/// Help and version are answers; everything else that the command line gives instead of a request is wrong usage.
fn refuse_or_help(answer: &clap::Error) -> anyhow::Result<ExitCode> {
    let text = answer.render().to_string();
    if answer.use_stderr() {
        // Where even standard error is closed, the exit status has to do.
        let _ = io::stderr().write_all(text.as_bytes());
        return Ok(ExitCode::from(USAGE));
    }
    print(text.as_bytes())?;
    Ok(ExitCode::from(STATE_PRINTED))
}

/// Writes to standard output. A reader that has seen enough closes the pipe; that is no error.
fn print(text: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
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
