//! One value for an extension attribute.

use super::reason::reason;
use crate::{
    assess::{
        Assessment,
        finding::Code,
        key::{Storage, WorkplaceJoin},
        remedy::Remedy,
        state::RegistrationState,
    },
    cli::attribute::Attribute,
    evidence::{Evidence, Probe, User},
    parse::{
        jamf_aad::JamfAad,
        platform_sso::{Absence, Key, app_sso::PlatformSso},
        timestamp::Timestamp,
    },
};

/// The longest value, in bytes. What Jamf Pro does with very long ones is not public.
const MAX_LENGTH: usize = 255;

/// The value of `finding` if nothing is wrong.
pub const NOTHING_WRONG: &str = "OK";

/// The value of `key-storage` if there is no key.
pub const NO_KEY: &str = "None";

/// The value of an attribute for one user; empty if it is known that there is none.
/// Fails with the reason if the value is unknown.
pub(crate) fn value(attribute: Attribute, assessment: &Assessment<'_>) -> Result<String, String> {
    let Some(found) = found(attribute, assessment) else {
        return match &assessment.state {
            _ if has_none(attribute, assessment) => Ok(String::new()),
            Err(undetermined) => Err(reason(undetermined)),
            Ok(_) if attribute == Attribute::User => {
                Err("with --home or --keychain, the user's name is not known".to_owned())
            }
            Ok(_) if attribute == Attribute::SignInMethod && is_saved_and_unchecked(assessment) => {
                Err("the sign-in method was not checked; give the output of app-sso with --app-sso-state".to_owned())
            }
            Ok(_) => Err(format!("no {} was found; run with --explain for details", attribute.name())),
        };
    };
    if attribute == Attribute::UserPrincipalName && is_safe(&found) && !is_user_principal_name(&found) {
        Err("this is not a user principal name; run with --explain to see it".to_owned())
    } else if is_safe(&found) {
        Ok(found)
    } else {
        Err(format!(
            "the {} has characters that an extension attribute cannot have; run with --explain to see it",
            attribute.name()
        ))
    }
}

/// Whether no output of `app-sso` was given for a saved home.
fn is_saved_and_unchecked(assessment: &Assessment<'_>) -> bool {
    let Evidence { user, platform_sso, .. } = assessment.evidence;
    !user.is_of_this_mac() && matches!(platform_sso.probe, Probe::NotChecked)
}

/// Whether it is known that there is no such value, because there is no registration.
fn has_none(attribute: Attribute, assessment: &Assessment<'_>) -> bool {
    match attribute {
        Attribute::DeviceId | Attribute::TenantId | Attribute::UserPrincipalName | Attribute::CertificateExpires => {
            assessment.state == Ok(RegistrationState::NotRegistered)
        }
        Attribute::SignInMethod => assessment
            .evidence
            .platform_sso
            .probe
            .found()
            .is_some_and(|found| found.user_state.is_none() || is_of_another(found)),
        _ => false,
    }
}

fn is_of_another(found: &PlatformSso) -> bool {
    found.key == Key::Absent(Absence::AnotherProvider)
}

fn found(attribute: Attribute, assessment: &Assessment<'_>) -> Option<String> {
    let Assessment { state, remedy, evidence, .. } = assessment;
    let workplace_join = || WorkplaceJoin::shown_by(evidence);
    match attribute {
        Attribute::State => state.as_ref().ok().map(|state| state.as_str().to_owned()),
        Attribute::User => evidence.user.name.clone(),
        Attribute::DeviceId => workplace_join()?.device_id.map(str::to_owned),
        Attribute::TenantId => workplace_join()?.tenant_id.map(str::to_owned),
        Attribute::UserPrincipalName => workplace_join()?.user_principal_name.map(str::to_owned),
        Attribute::KeyStorage => key_storage(assessment).map(str::to_owned),
        Attribute::CertificateExpires => workplace_join()?.certificate.map(|certificate| date(certificate.not_after)),
        Attribute::SignInMethod => {
            let found = evidence.platform_sso.probe.found()?;
            // The method of another provider's user says nothing about this registration.
            found.sign_in_method.filter(|_| !is_of_another(found)).map(|method| method.name().to_owned())
        }
        Attribute::LastToken => match evidence.jamf_aad.probe.found()? {
            JamfAad::Parsed { last_token, .. } => last_token.time().map(date),
            JamfAad::Unparsable(_) => None,
        },
        Attribute::Finding => {
            let of_state = |state: &RegistrationState| match state {
                RegistrationState::Registered => NOTHING_WRONG,
                state => state.as_str(),
            };
            let gravest = assessment.gravest().map(Code::short_text);
            gravest.or_else(|| state.as_ref().ok().map(of_state)).map(str::to_owned)
        }
        Attribute::Remedy => (*remedy != Remedy::MendEvidence).then(|| remedy.short_text().to_owned()),
        Attribute::Users => None,
    }
}

/// The storage of the key; `None` if that cannot be determined.
pub(crate) fn key_storage(assessment: &Assessment<'_>) -> Option<&'static str> {
    match Storage::shown_by(assessment.evidence) {
        Some(storage) => Some(storage.name()),
        None => (assessment.state == Ok(RegistrationState::NotRegistered)).then_some(NO_KEY),
    }
}

/// A time as Jamf Pro reads dates: RFC 3339 without its letters.
pub(crate) fn date(time: Timestamp) -> String {
    time.to_string().replace('T', " ").replace('Z', "")
}

/// Whether a value may be printed in `<result>`, and put into a spreadsheet. Text from the Mac may contain anything.
pub(crate) fn is_safe(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= MAX_LENGTH
        && value.trim() == value
        && !value.starts_with(IN_FORMULAS)
        && value.chars().all(is_plain)
}

/// Characters with which a spreadsheet begins a formula.
const IN_FORMULAS: [char; 4] = ['=', '+', '-', '@'];

/// Whether this is a user principal name with only the characters that Microsoft allows; a guest's has `#EXT#`.
fn is_user_principal_name(name: &str) -> bool {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "'.-_!#^~".contains(character);
    name.split_once('@').is_some_and(|(name, domain)| {
        [name, domain].iter().all(|part| !part.is_empty() && part.chars().all(is_allowed))
    })
}

fn is_plain(character: char) -> bool {
    (' '..='~').contains(&character) && !"<>&".contains(character)
}

/// The line that Jamf Pro stores; blank without a value.
pub(crate) fn result(value: &str) -> String {
    format!("<result>{value}</result>\n")
}

/// A line for each user. A name that is not allowed is replaced by the UID or, if there is none, masked.
pub(crate) fn users(assessments: &[Assessment<'_>]) -> String {
    // A name with a colon could fake a state.
    let fits = |name: &String| is_safe(name) && !name.contains(": ");
    let line = |assessment: &Assessment<'_>| {
        let user = &assessment.evidence.user;
        let name = label(user)?;
        let name = Some(name.clone()).filter(fits).or_else(|| number(user)).unwrap_or_else(|| masked(&name));
        let state = assessment.state.as_ref().map_or("", |state| state.as_str());
        Some(format!("{name}: {state}").trim_end().to_owned())
    };
    assessments.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

/// A user's name in a list: the short name, otherwise the home, otherwise the UID.
pub(crate) fn label(user: &User) -> Option<String> {
    let home = || user.home.as_ref().map(|home| home.to_string_lossy().into_owned());
    user.name.clone().or_else(home).or_else(|| number(user))
}

fn number(user: &User) -> Option<String> {
    user.uid.map(|uid| format!("#{uid}"))
}

/// Replaces each character that a list must not contain by a question mark.
fn masked(name: &str) -> String {
    let mask = |character: char| if is_plain(character) && !" :".contains(character) { character } else { '?' };
    let masked: String = name.chars().take(MAX_LENGTH).map(mask).collect();
    if masked.starts_with(IN_FORMULAS) { format!("?{masked}") } else { masked }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_values_are_safe() {
        for value in ["Registered", "adele.vance@contoso.com", "2024-02-29 12:34:56", "'#!~"] {
            assert!(is_safe(value), "{value}");
        }
        for value in [
            "=a",
            "+a",
            "-a",
            "@a",
            "\ta",
            "",
            " a",
            "a ",
            "a<b",
            "a>b",
            "a&b",
            "a\nb",
            "a\u{1b}b",
            "ü",
            "\u{7f}",
            &"a".repeat(256),
        ] {
            assert!(!is_safe(value), "{value}");
        }
    }

    #[test]
    fn a_user_principal_name_has_one_at_sign_and_only_allowed_characters() {
        let guest = "adele_contoso.com#EXT#@fabrikam.onmicrosoft.com";
        for name in ["adele.vance@contoso.com", "o'neil-x_1@contoso.com", "a!#^~@contoso.com", guest] {
            assert!(is_user_principal_name(name), "{name}");
        }
        for name in
            ["adele", "@contoso.com", "adele@", "a@b@contoso.com", "a b@contoso.com", "a+b@contoso.com", "a|b@c"]
        {
            assert!(!is_user_principal_name(name), "{name}");
        }
    }

    #[test]
    fn the_texts_of_findings_states_and_storages_are_safe_and_distinct() {
        let mut texts: Vec<&str> = Code::ALL.iter().map(|code| code.short_text()).collect();
        texts.extend(RegistrationState::ALL.map(RegistrationState::as_str));
        texts.extend([Storage::LoginKeychain.name(), Storage::SecureEnclave.name(), NO_KEY, NOTHING_WRONG]);
        assert!(texts.iter().all(|text| is_safe(text)));
        let count = texts.len();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), count);
    }
}
