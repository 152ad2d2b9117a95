//! Prints how far a Mac's Microsoft Entra registration through Jamf has got.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{env, io, io::Write, panic::catch_unwind, process::ExitCode};

use wpj_state::{
    assess::{Assessment, assess, memory::note},
    cli::{self, Command, Request, attribute},
    collect::{LateAnswer, collect, last_panic, note_panics, read_copy, remember_keys},
    evidence::{Cause, Evidence, User},
    output::{UNDETERMINED, WRONG_USAGE, line, print, print_error, print_report, status},
    parse::timestamp::Timestamp,
    report::{Report, reason, report, style::Style},
};

const MANUAL: &str = include_str!("../packaging/wpj-state.1");

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().collect();
    let printed = match cli::parse(&arguments) {
        Ok(Command::Answer(request)) => answer(&request),
        Ok(Command::ListAttributes) => print(&attribute::list()),
        Ok(Command::Manual) => print(MANUAL),
        Ok(Command::ReadCopy(copy)) => read_copy(&copy).and_then(|found| print(&found)),
        Err(usage) if usage.use_stderr() => {
            // If standard error is closed, the exit status must suffice.
            let _ = io::stderr().write_all(usage.render().to_string().as_bytes());
            Ok(WRONG_USAGE)
        }
        Err(help) => print(&help.render().to_string()),
    };
    printed.map_or_else(
        |error| {
            print_error(format!("{error:#}"));
            UNDETERMINED.into()
        },
        ExitCode::from,
    )
}

/// Prints the answer to a request, and returns the exit status. Even after a panic there is an answer: that the state
/// cannot be determined.
fn answer(request: &Request) -> anyhow::Result<u8> {
    note_panics();
    let style = Style::of_this_terminal();
    let draw_failure = |cause: Cause| {
        let evidence = Evidence::none(User::default(), cause.into());
        report(request, &[assess_now(&evidence)], style)
    };
    let late_answer = || {
        let late: Report = draw_failure(Cause::DeadlinePassed(request.deadline.as_secs()));
        let reasons = late.reasons.iter().map(|reason| line(reason) + "\n").collect();
        LateAnswer { status: status(&late), reasons, document: late.document }
    };
    let drawn = catch_unwind(|| {
        let evidence = collect(request, &late_answer);
        let assessments: Vec<_> = evidence.iter().map(assess_now).collect();
        // A saved output does not show the present state, so it must not be remembered.
        let notes =
            if request.has_saved_outputs() { Vec::new() } else { assessments.iter().filter_map(note).collect() };
        (report(request, &assessments, style), notes)
    });
    let (report, notes) = drawn.unwrap_or_else(|_| (draw_failure(Cause::Crashed(last_panic())), Vec::new()));
    let status = print_report(&report)?;
    remember_keys(notes).iter().for_each(|obstacle| print_error(reason(obstacle)));
    Ok(status)
}

fn assess_now(evidence: &Evidence) -> Assessment<'_> {
    assess(evidence, Timestamp::now())
}
