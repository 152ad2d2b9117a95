//! Prints how far a Mac's Microsoft Entra registration through Jamf has got.

#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{
    env,
    panic::catch_unwind,
    process::ExitCode,
    time::{Duration, Instant},
};

use wpj_state::{
    assess::{Assessment, assess, memory::note},
    cli::{self, Command, Request, attribute},
    collect::{LateAnswer, collect, last_panic, note_panics, read_copy, remember_keys},
    evidence::{Cause, Evidence, User},
    output::{UNDETERMINED, WRONG_USAGE, line, print, print_error, print_report, show_manual, status},
    parse::timestamp::Timestamp,
    report::{Report, reason, report, style::Style},
};

/// Nobody has to wait longer for what is noted after the answer.
const TIME_TO_REMEMBER: Duration = Duration::from_secs(2);

const MANUAL: &str = include_str!("../packaging/wpj-state.1");

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().collect();
    let printed = match cli::parse(&arguments) {
        Ok(Command::Answer(request)) => answer(&request),
        Ok(Command::ListAttributes) => print(&attribute::list()),
        Ok(Command::Manual) => show_manual(MANUAL),
        Ok(Command::ReadCopy(copy)) => read_copy(&copy).and_then(|found| print(&found)),
        Err(usage) if usage.use_stderr() => {
            let words = usage.render().to_string();
            print_error(words.strip_prefix("error: ").unwrap_or(&words).trim_end());
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
    let begun = Instant::now();
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
        let notes: Vec<_> = evidence.iter().filter_map(|evidence| note(evidence, Timestamp::now())).collect();
        (report(request, &assessments, style), notes)
    });
    let (report, notes) = drawn.unwrap_or_else(|_| (draw_failure(Cause::Crashed(last_panic())), Vec::new()));
    let status = print_report(&report)?;
    let left = request.deadline.saturating_sub(begun.elapsed()).min(TIME_TO_REMEMBER);
    remember_keys(notes, left).iter().for_each(|obstacle| print_error(reason(obstacle)));
    Ok(status)
}

fn assess_now(evidence: &Evidence) -> Assessment<'_> {
    assess(evidence, Timestamp::now())
}
