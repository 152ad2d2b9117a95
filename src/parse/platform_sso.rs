//! Parses the outputs of the commands that show registrations with a key in the Secure Enclave.
//!
//! The commands are macOS's `app-sso` and Jamf's tool. Their outputs are meant for people and change between releases.
//! An output that is not understood is [`Unclear`], never "not registered".

pub mod account_record;
mod answer;
pub mod app_sso;
pub mod sso_status;

pub use answer::{Absence, Key, Unclear, UnderWay, is_microsoft_extension};

/// Parses a saved output.
/// Fails if it is not understood, or if it is an error message of `sudo`.
pub fn saved<T>(text: &str, parse: fn(&str) -> Result<T, Unclear>) -> Result<T, Unclear> {
    if text.trim().is_empty() {
        return Err(Unclear::NoAnswer);
    }
    let is_of_sudo = || text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with(SUDO));
    parse(text.trim_start_matches('\u{feff}')).map_err(|unclear| match unclear {
        // Beside other lines, what sudo says does not mean that there was no answer.
        Unclear::Unintelligible(_) if is_of_sudo() => by_sudo(text).unwrap_or(unclear),
        unclear => unclear,
    })
}

/// Parses the outputs of a command that was just run. The answer is on standard output. `None` if the command printed
/// only its usage, because it lacks the verb.
pub fn live<T>(
    program: &str,
    stdout: &str,
    stderr: &str,
    parse: fn(&str) -> Result<T, Unclear>,
) -> Option<Result<T, Unclear>> {
    let found = if stdout.trim().is_empty() { Err(words(stderr).unwrap_or(Unclear::NoAnswer)) } else { parse(stdout) };
    let is_usage = || [stdout, stderr].iter().any(|text| is_usage(text, program));
    match &found {
        Err(Unclear::Unintelligible(_) | Unclear::OnlyWords(_)) if is_usage() => None,
        _ => Some(found),
    }
}

/// The longest line that is reported as a reason, in characters.
const MAX_WORDS: usize = 200;

/// How each line of `sudo` begins.
const SUDO: &str = "sudo: ";

/// Why a command did not answer, according to its output.
fn words(text: &str) -> Option<Unclear> {
    let first = || text.lines().map(str::trim).find(|line| !line.is_empty());
    by_sudo(text).or_else(|| Some(Unclear::OnlyWords(short(first()?))))
}

/// What `sudo` said. Its first line is used, because that has the cause; a later one says that a password is required.
fn by_sudo(text: &str) -> Option<Unclear> {
    let line = text.lines().map(str::trim).find(|line| line.starts_with(SUDO))?;
    let is_word = |word: &str| ["account", "expired"].iter().any(|it| word.eq_ignore_ascii_case(it));
    let is_of_account = line.split(|character: char| !character.is_ascii_alphanumeric()).any(is_word);
    Some(if is_of_account { Unclear::Refused(short(line)) } else { Unclear::OnlyWords(short(line)) })
}

fn short(line: &str) -> String {
    line.chars().take(MAX_WORDS).collect()
}

/// Whether a program with this name printed its usage, because it lacks the verb with which it was run. No public
/// source shows what old releases print, so this looks for a usage line, or for the verbs of Jamf's tool.
fn is_usage(text: &str, program: &str) -> bool {
    let (text, program) = (text.to_ascii_lowercase(), program.to_ascii_lowercase());
    let is_its_usage = |line: &str| line.trim().strip_prefix("usage:").is_some_and(|words| words.contains(&program));
    let verbs = ["gatheraadinfo", "registerwithintune"];
    let by_others = ["launchctl", "sudo"].iter().any(|word| text.contains(word));
    !by_others && (text.lines().any(is_its_usage) || verbs.iter().all(|verb| text.contains(verb)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_texts_are_distinguished_from_other_text() {
        assert!(is_usage("error\nUsage: app-sso <verb>", "app-sso"));
        assert!(is_usage("verbs: clean, gatherAADInfo, registerWithIntune", "Jamf Conditional Access"));
        for text in [
            "usage: sudo -h | -K | -k | -V",
            "Usage: launchctl asuser <UID> app-sso",
            "dyld: memory usage: 5",
            "gatherAADInfo failed",
            "sudo: unknown user",
        ] {
            assert!(!is_usage(text, "app-sso"), "{text}");
        }
    }

    #[test]
    fn standard_error_is_never_parsed_as_the_answer() {
        let live = |stdout: &str, stderr: &str| live("app-sso", stdout, stderr, app_sso::parse);
        let refused = "sudo: PAM account management error: permission denied";
        let both = format!("\n{refused}\nsudo: a password is required\n");
        assert_eq!(live("", &both), Some(Err(Unclear::Refused(refused.to_owned()))));
        let nothing = "Device Configuration:\n (null)\nLogin Configuration:\n (null)\nUser Configuration:\n (null)\n";
        assert_eq!(live("", nothing), Some(Err(Unclear::OnlyWords("Device Configuration:".to_owned()))));
        assert_eq!(live(" \n", ""), Some(Err(Unclear::NoAnswer)));
        let found = live(nothing, &both).unwrap().unwrap();
        assert_eq!(found.key, Key::Absent(Absence::NotConfigured));
        assert_eq!(live("", "usage: app-sso [-l]"), None);
        assert_eq!(live("Usage: app-sso [-l]", ""), None);
        let long = "x".repeat(201);
        assert_eq!(live("", &long), Some(Err(Unclear::OnlyWords("x".repeat(200)))));
    }

    #[test]
    fn a_saved_error_message_of_sudo_is_recognised() {
        let saved = |text: &str| saved(text, app_sso::parse).map(|found| found.key);
        let expired = "sudo: Account or password is expired, reset your password and try again";
        let text = format!("{expired}\nsudo: a password is required\n");
        assert_eq!(saved(&text), Err(Unclear::Refused(expired.to_owned())));
        assert_eq!(saved(""), Err(Unclear::NoAnswer));
        let host = "sudo: unable to resolve host accounting-12";
        assert_eq!(saved(host), Err(Unclear::OnlyWords(host.to_owned())));
        let beside = format!("{host}\n7\n");
        assert_eq!(saved(&beside), Err(Unclear::Unintelligible("a section is missing".into())));
        assert_eq!(saved("Killed: 9\n"), Err(Unclear::Unintelligible("a section is missing".into())));
    }
}
