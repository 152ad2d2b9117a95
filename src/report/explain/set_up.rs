//! The lines on how the Mac is set up for JamfAAD: one for all that is right, and one for each thing that is not.

use super::evidence::{Unchecked, needs_registration};
use crate::{
    assess::{Assessment, state::RegistrationState},
    evidence::Probe,
    parse::set_up::{Agent, JamfTool, Preferences, Service, Setting, SsoProfile},
    report::style::{Mark, Page},
};

type Row = (Mark, String);

/// Draws the rows. What is missing is only wrong where it is needed to get on from this state.
/// Gives what was not checked.
pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>) -> Option<Unchecked> {
    let set_up = &assessment.evidence.set_up;
    let state = assessment.state.as_ref().ok().copied();
    let if_needed = |is_needed: bool, text: &str| is_needed.then(|| (Mark::Wrong, text.to_owned()));
    let registers = needs_registration(state);
    let is_not_registered = state == Some(RegistrationState::NotRegistered);
    let gathers = registers || state == Some(RegistrationState::AadIdNotAcquired);
    let no_agent = Some((Mark::Wrong, "not set; the Jamf agent has no preferences".to_owned()));
    let no_profile = if_needed(is_not_registered, "none; new registrations need one");
    let as_root = |(): &()| Some((Mark::Wrong, "was run as root".to_owned()));
    // What it is, whether it is there, and what is not right about it.
    let lines = [
        ("SSO profile", is_found(&set_up.sso_profile), line(&set_up.sso_profile, no_profile, sso_profile)),
        ("microsoftCAEnabled", is_found(&set_up.agent), line(&set_up.agent, no_agent, agent)),
        ("JamfAAD preferences", is_found(&set_up.preferences), line(&set_up.preferences, None, preferences)),
        ("gatherAADInfo", false, line(&set_up.plist_of_root, None, as_root)),
        (
            "Company Portal",
            is_found(&set_up.company_portal),
            line(&set_up.company_portal, if_needed(registers, "not installed"), |()| None),
        ),
        (
            "Jamf's tool",
            is_found(&set_up.jamf_tool),
            line(&set_up.jamf_tool, if_needed(gathers, "not installed"), jamf_tool),
        ),
    ];
    let is_right = |(_, is_there, line): &&(&str, bool, Option<Row>)| *is_there && line.is_none();
    let right: Vec<&str> = lines.iter().filter(is_right).map(|(name, ..)| *name).collect();
    if !right.is_empty() {
        page.row(Mark::Good, "Set up right", &right.join(", "));
    }
    for (label, _, line) in lines {
        if let Some((mark, text)) = line {
            page.row(mark, label, &text);
        }
    }
    let is_unchecked = matches!(set_up.agent, Probe::NotAsked) && matches!(set_up.jamf_tool, Probe::NotAsked);
    is_unchecked.then_some(("JamfAAD's set-up", "--system-root"))
}

const fn is_found<T>(probe: &Probe<T>) -> bool {
    matches!(probe, Probe::Found(_))
}

/// What is not right, if anything is not.
fn line<T>(probe: &Probe<T>, absent: Option<Row>, found: impl FnOnce(&T) -> Option<Row>) -> Option<Row> {
    match probe {
        Probe::Found(value) => found(value),
        Probe::Absent => absent,
        Probe::Unreadable(cause) => Some((Mark::Unclear, cause.to_string())),
        Probe::NotAsked => None,
    }
}

fn preferences(preferences: &Preferences) -> Option<Row> {
    let Preferences { use_wk_web_view, token_retry_count, token_retry_wait_time } = preferences;
    let wrong = [
        (*use_wk_web_view == Setting::WrongType, "useWKWebView is not a boolean"),
        (*token_retry_count == Setting::WrongType, "tokenRetryCount is not a whole number"),
        (*token_retry_wait_time == Setting::WrongType, "tokenRetryWaitTime is not a whole number"),
    ];
    let wrong: Vec<&str> = wrong.into_iter().filter_map(|(is_wrong, text)| is_wrong.then_some(text)).collect();
    (!wrong.is_empty()).then(|| (Mark::Wrong, wrong.join(", ")))
}

fn sso_profile(profile: &SsoProfile) -> Option<Row> {
    let (mark, text) = match profile {
        SsoProfile::PlatformSso => (Mark::Neutral, "Platform SSO; whose is not shown"),
        SsoProfile::OfAnother => (Mark::Neutral, "another provider's, and none of Microsoft's"),
        SsoProfile::OfMicrosoft(service) => match service {
            Service::ByPrefix | Service::ByName | Service::AllManagedApps => return None,
            Service::SomeByPrefix => (Mark::Unclear, "AppPrefixAllowList covers some of Jamf's apps"),
            Service::NotKnown => (Mark::Neutral, "there; whether it serves Jamf is not shown"),
            Service::Blocked => (Mark::Wrong, "AppBlockList blocks Jamf"),
            Service::Lacking => (Mark::Wrong, "AppPrefixAllowList does not cover Jamf"),
            Service::NoLists => (Mark::Wrong, "AppPrefixAllowList is not set"),
            Service::WrongType => (Mark::Wrong, "AppPrefixAllowList is not a text"),
        },
    };
    Some((mark, text.to_owned()))
}

fn agent(agent: &Agent) -> Option<Row> {
    let text = match agent.conditional_access {
        _ if agent.has_old_connector => "of the old connector, which was retired in January 2025",
        Setting::Is(true) => return None,
        Setting::Is(false) => "false; registration stops when Company Portal closes",
        Setting::NotSet => "not set; registration stops when Company Portal closes",
        Setting::WrongType => "not a boolean",
    };
    Some((Mark::Wrong, text.to_owned()))
}

fn jamf_tool(tool: &JamfTool) -> Option<Row> {
    match tool {
        JamfTool::ConditionalAccess => None,
        JamfTool::JamfAad => Some((Mark::Neutral, "of an earlier release (JamfAAD)".to_owned())),
    }
}
