//! The command line.

pub mod attribute;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{ArgAction, ArgGroup, CommandFactory, Parser, ValueEnum, ValueHint, error::ErrorKind};

use attribute::Attribute;

use crate::parse::{
    settings::{self, MAX_DAYS},
    tenants::Tenants,
};

/// The verb, first on the command line, by which this program, started anew, reads a private copy of a keychain with
/// macOS's own reader; the copy's path follows. Not for people, so it is not an option.
pub(crate) const READ_COPY: &str = "--read-copy";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Answer(Box<Request>),
    ListAttributes,
    Manual,
    /// What macOS's own reader finds in the copy of a keychain at this path.
    ReadCopy(PathBuf),
}

/// Which users to report on, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub subject: Subject,
    /// A keychain to read in place of the login keychain.
    pub keychain: Option<PathBuf>,
    /// A plist to read in place of JamfAAD's.
    pub plist: Option<PathBuf>,
    /// A saved output of `app-sso platform -s`, to read in place of running it.
    pub app_sso_state: Option<PathBuf>,
    /// A saved output of Jamf's `getPSSOStatus`, to read in place of running it.
    pub psso_status: Option<PathBuf>,
    /// A folder with copies of the system's files that show how JamfAAD is set up.
    pub system_root: Option<PathBuf>,
    /// The tenants whose registrations count; without any, the settings' or else all.
    pub tenants: Tenants,
    /// For how many days to remember a key that was proven in a session.
    pub remember_key_days: Option<u16>,
    pub second_opinion: AskMacos,
    pub deadline: Duration,
    pub output: Output,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    One(Who),
    AllUsers,
    Homes(Vec<PathBuf>),
}

impl Subject {
    /// Whether the answer is a list.
    pub(crate) const fn is_several(&self) -> bool {
        matches!(self, Self::AllUsers | Self::Homes(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The one at the console, or who was there last.
    Console,
    /// The account with this name or UID.
    User(String),
    Home(PathBuf),
    /// Whoever the files that are given belong to.
    Nobody,
}

/// When to have macOS's own keychain reader read a copy of the keychain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AskMacos {
    /// Not at all.
    Never,
    /// Only if this tool's reader finds the file damaged.
    IfDamaged,
    /// In any case, to compare the two.
    Always,
}

/// In seconds.
pub(crate) const DEFAULT_DEADLINE: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Result(Attribute),
    Json,
    Explain,
}

impl Request {
    /// Whether files were given in place of those of the home and of the Mac.
    pub(crate) const fn gives_files(&self) -> bool {
        self.keychain.is_some()
            || self.plist.is_some()
            || self.app_sso_state.is_some()
            || self.psso_status.is_some()
            || self.system_root.is_some()
    }

    /// Whether outputs of commands were given in place of running them.
    pub const fn has_saved_outputs(&self) -> bool {
        self.app_sso_state.is_some() || self.psso_status.is_some()
    }

    /// Whether the output shows what the commands say even where the login keychain has the key.
    pub(crate) const fn asks_commands_anyway(&self) -> bool {
        self.needs_account_records() || matches!(self.output, Output::Result(Attribute::SignInMethod))
    }

    /// Whether the output shows to which name an account is linked.
    pub(crate) const fn needs_account_records(&self) -> bool {
        match self.output {
            Output::Json => true,
            Output::Explain => !self.subject.is_several(),
            Output::Result(_) => false,
        }
    }

    /// Whether the output shows what the state does not depend on.
    pub(crate) const fn needs_details(&self) -> bool {
        self.needs_set_up()
            || matches!(self.output, Output::Result(Attribute::UserPrincipalName | Attribute::LastToken))
    }

    /// Whether the output shows how the Mac is set up.
    pub(crate) const fn needs_set_up(&self) -> bool {
        match self.output {
            Output::Json | Output::Result(Attribute::Finding | Attribute::Remedy) => true,
            Output::Explain => !self.subject.is_several(),
            Output::Result(_) => false,
        }
    }
}

/// Tell how far a Mac's registration with Microsoft Entra through Jamf got
#[derive(Parser)]
#[command(
    name = "wpj-state",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "\
Examples:
  sudo /usr/local/wpj-state/wpj-state                        the state, for Jamf
  sudo /usr/local/wpj-state/wpj-state --explain              what to do
  sudo /usr/local/wpj-state/wpj-state --attribute device-id  another attribute

Exit status: 0 all was told, 1 something cannot be (standard error says why),
2 wrong usage.",
    group = ArgGroup::new("output").args(["json", "explain", "attribute"]),
)]
struct Options {
    /// Look at this home directory, or at several
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Whose")]
    home: Vec<PathBuf>,
    /// The home of this account, given by name or number
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, conflicts_with = "home", help_heading = "Whose")]
    user: Option<String>,
    /// All local users, or all homes given
    #[arg(
        long,
        conflicts_with_all = ["user", "keychain", "plist", "app_sso_state", "psso_status"],
        help_heading = "Whose"
    )]
    all_users: bool,
    /// A report for people, with what to do
    #[arg(long, help_heading = "Output")]
    explain: bool,
    /// Everything that was found, as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        help = "One value in <result> [default: state]",
        help_heading = "Output"
    )]
    attribute: Option<Attribute>,
    /// The names, types and meanings of these values
    #[arg(long, exclusive = true, help_heading = "Output")]
    list_attributes: bool,
    /// In place of the login keychain
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Other evidence")]
    keychain: Option<PathBuf>,
    /// In place of JamfAAD's plist
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Other evidence")]
    plist: Option<PathBuf>,
    /// A saved output of `app-sso platform -s`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Other evidence")]
    app_sso_state: Option<PathBuf>,
    /// A saved output of Jamf's getPSSOStatus
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Other evidence")]
    psso_status: Option<PathBuf>,
    /// Copies of the system's files on the set-up
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Other evidence")]
    system_root: Option<PathBuf>,
    /// Count only registrations with this tenant
    #[arg(long, value_name = "GUID", value_parser = tenant_id, help_heading = "How")]
    tenant: Vec<String>,
    /// Remember a key that a session has shown
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_DAYS)),
        conflicts_with = "home",
        help_heading = "How"
    )]
    remember_key: Option<u16>,
    /// Ask macOS' reader: never, if-damaged, always
    #[arg(
        long,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        hide_default_value = true,
        num_args = 0..=1,
        require_equals = true,
        default_value = "if-damaged",
        default_missing_value = "always",
        help_heading = "How"
    )]
    second_opinion: AskMacos,
    /// Give up after so long
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = DEFAULT_DEADLINE,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        help_heading = "How"
    )]
    deadline: u64,
    /// Print the manual page, as mandoc reads it
    #[arg(long, exclusive = true, help_heading = "Help")]
    man: bool,
    /// Print this
    #[arg(short, long, action = ArgAction::Help, help_heading = "Help")]
    help: (),
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Help")]
    version: (),
}

/// The command line as clap knows it, to make shell completions of it.
pub fn definition() -> clap::Command {
    Options::command()
}

/// Understands the command line, the program's name first.
/// Fails if it asks for help or the version, or for nothing that can be done. The error has the text to print, where
/// to, and the exit status.
pub fn parse(arguments: &[OsString]) -> Result<Command, clap::Error> {
    if let [_, verb, copy] = arguments
        && verb == READ_COPY
    {
        return Ok(Command::ReadCopy(copy.into()));
    }
    let options = Options::try_parse_from(arguments)?;
    if options.list_attributes {
        return Ok(Command::ListAttributes);
    }
    if options.man {
        return Ok(Command::Manual);
    }
    let subject = subject(&options)?;
    Ok(Command::Answer(Box::new(Request {
        output: output(&options, &subject)?,
        subject,
        keychain: options.keychain,
        plist: options.plist,
        app_sso_state: options.app_sso_state,
        psso_status: options.psso_status,
        system_root: options.system_root,
        tenants: Tenants::new(options.tenant),
        remember_key_days: options.remember_key,
        second_opinion: options.second_opinion,
        deadline: Duration::from_secs(options.deadline),
    })))
}

fn tenant_id(text: &str) -> Result<String, &'static str> {
    settings::tenant_id(text).ok_or("a tenant id is a GUID, as 7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f")
}

fn subject(options: &Options) -> Result<Subject, clap::Error> {
    let wants_users = options.attribute == Some(Attribute::Users);
    let several = options.all_users || wants_users || options.home.len() > 1;
    let of_one = [
        (options.user.is_some(), "--user"),
        (options.keychain.is_some(), "--keychain"),
        (options.plist.is_some(), "--plist"),
        (options.app_sso_state.is_some(), "--app-sso-state"),
        (options.psso_status.is_some(), "--psso-status"),
    ];
    if let Some((_, option)) = of_one.iter().find(|(is_given, _)| several && *is_given) {
        let what = if wants_users { "'--attribute users'" } else { "several '--home'" };
        let message = format!("{what} cannot be used with '{option}', which is about one user");
        return Err(Options::command().error(ErrorKind::ArgumentConflict, message));
    }
    match (options.home.as_slice(), &options.user) {
        ([], Some(user)) => Ok(Subject::One(Who::User(user.clone()))),
        ([], None) if !several && options.keychain.is_some() && options.plist.is_some() => {
            Ok(Subject::One(Who::Nobody))
        }
        ([], None) if !cfg!(target_os = "macos") => {
            let message = if several {
                "name the users: give their home directories, each with --home DIR"
            } else {
                "name a user: a home directory with --home DIR, or an account with --user NAME"
            };
            Err(Options::command().error(ErrorKind::MissingRequiredArgument, message))
        }
        ([], None) if several => Ok(Subject::AllUsers),
        ([], None) => Ok(Subject::One(Who::Console)),
        (homes, _) if several => Ok(Subject::Homes(homes.to_vec())),
        ([home, ..], _) => Ok(Subject::One(Who::Home(home.clone()))),
    }
}

fn output(options: &Options, subject: &Subject) -> Result<Output, clap::Error> {
    match (options.json, options.explain, options.attribute) {
        (true, _, _) => Ok(Output::Json),
        (_, true, _) => Ok(Output::Explain),
        (_, _, None) if subject.is_several() => Ok(Output::Result(Attribute::Users)),
        (_, _, Some(attribute)) if subject.is_several() && attribute != Attribute::Users => {
            let what = if options.all_users { "'--all-users'" } else { "several '--home'" };
            let message = format!(
                "{what} cannot be used with '--attribute {}', which is about one user; '--attribute users' is about all",
                attribute.name()
            );
            Err(Options::command().error(ErrorKind::ArgumentConflict, message))
        }
        (_, _, attribute) => Ok(Output::Result(attribute.unwrap_or(Attribute::State))),
    }
}
