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
    cli::{self, Command, Part, Request, Subject, Worker},
    evidence::Evidence,
    inspect::inspect,
    list,
    progress::{Progress, leave_signals_to_supervisor},
    report::{
        self, Report, report,
        style::{Style, is_coloured, is_utf8},
    },
    state::assess,
    supervise::{Answer, supervise, supervise_all},
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

/// Has workers answer, and answers in their place if they do not.
fn supervise_worker(request: &Request, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let colour = is_coloured();
    let answer = if request.subject.is_several() {
        let ask = |parts: &[Part], limit| supervise_all(arguments, parts, colour, limit);
        let rows = list::rows(request, ask).context("writing JSON")?;
        answer(report::list(request, &rows, style(colour)))
    } else {
        match supervise(arguments, Part::Whole, colour, request.deadline) {
            Ok(answer) => answer,
            Err(obstacle) => assessed(request, colour, &Evidence::none(User::UNKNOWN, obstacle))?,
        }
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
    let system = ThisSystem::new("/");
    let answer = match (&request.subject, worker.part) {
        (Subject::One(who), Part::Whole) => {
            assessed(request, worker.colour, &inspect(request, who, &system, &progress))?
        }
        (_, part) => {
            let stdout = list::work(request, part, &system, &progress).context("writing JSON")?;
            Answer { stdout, reasons: Vec::new(), status: STATE_PRINTED }
        }
    };
    for reason in &answer.reasons {
        progress.reason(reason);
    }
    print(&answer.stdout)?;
    progress.ends(answer.status, answer.stdout.len());
    Ok(ExitCode::from(answer.status))
}

fn assessed(request: &Request, colour: bool, evidence: &Evidence) -> anyhow::Result<Answer> {
    let assessment = assess(evidence, Timestamp::now());
    Ok(answer(report(request, &assessment, style(colour)).context("writing JSON")?))
}

fn style(colour: bool) -> Style {
    Style { colour, unicode: is_utf8(|name| env::var_os(name)) }
}

fn answer(report: Report) -> Answer {
    let status = if report.reasons.is_empty() { STATE_PRINTED } else { UNDETERMINED };
    Answer { stdout: report.document.into_bytes(), reasons: report.reasons, status }
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
