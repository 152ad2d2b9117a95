//! The steps about what cannot be read.

use std::path::Path;

use super::{
    commands::Commands,
    step::{Step, sentence, to_jamf},
};
use crate::{
    cli::Request,
    evidence::{Cause, Obstacle},
    parse::{
        keychain::{Error, ErrorKind},
        platform_sso::Unclear,
    },
};

/// What to do about an obstacle.
pub(super) fn step(undetermined: &Obstacle, commands: &Commands<'_>) -> Step {
    let cause = &undetermined.cause;
    if is_about_file(cause)
        && let Some(option) = option_of(undetermined, commands.request)
    {
        return Step::new(format!("Give the right path with {option}, because {cause}."));
    }
    let name = undetermined.path.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let is_keychain = undetermined.path == commands.evidence.login_keychain.path;
    let keep = if is_keychain { " Tell the user not to move or reset it: that loses the passwords in it." } else { "" };
    match cause {
        Cause::PermissionDenied => {
            Step::new("Run this as root, because only root can read every home:").with(commands.again())
        }
        Cause::NotPermitted => Step::new(
            "Give Full Disk Access to the app in which you run wpj-state, such as Terminal, in System Settings > \
             Privacy & Security. Or allow wpj-state in the security agent.",
        ),
        Cause::DeadlinePassed(_) => {
            Step::new("Disconnect file servers, and run this again with more time, because something does not answer:")
                .with(commands.again_within(60))
        }
        Cause::Unclear(Unclear::Refused(_)) => to_jamf(
            "sudo refuses to act as the user; check whether root's account has expired or has a password policy.",
        ),
        Cause::Unclear(unclear) if unclear.may_answer_later() => match option_of(undetermined, commands.request) {
            Some(_) => Step::new(
                "Save the command's output again on that Mac, as the user, because this file has no answer. If the new \
                 one has none either, restart that Mac, and save it once more. If that does not help, escalate to the \
                 Jamf administrator, with this report.",
            ),
            None => Step::new(
                "Run the command below, because there was no answer. If there is none again, restart the Mac, and run \
                 it once more. If that does not help, escalate to the Jamf administrator, with this report:",
            )
            .with(commands.again()),
        },
        Cause::Keychain(error) if is_damage(error.kind) => {
            to_jamf(&format!("restore the login keychain from a backup.{keep}"))
        }
        Cause::Keychain(Error { kind: ErrorKind::Empty, .. }) if !commands.evidence.user.is_of_this_mac() => {
            Step::new("Have the user log out and in on that Mac, and save the home again.")
        }
        Cause::LinkToNowhere(link) => Step::new(format!(
            "Connect the disk to which the link {} leads. If that does not help, escalate to the Jamf administrator, \
             with this report.",
            link.display()
        )),
        Cause::DeniedToUser => Step::new(format!("Correct the owner and permissions of {name}, because {cause}.")),
        cause if is_about_file(cause) => {
            to_jamf(&format!("find out what happened to {name}, and restore it, because {cause}.{keep}"))
        }
        Cause::CommandsMissing => {
            to_jamf("update macOS and Jamf Pro, because no command on this Mac shows these keys.")
        }
        Cause::Settings(_) => to_jamf(&format!("{}.", cause.remedy())),
        Cause::ReaderFailed(_) => Step::new(
            "Run the command below. If it is the same, escalate to the Jamf administrator, with this report: find out \
             which program ends this user's processes.",
        )
        .with(commands.again()),
        cause => Step::new(sentence(cause.remedy())),
    }
}

/// The option that named this file, if one did.
fn option_of(undetermined: &Obstacle, request: &Request) -> Option<&'static str> {
    let Request { keychain, plist, app_sso_state, psso_status, .. } = request;
    let options = [
        ("--keychain", keychain),
        ("--plist", plist),
        ("--app-sso-state", app_sso_state),
        ("--psso-status", psso_status),
    ];
    let path = undetermined.path.as_ref()?;
    options.into_iter().find(|(_, file)| file.as_ref() == Some(path)).map(|(option, _)| option)
}

/// Whether the keychain is damaged, rather than empty or not a keychain.
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

/// Whether the file is another one than it should be.
const fn is_about_file(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::SymbolicLink
            | Cause::LinkToNowhere(_)
            | Cause::NotAFolder
            | Cause::NotAFile(_)
            | Cause::TooLarge { .. }
            | Cause::FileMissing
            | Cause::NotAPlist(_)
            | Cause::Keychain(Error { kind: ErrorKind::NotAKeychain | ErrorKind::Sqlite, .. })
    )
}
