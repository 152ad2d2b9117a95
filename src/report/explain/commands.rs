//! The commands in the steps, for pasting into a shell.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use crate::{
    cli::{DEFAULT_DEADLINE, Request, Subject, UseMacosReader, UserChoice},
    evidence::Evidence,
};

const TOOL: &str = "/usr/local/wpj-state/wpj-state";

/// Builds the commands for a report.
pub(super) struct Commands<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) request: &'a Request,
    /// Whether the caller's rights did not suffice. A saved home is read with them, so sudo is needed only then.
    pub(super) is_denied: bool,
}

impl Commands<'_> {
    /// The prefix of commands that root must run on that Mac; empty if the caller is root there.
    pub(super) fn sudo(&self) -> &'static str {
        if self.evidence.as_root && self.evidence.user.is_of_this_mac() { "" } else { "sudo " }
    }

    /// The user's UID. That of a saved home's owner is unknown, because it is from another Mac.
    pub(super) fn uid(&self) -> Option<u32> {
        self.evidence.user.uid.filter(|_| self.evidence.user.is_of_this_mac())
    }

    /// The prefix that runs a command as the user in the user's session.
    pub(super) fn as_user(&self) -> String {
        let uid = self.uid().map_or_else(|| "UID".to_owned(), |uid| uid.to_string());
        format!("{}launchctl asuser {uid} sudo -u '#{uid}'", self.sudo())
    }

    /// The command that runs this tool again, with all options that were given. It has the full path because sudo would
    /// search the user's PATH.
    pub(super) fn again(&self) -> String {
        self.again_within(self.request.deadline.as_secs())
    }

    /// As [`again`](Self::again), with this deadline in seconds.
    pub(super) fn again_within(&self, seconds: u64) -> String {
        let Request {
            subject,
            keychain,
            plist,
            app_sso_state,
            psso_status,
            system_root,
            tenants,
            remember_key_days,
            second_opinion,
            deadline: _,
            output: _,
        } = self.request;
        let sudo = if self.evidence.user.is_of_this_mac() || self.is_denied { self.sudo() } else { "" };
        let mut words = vec![format!("{sudo}{TOOL} --explain")];
        let mut add = |option: &str, value: Option<&OsStr>| {
            words.extend(value.map(|value| {
                // A value that begins with a dash would be taken for an option.
                let sign = if value.as_bytes().starts_with(b"-") { '=' } else { ' ' };
                format!("{option}{sign}{}", quoted(value))
            }));
        };
        match subject {
            Subject::One(UserChoice::User(name)) => add("--user", Some(name.as_ref())),
            Subject::One(UserChoice::Home(home)) => add("--home", Some(home.as_os_str())),
            Subject::One(UserChoice::Console | UserChoice::Unknown) | Subject::AllUsers | Subject::Homes(_) => {}
        }
        let files = [
            ("--keychain", keychain),
            ("--plist", plist),
            ("--app-sso-state", app_sso_state),
            ("--psso-status", psso_status),
            ("--system-root", system_root),
        ];
        for (option, file) in files {
            add(option, file.as_ref().map(|file| file.as_os_str()));
        }
        for tenant in tenants.ids() {
            add("--tenant", Some(tenant.as_ref()));
        }
        let days = remember_key_days.map(|days| days.to_string());
        add("--remember-key", days.as_ref().map(AsRef::as_ref));
        let seconds = (seconds != DEFAULT_DEADLINE).then(|| seconds.to_string());
        add("--deadline", seconds.as_ref().map(AsRef::as_ref));
        match second_opinion {
            UseMacosReader::Always => words.push("--second-opinion".to_owned()),
            UseMacosReader::Never => words.push("--second-opinion=never".to_owned()),
            UseMacosReader::IfDamaged => {}
        }
        words.join(" ")
    }
}

/// Quotes a word for a shell, if that is needed. bash and zsh know the form with escapes.
pub(super) fn quoted(word: &OsStr) -> String {
    let bytes = word.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./@".contains(byte);
    let is_printable = |byte: &u8| (b' '..=b'~').contains(byte);
    let text = String::from_utf8_lossy(bytes);
    if !bytes.is_empty() && bytes.iter().all(is_plain) {
        text.into_owned()
    } else if bytes.iter().all(is_printable) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        let escaped = |byte: &u8| match byte {
            b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
            byte if is_printable(byte) => char::from(*byte).to_string(),
            byte => format!("\\{byte:03o}"),
        };
        format!("$'{}'", bytes.iter().map(escaped).collect::<String>())
    }
}
