//! Why a file could not be read, and what to do about it: the words that end up on standard error.

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
            Self::NoSuchAccount(_) => "check the name, and that the directory can be reached",
            Self::RightsNotTaken { .. } => "run it as root or as this user",
            Self::DeadlinePassed(_) => "find out what holds it up, or give it more time with --deadline",
            Self::Crashed(_) => {
                "report this under Issues on the project's page at GitHub, with the output of --version"
            }
            Self::ReaderFailed(_) => "run it again, and find out what ends processes of this user",
            Self::NotAHome => "give a home directory with --home; one in use has a Library folder",
            Self::SharedFolder => "give the home directory of one user with --home",
            Self::Changing => "run it again when nothing writes to this file",
            Self::PermissionDenied => "run it with sudo",
            Self::DeniedToUser => "give its user the right to read it",
            Self::NotPermitted => {
                "allow the calling program Full Disk Access, or put it on the security agent's allow-list"
            }
            Self::LinkToNowhere(_) => "bring back what the link leads to",
            Self::NotAFolder => "put the folder back in its place",
            Self::SymbolicLink | Self::NotAFile(_) => "put the file itself in this place",
            Self::TooLarge { .. } => "find out what wrote it and move it away",
            Self::Unclear(unclear) => match unclear {
                Unclear::TimedOut | Unclear::NoAnswer | Unclear::OnlyWords(_) | Unclear::Failed(_) => {
                    "run it again; if that does not help, restart the Mac"
                }
                Unclear::Refused(_) => {
                    "check root's account and its password policy, which keep sudo from acting as the user"
                }
                Unclear::TakenAsRoot => "take it as the user, without sudo in front",
                Unclear::JamfToolOutput => "give it with --psso-status",
                Unclear::AppSsoOutput => "give it with --app-sso-state",
                Unclear::Unintelligible(_) => {
                    "report it under Issues on the project's page at GitHub, with the version of macOS"
                }
            },
            Self::NoSession | Self::MayBeDeclared => "run it as root while the user is logged in",
            // In short; the remedies have it in full.
            Self::UnderWay(UnderWay::NeedsBinding) => "have the user sign in once with the local password",
            Self::UnderWay(UnderWay::NewUser) => "have the user finish the registration in macOS",
            Self::DeviceLost => "have the user repair the registration in macOS",
            Self::NotAPlist(_) => "put a property list in its place",
            Self::Tenants(_) => "correct the profile that sets it",
            Self::Note(_) => "remove it; the next run in a session of this user writes it anew",
            Self::Failed(_) => "run it again, and check the disk if that does not help",
            Self::Keychain(error) => match error.kind {
                ErrorKind::Empty => "run it again when the user has logged in",
                ErrorKind::NotAKeychain | ErrorKind::Sqlite | ErrorKind::UnknownVersion(_) => {
                    "check that this is the login keychain"
                }
                ErrorKind::Read(_) => "run it again, and check the disk if that does not help",
                _ => "restore it from a backup; a reset of the login keychain loses the passwords in it",
            },
            Self::UnknownIssuer(_) => "delete the certificate in Keychain Access and register again",
            Self::NotRead => "run it again",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HomeMissing => f.write_str("this home directory does not exist"),
            Self::HomeNotADirectory => f.write_str("this is not a directory"),
            Self::FileMissing => f.write_str("this file does not exist"),
            Self::FolderMissing => f.write_str("there is no such folder"),
            Self::AccountsUnavailable(words) => write!(f, "it cannot be told whose Mac this is: {words}"),
            Self::NoSuchAccount(who) => write!(f, "there is no account {who:?}, or the directory does not answer"),
            Self::RightsNotTaken { uid, words } => {
                write!(f, "the rights of the user with the number {uid} cannot be taken: {words}")
            }
            Self::DeadlinePassed(seconds) => write!(f, "no answer within {seconds} s"),
            Self::Crashed(words) => write!(f, "this tool failed: {words}"),
            Self::ReaderFailed(words) => write!(f, "the process that reads the user's files gave no answer: {words}"),
            Self::NotAHome => f.write_str("this directory has no Library folder, so it is not a home that was ever used"),
            Self::SharedFolder => f.write_str("this directory is root's and others may write to it, so it is not a home"),
            Self::Changing => f.write_str("this file changes while it is read"),
            Self::PermissionDenied => f.write_str("permission denied"),
            Self::DeniedToUser => f.write_str("permission denied to its user; the user's other groups do not count here"),
            Self::NotPermitted => {
                f.write_str("the operation is not permitted, by macOS' privacy protection or a security agent")
            }
            Self::SymbolicLink => f.write_str("this is a symbolic link, which is not followed"),
            Self::LinkToNowhere(link) => {
                write!(f, "the folder {} on the way to it is a symbolic link that leads nowhere", link.display())
            }
            Self::NotAFolder => f.write_str("something on the way to it is not a folder"),
            Self::NotAFile(kind) => {
                let kind = match kind {
                    FileKind::Directory => "a directory",
                    FileKind::Fifo => "a FIFO",
                    FileKind::Device => "a device",
                    FileKind::Socket => "a socket",
                };
                write!(f, "this is {kind}, not a regular file")
            }
            Self::TooLarge { size, limit } => write!(f, "the file has {size} bytes, and no more than {limit} are read"),
            Self::Unclear(unclear) => unclear.fmt(f),
            Self::NoSession => f.write_str(
                "this sets up single sign-on, whose keys only show in a session of the user's, and none could be entered",
            ),
            Self::MayBeDeclared => f.write_str(
                "a declaration may set up single sign-on, whose keys only show in a session of the user's, and none \
                 could be entered",
            ),
            Self::UnderWay(UnderWay::NeedsBinding) => {
                f.write_str("the registration of this user is under way: it needs binding")
            }
            Self::UnderWay(UnderWay::NewUser) => f.write_str("the registration of this user is under way"),
            Self::DeviceLost => f.write_str("the device's registration is lost, and Jamf's tool does not say more"),
            Self::Tenants(problem) => problem.fmt(f),
            Self::Note(problem) => f.write_str(match problem {
                NoteProblem::Damaged => "this note of a key is damaged",
                NoteProblem::FromTheFuture => "this note of a key is from the future",
                NoteProblem::OfAnotherHome => "this note of a key is of another home",
                NoteProblem::NotPrivateToRoot => "this is not root's alone, so it does not count",
            }),
            Self::NotAPlist(problem) => write!(f, "this is not a plist that can be read: {problem}"),
            Self::Failed(words) => f.write_str(words),
            // Where the damage is, only developers can use; the JSON has it.
            Self::Keychain(error) => error.kind.fmt(f),
            Self::UnknownIssuer(_) => {
                f.write_str("a certificate that has a private key cannot be read up to its issuer")
            }
            Self::NotRead => f.write_str("this file was not read"),
        }
    }
}
