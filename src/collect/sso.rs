//! Checks for keys outside the login keychain with two commands: macOS's `app-sso` and Jamf's tool.
//!
//! Both answer only for the user in whose session they run. The verbs that are used change nothing and do not sign in.

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

/// The first macOS release whose `app-sso` has the verb `platform`; before that, `-s` belongs to another command.
const FIRST_WITH_PLATFORM_SSO: u32 = 13;

/// Runs the commands for users without a saved output: first `app-sso` for all of them in parallel, then Jamf's tool,
/// which often answers only the second time, so it may run twice. It runs for those for whom nothing else showed a key,
/// or for all `in_detail`; a second time only for the former.
pub(super) fn run_commands(users: Vec<&mut Evidence>, in_detail: bool, mac: &impl Mac) {
    let mut users: Vec<_> = users.into_iter().filter_map(|user| Some((prefix(&user.user, mac)?, user))).collect();
    let is_unchecked = |user: &Evidence| user.platform_sso.path.is_none();
    if users.iter().any(|(_, user)| is_unchecked(user))
        && mac.macos_version().is_none_or(|version| version >= FIRST_WITH_PLATFORM_SSO)
    {
        run(&mut users, mac, Path::new(APP_SSO), &["platform", "-s"], is_unchecked, |user, witness| {
            user.platform_sso = read(witness, app_sso::parse_as_user);
        });
    }
    // JamfAAD, the tool of earlier releases, has no such verb.
    let tool = Path::new("/").join(JamfTool::ConditionalAccess.path());
    let note = |user: &mut Evidence, witness| user.sso_extension = read(witness, sso_status::parse);
    let lacks_key = |user: &Evidence| user.identity().is_none() && !shows_key(user);
    let is_unchecked = |user: &Evidence| user.sso_extension.path.is_none() && (in_detail || lacks_key(user));
    run(&mut users, mac, &tool, &["getPSSOStatus"], is_unchecked, note);
    let is_unanswered = |user: &Evidence| {
        user.sso_extension.path.as_ref() == Some(&tool) && user.jamf_gave_no_answer() && lacks_key(user)
    };
    if users.iter().any(|(_, user)| is_unanswered(user)) {
        mac.wait_before_retry();
        run(&mut users, mac, &tool, &["getPSSOStatus"], is_unanswered, |user, witness| {
            let second = read(witness, sso_status::parse);
            // A usage text in the second run does not replace the first answer.
            if second.path.is_some() {
                user.sso_extension = second;
            }
        });
    }
}

/// Reads the user principal names from the account records of this Mac's users. A missing name is not a finding.
pub(super) fn read_account_records(users: Vec<&mut Evidence>, mac: &impl Mac) {
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

/// The words to put before a command to run it in the user's session; `None` if the user has no session.
pub(super) fn prefix(user: &User, mac: &impl Mac) -> Option<Vec<String>> {
    user.uid.filter(|_| user.has_session == Some(true)).and_then(|uid| mac.command_as(uid))
}

fn shows_key(user: &Evidence) -> bool {
    let tenants = &user.expected_tenants;
    let by_app_sso = user.platform_sso.probe.found().filter(|found| found.key.is_present());
    let by_jamf = user.sso_extension.probe.found().filter(|found| found.key.is_present());
    by_app_sso.is_some_and(|found| tenants.accept(found.tenant_id()))
        || by_jamf.is_some_and(|_| tenants.accept(user.sso_extension_tenant()))
}

/// Runs a program for each user for whom `is_unchecked`, and passes the output to `note`.
fn run(
    users: &mut [(Vec<String>, &mut Evidence)],
    mac: &impl Mac,
    program: &Path,
    arguments: &[&str],
    is_unchecked: impl Fn(&Evidence) -> bool,
    note: impl Fn(&mut Evidence, Witness<Printed>),
) {
    let unchecked: Vec<&mut (Vec<String>, &mut Evidence)> =
        users.iter_mut().filter(|(_, user)| is_unchecked(user)).collect();
    if unchecked.is_empty() {
        return;
    }
    let witness = |probe| Witness { path: Some(program.to_owned()), probe };
    match mac.is_installed(program) {
        Ok(true) => {}
        Ok(false) => return,
        Err(cause) => {
            return unchecked.into_iter().for_each(|(_, user)| note(user, witness(Probe::Unreadable(cause.clone()))));
        }
    }
    let words = |(prefix, _): &&mut (Vec<String>, &mut Evidence)| {
        let program = [program.to_string_lossy().into_owned()];
        prefix.iter().cloned().chain(program).chain(arguments.iter().map(|&word| word.to_owned())).collect()
    };
    let outputs = mac.run(unchecked.iter().map(words).collect());
    for ((_, user), output) in unchecked.into_iter().zip(outputs) {
        let probe = match output {
            Ok(printed) => Probe::Found(printed),
            Err(failure) => Probe::Unreadable(Cause::Unclear(unclear(failure))),
        };
        note(user, witness(probe));
    }
}

fn unclear(failure: Failure) -> Unclear {
    match failure {
        // The program itself is installed, so a word before it is missing.
        Failure::Missing => Unclear::Failed("launchctl or sudo is missing".to_owned()),
        Failure::TimedOut => Unclear::TimedOut,
        Failure::Ended(words) => Unclear::Ended(words),
        Failure::TooMuch => Unclear::Unintelligible("more than 1 MiB".into()),
        Failure::Failed(words) => Unclear::Failed(words),
    }
}

/// Parses a command's output. If the command printed only its usage, because it lacks the verb, it counts as not run.
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
        None => Witness::not_checked(None),
    }
}
