//! The texts for each cause: why something could not be read, and what to do about it.

use std::fmt;

use crate::{
    evidence::{Cause, FileKind, NoteProblem},
    parse::{
        keychain::ErrorKind,
        platform_sso::{Unclear, UnderWay},
    },
};

impl Cause {
    pub(crate) const fn remedy(&self) -> &'static str {
        match self {
            Self::HomeMissing | Self::HomeNotADirectory => "give an existing home directory with --home",
            Self::FileMissing => "give an existing file",
            Self::FolderMissing => "give an existing folder",
            Self::AccountsUnavailable(_) => "name the user with --user or the home directory with --home",
            Self::NoSuchAccount(_) => "check the name, and the connection to the directory server",
            Self::RightsNotTaken { .. } => "run it as root or as this user",
            Self::DeadlinePassed(_) => {
                "check for a hung file server or security agent, or give it more time with --deadline"
            }
            Self::Crashed(_) => {
                "report this under Issues on the project's page at GitHub, with the output of --version"
            }
            Self::ReaderFailed(_) => "run it again, or find out which program ends this user's processes",
            Self::NotAHome => "give the home directory of a user who has logged in",
            Self::SharedFolder => "give the home of one user, or let only its owner write to it (chmod go-w)",
            Self::Changing => "run it again",
            Self::PermissionDenied => "run it with sudo",
            Self::DeniedToUser => "correct its owner and permissions",
            Self::NotPermitted => "give the calling program Full Disk Access, or allow it in the security agent",
            Self::LinkToNowhere(_) => "restore the link's target",
            Self::NotAFolder => "restore the folder",
            Self::SymbolicLink | Self::NotAFile(_) => {
                "replace it with the real file, or give the path of the real file"
            }
            Self::TooLarge { .. } => "find out what made it so large",
            Self::Unclear(unclear) => match unclear {
                Unclear::TimedOut
                | Unclear::NoAnswer
                | Unclear::OnlyWords(_)
                | Unclear::Ended(_)
                | Unclear::Failed(_) => "run the command again; if that does not help, restart the Mac",
                Unclear::Refused(_) => "check whether root's account has expired or has a password policy",
                Unclear::TakenAsRoot => "save it again as the user, without sudo",
                Unclear::JamfToolOutput => "give it with --psso-status",
                Unclear::AppSsoOutput => "give it with --app-sso-state",
                Unclear::Unintelligible(_) => {
                    "report it under Issues on the project's page at GitHub, with the output (without names and IDs) and the version of macOS"
                }
            },
            Self::CommandsMissing => "update macOS and Jamf Pro",
            Self::NoSession | Self::MayBeDeclared => "run it as root while the user is logged in",
            // The remedies have the full texts.
            Self::UnderWay(UnderWay::NeedsBinding) => "have the user log out, and log in once with the local password",
            Self::UnderWay(UnderWay::NewUser) => "have the user finish the registration in macOS",
            Self::DeviceLost => "have the user repair the registration in macOS",
            Self::NotAPlist(_) => "give JamfAAD's plist",
            Self::Settings(_) => "correct the profile with wpj-state's settings",
            Self::Note(_) => "remove it; the next run while this user is logged in writes a new one",
            Self::Failed(_) => "run it again; if that does not help, check the disk",
            Self::Keychain(error) => match error.kind {
                ErrorKind::Empty => "have the user log out and in, and run it again",
                ErrorKind::NotAKeychain | ErrorKind::Sqlite => "check that this is the login keychain",
                ErrorKind::UnknownVersion(_) => {
                    "report it under Issues on the project's page at GitHub, with the version of macOS"
                }
                ErrorKind::Read(_) => "run it again; if that does not help, check the disk",
                _ => "restore it from a backup; a reset of the login keychain loses the passwords in it",
            },
            Self::UnknownIssuer(_) => {
                "delete the certificate that cannot be opened in Keychain Access, and have the user register again"
            }
            Self::NotRead => "run it again",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HomeMissing => f.write_str("this home directory does not exist"),
            Self::HomeNotADirectory => f.write_str("this is not a folder"),
            Self::FileMissing => f.write_str("this file does not exist"),
            Self::FolderMissing => f.write_str("there is no folder with this path"),
            Self::AccountsUnavailable(words) => write!(f, "cannot determine which user to check: {words}"),
            Self::NoSuchAccount(who) => write!(f, "no account {who:?} was found, or the directory server does not answer"),
            Self::RightsNotTaken { uid, words } => {
                write!(f, "cannot switch to the user with UID {uid}: {words}")
            }
            Self::DeadlinePassed(seconds) => write!(f, "no answer within {seconds} s"),
            Self::Crashed(words) => write!(f, "this tool failed: {words}"),
            Self::ReaderFailed(words) => write!(f, "the reader process gave no answer: {words}"),
            Self::NotAHome => f.write_str("this folder has no Library, so nobody has logged in to it"),
            Self::SharedFolder => f.write_str("this folder belongs to root and others can write to it, so it is not taken for a home"),
            Self::Changing => f.write_str("this file changes while it is read"),
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::DeniedToUser => f.write_str("permission denied, even to its user (only the primary group counts)"),
            Self::NotPermitted => {
                f.write_str("not permitted: macOS's privacy protection or a security agent blocks it")
            }
            Self::SymbolicLink => f.write_str("this is a symbolic link, and links are not followed"),
            Self::LinkToNowhere(link) => {
                write!(f, "the folder {} in its path is a broken symbolic link", link.display())
            }
            Self::NotAFolder => f.write_str("a part of its path is not a folder"),
            Self::NotAFile(kind) => {
                let kind = match kind {
                    FileKind::Directory => "a folder",
                    FileKind::Fifo => "a FIFO",
                    FileKind::Device => "a device",
                    FileKind::Socket => "a socket",
                };
                write!(f, "this is {kind}, not a regular file")
            }
            Self::TooLarge { size, limit } => write!(f, "the file is too large ({size} bytes; the limit is {limit})"),
            Self::Unclear(unclear) => unclear.fmt(f),
            Self::NoSession => f.write_str(
                "a profile configures single sign-on, and its keys can be checked only as root while the user is logged in",
            ),
            Self::MayBeDeclared => f.write_str(
                "a declaration may configure single sign-on, and its keys can be checked only as root while the user is logged in",
            ),
            Self::CommandsMissing => f.write_str(
                "single sign-on may be configured, and this Mac has no command that shows its keys",
            ),
            Self::UnderWay(UnderWay::NeedsBinding) => {
                f.write_str("this user's registration is under way: it needs binding")
            }
            Self::UnderWay(UnderWay::NewUser) => f.write_str("this user's registration is under way"),
            Self::DeviceLost => f.write_str("the device's registration is lost, and nothing else shows a key"),
            Self::Settings(problem) => problem.fmt(f),
            Self::Note(problem) => f.write_str(match problem {
                NoteProblem::Damaged => "this note of a key is damaged",
                NoteProblem::FromTheFuture => "this note of a key is from the future",
                NoteProblem::OfAnotherHome => "this note of a key is about another home",
                NoteProblem::NotPrivateToRoot => "this note of a key does not count, because others than root can change or read it",
            }),
            Self::NotAPlist(problem) => write!(f, "this is not a plist: {problem}"),
            Self::Failed(words) => f.write_str(words),
            // Only developers can use the place of the damage; it is in the JSON.
            Self::Keychain(error) => error.kind.fmt(f),
            Self::UnknownIssuer(_) => {
                f.write_str("a certificate with a private key cannot be read up to its issuer")
            }
            Self::NotRead => f.write_str("this file was not read"),
        }
    }
}
