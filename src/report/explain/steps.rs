//! The steps: only actions, in the order in which to do them.

use super::{
    commands::{Commands, quoted},
    obstacle,
    step::{Step, has_escalation, merged, to_jamf},
};
use crate::{
    assess::{
        Assessment,
        finding::{Code, Mend},
        findings::{has_no_conditional_access, unusable_outputs},
        key::Storage,
        remedy::Remedy,
        state::RegistrationState,
    },
    cli::Request,
    evidence::{Cause, Evidence, Obstacle, Probe, SecondOpinion, SetUp, Source},
    parse::set_up::{JAMF_LINK, JamfTool, Service, SsoProfile},
    report::style::Page,
};

const JAMF: &str = "/usr/local/jamf/bin/jamf";

pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>, request: &Request) {
    let evidence = assessment.evidence;
    let is_denied = matches!(&assessment.state, Err(Obstacle { cause: Cause::PermissionDenied, .. }))
        || unreadable(&evidence.set_up).contains(&&Cause::PermissionDenied);
    let commands = Commands { evidence, request, is_denied };
    let steps = Steps { assessment, evidence, commands }.all();
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
    commands: Commands<'a>,
}

impl Steps<'_> {
    fn all(&self) -> Vec<Step> {
        // A note that does not count must be removed before the next run.
        let mut steps: Vec<Step> = self.unusable_note().into_iter().collect();
        let findings = || self.assessment.findings.iter().map(|finding| finding.code);
        let of_findings = |codes: &[Code]| -> Vec<Step> {
            findings().filter(|code| codes.contains(code)).flat_map(|code| self.of_finding(code)).collect()
        };
        let remedy = self.assessment.remedy;
        steps.extend(of_findings(&COME_FIRST));
        steps.extend(self.rule_out());
        steps.extend(self.check_date());
        steps.extend(of_findings(&COME_BEFORE_REMEDY));
        if remedy != Remedy::Nothing {
            steps.extend(self.settings());
        }
        let before = has_escalation(&steps);
        let by_remedy = match &self.assessment.state {
            Err(undetermined) if remedy == Remedy::MendEvidence => vec![obstacle::step(undetermined, &self.commands)],
            _ if self.evidence.user.source == Some(Source::None) => {
                [self.missing(), vec![Step::new("Run this again after a user has logged in.")]].concat()
            }
            _ if remedy == Remedy::LookInSession => vec![self.in_session()],
            _ => self.by_remedy(before),
        };
        let is_mended = |code: Code| matches!(code.mend(), Mend::Step(_)) && !CHANGE_NOTHING.contains(&code);
        let changes = match remedy {
            Remedy::MendEvidence | Remedy::LookInSession | Remedy::CheckTenant => false,
            Remedy::Nothing => findings().any(is_mended),
            _ => true,
        };
        steps.extend(by_remedy);
        steps.extend(self.keychain_beside_remedy());
        steps.extend(findings().flat_map(|code| self.of_finding(code)));
        let mut steps = merged(steps);
        if changes {
            let words = format!("Run this{} after these steps, to send the new state to Jamf Pro:", self.place());
            steps.push(Step::new(words).with(format!("{}{JAMF} recon", self.commands.sudo())));
        }
        steps
    }

    /// Where to do something, if the home is another Mac's.
    fn place(&self) -> &'static str {
        if self.evidence.user.is_of_this_mac() { "" } else { " on that Mac" }
    }

    /// If the keychain is the obstacle, but the remedy is about something else.
    fn keychain_beside_remedy(&self) -> Option<Step> {
        let undetermined = self.assessment.state.as_ref().err()?;
        let is_open = ![Remedy::MendEvidence, Remedy::LookInSession].contains(&self.assessment.remedy);
        let is_of_keychain = undetermined.path.is_some() && undetermined.path == self.evidence.login_keychain.path;
        (is_open && is_of_keychain).then(|| obstacle::step(undetermined, &self.commands))
    }

    /// The steps that the remedy needs; the Jamf administrator may have to do something before them.
    fn by_remedy(&self, after_administrator: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let remedy = self.assessment.remedy;
        if remedy == Remedy::Nothing {
            return steps;
        }
        if remedy == Remedy::CheckTenant {
            return vec![
                Step::new(format!("Ask the user whose Mac this is, because {}.", self.reason())),
                Step::new(
                    "Escalate to the Entra administrator, with this report and the answer. If the Mac is yours, have the \
                     user remove that account in Company Portal, and then run this again.",
                ),
            ];
        }
        steps.extend(self.missing());
        // macOS asks during the next steps.
        steps.extend(self.key_prompt());
        if remedy != Remedy::GatherAadInfo {
            let is_after = (after_administrator || has_escalation(&steps)) && remedy != Remedy::DeployProfile;
            let when = if is_after { " when the administrator has finished" } else { "" };
            let (reason, words) = (self.reason(), remedy.for_user());
            steps.push(Step::new(format!("Ask the user to do this{when}, because {reason}: {words}")));
        } else if self.evidence.user.has_session == Some(false) {
            steps.push(Step::new("Ask the user to log in, because gatherAADInfo runs only in the user's session."));
        }
        if matches!(remedy, Remedy::GatherAadInfo | Remedy::RegisterInMacos) {
            steps.push(self.gather());
        }
        steps
    }

    fn check_date(&self) -> Option<Step> {
        (self.assessment.gravest() == Some(Code::CertificateExpired)).then(|| {
            Step::new(
                "Check the date in System Settings > General > Date & Time, because a wrong one makes a valid certificate \
                 look expired. If it was wrong, correct it, and run this again instead of the next steps.",
            )
        })
    }

    /// Why the remedy is needed, as a clause.
    fn reason(&self) -> &'static str {
        // Another finding would not explain this remedy, and a missing profile does not call for registering.
        let explains = |code: &Code| match (code, code.mend()) {
            (Code::SsoProfileMissing, _) => false,
            (Code::RegistrationUnderWay, _) => true,
            (Code::CertificateExpired, _) if self.assessment.remedy == Remedy::RegisterInMacos => true,
            (_, mend) => mend == Mend::By(self.assessment.remedy),
        };
        let mut codes = self.assessment.findings.iter().map(|finding| finding.code);
        codes.find(explains).map_or_else(
            || match &self.assessment.state {
                Ok(RegistrationState::PlistMissing) => "JamfAAD has never run for this user",
                Ok(RegistrationState::AadIdNotAcquired) => "JamfAAD has not obtained the Azure AD ID",
                Ok(RegistrationState::NotRegistered) => "there is no WPJ key",
                Ok(RegistrationState::Registered) | Err(_) => "the registration is not complete",
            },
            Code::clause,
        )
    }

    fn in_session(&self) -> Step {
        let words =
            "Run this as root while the user is logged in, because a key in the Secure Enclave shows only then:";
        Step::new(words).with(self.commands.again())
    }

    /// What this Mac lacks for the remedy.
    fn missing(&self) -> Vec<Step> {
        let set_up = &self.evidence.set_up;
        let mut steps = Vec::new();
        if set_up.agent.found().is_some_and(|agent| agent.has_old_connector) {
            steps.extend(self.of_finding(Code::OldConnector));
        }
        if has_no_conditional_access(set_up) {
            steps.extend(self.of_finding(Code::ConditionalAccessDisabled));
        }
        let is_new_mac = self.evidence.user.source == Some(Source::None);
        let registers = self.assessment.remedy.registers() || is_new_mac;
        if registers && matches!(set_up.company_portal, Probe::Absent) {
            steps.push(Step::new("Install Company Portal, because registration needs it."));
        }
        if (self.assessment.remedy.gathers() || is_new_mac) && matches!(set_up.jamf_tool, Probe::Absent) {
            steps.push(to_jamf("reinstall the Jamf agent, because Jamf's tool, which runs gatherAADInfo, is missing."));
        }
        if self.assessment.remedy == Remedy::DeployProfile || (is_new_mac && self.has(Code::SsoProfileMissing)) {
            steps.push(to_jamf(
                "deploy a profile for Microsoft's SSO extension before the user registers, because new registrations need it.",
            ));
        }
        steps
    }

    fn has(&self, code: Code) -> bool {
        self.assessment.findings.iter().any(|finding| finding.code == code)
    }

    /// Wrong settings that make any registration useless.
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
                "in the profile for Microsoft's SSO extension, set AppPrefixAllowList to a string that contains com.jamf., \
                 such as \"com.microsoft.,com.apple.,com.jamf.\".",
            ));
        }
        if set_up.preferences.found().is_some_and(|preferences| !preferences.have_right_types()) {
            steps.push(to_jamf("in the profile for JamfAAD, correct the values marked [-] above."));
        }
        let unreadable = unreadable(set_up);
        if unreadable.iter().any(|cause| **cause != Cause::PermissionDenied || self.evidence.as_root) {
            let words = "the set-up files marked [?] above cannot be read; check their content and permissions.";
            steps.push(to_jamf(words));
        } else if !unreadable.is_empty() && self.assessment.remedy != Remedy::LookInSession && self.rule_out().is_none()
        {
            let words = "Run this as root, because only root can read all set-up files:";
            steps.push(Step::new(words).with(self.commands.again()));
        }
        steps
    }

    /// How to check for a key in the Secure Enclave before the user registers again, if that was not checked.
    fn rule_out(&self) -> Option<Step> {
        let probes = (&self.evidence.platform_sso.probe, &self.evidence.sso_extension.probe);
        if !matches!(self.assessment.remedy, Remedy::RegisterInSelfService | Remedy::DeployProfile) {
            return None;
        }
        // If the commands could have been run, they are not installed.
        if !matches!(probes, (Probe::NotChecked, Probe::NotChecked)) || self.evidence.can_check_sso {
            return None;
        }
        let words = "Check for a key in the Secure Enclave, because that was not checked.";
        let then = "If the new report shows a key there, follow that report instead of the next steps";
        Some(if self.evidence.user.is_of_this_mac() {
            Step::new(format!("{words} {then}. Run this as root while the user is logged in:"))
                .with(self.commands.again())
        } else {
            let tool = format!("\"/{}\"", JamfTool::ConditionalAccess.path());
            Step::new(format!(
                "{words} With the user logged in on that Mac, run the first two commands there. Replace UID by the output \
                 of `id -u NAME`. Run the third one here, with the two files. {then}:"
            ))
            .with(format!("{} app-sso platform -s >app-sso.txt", self.commands.as_user()))
            .with(format!("{} {tool} getPSSOStatus >psso-status.txt", self.commands.as_user()))
            .with(format!("{} --app-sso-state app-sso.txt --psso-status psso-status.txt", self.commands.again()))
        })
    }

    /// Runs Jamf's tool for this user, in one line to paste.
    fn gather(&self) -> Step {
        let set_up = &self.evidence.set_up;
        let program = match (&set_up.jamf_link, set_up.jamf_tool.found()) {
            // The tool's own path is needed only if the short link is certainly missing.
            (Probe::Absent | Probe::Unreadable(_), Some(tool)) => format!("\"/{}\"", tool.path()),
            _ => format!("/{JAMF_LINK}"),
        };
        let who = if self.commands.uid().is_some() { "" } else { "; replace UID by the output of `id -u NAME`" };
        let when = if self.assessment.remedy == Remedy::RegisterInMacos {
            "when the user has registered, because JamfAAD needs the new AAD ID".to_owned()
        } else {
            format!("because {}, and JamfAAD does not retry by itself", self.reason())
        };
        Step::new(format!("Run gatherAADInfo{} as the logged-in user, never as root, {when}{who}:", self.place()))
            .with(format!("{} {program} gatherAADInfo", self.commands.as_user()))
    }

    /// macOS asks the user once for each app that uses a key in the login keychain.
    fn key_prompt(&self) -> Option<Step> {
        const ALLOW: &str = "Ask the user to choose Always Allow if macOS says that an app \"wants to sign using key 'Microsoft Workplace \
             Join Key'\".";
        let is_served = matches!(
            self.evidence.set_up.sso_profile.found(),
            Some(SsoProfile::OfMicrosoft(Service::ByPrefix | Service::ByName | Service::AllManagedApps))
        );
        let in_keychain = Storage::shown_by(self.evidence) == Some(Storage::LoginKeychain);
        let is_asked = self.assessment.remedy != Remedy::RegisterInMacos && in_keychain && !is_served;
        is_asked.then(|| Step::new(ALLOW))
    }

    /// The step for a finding that the remedy does not mend.
    fn of_finding(&self, code: Code) -> Vec<Step> {
        let Mend::Step(words) = code.mend() else { return Vec::new() };
        match code {
            Code::GatheredAsRoot => vec![
                Step::new(words),
                Step::new("Remove root's plist when nothing runs gatherAADInfo as root any more, because it shows only the past:")
                    .with(format!("{}rm /var/root/Library/Preferences/com.jamf.management.jamfAAD.plist", self.commands.sudo())),
            ],
            // The remedy's step is about these already.
            Code::CertificateUnparsable if self.is_mended(|found| matches!(found.cause, Cause::UnknownIssuer(_))) => {
                Vec::new()
            }
            Code::PlistUnreadable if self.is_mended(|found| found.explains(&self.evidence.jamf_aad)) => Vec::new(),
            Code::OutputUnusable => self.unusable_outputs(),
            // More time or room would not help.
            Code::SecondOpinionMissing if self.evidence.second_opinion == SecondOpinion::NoKey => Vec::new(),
            Code::RememberedKeyUnusable => Vec::new(),
            _ => vec![Step::new(words)],
        }
    }

    /// Removes a note that does not count, or has somebody check the folder if that is the problem.
    fn unusable_note(&self) -> Option<Step> {
        let path = self.evidence.remembered_key.path.as_deref().filter(|_| self.has(Code::RememberedKeyUnusable))?;
        let Mend::Step(words) = Code::RememberedKeyUnusable.mend() else { return None };
        let command = |program: &str| format!("{}{program} {}", self.commands.sudo(), quoted(path.as_os_str()));
        Some(if path.extension().is_some_and(|extension| extension == "json") {
            Step::new(words).with(command("rm"))
        } else {
            let words = "Remove the folder with the notes, because others than root can change it. The next run while the \
                user is logged in makes it again:";
            Step::new(words).with(command("rm -r"))
        })
    }

    /// What to do about the commands' outputs that cannot be used, unless the remedy's step is about them.
    fn unusable_outputs(&self) -> Vec<Step> {
        let outputs = unusable_outputs(self.evidence);
        let outputs = outputs.iter().filter(|output| !self.is_mended(|found| found == *output));
        outputs.map(|output| obstacle::step(output, &self.commands)).collect()
    }

    /// Whether the remedy's step is about this reason for the missing state.
    fn is_mended(&self, is_it: impl FnOnce(&Obstacle) -> bool) -> bool {
        self.assessment.remedy == Remedy::MendEvidence && self.assessment.state.as_ref().is_err_and(is_it)
    }
}

/// What may change the report.
const COME_FIRST: [Code; 4] =
    [Code::ConsoleContradictory, Code::OutputUnusable, Code::SecondOpinionMissing, Code::CertificateNotYetValid];

/// What has to be right before the remedy's steps; a keychain from a backup would lack a new key.
const COME_BEFORE_REMEDY: [Code; 4] =
    [Code::SecondOpinionUsed, Code::OtherRecordsUnreadable, Code::JamfBlocked, Code::GatheredAsRoot];

/// Findings whose step leaves the Mac as it is.
const CHANGE_NOTHING: [Code; 7] = [
    Code::ConsoleContradictory,
    Code::OutputUnusable,
    Code::SecondOpinionMissing,
    Code::SecondOpinionDiffers,
    Code::TenantNotKnown,
    Code::SeveralDeviceIds,
    Code::CertificateUnparsable,
];

/// Why set-up files that exist cannot be read.
fn unreadable(set_up: &SetUp) -> Vec<&Cause> {
    fn cause<T>(probe: &Probe<T>) -> Option<&Cause> {
        match probe {
            Probe::Unreadable(cause) => Some(cause),
            Probe::Found(_) | Probe::Absent | Probe::NotChecked => None,
        }
    }
    let SetUp { preferences, sso_profile, agent, plist_of_root, company_portal, jamf_tool, jamf_link: _ } = set_up;
    let in_files = [cause(preferences), cause(sso_profile), cause(agent), cause(plist_of_root)];
    in_files.into_iter().chain([cause(company_portal), cause(jamf_tool)]).flatten().collect()
}
