//! Asks about keys that are not in the login keychain: macOS's `app-sso`, and Jamf's tool if that did not show a key.
//!
//! Both only answer for the user in whose session they run. Nothing is asked of them that changes anything or signs in.

use std::path::Path;

use super::{children::Failure, mac::Mac};
use crate::{
    evidence::{Cause, Evidence, Probe, User, Witness},
    parse::{
        platform_sso::{self, Unclear, app_sso, sso_status},
        set_up::JamfTool,
    },
};

const APP_SSO: &str = "/usr/bin/app-sso";

/// Asks, for each of several users that have no key in the login keychain, what no saved output says: first macOS, of
/// all side by side, then Jamf's tool, of those whose key macOS has not shown.
pub(super) fn ask(users: Vec<&mut Evidence>, mac: &impl Mac) {
    let mut users: Vec<_> = users.into_iter().filter_map(|user| Some((prefix(&user.user, mac)?, user))).collect();
    let is_unasked = |user: &Evidence| user.platform_sso.path.is_none();
    run(&mut users, mac, Path::new(APP_SSO), &["platform", "-s"], is_unasked, |user, witness| {
        user.platform_sso = parsed(witness, app_sso::parse);
    });
    // The tool of earlier releases, JamfAAD, has no verb that says it.
    let tool = Path::new("/").join(JamfTool::ConditionalAccess.path());
    let is_unasked = |user: &Evidence| user.sso_extension.path.is_none() && !shows_key(user);
    run(&mut users, mac, &tool, &["getPSSOStatus"], is_unasked, |user, witness| {
        user.sso_extension = parsed(witness, sso_status::parse);
    });
}

/// What to put in front of a command, if the user has a session in which it can be run.
pub(super) fn prefix(user: &User, mac: &impl Mac) -> Option<Vec<String>> {
    user.uid.filter(|_| user.has_session == Some(true)).and_then(|uid| mac.command_as(uid))
}

fn shows_key(user: &Evidence) -> bool {
    user.platform_sso.probe.found().is_some_and(|found| found.key.is_there())
        || user.sso_extension.probe.found().is_some_and(|found| found.key.is_there())
}

/// Runs a program for each of the users who are to be asked, and notes what it printed.
fn run(
    users: &mut [(Vec<String>, &mut Evidence)],
    mac: &impl Mac,
    program: &Path,
    arguments: &[&str],
    is_unasked: impl Fn(&Evidence) -> bool,
    note: impl Fn(&mut Evidence, Witness<String>),
) {
    let asked: Vec<&mut (Vec<String>, &mut Evidence)> = users.iter_mut().filter(|(_, user)| is_unasked(user)).collect();
    if asked.is_empty() {
        return;
    }
    let witness = |probe| Witness { path: Some(program.to_owned()), probe };
    match mac.is_installed(program) {
        Ok(true) => {}
        Ok(false) => return,
        Err(cause) => {
            return asked.into_iter().for_each(|(_, user)| note(user, witness(Probe::Unreadable(cause.clone()))));
        }
    }
    let words = |(prefix, _): &&mut (Vec<String>, &mut Evidence)| {
        let program = [program.to_string_lossy().into_owned()];
        prefix.iter().cloned().chain(program).chain(arguments.iter().map(|&word| word.to_owned())).collect()
    };
    let outputs = mac.run(asked.iter().map(words).collect());
    for ((_, user), output) in asked.into_iter().zip(outputs) {
        let probe = match output {
            Ok(output) => Probe::Found(String::from_utf8_lossy(&output).into_owned()),
            Err(failure) => Probe::Unreadable(Cause::Unclear(unclear(failure))),
        };
        note(user, witness(probe));
    }
}

fn unclear(failure: Failure) -> Unclear {
    match failure {
        // The program itself is installed, so this is about what is in front of it.
        Failure::Missing => Unclear::Failed("launchctl or sudo is missing".to_owned()),
        Failure::TimedOut => Unclear::TimedOut,
        Failure::TooMuch => Unclear::Unintelligible("it is more than 1 MiB".into()),
        Failure::Failed(words) => Unclear::Failed(words),
    }
}

/// What an output says. A program that only says how it is called, because it lacks the verb, was not asked.
fn parsed<T>(output: Witness<String>, parse: fn(&str) -> Result<T, Unclear>) -> Witness<T> {
    let name = output.path.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let probe = match output.probe {
        Probe::Found(text) => match parse(&text) {
            Ok(found) => Probe::Found(found),
            Err(Unclear::Unintelligible(_)) if platform_sso::is_usage(&text, &name) => return Witness::not_asked(None),
            Err(unclear) => Probe::Unreadable(Cause::Unclear(unclear)),
        },
        Probe::Absent => Probe::Absent,
        Probe::Unreadable(cause) => Probe::Unreadable(cause),
        Probe::NotAsked => Probe::NotAsked,
    };
    Witness { path: output.path, probe }
}
