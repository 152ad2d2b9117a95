//! The report for people: the state, whose it is, the evidence a line each, and what to do.

mod evidence;
mod set_up;
mod steps;

use anstyle::Style as Ansi;

use super::{
    reason::cause,
    style::{Mark, Page, Style},
};
use crate::{
    assess::{
        Assessment,
        finding::{Code, Severity},
        key::Storage,
        state::RegistrationState,
    },
    cli::Request,
    evidence::{Source, User},
};

pub(super) fn explain(assessment: &Assessment<'_>, request: &Request, style: Style) -> String {
    let mut page = Page::new(style);
    state(&mut page, assessment);
    page.paragraph(Ansi::new(), &about(&assessment.evidence.user));
    page.heading("Evidence");
    evidence::rows(&mut page, assessment);
    page.heading("JamfAAD set-up");
    set_up::rows(&mut page, &assessment.evidence.set_up, assessment.state.as_ref().ok().copied());
    let has_key = Storage::shown_by(assessment.evidence).is_some();
    let others = assessment.findings.iter().filter(|finding| !has_row(finding.code, has_key));
    for (number, finding) in others.enumerate() {
        if number == 0 {
            page.heading("Also found");
        }
        page.row(mark(finding.code, has_key), "", &finding.message);
    }
    page.heading("What to do");
    steps::rows(&mut page, assessment, request);
    page.into_text()
}

fn state(page: &mut Page, assessment: &Assessment<'_>) {
    let (mark, name, meaning) = match &assessment.state {
        Ok(state) => {
            let mark = if *state == RegistrationState::Registered { Mark::Good } else { Mark::Wrong };
            (mark, state.as_str(), state.meaning().to_owned())
        }
        Err(undetermined) => (Mark::Unclear, "Cannot be told", format!("{}.", cause(undetermined))),
    };
    page.paragraph(mark.colour().bold(), &format!("State: {name}"));
    page.paragraph(Ansi::new(), &meaning);
}

/// Whose state it is, and why that user's.
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
        Some(Source::HomeOption) => "the home that was given",
        Some(Source::UserOption) => "the user who was given",
        Some(Source::Console) => "the user at the console",
        Some(Source::LastConsole) => "nobody is at the console, and this user was there last",
        Some(Source::MostRecent) => "nobody is at the console, and this user's login keychain changed last",
        Some(Source::AllUsers) => "one of all users",
        Some(Source::None) => "nobody has ever used this Mac",
        None => "it is not known whose this is",
    };
    if who.is_empty() { format!("User: {why}") } else { format!("User: {}: {why}", who.join(", ")) }
}

/// Whether a row of the evidence or of the set-up says the same.
const fn has_row(code: Code, has_key: bool) -> bool {
    match code {
        // With a key, the rows are about that one.
        Code::CertificateWithoutPrivateKey | Code::PrivateKeyWithoutCertificate => !has_key,
        Code::SeveralDeviceIds
        | Code::KeyRemembered
        | Code::CertificateExpired
        | Code::CertificateNotYetValid
        | Code::PlistUnparsable
        | Code::PlistUnreadable
        | Code::HaveAnAzureIdMissing
        | Code::HaveAnAzureIdFalse
        | Code::HaveAnAzureIdUnexpected
        | Code::GatheredAsRoot
        | Code::ConditionalAccessDisabled
        | Code::RegistrationNeedsRepair
        | Code::NeedsRegistration
        | Code::UserKeyInvalid
        | Code::DeviceRegistrationLost
        | Code::RegistrationUnderWay
        | Code::PlatformSsoNotSetUp
        | Code::PlatformSsoToRegister
        | Code::AzureIdWithoutToken
        | Code::SsoProfileMissing
        | Code::JamfBlocked
        | Code::OldConnector
        | Code::UserNotRegistered
        | Code::DeviceNotRegistered
        | Code::NeedsNewKeys
        | Code::AnotherProvider
        | Code::OutputUnusable => true,
        _ => false,
    }
}

const fn mark(code: Code, has_key: bool) -> Mark {
    match code {
        // Beside a key that works, these are what an earlier registration left behind.
        Code::CertificateWithoutPrivateKey | Code::PrivateKeyWithoutCertificate if has_key => Mark::Neutral,
        Code::CertificateUnparsable
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
