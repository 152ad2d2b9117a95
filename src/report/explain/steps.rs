//! What to do: only what applies, in the order in which to do it.

use std::path::Path;

use crate::{
    cause::Cause,
    cli::{Request, Subject, Who},
    evidence::{Evidence, Probe},
    report::style::{COLUMNS, Page},
    set_up::{AllowList, JamfTool, Setting},
    state::{Assessment, Code, RegistrationState, Severity, Storage, Undetermined},
    user::Source,
};

/// Columns of a step that has its command in the same line.
const INLINE: usize = COLUMNS - 5;

/// A step, and what to paste into a shell for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    text: String,
    command: Vec<String>,
}

impl Step {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), command: Vec::new() }
    }

    fn with(self, command: impl Into<String>) -> Self {
        Self { command: vec![command.into()], ..self }
    }
}

pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>, request: &Request) {
    let steps = steps(assessment, request);
    if steps.is_empty() {
        page.indented(4, "Nothing.");
    }
    for (number, step) in steps.iter().enumerate() {
        match step.command.as_slice() {
            [line] if step.text.len() + line.len() <= INLINE => page.step(number + 1, &format!("{} {line}", step.text)),
            lines => {
                page.step(number + 1, &step.text);
                lines.iter().for_each(|line| page.as_is(line));
            }
        }
    }
}

fn steps(assessment: &Assessment<'_>, request: &Request) -> Vec<Step> {
    let evidence = assessment.evidence;
    let found = Storage::shown_by(evidence);
    let has = |codes: &[Code]| assessment.findings.iter().any(|finding| codes.contains(&finding.code));
    let mut steps = Vec::new();
    match &assessment.state {
        _ if evidence.user.source == Some(Source::None) => {
            steps.push(Step::new("Run it again when a user has logged in."))
        }
        Err(undetermined) => steps.push(undetermined_step(undetermined, request)),
        Ok(state) => {
            let registers = match state {
                RegistrationState::Registered => has(&[Code::CertificateExpired]),
                RegistrationState::AadIdNotAcquired => false,
                RegistrationState::PlistMissing | RegistrationState::NotRegistered => true,
            };
            let gathers = *state == RegistrationState::AadIdNotAcquired;
            if registers || gathers {
                steps.extend(set_up(evidence, registers));
            }
            if registers {
                steps.extend(rule_out(*state, evidence, request));
                steps.extend(has(&[Code::LoginKeychainReset]).then(|| Step::new(RESET)));
                steps.push(Step::new(registration(*state)));
            }
            if gathers {
                steps.push(gather(evidence));
                steps.push(Step::new(NO_RETRIES));
            }
            if *state != RegistrationState::Registered {
                steps.extend(key_prompt(*state, evidence));
            }
            if found.is_some() && has(&[Code::CertificateWithoutPrivateKey, Code::PrivateKeyWithoutCertificate]) {
                steps.push(Step::new(LEFTOVERS));
            }
            if registers || gathers {
                steps.push(Step::new("Send the new state to Jamf Pro:").with("sudo jamf recon"));
            }
        }
    }
    let is_registration = |code: Code| REGISTER.contains(&code) || GATHER.contains(&code);
    // Without a state, an unusable output is what the first step is about.
    let is_done = |code| is_registration(code) || (assessment.state.is_err() && code == Code::OutputUnusable);
    let remedies = assessment.findings.iter().map(|finding| finding.code).filter(|&code| !is_done(code));
    for code in remedies.filter(|code| code.severity() != Severity::Info) {
        let step = remedy(code);
        if let Some(step) = step.filter(|step| !steps.contains(step)) {
            steps.push(step);
        }
    }
    steps
}

/// What a registration mends.
const REGISTER: [Code; 8] = [
    Code::RegistrationNeedsRepair,
    Code::NeedsRegistration,
    Code::UserNotRegistered,
    Code::DeviceNotRegistered,
    Code::LoginKeychainReset,
    Code::CertificateExpired,
    Code::CertificateWithoutPrivateKey,
    Code::PrivateKeyWithoutCertificate,
];

/// What `gatherAADInfo` mends, if there is a key.
const GATHER: [Code; 4] =
    [Code::PlistUnparsable, Code::HaveAnAzureIdMissing, Code::HaveAnAzureIdFalse, Code::HaveAnAzureIdUnexpected];

const RESET: &str = "A reset of the login keychain, as with a password, has lost the key. The one in the old \
    keychain is of no use any more: the user has to register again.";

const LEFTOVERS: &str = "Delete what an earlier registration left behind, a certificate without its key or a key \
    without its certificate, in Keychain Access if it gets in the way.";

const NO_RETRIES: &str = "Do not wait for it to come by itself: since Jamf Pro 11.5 JamfAAD does not try again.";

fn undetermined_step(undetermined: &Undetermined<'_>, request: &Request) -> Step {
    match undetermined.cause {
        Cause::PermissionDenied => Step::new("Run it with sudo:").with(again(request)),
        Cause::NoSession => Step::new("Run it with sudo while the user is logged in:").with(again(request)),
        Cause::NotPermitted => Step::new(
            "In System Settings > Privacy & Security > Full Disk Access, allow the app that runs this; or put \
             wpj-state on the security agent's allow-list.",
        ),
        cause => match undetermined.path.and_then(Path::file_name).filter(|_| is_about_file(cause)) {
            Some(name) => Step::new(format!("{}: {}.", name.to_string_lossy(), cause.remedy())),
            None => Step::new(sentence(cause.remedy())),
        },
    }
}

/// Whether the remedy says "it" of the file.
const fn is_about_file(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::DeniedToUser
            | Cause::SymbolicLink
            | Cause::LinkToNowhere(_)
            | Cause::NotAFolder
            | Cause::NotAFile(_)
            | Cause::TooLarge { .. }
            | Cause::Keychain(_)
            | Cause::UnknownIssuer(_)
    )
}

/// What this Mac lacks for a registration.
fn set_up(evidence: &Evidence, registers: bool) -> Vec<Step> {
    let set_up = &evidence.set_up;
    let mut steps = Vec::new();
    if set_up.conditional_access.found().is_some_and(|found| *found != Setting::Is(true)) {
        steps.push(conditional_access());
    }
    if registers && matches!(set_up.company_portal, Probe::Absent) {
        steps.push(Step::new("Install Company Portal: the registration policy cannot do without it."));
    }
    if matches!(set_up.jamf_tool, Probe::Absent) {
        steps.push(Step::new("Repair the Jamf agent's installation: Jamf's tool, which does the work, is missing."));
    }
    steps
}

fn conditional_access() -> Step {
    Step::new("Have microsoftCAEnabled set to true:").with("sudo jamf manage")
}

/// A registration in the Secure Enclave, which a new one would come on top of, if nobody has been asked about it.
fn rule_out(state: RegistrationState, evidence: &Evidence, request: &Request) -> Option<Step> {
    let probes = (&evidence.platform_sso.probe, &evidence.sso_extension.probe);
    if state == RegistrationState::Registered || !matches!(probes, (Probe::NotAsked, Probe::NotAsked)) {
        return None;
    }
    let is_elsewhere = matches!(request.subject, Subject::One(Who::Home(_)));
    Some(if state == RegistrationState::NotRegistered && !is_elsewhere {
        Step::new("Rule out a key in the Secure Enclave first, with the user logged in:").with(again(request))
    } else {
        let words = "Rule out a registration in the Secure Enclave first: on the Mac, with the user logged in, this \
            must not say \"registrationCompleted\" : true";
        Step::new(words).with(format!("{} app-sso platform -s", as_user(evidence)))
    })
}

const fn registration(state: RegistrationState) -> &'static str {
    match state {
        RegistrationState::PlistMissing => {
            "Have the user open Self Service and run the registration policy: it starts JamfAAD, which opening Company \
             Portal by hand does not. Sign in until Company Portal has finished."
        }
        RegistrationState::Registered | RegistrationState::AadIdNotAcquired | RegistrationState::NotRegistered => {
            "Have the user open Self Service and run the registration policy, and sign in until Company Portal has \
             finished."
        }
    }
}

/// Jamf's tool for this user; its path is broken where a shell puts it together again.
fn gather(evidence: &Evidence) -> Step {
    let tool = evidence.set_up.jamf_tool.found().copied().unwrap_or(JamfTool::ConditionalAccess);
    let text = "With the user logged in, run Jamf's gatherAADInfo as that user, never as root:";
    let mut command = vec![format!("{} \\", as_user(evidence))];
    let quoted = format!("\"/{}\" gatherAADInfo", tool.path());
    let mut line = String::new();
    for piece in quoted.split_inclusive("MacOS/") {
        if !line.is_empty() && line.len() + piece.len() >= COLUMNS {
            command.push(line + "\\");
            line = String::new();
        }
        line.push_str(piece);
    }
    command.push(line);
    Step { text: text.to_owned(), command }
}

/// Runs a command as the user in the user's session.
fn as_user(evidence: &Evidence) -> String {
    let uid = evidence.user.uid.map_or_else(|| "UID".to_owned(), |uid| uid.to_string());
    format!("sudo launchctl asuser {uid} sudo -u '#{uid}'")
}

/// A key in the login keychain asks each app's user once.
fn key_prompt(state: RegistrationState, evidence: &Evidence) -> Option<Step> {
    let covers_jamf = evidence.set_up.allow_list.found() == Some(&AllowList::CoversJamf);
    let is_asked = Storage::shown_by(evidence) == Some(Storage::LoginKeychain) && !covers_jamf;
    let words = "If an app \"wants to sign using key 'Microsoft Workplace Join Key'\", choose Always Allow. \
        Microsoft's SSO extension with com.jamf. in its AppPrefixAllowList spares users this question.";
    (is_asked && state != RegistrationState::NotRegistered).then(|| Step::new(words))
}

/// What to do about something that is no matter of registering.
fn remedy(code: Code) -> Option<Step> {
    match code {
        Code::ConditionalAccessDisabled => Some(conditional_access()),
        Code::CertificateNotYetValid => Some(Step::new("Set the clock: System Settings > General > Date & Time.")),
        code => Some(code.remedy()).filter(|remedy| !remedy.starts_with("None needed")).map(Step::new),
    }
}

/// This tool again, about the same user.
fn again(request: &Request) -> String {
    let who = match &request.subject {
        Subject::One(Who::User(name)) => format!(" --user {}", quoted(name)),
        Subject::One(Who::Home(home)) => format!(" --home {}", quoted(&home.to_string_lossy())),
        Subject::One(Who::Console) | Subject::AllUsers | Subject::Homes(_) => String::new(),
    };
    format!("sudo wpj-state --explain{who}")
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./@".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}.", first.map(String::from).unwrap_or_default(), characters.as_str())
}
