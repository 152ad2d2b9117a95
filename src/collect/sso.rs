//! Asks about keys that are not in the login keychain: macOS's `app-sso`, and Jamf's tool if that did not show a key.
//!
//! Both only answer for the user in whose session they run. Nothing is asked of them that changes anything or signs in.

use std::path::Path;

use super::{
    children::{Failure, Printed},
    mac::Mac,
};
use crate::{
    evidence::{Cause, Evidence, Probe, User, Witness},
    parse::{
        platform_sso::{self, Unclear, account_record, app_sso, sso_status},
        set_up::JamfTool,
    },
};

const APP_SSO: &str = "/usr/bin/app-sso";
const DSCL: &str = "/usr/bin/dscl";

/// The first macOS whose `app-sso` has the verb; before it, `-s` belongs to another command.
const FIRST_WITH_PLATFORM_SSO: u32 = 13;

/// Asks, for each of several users that have no key in the login keychain, what no saved output says: first macOS, of
/// all side by side, then Jamf's tool, of those whose key macOS has not shown. Jamf's tool often answers the second
/// time only.
pub(super) fn ask(users: Vec<&mut Evidence>, mac: &impl Mac) {
    let mut users: Vec<_> = users.into_iter().filter_map(|user| Some((prefix(&user.user, mac)?, user))).collect();
    let is_unasked = |user: &Evidence| user.platform_sso.path.is_none();
    if users.iter().any(|(_, user)| is_unasked(user))
        && mac.macos_version().is_none_or(|version| version >= FIRST_WITH_PLATFORM_SSO)
    {
        run(&mut users, mac, Path::new(APP_SSO), &["platform", "-s"], is_unasked, |user, witness| {
            user.platform_sso = read(witness, app_sso::parse);
        });
    }
    // The tool of earlier releases, JamfAAD, has no verb that says it.
    let tool = Path::new("/").join(JamfTool::ConditionalAccess.path());
    let note = |user: &mut Evidence, witness| user.sso_extension = read(witness, sso_status::parse);
    let is_unasked = |user: &Evidence| user.sso_extension.path.is_none() && !shows_key(user);
    run(&mut users, mac, &tool, &["getPSSOStatus"], is_unasked, note);
    let is_unanswered =
        |user: &Evidence| user.sso_extension.path.as_ref() == Some(&tool) && user.has_no_answer_of_jamf();
    if users.iter().any(|(_, user)| is_unanswered(user)) {
        mac.wait_before_asking_again();
        run(&mut users, mac, &tool, &["getPSSOStatus"], is_unanswered, |user, witness| {
            let second = read(witness, sso_status::parse);
            // That it has no such verb is not what it said first.
            if second.path.is_some() {
                user.sso_extension = second;
            }
        });
    }
}

/// Asks the account records of users of this Mac for the name to which they are linked. That they do not say is no
/// finding.
pub(super) fn ask_account_records(users: Vec<&mut Evidence>, mac: &impl Mac) {
    let path = |user: &User| {
        // A name with a slash would be another record's path.
        let name = user.name.as_ref().filter(|name| !name.contains('/') && user.is_of_this_mac())?;
        mac.command_as(user.uid?).map(|_| format!("/Users/{name}"))
    };
    let (users, paths): (Vec<&mut Evidence>, Vec<String>) =
        users.into_iter().filter_map(|user| path(&user.user).map(|path| (user, path))).unzip();
    if users.is_empty() || mac.is_installed(Path::new(DSCL)) != Ok(true) {
        return;
    }
    let words = |path: String| {
        [DSCL, ".", "-read", &path, "dsAttrTypeStandard:AltSecurityIdentities"].map(str::to_owned).into()
    };
    let outputs = mac.run(paths.into_iter().map(words).collect());
    for (user, output) in users.into_iter().zip(outputs) {
        user.linked_name = output.ok().and_then(|it| account_record::linked_name(&String::from_utf8_lossy(&it.stdout)));
    }
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
    note: impl Fn(&mut Evidence, Witness<Printed>),
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
            Ok(printed) => Probe::Found(printed),
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

/// What a command's output says. A program that only says how it is called, because it lacks the verb, was not asked.
fn read<T>(output: Witness<Printed>, parse: fn(&str) -> Result<T, Unclear>) -> Witness<T> {
    let Probe::Found(printed) = &output.probe else {
        return Witness { path: output.path, probe: output.probe.and_then(|_| Err(Cause::NotRead)) };
    };
    let name = output.path.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let [stdout, stderr] = [&printed.stdout, &printed.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    match platform_sso::live(&name, &stdout, &stderr, parse) {
        Some(found) => {
            let probe = found.map_or_else(|unclear| Probe::Unreadable(Cause::Unclear(unclear)), Probe::Found);
            Witness { path: output.path, probe }
        }
        None => Witness::not_asked(None),
    }
}
