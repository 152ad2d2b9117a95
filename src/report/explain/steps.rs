//! What to do: actions only, in the order in which to do them.

use std::path::Path;

use super::{evidence::needs_registration, gravest};
use crate::{
    assess::{
        Assessment,
        finding::{Code, Mend},
        findings::has_no_conditional_access,
        key::Storage,
        remedy::Remedy,
        state::RegistrationState,
    },
    cli::{AskMacos, DEFAULT_DEADLINE, Request, Subject, Who},
    evidence::{Cause, Evidence, Obstacle, Probe, SetUp, Source},
    parse::{
        keychain::ErrorKind,
        set_up::{JAMF_LINK, Service, SsoProfile},
    },
    report::style::Page,
};

const TOOL: &str = "/usr/local/wpj-state/wpj-state";
const JAMF: &str = "/usr/local/jamf/bin/jamf";

/// A step, and what to paste into a shell for it, a command a line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    text: String,
    commands: Vec<String>,
}

impl Step {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), commands: Vec::new() }
    }

    fn with(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }
}

pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>, request: &Request) {
    let steps = Steps { assessment, evidence: assessment.evidence, request }.all();
    if steps.is_empty() {
        page.indented(4, "Nothing.");
    }
    for (number, step) in steps.iter().enumerate() {
        page.step(number + 1, &step.text);
        step.commands.iter().for_each(|command| page.as_is(command));
    }
}

struct Steps<'a> {
    assessment: &'a Assessment<'a>,
    evidence: &'a Evidence,
    request: &'a Request,
}

impl Steps<'_> {
    fn all(&self) -> Vec<Step> {
        if self.evidence.user.source == Some(Source::None) {
            return vec![Step::new("Run this again when a user has logged in.")];
        }
        let mut steps = match &self.assessment.state {
            Err(undetermined) if self.assessment.remedy == Remedy::MendEvidence => {
                vec![self.undetermined(undetermined)]
            }
            Err(_) if self.assessment.remedy == Remedy::LookInSession => vec![self.in_session()],
            _ => self.by_remedy(),
        };
        steps.extend(self.settings());
        for code in self.assessment.findings.iter().map(|finding| finding.code) {
            // Without a state, an unusable output is what the first step is about.
            let is_done = code == Code::OutputUnusable && self.assessment.state.is_err();
            if let Some(step) = self.of_finding(code).filter(|step| !is_done && !steps.contains(step)) {
                steps.push(step);
            }
        }
        let mut steps = merged(steps);
        if self.assessment.state.is_ok() && !steps.is_empty() {
            steps.push(Step::new("Send the new state to Jamf Pro:").with(format!("{}{JAMF} recon", self.sudo())));
        }
        steps
    }

    /// What brings a user to being registered.
    fn by_remedy(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let remedy = self.assessment.remedy;
        if remedy == Remedy::Nothing {
            return steps;
        }
        if remedy == Remedy::CheckTenant {
            return vec![Step::new(format!(
                "Escalate to the Entra administrator, with this report: {}",
                remedy.for_admin()
            ))];
        }
        if matches!(remedy, Remedy::RegisterInSelfService | Remedy::DeployProfile) {
            steps.extend(self.rule_out());
        }
        steps.extend(self.missing());
        if remedy == Remedy::DeployProfile {
            steps.push(to_jamf(
                "a profile of Microsoft's SSO extension must be there first, because new registrations need it.",
            ));
        }
        if remedy != Remedy::GatherAadInfo {
            steps.push(Step::new(format!("Ask the user to do this, because {}: {}", self.reason(), remedy.for_user())));
        }
        if matches!(remedy, Remedy::GatherAadInfo | Remedy::RegisterInMacos) {
            steps.push(self.gather());
        }
        steps.extend(self.key_prompt());
        steps
    }

    /// Why the remedy is needed, as a clause.
    fn reason(&self) -> &'static str {
        let clause =
            gravest(self.assessment).map(|finding| finding.code).filter(|code| matches!(code.mend(), Mend::By(_)));
        clause.map_or_else(
            || match &self.assessment.state {
                Ok(RegistrationState::PlistMissing) => "JamfAAD has never run for this user",
                Ok(RegistrationState::AadIdNotAcquired) => "JamfAAD has not obtained the Azure AD ID",
                _ => "there is no WPJ key",
            },
            Code::clause,
        )
    }

    fn undetermined(&self, undetermined: &Obstacle) -> Step {
        let cause = &undetermined.cause;
        match cause {
            Cause::PermissionDenied => {
                Step::new("Run this as root, because only root can read every home:").with(self.again())
            }
            Cause::NotPermitted => Step::new(
                "Allow Full Disk Access to the app that runs this, in System Settings > Privacy & Security; or put \
                 wpj-state on the security agent's allow-list.",
            ),
            Cause::Keychain(error) if is_damage(error.kind) => Step::new(
                "Escalate to the Mac administrator, with this report: the login keychain has to come from a backup. \
                 Without one, warn the user first: a reset loses the passwords in it.",
            ),
            cause => match undetermined.path.as_deref().and_then(Path::file_name).filter(|_| is_about_file(cause)) {
                Some(name) => Step::new(format!("Mend {}: {}.", name.to_string_lossy(), cause.remedy())),
                None => Step::new(sentence(cause.remedy())),
            },
        }
    }

    fn in_session(&self) -> Step {
        let words =
            "Run this as root while the user is logged in, because a key in the Secure Enclave shows only then:";
        Step::new(words).with(self.again())
    }

    /// What this Mac lacks for what the remedy needs.
    fn missing(&self) -> Vec<Step> {
        let set_up = &self.evidence.set_up;
        let mut steps = Vec::new();
        if set_up.agent.found().is_some_and(|agent| agent.has_old_connector) {
            steps.extend(self.of_finding(Code::OldConnector));
        }
        if has_no_conditional_access(set_up) {
            steps.extend(self.of_finding(Code::ConditionalAccessDisabled));
        }
        if needs_registration(self.assessment.state.as_ref().ok().copied())
            && matches!(set_up.company_portal, Probe::Absent)
        {
            steps.push(Step::new("Install Company Portal, because a registration needs it."));
        }
        if matches!(set_up.jamf_tool, Probe::Absent) {
            steps.push(to_jamf("the Jamf agent must be installed again, because Jamf's tool is missing."));
        }
        steps
    }

    /// Settings that keep a registration from being of use, whatever the state.
    fn settings(&self) -> Vec<Step> {
        let set_up = &self.evidence.set_up;
        let mut steps = Vec::new();
        if matches!(
            set_up.sso_profile.found(),
            Some(SsoProfile::OfMicrosoft(
                Service::SomeByPrefix | Service::Lacking | Service::NoLists | Service::WrongType
            ))
        ) {
            steps.push(to_jamf(
                "in the profile of Microsoft's SSO extension, AppPrefixAllowList must be a text with com.jamf. in it, such \
                 as \"com.microsoft.,com.apple.,com.jamf.\".",
            ));
        }
        if set_up.preferences.found().is_some_and(|preferences| !preferences.have_right_types()) {
            steps.push(to_jamf("the profile of JamfAAD's managed preferences has values of wrong types."));
        }
        if is_partly_unreadable(set_up) {
            steps.push(if self.evidence.as_root {
                Step::new("Check the files of the set-up that cannot be read.")
            } else {
                Step::new("Run this as root, because only root can read all of the set-up:").with(self.again())
            });
        }
        steps
    }

    /// How to find out about a registration in the Secure Enclave, which a new one would come on top of, if nobody was
    /// asked about it.
    fn rule_out(&self) -> Option<Step> {
        let probes = (&self.evidence.platform_sso.probe, &self.evidence.sso_extension.probe);
        // Where they could be asked, there is nobody to ask.
        if !matches!(probes, (Probe::NotAsked, Probe::NotAsked)) || self.evidence.can_ask_sso {
            return None;
        }
        let words = "Check for a key in the Secure Enclave, because nothing was asked about it, on the Mac with the \
            user logged in. If it says that Platform SSO is registered, stop here: the user has a key.";
        let of_home = !self.evidence.user.is_of_this_mac();
        let saved = format!("{} app-sso platform -s >app-sso.txt", self.as_user());
        let given = format!("{} --app-sso-state app-sso.txt", self.again());
        Some(if of_home { Step::new(words).with(saved).with(given) } else { Step::new(words).with(self.again()) })
    }

    /// Jamf's tool for this user, in one line to paste.
    fn gather(&self) -> Step {
        let set_up = &self.evidence.set_up;
        let program = match (&set_up.jamf_link, set_up.jamf_tool.found()) {
            // Only where it certainly is not there does the tool itself have to be named.
            (Probe::Absent | Probe::Unreadable(_), Some(tool)) => format!("\"/{}\"", tool.path()),
            _ => format!("/{JAMF_LINK}"),
        };
        let who = if self.uid().is_some() { "" } else { "; UID is what `id -u NAME` prints" };
        let when = if self.assessment.remedy == Remedy::RegisterInMacos {
            "when the user has registered, because JamfAAD has to run once".to_owned()
        } else {
            format!("because {}; it does not run again by itself", self.reason())
        };
        Step::new(format!("Run gatherAADInfo as the logged-in user, never as root, {when}{who}:"))
            .with(format!("{} {program} gatherAADInfo", self.as_user()))
    }

    /// A key in the login keychain asks the user of each app once.
    fn key_prompt(&self) -> Option<Step> {
        const ALLOW: &str =
            "Ask the user to choose Always Allow if an app \"wants to sign using key 'Microsoft Workplace Join Key'\".";
        let is_served = matches!(
            self.evidence.set_up.sso_profile.found(),
            Some(SsoProfile::OfMicrosoft(Service::ByPrefix | Service::ByName | Service::AllManagedApps))
        );
        let in_keychain = Storage::shown_by(self.evidence) == Some(Storage::LoginKeychain);
        let is_asked = self.assessment.remedy != Remedy::RegisterInMacos && in_keychain && !is_served;
        is_asked.then(|| Step::new(ALLOW))
    }

    /// What to do about a finding that the remedy does not mend.
    fn of_finding(&self, code: Code) -> Option<Step> {
        match (code, code.mend()) {
            (Code::GatheredAsRoot, Mend::Step(words)) => Some(
                Step::new(words)
                    .with(format!("{}rm /var/root/Library/Preferences/com.jamf.management.jamfAAD.plist", self.sudo())),
            ),
            (_, Mend::Step(words)) => Some(Step::new(words)),
            (_, Mend::By(_) | Mend::Nothing(_)) => None,
        }
    }

    /// In front of what root has to run on the Mac that this is about. Nobody who is root there has to use it.
    fn sudo(&self) -> &'static str {
        if self.evidence.as_root && self.evidence.user.is_of_this_mac() { "" } else { "sudo " }
    }

    /// The person's UID. The owner of a saved home has another on this Mac.
    fn uid(&self) -> Option<u32> {
        self.evidence.user.uid.filter(|_| self.evidence.user.is_of_this_mac())
    }

    /// Runs a command as the user in the user's session.
    fn as_user(&self) -> String {
        let uid = self.uid().map_or_else(|| "UID".to_owned(), |uid| uid.to_string());
        format!("{}launchctl asuser {uid} sudo -u '#{uid}'", self.sudo())
    }

    /// This tool again, with all options that were given; by its path, because sudo searches the user's PATH.
    fn again(&self) -> String {
        let Request {
            subject,
            keychain,
            plist,
            app_sso_state,
            psso_status,
            system_root,
            tenants,
            remember_key_days,
            second_opinion,
            deadline,
            output: _,
        } = self.request;
        // A saved home is read with the caller's rights, as long as these do.
        let is_denied = matches!(&self.assessment.state, Err(Obstacle { cause: Cause::PermissionDenied, .. }));
        let sudo = if self.evidence.user.is_of_this_mac() || is_denied { self.sudo() } else { "" };
        let mut words = vec![format!("{sudo}{TOOL} --explain")];
        let mut add = |option: &str, value: Option<String>| {
            words.extend(value.map(|value| format!("{option} {}", quoted(&value))));
        };
        match subject {
            Subject::One(Who::User(name)) => add("--user", Some(name.clone())),
            Subject::One(Who::Home(home)) => add("--home", Some(home.display().to_string())),
            Subject::One(Who::Console | Who::Nobody) | Subject::AllUsers | Subject::Homes(_) => {}
        }
        let files = [
            ("--keychain", keychain),
            ("--plist", plist),
            ("--app-sso-state", app_sso_state),
            ("--psso-status", psso_status),
            ("--system-root", system_root),
        ];
        for (option, file) in files {
            add(option, file.as_ref().map(|file| file.display().to_string()));
        }
        for tenant in tenants.ids() {
            add("--tenant", Some(tenant.clone()));
        }
        add("--remember-key", remember_key_days.map(|days| days.to_string()));
        add("--deadline", (deadline.as_secs() != DEFAULT_DEADLINE).then(|| deadline.as_secs().to_string()));
        match second_opinion {
            AskMacos::Always => words.push("--second-opinion".to_owned()),
            AskMacos::Never => words.push("--second-opinion=never".to_owned()),
            AskMacos::IfDamaged => {}
        }
        words.join(" ")
    }
}

const TO_JAMF: &str = "Escalate to the Jamf administrator, with this report: ";

fn to_jamf(words: &str) -> Step {
    Step::new(format!("{TO_JAMF}{words}"))
}

/// All that is for the Jamf administrator in one step, where the first of it was.
fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::new();
    for step in steps {
        let first = merged.iter_mut().find(|first| first.text.starts_with(TO_JAMF));
        match (step.text.strip_prefix(TO_JAMF), first) {
            (Some(words), Some(first)) => {
                first.text = format!("{} {}", first.text, sentence(words));
                first.commands.extend(step.commands);
            }
            _ => merged.push(step),
        }
    }
    merged
}

/// Whether a keychain is damaged, and not only another file.
const fn is_damage(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::Empty
            | ErrorKind::Read(_)
            | ErrorKind::NotAKeychain
            | ErrorKind::Sqlite
            | ErrorKind::UnknownVersion(_)
    )
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
            | Cause::UnknownIssuer(_)
    )
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
    let end = if words.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.map(String::from).unwrap_or_default(), characters.as_str())
}
