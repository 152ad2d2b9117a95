//! The report for people: state and gravest finding, the user, the evidence, and what to do.

mod commands;
mod evidence;
mod obstacle;
mod set_up;
mod step;
mod steps;

use anstyle::Style as Ansi;

use super::style::{Mark, Page, Style};
use crate::{
    assess::{
        Assessment,
        finding::{Code, Severity},
        state::RegistrationState,
    },
    cli::Request,
    evidence::{Cause, Obstacle, Source, User},
};

pub(super) fn explain(assessment: &Assessment<'_>, request: &Request, style: Style) -> String {
    let mut page = Page::new(style);
    let (mark, headline) = headline(assessment);
    page.paragraph(mark.colour().bold(), &headline);
    if let Err(Obstacle { path: Some(path), .. }) = &assessment.state
        && assessment.evidence.user.home.as_ref() != Some(path)
    {
        page.paragraph(Ansi::new(), &format!("File: {}", path.display()));
    }
    page.paragraph(Ansi::new(), &about(&assessment.evidence.user));
    page.heading("Evidence");
    let mut unchecked = evidence::rows(&mut page, assessment);
    unchecked.extend(set_up::rows(&mut page, assessment));
    for finding in assessment.findings.iter().filter(|finding| !has_row(finding.code)) {
        page.row(mark_of(finding.code), "Also found", &finding.message);
    }
    if let Some(line) = evidence::not_checked(assessment, &unchecked, request) {
        page.paragraph(Ansi::new(), &line);
    }
    page.heading("What to do");
    steps::rows(&mut page, assessment, request);
    page.into_text()
}

/// The state and the gravest finding in one line, in the colour of the worse of the two.
fn headline(assessment: &Assessment<'_>) -> (Mark, String) {
    let gravest = assessment.gravest();
    match &assessment.state {
        Err(Obstacle { cause, .. }) => {
            let (mut mark, mut line) = (Mark::Unclear, format!("Could not be determined: {cause}"));
            if let Some(code) = gravest.filter(|code| !is_said_by(cause, *code)) {
                mark = if code.severity() == Severity::Error { Mark::Wrong } else { mark };
                line = format!("{line}; {}", code.clause());
            }
            (mark, line)
        }
        Ok(RegistrationState::Registered) => {
            let state = RegistrationState::Registered.as_str();
            gravest.map_or((Mark::Good, state.to_owned()), |code| {
                let mark = if code.severity() == Severity::Error { Mark::Wrong } else { Mark::Unclear };
                (mark, format!("{state}, but {}", code.clause()))
            })
        }
        Ok(state) => {
            let clause = gravest.map(|code| format!("; {}", code.clause())).unwrap_or_default();
            (Mark::Wrong, format!("{}{clause}", state.as_str()))
        }
    }
}

/// Whether the reason for the missing state already says what the finding does.
const fn is_said_by(cause: &Cause, code: Code) -> bool {
    match code {
        Code::OutputUnusable => matches!(cause, Cause::Unclear(_)),
        Code::RegistrationUnderWay => matches!(cause, Cause::UnderWay(_)),
        Code::DeviceRegistrationLost => matches!(cause, Cause::DeviceLost),
        Code::CertificateUnparsable => matches!(cause, Cause::UnknownIssuer(_)),
        Code::PlistUnreadable => true,
        _ => false,
    }
}

/// The line about the user, and why the tool chose this user.
fn about(user: &User) -> String {
    let name = match (&user.name, user.uid) {
        (Some(name), Some(uid)) => Some(format!("{name} ({uid})")),
        (Some(name), None) => Some(name.clone()),
        (None, Some(uid)) => Some(format!("#{uid}")),
        (None, None) => None,
    };
    let home = user.home.as_ref().map(|home| home.display().to_string());
    let who: Vec<String> = name.into_iter().chain(home).collect();
    let why = match user.source {
        Some(Source::HomeOption) => "from --home",
        Some(Source::UserOption) => "from --user",
        Some(Source::Console) => "the console user",
        Some(Source::LastConsole) => "the last console user, because nobody is at the console",
        Some(Source::MostRecent) => "nobody is at the console, and this login keychain changed last",
        Some(Source::AllUsers) => "one of the local users",
        Some(Source::FilesGiven) => "from --keychain and --plist",
        Some(Source::None) => "no user has logged in to this Mac yet",
        None => "could not be determined",
    };
    if who.is_empty() { format!("User: {why}") } else { format!("User: {}: {why}", who.join(", ")) }
}

/// Whether another row of the report shows this finding already.
const fn has_row(code: Code) -> bool {
    !matches!(
        code,
        Code::SecondOpinionUsed
            | Code::SecondOpinionDiffers
            | Code::SecondOpinionMissing
            | Code::SecondOpinionAgrees
            | Code::NotAtTheConsole
            | Code::ConsoleContradictory
            | Code::LoginKeychainReset
            | Code::CertificateUnparsable
            | Code::OtherRecordsUnreadable
            | Code::RenamedKeychainUnreadable
            | Code::SeveralWorkplaceJoinIdentities
            | Code::IssuerNameOutsideCertificates
            | Code::RegisteredWithAnotherTenant
            | Code::TenantNotKnown
            | Code::SettingUnusable
            | Code::RememberedKeyUnusable
    )
}

const fn mark_of(code: Code) -> Mark {
    match code {
        Code::CertificateUnparsable
        | Code::TenantNotKnown
        | Code::ConsoleContradictory
        | Code::SecondOpinionMissing
        | Code::OtherRecordsUnreadable
        | Code::RenamedKeychainUnreadable => Mark::Unclear,
        code => match code.severity() {
            Severity::Error | Severity::Warning => Mark::Wrong,
            Severity::Info => Mark::Neutral,
        },
    }
}
