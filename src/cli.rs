//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory, Parser, error::ErrorKind};

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The home directory to look at.
    pub home: PathBuf,
    /// A keychain to read in place of the login keychain.
    pub keychain: Option<PathBuf>,
    /// A plist to read in place of JamfAAD's.
    pub plist: Option<PathBuf>,
    /// What to print.
    pub output: Output,
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
    /// Read this file in place of the login keychain
    #[arg(long, value_name = "FILE")]
    keychain: Option<PathBuf>,
    /// Read this file in place of JamfAAD's plist
    #[arg(long, value_name = "FILE")]
    plist: Option<PathBuf>,
    /// Print everything that was found, as JSON
    #[arg(long)]
    json: bool,
}

/// Understands the command line, the program's name first.
///
/// # Errors
/// If it asks for something else than a state (help, the version), or for nothing that can be done. The error has the
/// text to print, where to, and the exit status.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let options = Options::try_parse_from(arguments)?;
    // The one place where a Mac's user will be looked for.
    let home = options.home.ok_or_else(|| {
        let message = "which user? Give a home directory with --home DIR";
        Options::command().error(ErrorKind::MissingRequiredArgument, message)
    })?;
    Ok(Request {
        home,
        keychain: options.keychain,
        plist: options.plist,
        output: if options.json { Output::Json } else { Output::Result },
    })
}
