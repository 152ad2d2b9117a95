//! Asks about keys that are not in the login keychain: macOS' `app-sso`, and Jamf's tool if that did not show a key.
//!
//! Both only answer for the user in whose session they run. Nothing is asked of them that changes anything or signs in.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::Inspection;
use crate::{
    collect::{command::Failure, file, system::System},
    evidence::{Cause, Probe, Witness},
    parse::{
        platform_sso::{
            self, Unclear,
            app_sso::{self, PlatformSso},
            sso_status::{self, SsoStatus},
        },
        set_up::JamfTool,
    },
};

const APP_SSO: &str = "/usr/bin/app-sso";

/// Where macOS keeps what a profile with the payload `com.apple.extensiblesso` sets, for all users or, in a folder of
/// the user's name, for one.
pub(super) const MANAGED_PREFERENCES: &str = "Library/Managed Preferences";
pub(super) const EXTENSIBLE_SSO: &str = "com.apple.extensiblesso.plist";

/// What each command may take.
const TIME: Duration = Duration::from_secs(5);

/// What is left of the whole run's time for what comes after the commands.
const RESERVE: Duration = Duration::from_secs(1);

/// No output is larger, nor are managed preferences, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// What the two sources said.
pub(super) struct Sso {
    pub(super) platform_sso: Witness<PlatformSso>,
    pub(super) sso_extension: Witness<SsoStatus>,
    /// What sets up single sign-on, if no command could be run.
    pub(super) unasked: Option<PathBuf>,
}

impl Sso {
    /// Nothing was asked.
    pub(super) const fn not_asked() -> Self {
        Self { platform_sso: Witness::not_asked(None), sso_extension: Witness::not_asked(None), unasked: None }
    }

    /// Whether a source shows the key.
    pub(super) fn shows_key(&self) -> bool {
        self.platform_sso.probe.found().is_some_and(|found| found.key.is_there())
            || self.sso_extension.probe.found().is_some_and(|found| found.key.is_there())
    }
}

impl<S: System> Inspection<'_, S> {
    /// Reads the saved outputs that were given.
    pub(super) fn saved_sso(&self) -> Sso {
        Sso {
            platform_sso: self.saved(self.request.app_sso_state.as_deref(), app_sso::parse),
            sso_extension: self.saved(self.request.psso_status.as_deref(), sso_status::parse),
            unasked: None,
        }
    }

    /// Reads the saved outputs that were given, and asks the other sources: Jamf's tool only if nothing else has shown
    /// the key.
    pub(super) fn sso(&self) -> Sso {
        let mut sso = self.saved_sso();
        let Some(prefix) = self.session_prefix() else {
            sso.unasked = self.sso_configuration();
            return sso;
        };
        if sso.platform_sso.path.is_none() {
            sso.platform_sso = self.run(&prefix, Path::new(APP_SSO), &["platform", "-s"], app_sso::parse);
        }
        if sso.sso_extension.path.is_none() && !sso.shows_key() {
            // The tool of earlier releases, JamfAAD, has no verb that tells.
            let tool = Path::new("/").join(JamfTool::ConditionalAccess.path());
            sso.sso_extension = self.run(&prefix, &tool, &["getPSSOStatus"], sso_status::parse);
        }
        sso
    }

    fn saved<T>(&self, path: Option<&Path>, parse: fn(&str) -> Result<T, Unclear>) -> Witness<T> {
        let Some(path) = path else { return Witness::not_asked(None) };
        let read = self.at(path, || file::read(path, MAX_SIZE)?.ok_or(Cause::FileMissing));
        let parsed = read.and_then(|bytes| parse(&String::from_utf8_lossy(&bytes)).map_err(Cause::Unclear));
        Witness { path: Some(path.to_owned()), probe: parsed.map_or_else(Probe::Unreadable, Probe::Found) }
    }

    /// What to put in front of a command, if the user has a session in which it can be run.
    pub(super) fn session_prefix(&self) -> Option<Vec<String>> {
        self.user.uid.filter(|_| self.user.has_session).and_then(|uid| self.system.command_as(uid))
    }

    fn run<T>(
        &self,
        prefix: &[String],
        program: &Path,
        arguments: &[&str],
        parse: fn(&str) -> Result<T, Unclear>,
    ) -> Witness<T> {
        let witness = |probe| Witness { path: Some(program.to_owned()), probe };
        if let Err(cause) = self.progress.asks(program) {
            return witness(Probe::Unreadable(cause));
        }
        if !self.system.is_installed(program) {
            return Witness::not_asked(None);
        }
        let mut command = prefix.to_vec();
        command.push(program.to_string_lossy().into_owned());
        command.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let time = TIME.min(self.progress.left(self.request.deadline).saturating_sub(RESERVE));
        let run = || if time.is_zero() { Err(Failure::TimedOut) } else { self.system.run(&command, time) };
        let unclear = match run() {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output);
                match parse(&text) {
                    Ok(found) => return witness(Probe::Found(found)),
                    Err(Unclear::Unintelligible(_)) if platform_sso::is_usage(&text, &name) => {
                        return Witness::not_asked(None);
                    }
                    Err(unclear) => unclear,
                }
            }
            // It is installed, so that this is about what stands in front of it.
            Err(Failure::Missing) => Unclear::Failed("launchctl or sudo is missing".to_owned()),
            Err(Failure::TimedOut) => Unclear::TimedOut,
            Err(Failure::TooMuch) => Unclear::Unintelligible("it is more than 1 MiB".into()),
            Err(Failure::Failed(words)) => Unclear::Failed(words),
        };
        witness(Probe::Unreadable(Cause::Unclear(unclear)))
    }

    /// The file that sets up single sign-on for this user, if there is one; one that cannot be read may be it.
    fn sso_configuration(&self) -> Option<PathBuf> {
        let name = self.user.name.as_ref()?;
        let folder = self.system.root().join(MANAGED_PREFERENCES);
        let files = [folder.join(EXTENSIBLE_SSO), folder.join(name).join(EXTENSIBLE_SSO)];
        files.into_iter().find(|path| match self.progress.asks(path).and_then(|()| file::read(path, MAX_SIZE)) {
            Ok(None) => false,
            Ok(Some(bytes)) => platform_sso::is_configured_by(&bytes),
            Err(_) => true,
        })
    }
}
