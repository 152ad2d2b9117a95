//! The lines on how the Mac is set up for JamfAAD.

use crate::{
    assess::state::RegistrationState,
    evidence::{Probe, SetUp},
    parse::set_up::{Agent, JamfTool, Preferences, Service, Setting, SsoProfile},
    report::style::{Mark, Page},
};

type Row = (Mark, String);

/// What is missing is only wrong where it is needed to get on from this state.
pub(super) fn rows(page: &mut Page, set_up: &SetUp, state: Option<RegistrationState>) {
    use RegistrationState::{AadIdNotAcquired, NotRegistered, PlistMissing};
    let missing = |states: &[RegistrationState]| {
        if state.is_some_and(|state| states.contains(&state)) { Mark::Wrong } else { Mark::Neutral }
    };
    let (portal, tool) =
        (missing(&[PlistMissing, NotRegistered]), missing(&[AadIdNotAcquired, PlistMissing, NotRegistered]));
    let mut row = |label: &str, (mark, text): Row| page.row(mark, label, &text);
    let preferences = "not set: no managed preferences";
    row("useWKWebView", line(&set_up.preferences, preferences, Mark::Neutral, use_wk_web_view));
    row("Token retries", line(&set_up.preferences, preferences, Mark::Neutral, token_retries));
    row(
        "SSO profile",
        line(&set_up.sso_profile, "none: new registrations need one", missing(&[NotRegistered]), sso_profile),
    );
    let no_agent = "not set: the Jamf agent has no preferences";
    row("microsoftCAEnabled", line(&set_up.agent, no_agent, Mark::Wrong, conditional_access));
    let as_root = |_: &()| (Mark::Wrong, "has been run as root, which does more harm than good".to_owned());
    row("gatherAADInfo", line(&set_up.plist_of_root, "no trace of a run as root", Mark::Good, as_root));
    let installed = |_: &()| (Mark::Good, "installed".to_owned());
    row("Company Portal", line(&set_up.company_portal, "not installed", portal, installed));
    row("Jamf's tool", line(&set_up.jamf_tool, "not installed", tool, jamf_tool));
}

fn line<T>(probe: &Probe<T>, absent: &str, mark: Mark, found: impl FnOnce(&T) -> Row) -> Row {
    match probe {
        Probe::Found(value) => found(value),
        Probe::Absent => (mark, absent.to_owned()),
        Probe::Unreadable(cause) => (Mark::Unclear, cause.to_string()),
        Probe::NotAsked => (Mark::Neutral, "not asked".to_owned()),
    }
}

fn use_wk_web_view(preferences: &Preferences) -> Row {
    match preferences.use_wk_web_view {
        Setting::Is(true) => (Mark::Good, "true".to_owned()),
        Setting::Is(false) => (Mark::Neutral, "false".to_owned()),
        Setting::NotSet => (Mark::Neutral, "not set".to_owned()),
        Setting::WrongType => (Mark::Wrong, "is no boolean".to_owned()),
    }
}

fn token_retries(preferences: &Preferences) -> Row {
    let Preferences { token_retry_count, token_retry_wait_time, .. } = preferences;
    let values = [("tokenRetryCount", token_retry_count, ""), ("tokenRetryWaitTime", token_retry_wait_time, " s")];
    if values.iter().all(|(_, value, _)| **value == Setting::NotSet) {
        return (Mark::Neutral, "not set".to_owned());
    }
    let is_wrong = values.iter().any(|(_, value, _)| **value == Setting::WrongType);
    let text = values.iter().filter_map(|(name, value, unit)| match value {
        Setting::Is(value) => Some(format!("{name} {value}{unit}")),
        Setting::NotSet => None,
        Setting::WrongType => Some(format!("{name} is no whole number")),
    });
    (if is_wrong { Mark::Wrong } else { Mark::Good }, text.collect::<Vec<_>>().join(", "))
}

fn sso_profile(profile: &SsoProfile) -> Row {
    let (mark, text) = match profile {
        SsoProfile::PlatformSso => (Mark::Neutral, "Platform SSO; whose is not shown"),
        SsoProfile::OfAnother => (Mark::Neutral, "another provider's, and none of Microsoft's"),
        SsoProfile::OfMicrosoft(service) => match service {
            Service::ByPrefix => (Mark::Good, "AppPrefixAllowList covers Jamf"),
            Service::ByName => (Mark::Good, "AppAllowList names apps of Jamf"),
            Service::AllManagedApps => (Mark::Good, "it serves all managed apps"),
            Service::SomeByPrefix => (Mark::Unclear, "AppPrefixAllowList covers some of Jamf's apps"),
            Service::NotKnown => (Mark::Unclear, "there; whether it serves Jamf is not shown"),
            Service::Blocked => (Mark::Wrong, "AppBlockList keeps Jamf out"),
            Service::Lacking => (Mark::Wrong, "AppPrefixAllowList does not cover Jamf: add com.jamf."),
            Service::NoLists => (Mark::Wrong, "AppPrefixAllowList is not set, so it does not cover Jamf"),
            Service::WrongType => (Mark::Wrong, "AppPrefixAllowList is not a text, so it does not count"),
        },
    };
    (mark, text.to_owned())
}

fn conditional_access(agent: &Agent) -> Row {
    let (mark, text) = match agent.conditional_access {
        _ if agent.has_old_connector => (Mark::Wrong, "of the old connector, which was retired in January 2025"),
        Setting::Is(true) => (Mark::Good, "true"),
        Setting::Is(false) => (Mark::Wrong, "false: registration stops when Company Portal closes"),
        Setting::NotSet => (Mark::Wrong, "not set: registration stops when Company Portal closes"),
        Setting::WrongType => (Mark::Wrong, "is no boolean"),
    };
    (mark, text.to_owned())
}

fn jamf_tool(tool: &JamfTool) -> Row {
    let text = match tool {
        JamfTool::ConditionalAccess => "installed",
        JamfTool::JamfAad => "installed, of an earlier release (JamfAAD)",
    };
    (Mark::Good, text.to_owned())
}
