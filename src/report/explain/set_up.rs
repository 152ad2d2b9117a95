//! The rows about the set-up for JamfAAD: one for everything that is right, and one for each problem.

use super::evidence::Unchecked;
use crate::{
    assess::{Assessment, finding::Code, remedy::Remedy, state::RegistrationState},
    evidence::Probe,
    parse::set_up::{Agent, JamfTool, Preferences, Service, Setting, SsoProfile},
    report::style::{Mark, Page},
};

type Row = (Mark, String);

const EXTENSIBLE_SSO: &str = "com.apple.extensiblesso.plist";
const JAMF_AGENT: &str = "com.jamfsoftware.jamf.plist";
const JAMF_AAD: &str = "com.jamf.management.jamfAAD.plist";

/// Prints the rows, and returns what was not checked. A missing item is wrong only if the remedy needs it.
pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>) -> Option<Unchecked> {
    let set_up = &assessment.evidence.set_up;
    let state = assessment.state.as_ref().ok().copied();
    let if_needed = |is_needed: bool, text: &str| is_needed.then(|| (Mark::Wrong, text.to_owned()));
    let remedy = assessment.remedy;
    let is_not_registered = state == Some(RegistrationState::NotRegistered) && remedy != Remedy::CheckTenant;
    let registers = is_not_registered || remedy.registers();
    // Without a remedy, nothing here has to be changed.
    let wrong = if remedy == Remedy::Nothing { Mark::Neutral } else { Mark::Wrong };
    let gathers = registers || remedy.gathers();
    let no_agent = Some((Mark::Wrong, "not set; the Jamf agent's preferences are missing".to_owned()));
    let lacks_profile = assessment.findings.iter().any(|finding| finding.code == Code::SsoProfileMissing);
    let no_profile = if_needed(lacks_profile && is_not_registered, "none; new registrations need one");
    let as_root = |(): &()| Some((Mark::Wrong, "was run as root".to_owned()));
    let no_portal = if_needed(registers, "not installed");
    let no_tool = if_needed(gathers, "not installed");
    let sso_profile = |profile: &SsoProfile| sso_profile(*profile, wrong);
    let preferences = |found: &Preferences| preferences(*found, wrong);
    // The label, whether the item exists, and the row about what is wrong.
    let lines = [
        (
            "SSO profile",
            is_found(&set_up.sso_profile),
            line(&set_up.sso_profile, EXTENSIBLE_SSO, no_profile, sso_profile),
        ),
        ("microsoftCAEnabled", is_found(&set_up.agent), line(&set_up.agent, JAMF_AGENT, no_agent, agent)),
        ("JamfAAD preferences", is_found(&set_up.preferences), line(&set_up.preferences, JAMF_AAD, None, preferences)),
        ("gatherAADInfo", false, line(&set_up.plist_of_root, "root's plist", None, as_root)),
        (
            "Company Portal",
            is_found(&set_up.company_portal),
            line(&set_up.company_portal, "the app", no_portal, |()| None),
        ),
        ("Jamf's tool", is_found(&set_up.jamf_tool), line(&set_up.jamf_tool, "the tool", no_tool, jamf_tool)),
    ];
    let is_right = |(_, is_there, line): &&(&str, bool, Option<Row>)| *is_there && line.is_none();
    let right: Vec<&str> = lines.iter().filter(is_right).map(|(name, ..)| *name).collect();
    if !right.is_empty() {
        page.row(Mark::Good, "Set up correctly", &right.join(", "));
    }
    for (label, _, line) in lines {
        if let Some((mark, text)) = line {
            let is_open = mark == Mark::Unclear && remedy == Remedy::Nothing;
            page.row(if is_open { Mark::Neutral } else { mark }, label, &text);
        }
    }
    let is_unchecked = matches!(set_up.agent, Probe::NotChecked) && matches!(set_up.jamf_tool, Probe::NotChecked);
    is_unchecked.then_some(("JamfAAD's set-up", "--system-root"))
}

const fn is_found<T>(probe: &Probe<T>) -> bool {
    matches!(probe, Probe::Found(_))
}

/// The row about what is wrong with an item in this file, if anything is.
fn line<T>(probe: &Probe<T>, file: &str, absent: Option<Row>, found: impl FnOnce(&T) -> Option<Row>) -> Option<Row> {
    match probe {
        Probe::Found(value) => found(value),
        Probe::Absent => absent,
        Probe::Unreadable(cause) => Some((Mark::Unclear, format!("{file}: {cause}"))),
        Probe::NotChecked => None,
    }
}

fn preferences(preferences: Preferences, wrong: Mark) -> Option<Row> {
    let Preferences { use_wk_web_view, token_retry_count, token_retry_wait_time } = preferences;
    let texts = [
        (use_wk_web_view == Setting::WrongType, "useWKWebView must be true or false"),
        (token_retry_count == Setting::WrongType, "tokenRetryCount must be a whole number"),
        (token_retry_wait_time == Setting::WrongType, "tokenRetryWaitTime must be a whole number"),
    ];
    let texts: Vec<&str> = texts.into_iter().filter_map(|(is_wrong, text)| is_wrong.then_some(text)).collect();
    (!texts.is_empty()).then(|| (wrong, texts.join(", ")))
}

fn sso_profile(profile: SsoProfile, wrong: Mark) -> Option<Row> {
    let (mark, text) = match profile {
        SsoProfile::PlatformSso => (Mark::Neutral, "Platform SSO, for an unknown provider"),
        SsoProfile::OfAnother => (Mark::Neutral, "only another provider's"),
        SsoProfile::OfMicrosoft(service) => match service {
            Service::ByPrefix | Service::ByName | Service::AllManagedApps => return None,
            Service::SomeByPrefix => (Mark::Unclear, "AppPrefixAllowList covers some of Jamf's apps"),
            Service::NotKnown => (Mark::Neutral, "present; whether it serves Jamf is unknown"),
            Service::Blocked => (Mark::Wrong, "AppBlockList blocks Jamf"),
            Service::Lacking => (wrong, "AppPrefixAllowList does not cover Jamf"),
            Service::NoLists => (wrong, "AppPrefixAllowList is not set"),
            Service::WrongType => (wrong, "AppPrefixAllowList must be a string"),
        },
    };
    Some((mark, text.to_owned()))
}

fn agent(agent: &Agent) -> Option<Row> {
    let text = match agent.conditional_access {
        _ if agent.has_old_connector => "the old connector, retired in January 2025",
        Setting::Is(true) => return None,
        Setting::Is(false) => "false; registration stops when Company Portal closes",
        Setting::NotSet => "not set; registration stops when Company Portal closes",
        Setting::WrongType => "must be true or false",
    };
    Some((Mark::Wrong, text.to_owned()))
}

fn jamf_tool(tool: &JamfTool) -> Option<Row> {
    match tool {
        JamfTool::ConditionalAccess => None,
        JamfTool::JamfAad => Some((Mark::Neutral, "installed (older JamfAAD)".to_owned())),
    }
}
