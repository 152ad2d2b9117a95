//! Parses this tool's settings: managed preferences of the domain `wpj-state`, which a profile sets for all attributes.
//!
//! `tenant` is a tenant ID (GUID) or a list of them. `rememberKeyDays` is a whole number from 0, which is off, to 90.

use plist::{Dictionary, Value};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::parse::{
    certificate::is_guid,
    cut::cut,
    property_list::{self, dictionary},
    tenants::Tenants,
};

const TENANT: &str = "tenant";
const REMEMBER_KEY_DAYS: &str = "rememberKeyDays";

/// The longest time, in days, for which a key can be remembered.
pub const MAX_DAYS: u16 = 90;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `None` if no file sets them.
    pub tenants: Option<Result<Tenants, Problem>>,
    /// For how many days a key is remembered, 0 for not at all; `None` if no file sets it.
    pub remember_key_days: Option<u16>,
    /// Descriptions of unusable values and unknown keys, which are ignored because no state depends on them.
    pub unused: Vec<String>,
}

/// Why settings cannot be used. They are not ignored, because the state could be wrong without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Problem {
    #[error("this is not a plist: {0}")]
    NotAPlist(property_list::Problem),
    #[error("tenant must be a tenant ID (a GUID) or a list of them")]
    Tenant,
}

impl Settings {
    /// These settings, and the others where these have none.
    pub(crate) fn or(self, others: Self) -> Self {
        let mut unused = self.unused;
        unused.extend(others.unused);
        Self {
            tenants: self.tenants.or(others.tenants),
            remember_key_days: self.remember_key_days.or(others.remember_key_days),
            unused,
        }
    }
}

/// Reads the settings in a file.
/// Fails if it is not a property list with a dictionary.
pub fn parse(bytes: &[u8]) -> Result<Settings, Problem> {
    let file = dictionary(bytes).map_err(Problem::NotAPlist)?;
    let days = file.get(REMEMBER_KEY_DAYS).map(days);
    let mut unused: Vec<String> = unknown_keys(&file).map(|key| format!("{key} is not a setting")).collect();
    if days == Some(None) {
        unused.push(format!("{REMEMBER_KEY_DAYS} is not a whole number from 0 to {MAX_DAYS}"));
    }
    Ok(Settings {
        tenants: file.get(TENANT).map(|value| tenants(value).ok_or(Problem::Tenant)),
        remember_key_days: days.flatten(),
        unused,
    })
}

/// The keys that are not settings, without a profile's own, which begin with `Payload`.
fn unknown_keys(file: &Dictionary) -> impl Iterator<Item = String> {
    let is_unknown =
        |key: &&String| ![TENANT, REMEMBER_KEY_DAYS].contains(&key.as_str()) && !key.starts_with("Payload");
    file.keys().filter(is_unknown).map(|key| cut(key.clone()))
}

fn tenants(value: &Value) -> Option<Tenants> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let ids: Option<Vec<String>> = values.iter().map(|value| tenant_id(value.as_string()?)).collect();
    ids.filter(|ids| !ids.is_empty()).map(Tenants::new)
}

/// A tenant ID in lower case, without braces; `None` if this is not a GUID.
pub fn tenant_id(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    is_guid(text).then(|| text.to_owned())
}

fn days(value: &Value) -> Option<u16> {
    let days = match value {
        Value::Integer(days) => days.as_unsigned()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    u16::try_from(days).ok().filter(|days| *days <= MAX_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANTS: [&str; 2] = ["7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f", "00000000-2f4a-4c58-9d3e-1a2b3c4d5e6f"];

    fn read(entries: &str) -> Settings {
        parse(format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").as_bytes()).unwrap()
    }

    fn ids(settings: &Settings) -> &[String] {
        settings.tenants.as_ref().unwrap().as_ref().unwrap().ids()
    }

    #[test]
    fn a_tenant_is_a_string_or_a_list() {
        for text in [TENANTS[0].to_ascii_uppercase(), format!(" {} ", TENANTS[0]), format!("{{{}}}", TENANTS[0])] {
            assert_eq!(ids(&read(&format!("<key>tenant</key><string>{text}</string>"))), &TENANTS[..1], "{text}");
        }
        let [first, second] = TENANTS;
        let both = format!("<key>tenant</key><array><string>{first}</string><string>{second}</string></array>");
        assert_eq!(ids(&read(&both)), TENANTS);
        assert_eq!(read(""), Settings::default());
    }

    #[test]
    fn the_first_file_that_has_a_key_decides() {
        let all = read(&format!("<key>tenant</key><string>{}</string>", TENANTS[0]));
        let user = read("<key>rememberKeyDays</key><integer>30</integer>");
        let both = user.or(all);
        assert_eq!((ids(&both), both.remember_key_days), (&TENANTS.map(str::to_owned)[..1], Some(30)));
    }

    #[test]
    fn a_tenant_that_cannot_be_used_is_an_error() {
        let mixed = format!("<array><string>{}</string><string>contoso.com</string></array>", TENANTS[0]);
        for value in
            ["<string>contoso.com</string>", "<string/>", "<array/>", "<true/>", "<integer>1</integer>", &mixed]
        {
            let found = read(&format!("<key>tenant</key>{value}"));
            assert_eq!(found.tenants, Some(Err(Problem::Tenant)), "{value}");
        }
        assert_eq!(parse(b"x"), Err(Problem::NotAPlist(property_list::Problem::NotAPlist)));
    }

    #[test]
    fn days_that_cannot_be_used_and_unknown_keys_are_ignored_and_reported() {
        let days = |value: &str| {
            let found = read(&format!("<key>rememberKeyDays</key>{value}"));
            (found.remember_key_days, found.unused)
        };
        for (value, count) in [("<integer>0</integer>", 0), ("<string>1</string>", 1), ("<integer>90</integer>", 90)] {
            assert_eq!(days(value), (Some(count), Vec::new()), "{value}");
        }
        let words = vec!["rememberKeyDays is not a whole number from 0 to 90".to_owned()];
        for value in ["<integer>91</integer>", "<integer>-1</integer>", "<real>7</real>", "<string/>"] {
            assert_eq!(days(value), (None, words.clone()), "{value}");
        }
        let misspelt = "<key>tenants</key><string>x</string><key>PayloadUUID</key><string>x</string>";
        assert_eq!(read(misspelt).unused, ["tenants is not a setting"]);
    }
}
