//! Prints how far a Mac's Microsoft Entra registration through Jamf got.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    panic,
    sync::Arc,
    thread,
    time::Instant,
};

use anyhow::Context;
use wpj_state::{
    assess::assess,
    cli::{self, Command, Part, Request, Subject, Who, Worker, attribute},
    collect::{
        inspect::inspect,
        list, platform,
        progress::{Progress, leave_signals_to_supervisor},
        supervise::{Answer, UNDETERMINED, in_same_process, supervise, supervise_all},
        system::ThisSystem,
    },
    evidence::{Cause, Evidence, Obstacle, User},
    parse::timestamp::Timestamp,
    report::{
        self, Report, report,
        style::{Style, is_coloured, is_utf8},
    },
};

const STATE_PRINTED: u8 = 0;
const USAGE: u8 = 2;

const MANUAL: &str = include_str!("../packaging/wpj-state.1");

fn main() {
    end(run());
}

/// Ends the process, at once: a thread may be held up, and nothing of it is waited for.
fn end(outcome: anyhow::Result<u8>) -> ! {
    let status = outcome.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        UNDETERMINED
    });
    platform::end_at_once(status)
}

fn run() -> anyhow::Result<u8> {
    let arguments: Vec<OsString> = env::args_os().collect();
    match cli::parse(&arguments) {
        Ok(Command::Answer(request)) => match &request.worker {
            Some(worker) => work(&request, worker),
            None => tell(&request, &arguments),
        },
        Ok(Command::ListAttributes) => print(attribute::list().as_bytes()).map(|()| STATE_PRINTED),
        Ok(Command::Manual) => print(MANUAL.as_bytes()).map(|()| STATE_PRINTED),
        Err(answer) => refuse_or_help(&answer),
    }
}

/// Finds out what was asked for, and tells it.
fn tell(request: &Request, arguments: &[OsString]) -> anyhow::Result<u8> {
    let colour = is_coloured();
    let answer = match &request.subject {
        Subject::One(who) => about_one(request, who, arguments, colour)?,
        Subject::AllUsers | Subject::Homes(_) => {
            let ask = |parts: &[Part], limit| supervise_all(arguments, parts, colour, limit);
            let rows = list::rows(request, ask).context("writing JSON")?;
            answer(report::list(request, &rows, style(colour)))
        }
    };
    give(&answer)
}

/// Looks at one user, by a worker if need be, and answers in place of whoever does not come to an end.
fn about_one(request: &Request, who: &Who, arguments: &[OsString], colour: bool) -> anyhow::Result<Answer> {
    let begun = Instant::now();
    let own_request = request.clone();
    let give_up = move |obstacle| end(in_place(&own_request, colour, obstacle).and_then(|answer| give(&answer)));
    // What a panic says becomes the reason why there is no answer.
    panic::set_hook(Box::new(|_| ()));
    let found = in_same_process(request.deadline, |progress| look(request, who, colour, progress), give_up);
    drop(panic::take_hook());
    match found {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            let left = request.deadline.saturating_sub(begun.elapsed());
            supervise(arguments, Part::Whole, colour, left).or_else(|obstacle| {
                let cause = match obstacle.cause {
                    Cause::DeadlinePassed(_) => Cause::DeadlinePassed(request.deadline.as_secs()),
                    cause => cause,
                };
                in_place(request, colour, Obstacle { cause, ..obstacle })
            })
        }
        Err(obstacle) => in_place(request, colour, obstacle),
    }
}

fn look(request: &Request, who: &Who, colour: bool, progress: &Progress) -> anyhow::Result<Answer> {
    assessed(request, colour, &inspect(request, who, &ThisSystem::new("/", progress), progress))
}

/// The answer in place of whoever did not come to an end.
fn in_place(request: &Request, colour: bool, obstacle: Obstacle) -> anyhow::Result<Answer> {
    assessed(request, colour, &Evidence::none(User::UNKNOWN, obstacle))
}

fn give(answer: &Answer) -> anyhow::Result<u8> {
    for reason in &answer.reasons {
        complain(reason);
    }
    print(&answer.stdout)?;
    Ok(answer.status)
}

/// Gathers the evidence, and answers to the supervisor.
fn work(request: &Request, worker: &Worker) -> anyhow::Result<u8> {
    leave_signals_to_supervisor();
    let progress = Arc::new(Progress::of_worker(&worker.private_folder));
    let watching = Arc::clone(&progress);
    thread::Builder::new().spawn(move || watching.end_with_supervisor()).context("starting a thread")?;
    let answer = match (&request.subject, worker.part) {
        (Subject::One(who), Part::Whole) => look(request, who, worker.colour, &progress)?,
        (_, part) => {
            let system = ThisSystem::new("/", &progress);
            let stdout = list::work(request, part, &system, &progress).context("writing JSON")?;
            Answer { stdout, reasons: Vec::new(), status: STATE_PRINTED }
        }
    };
    for reason in &answer.reasons {
        progress.reason(reason);
    }
    print(&answer.stdout)?;
    progress.ends(answer.status, answer.stdout.len());
    Ok(answer.status)
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
fn refuse_or_help(answer: &clap::Error) -> anyhow::Result<u8> {
    let text = answer.render().to_string();
    if answer.use_stderr() {
        // Where even standard error is closed, the exit status has to do.
        let _ = io::stderr().write_all(text.as_bytes());
        return Ok(USAGE);
    }
    print(text.as_bytes())?;
    Ok(STATE_PRINTED)
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
