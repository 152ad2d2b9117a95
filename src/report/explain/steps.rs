//! What to do: only what applies, in the order in which to do it.

use std::path::Path;

use crate::{
    assess::{
        Assessment,
        finding::{Code, Mend},
        findings::has_no_conditional_access,
        key::Storage,
        remedy::Remedy,
        state::RegistrationState,
    },
    cli::{Request, Subject, Who},
    evidence::{Cause, Evidence, Obstacle, Probe, SetUp, Source},
    parse::set_up::{JamfTool, Service, SsoProfile},
    report::style::{COLUMNS, Page},
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
    let mut steps = match &assessment.state {
        _ if assessment.evidence.user.source == Some(Source::None) => {
            return vec![Step::new("Run it again when a user has logged in.")];
        }
        Err(undetermined) => match assessment.remedy {
            Remedy::RegisterInMacos | Remedy::FinishInMacos | Remedy::SignInLocally => {
                by_remedy(None, assessment, request)
            }
            _ => vec![undetermined_step(undetermined, request)],
        },
        Ok(state) => by_remedy(Some(*state), assessment, request),
    };
    steps.extend(settings(&assessment.evidence.set_up));
    // Without a state, an unusable output is what the first step is about.
    let is_done = |code| assessment.state.is_err() && code == Code::OutputUnusable;
    for code in assessment.findings.iter().map(|finding| finding.code).filter(|&code| !is_done(code)) {
        if let Some(step) = of_finding(code).filter(|step| !steps.contains(step)) {
            steps.push(step);
        }
    }
    steps
}

/// What brings a user to being registered.
fn by_remedy(state: Option<RegistrationState>, assessment: &Assessment<'_>, request: &Request) -> Vec<Step> {
    let Assessment { evidence, remedy, findings, .. } = assessment;
    let in_self_service = matches!(remedy, Remedy::RegisterInSelfService | Remedy::DeployProfile);
    let has = |code| findings.iter().any(|finding| finding.code == code);
    let mut steps = Vec::new();
    if *remedy == Remedy::Nothing {
        return steps;
    }
    if in_self_service {
        steps.extend(state.and_then(|state| rule_out(state, evidence, request)));
    }
    steps.extend(missing(evidence, in_self_service));
    steps.extend(has(Code::OldConnector).then(|| of_finding(Code::OldConnector)).flatten());
    match remedy {
        Remedy::GatherAadInfo => {
            steps.push(gather(evidence));
            steps.push(Step::new(NO_RETRIES));
        }
        Remedy::CheckTenant => return vec![Step::new(remedy.for_admin())],
        Remedy::RegisterInMacos => {
            steps.push(of_user(*remedy));
            steps.push(gather(evidence));
        }
        _ => {
            steps.extend((*remedy == Remedy::DeployProfile).then(|| Step::new(remedy.for_admin())));
            steps.extend(has(Code::LoginKeychainReset).then(|| Step::new(RESET)));
            steps.push(of_user(*remedy));
        }
    }
    if *remedy != Remedy::RegisterInMacos {
        steps.extend(state.and_then(|state| key_prompt(state, evidence)));
    }
    steps.push(Step::new("Send the new state to Jamf Pro:").with("sudo jamf recon"));
    steps
}

/// What the user has to do.
fn of_user(remedy: Remedy) -> Step {
    Step::new(format!("Ask the user to do this: {}", remedy.for_user()))
}

const RESET: &str = "A reset of the login keychain, as with a password, has lost the key. The one in the old \
    keychain is of no use any more: the user has to register again.";

const NO_RETRIES: &str = "Do not wait: since Jamf Pro 11.5 JamfAAD does not try again by itself.";

fn undetermined_step(undetermined: &Obstacle, request: &Request) -> Step {
    match &undetermined.cause {
        Cause::PermissionDenied => Step::new("Run it with sudo:").with(again(request)),
        Cause::NoSession | Cause::MayBeDeclared => {
            Step::new("Run it with sudo while the user is logged in:").with(again(request))
        }
        Cause::NotPermitted => Step::new(
            "In System Settings > Privacy & Security > Full Disk Access, allow the app that runs this; or put \
             wpj-state on the security agent's allow-list.",
        ),
        cause => match undetermined.path.as_deref().and_then(Path::file_name).filter(|_| is_about_file(cause)) {
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
fn missing(evidence: &Evidence, registers: bool) -> Vec<Step> {
    let set_up = &evidence.set_up;
    let mut steps = Vec::new();
    if has_no_conditional_access(set_up) {
        steps.push(conditional_access());
    }
    if registers && matches!(set_up.company_portal, Probe::Absent) {
        steps.push(Step::new("Install Company Portal: a registration cannot do without it."));
    }
    if matches!(set_up.jamf_tool, Probe::Absent) {
        steps.push(Step::new("Repair the Jamf agent's installation: Jamf's tool, which does the work, is missing."));
    }
    steps
}

/// Settings that keep a registration from being of use, whatever the state.
fn settings(set_up: &SetUp) -> Vec<Step> {
    let mut steps = Vec::new();
    if matches!(
        set_up.sso_profile.found(),
        Some(SsoProfile::OfMicrosoft(Service::SomeByPrefix | Service::Lacking | Service::NoLists | Service::WrongType))
    ) {
        let words = "In the profile of Microsoft's SSO extension, set AppPrefixAllowList to a text with com.jamf. in \
            it, such as \"com.microsoft.,com.apple.,com.jamf.\".";
        steps.push(Step::new(words));
    }
    if set_up.preferences.found().is_some_and(|preferences| !preferences.have_right_types()) {
        let words = "Correct the types in the profile of JamfAAD's managed preferences.";
        steps.push(Step::new(words));
    }
    if is_partly_unreadable(set_up) {
        let words = "Run it with sudo to see all of the set-up; if that does not help, look at these files.";
        steps.push(Step::new(words));
    }
    steps
}

/// Whether a file of the set-up is there and cannot be read.
fn is_partly_unreadable(set_up: &SetUp) -> bool {
    matches!(set_up.preferences, Probe::Unreadable(_))
        || matches!(set_up.sso_profile, Probe::Unreadable(_))
        || matches!(set_up.agent, Probe::Unreadable(_))
        || matches!(set_up.plist_of_root, Probe::Unreadable(_))
        || matches!(set_up.company_portal, Probe::Unreadable(_))
        || matches!(set_up.jamf_tool, Probe::Unreadable(_))
}

fn conditional_access() -> Step {
    Step::new("Share inventory in Jamf Pro, and set microsoftCAEnabled:").with("sudo jamf manage")
}

/// A registration in the Secure Enclave, which a new one would come on top of, if nobody was asked about it.
fn rule_out(state: RegistrationState, evidence: &Evidence, request: &Request) -> Option<Step> {
    let probes = (&evidence.platform_sso.probe, &evidence.sso_extension.probe);
    if !matches!(probes, (Probe::NotAsked, Probe::NotAsked)) {
        return None;
    }
    match state {
        // Where they could be asked, there is nobody to ask.
        RegistrationState::NotRegistered if evidence.can_ask_sso => None,
        RegistrationState::NotRegistered => Some(
            Step::new("Rule out a key in the Secure Enclave first: on the Mac, with the user logged in, run")
                .with(again(request)),
        ),
        RegistrationState::PlistMissing => {
            let words = "Rule out a newer registration in the Secure Enclave first, with the user logged in. If the \
                line Platform SSO then says \"registered\", ask whoever runs Platform SSO before you go on:";
            let command = vec![
                format!("{} app-sso platform -s >app-sso.txt", as_user(evidence)),
                format!("{} --app-sso-state app-sso.txt", again(request)),
            ];
            Some(Step { text: words.to_owned(), command })
        }
        RegistrationState::Registered | RegistrationState::AadIdNotAcquired => None,
    }
}

/// Jamf's tool for this user; its path is broken where a shell puts it together again.
fn gather(evidence: &Evidence) -> Step {
    let tool = evidence.set_up.jamf_tool.found().copied().unwrap_or(JamfTool::ConditionalAccess);
    let is_missing = matches!(evidence.set_up.jamf_tool, Probe::Absent);
    let when = if is_missing { "When that is done, and with" } else { "With" };
    let mut text = format!("{when} the user logged in, run Jamf's gatherAADInfo as that user, never as root");
    text.push_str(if evidence.user.uid.is_some() { ":" } else { "; UID is what id -u NAME prints:" });
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
    Step { text, command }
}

/// Runs a command as the user in the user's session.
fn as_user(evidence: &Evidence) -> String {
    let uid = evidence.user.uid.map_or_else(|| "UID".to_owned(), |uid| uid.to_string());
    format!("sudo launchctl asuser {uid} sudo -u '#{uid}'")
}

/// A key in the login keychain asks each app's user once.
fn key_prompt(state: RegistrationState, evidence: &Evidence) -> Option<Step> {
    const ALLOW: &str = "If an app \"wants to sign using key 'Microsoft Workplace Join Key'\", choose Always Allow.";
    const SPARE: &str =
        "Microsoft's SSO extension with com.jamf. in its AppPrefixAllowList spares users this question.";
    let in_keychain = Storage::shown_by(evidence) == Some(Storage::LoginKeychain);
    if !in_keychain || state == RegistrationState::NotRegistered {
        return None;
    }
    match evidence.set_up.sso_profile.found() {
        Some(SsoProfile::OfMicrosoft(Service::ByPrefix | Service::ByName | Service::AllManagedApps)) => None,
        // What to do about the list is a step of its own.
        Some(_) => Some(Step::new(ALLOW)),
        None => Some(Step::new(format!("{ALLOW} {SPARE}"))),
    }
}

/// What to do about a finding that the remedy does not mend.
fn of_finding(code: Code) -> Option<Step> {
    match (code, code.mend()) {
        (Code::ConditionalAccessDisabled, _) => Some(conditional_access()),
        (Code::GatheredAsRoot, _) => Some(
            Step::new("Find what runs gatherAADInfo as root, and have it run as the user; then:")
                .with("sudo rm /var/root/Library/Preferences/com.jamf.management.jamfAAD.plist"),
        ),
        (_, Mend::Step(words)) => Some(Step::new(words)),
        (_, Mend::By(_) | Mend::Nothing(_)) => None,
    }
}

/// This tool again, about the same user; by its path, because sudo searches the user's PATH.
fn again(request: &Request) -> String {
    let who = match &request.subject {
        Subject::One(Who::User(name)) => format!(" --user {}", quoted(name)),
        Subject::One(_) | Subject::AllUsers | Subject::Homes(_) => String::new(),
    };
    format!("sudo /usr/local/wpj-state/wpj-state --explain{who}")
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
