//! The command line.

pub mod attribute;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    ArgAction, ArgGroup, CommandFactory, Parser, ValueEnum, ValueHint,
    error::{ContextKind, ContextValue, ErrorKind},
};

use attribute::Attribute;

use crate::parse::{
    settings::{self, MAX_DAYS},
    tenants::Tenants,
};

/// The internal first argument with which the tool starts itself to read a private copy of a keychain with macOS's own
/// reader; the copy's path follows.
pub(crate) const READ_COPY: &str = "--read-copy";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Answer(Box<Request>),
    ListAttributes,
    Manual,
    /// Read the copy of a keychain at this path with macOS's own reader, and print what it contains.
    ReadCopy(PathBuf),
}

/// Which users to report on, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub subject: Subject,
    /// A keychain to read instead of the login keychain.
    pub keychain: Option<PathBuf>,
    /// A plist to read instead of JamfAAD's.
    pub plist: Option<PathBuf>,
    /// A saved output of `app-sso platform -s`, to read instead of running it.
    pub app_sso_state: Option<PathBuf>,
    /// A saved output of Jamf's `getPSSOStatus`, to read instead of running it.
    pub psso_status: Option<PathBuf>,
    /// A folder with copies of the system's files that show how JamfAAD is set up.
    pub system_root: Option<PathBuf>,
    /// The tenants whose registrations count. If there are none, the settings decide, and otherwise all tenants count.
    pub tenants: Tenants,
    /// For how many days to remember a key that was found in a session.
    pub remember_key_days: Option<u16>,
    pub second_opinion: UseMacosReader,
    pub deadline: Duration,
    pub output: Output,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    One(UserChoice),
    AllUsers,
    Homes(Vec<PathBuf>),
}

impl Subject {
    /// Whether the report is about several users.
    pub(crate) const fn is_several(&self) -> bool {
        matches!(self, Self::AllUsers | Self::Homes(_))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChoice {
    /// The console user or, if there is none, the last one.
    Console,
    /// The account with this name or UID.
    User(String),
    Home(PathBuf),
    /// The unknown user to whom the files that were given belong.
    Unknown,
}

/// When to read a copy of the keychain with macOS's own reader, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UseMacosReader {
    /// Never.
    Never,
    /// Only if the keychain looks damaged.
    IfDamaged,
    /// Always, to compare the two readers.
    Always,
}

/// The default deadline, in seconds.
pub(crate) const DEFAULT_DEADLINE: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Result(Attribute),
    Json,
    Explain,
}

impl Request {
    /// Whether options name files to read instead of those in the home and on the Mac.
    pub(crate) const fn gives_files(&self) -> bool {
        self.keychain.is_some()
            || self.plist.is_some()
            || self.app_sso_state.is_some()
            || self.psso_status.is_some()
            || self.system_root.is_some()
    }

    /// Whether the output shows the commands' answers even if the login keychain has the key.
    pub(crate) const fn always_runs_commands(&self) -> bool {
        // Only `app-sso` reports how the user signs in.
        self.lists_devices() || matches!(self.output, Output::Result(Attribute::SignInMethod))
    }

    /// Whether the output lists every device ID and the user principal name to which the account is linked.
    pub(crate) const fn lists_devices(&self) -> bool {
        match self.output {
            Output::Json => true,
            Output::Explain => !self.subject.is_several(),
            Output::Result(_) => false,
        }
    }

    /// Whether the output shows details that do not affect the state.
    pub(crate) const fn needs_details(&self) -> bool {
        self.needs_set_up()
            || matches!(self.output, Output::Result(Attribute::UserPrincipalName | Attribute::LastToken))
    }

    /// Whether the output depends on how the Mac is set up for JamfAAD.
    pub(crate) const fn needs_set_up(&self) -> bool {
        match self.output {
            Output::Json | Output::Result(Attribute::Finding | Attribute::Remedy) => true,
            Output::Explain => !self.subject.is_several(),
            Output::Result(_) => false,
        }
    }
}

/// Show how far a Mac's Microsoft Entra registration through Jamf has got
#[derive(Parser)]
#[command(
    name = "wpj-state",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    after_help = "\
Examples:
  sudo /usr/local/wpj-state/wpj-state                        the state, for Jamf
  sudo /usr/local/wpj-state/wpj-state --explain              a report with steps
  sudo /usr/local/wpj-state/wpj-state --attribute device-id  another attribute

Exit status: 0 success; 1 the state or value could not be determined (see
standard error); 2 wrong usage.",
    group = ArgGroup::new("output").args(["json", "explain", "attribute"]),
)]
struct Options {
    /// Check this home directory; repeatable
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Which user (default: the console user)")]
    home: Vec<PathBuf>,
    /// Check this account (name or UID)
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Username, conflicts_with = "home", help_heading = "Which user (default: the console user)")]
    user: Option<String>,
    /// Check all local users, or all homes given
    #[arg(
        long,
        conflicts_with_all = ["user", "keychain", "plist", "app_sso_state", "psso_status"],
        help_heading = "Which user (default: the console user)"
    )]
    all_users: bool,
    /// Print a readable report with next steps
    #[arg(long, help_heading = "Output")]
    explain: bool,
    /// Print everything that was found, as JSON
    #[arg(long, help_heading = "Output")]
    json: bool,
    #[arg(
        long,
        value_name = "NAME",
        value_enum,
        hide_possible_values = true,
        help = "Print one value in <result> [default: state]",
        help_heading = "Output"
    )]
    attribute: Option<Attribute>,
    /// List these values, their types and meanings
    #[arg(long, exclusive = true, help_heading = "Output")]
    list_attributes: bool,
    /// Read this file instead of the login keychain
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Read other files")]
    keychain: Option<PathBuf>,
    /// Read this file instead of JamfAAD's plist
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Read other files")]
    plist: Option<PathBuf>,
    /// Read this saved output of `app-sso platform -s`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Read other files")]
    app_sso_state: Option<PathBuf>,
    /// Read this saved output of Jamf's getPSSOStatus
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Read other files")]
    psso_status: Option<PathBuf>,
    /// Read copies of the system's set-up files here
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Read other files")]
    system_root: Option<PathBuf>,
    /// Count only keys of this tenant; repeatable
    #[arg(long, value_name = "GUID", value_parser = tenant_id, help_heading = "Other options")]
    tenant: Vec<String>,
    /// Remember keys for this many days, 1 to 90
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = days,
        conflicts_with = "home",
        help_heading = "Other options"
    )]
    remember_key: Option<u16>,
    /// Use macOS's reader: never, if-damaged, always
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
        help_heading = "Other options"
    )]
    second_opinion: UseMacosReader,
    /// Give up after this many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = DEFAULT_DEADLINE,
        value_parser = seconds,
        help_heading = "Other options"
    )]
    deadline: u64,
    /// Show the manual page
    #[arg(long, exclusive = true, help_heading = "Help")]
    man: bool,
    /// Print help
    #[arg(short, long, action = ArgAction::Help, help_heading = "Help")]
    help: (),
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = "Help")]
    version: (),
}

/// The definition of the command line, for generating shell completions.
pub fn definition() -> clap::Command {
    Options::command()
}

/// Parses the command line; the first argument is the program's name.
/// Fails if the usage is wrong, and for `--help` and `--version`. The error contains the text to print, where to print
/// it, and the exit status.
pub fn parse(arguments: &[OsString]) -> Result<Command, clap::Error> {
    if let [_, verb, copy] = arguments
        && verb == READ_COPY
    {
        return Ok(Command::ReadCopy(copy.into()));
    }
    let options = Options::try_parse_from(arguments).map_err(with_hint)?;
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

/// Adds how to write `--second-opinion` with a value, which `--second-opinion never` is not.
fn with_hint(error: clap::Error) -> clap::Error {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if UseMacosReader::from_str(word, false).is_ok() => {
            let message = format!("unexpected argument '{word}' found; write --second-opinion={word}");
            Options::command().error(ErrorKind::UnknownArgument, message)
        }
        _ => error,
    }
}

fn days(text: &str) -> Result<u16, String> {
    let days = text.parse().ok().filter(|days| (1..=MAX_DAYS).contains(days));
    days.ok_or_else(|| format!("give a whole number of days, 1 to {MAX_DAYS}"))
}

fn seconds(text: &str) -> Result<u64, &'static str> {
    text.parse().ok().filter(|seconds| (1..=3600).contains(seconds)).ok_or("give a whole number of seconds, 1 to 3600")
}

fn tenant_id(text: &str) -> Result<String, &'static str> {
    settings::tenant_id(text).ok_or("give a tenant ID, which is a GUID such as 7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f")
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
        let message = format!("{what} cannot be used with '{option}', which works for one user only");
        return Err(Options::command().error(ErrorKind::ArgumentConflict, message));
    }
    match (options.home.as_slice(), &options.user) {
        ([], Some(user)) => Ok(Subject::One(UserChoice::User(user.clone()))),
        ([], None) if !several && options.keychain.is_some() && options.plist.is_some() => {
            Ok(Subject::One(UserChoice::Unknown))
        }
        ([], None) if !cfg!(target_os = "macos") => {
            let message = if several {
                "no users given; use --home DIR for each home (all users can be found only on a Mac)"
            } else {
                "no user given; use --home DIR or --user NAME (only on a Mac is the console user the default)"
            };
            Err(Options::command().error(ErrorKind::MissingRequiredArgument, message))
        }
        ([], None) if several => Ok(Subject::AllUsers),
        ([], None) => Ok(Subject::One(UserChoice::Console)),
        (homes, _) if several => Ok(Subject::Homes(homes.to_vec())),
        ([home, ..], _) => Ok(Subject::One(UserChoice::Home(home.clone()))),
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
                "{what} cannot be used with '--attribute {}', which works for one user only; use '--attribute users'",
                attribute.name()
            );
            Err(Options::command().error(ErrorKind::ArgumentConflict, message))
        }
        (_, _, attribute) => Ok(Output::Result(attribute.unwrap_or(Attribute::State))),
    }
}
