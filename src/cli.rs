//! The command line.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{CommandFactory, Parser, ValueEnum, error::ErrorKind};

use crate::platform;

/// Makes this process the worker; the path of its private folder follows. Not for people.
pub const WORKER: &str = "--worker";

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose home to look at.
    pub subject: Subject,
    /// A keychain to read in place of the login keychain.
    pub keychain: Option<PathBuf>,
    /// A plist to read in place of JamfAAD's.
    pub plist: Option<PathBuf>,
    /// A saved output of `app-sso platform -s`, to read in place of running it.
    pub app_sso_state: Option<PathBuf>,
    /// A saved output of Jamf's `getPSSOStatus`, to read in place of running it.
    pub psso_status: Option<PathBuf>,
    /// When to ask macOS' own keychain reader.
    pub second_opinion: AskMacos,
    /// How long the answer may take.
    pub deadline: Duration,
    /// What to print.
    pub output: Output,
    /// If this process is the worker, where it may make its private folder.
    pub worker: Option<PathBuf>,
}

/// Whose home to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// That of whoever is at the console, or was there last.
    Console,
    /// That of the account with this name or number.
    User(String),
    /// This one.
    Home(PathBuf),
}

/// When to ask macOS' own keychain reader about a copy of the keychain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AskMacos {
    /// Not at all.
    Never,
    /// Only if this crate's reader cannot make sense of the file.
    IfDamaged,
    /// In any case, to compare the two.
    Always,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The extension attribute.
    Result,
    /// Everything, as JSON.
    Json,
}

/// Tell how far a Mac's Microsoft Entra registration through Jamf got.
///
/// Prints <result>STATE</result> for a Jamf extension attribute; blank, with the reason on standard error, if the state
/// cannot be told.
#[derive(Parser)]
#[command(
    name = "wpj-state",
    version,
    after_help = "Exit status: 0 a state was printed, 1 it cannot be told, 2 wrong usage."
)]
struct Options {
    /// Look at this home directory
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Look at the home of this account, given by name or number
    #[arg(long, value_name = "NAME", conflicts_with = "home")]
    user: Option<String>,
    /// Read this file in place of the login keychain
    #[arg(long, value_name = "FILE")]
    keychain: Option<PathBuf>,
    /// Read this file in place of JamfAAD's plist
    #[arg(long, value_name = "FILE")]
    plist: Option<PathBuf>,
    /// Read this saved output of `app-sso platform -s` in place of running it
    #[arg(long, value_name = "FILE")]
    app_sso_state: Option<PathBuf>,
    /// Read this saved output of Jamf's getPSSOStatus in place of running it
    #[arg(long, value_name = "FILE")]
    psso_status: Option<PathBuf>,
    /// Ask macOS' own reader about a copy of the keychain: always (as with no WHEN), if-damaged, or never
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_value = "if-damaged",
        default_missing_value = "always"
    )]
    second_opinion: AskMacos,
    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,
    /// Print everything that was found, as JSON
    #[arg(long)]
    json: bool,
    #[arg(long, hide = true)]
    worker: Option<PathBuf>,
}

/// Understands the command line, the program's name first.
///
/// # Errors
/// If it asks for something else than a state (help, the version), or for nothing that can be done. The error has the
/// text to print, where to, and the exit status.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let options = Options::try_parse_from(arguments)?;
    let subject = match (options.home, options.user) {
        (Some(home), _) => Subject::Home(home),
        (None, Some(user)) => Subject::User(user),
        (None, None) if platform::IS_MACOS => Subject::Console,
        (None, None) => {
            let message = "which user? Give a home directory with --home DIR, or an account with --user NAME";
            return Err(Options::command().error(ErrorKind::MissingRequiredArgument, message));
        }
    };
    Ok(Request {
        subject,
        keychain: options.keychain,
        plist: options.plist,
        app_sso_state: options.app_sso_state,
        psso_status: options.psso_status,
        second_opinion: options.second_opinion,
        deadline: Duration::from_secs(options.deadline),
        output: if options.json { Output::Json } else { Output::Result },
        worker: options.worker,
    })
}
