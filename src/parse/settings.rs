//! Parses this tool's settings: managed preferences of the domain `wpj-state`, which a profile sets for all attributes.
//!
//! `tenant` is a tenant ID (GUID) or a list of them. `rememberKeyDays` is a whole number from 1 to 90.

use plist::Value;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::parse::{
    certificate::is_guid,
    property_list::{self, dictionary},
    tenants::Tenants,
};

const TENANT: &str = "tenant";
const REMEMBER_KEY_DAYS: &str = "rememberKeyDays";

/// The longest time, in days, for which a key can be remembered.
pub const MAX_DAYS: u16 = 90;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub tenants: Tenants,
    pub remember_key_days: Option<u16>,
}

/// Why settings cannot be used. The tool does not ignore a wrong setting, because the state could be wrong without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Problem {
    #[error("{0}")]
    PropertyList(property_list::Problem),
    #[error("tenant must be a tenant ID (a GUID) or a list of them")]
    Tenant,
    #[error("rememberKeyDays must be a whole number from 1 to 90")]
    RememberKeyDays,
}

/// Parses the settings in `files`, in order of precedence.
/// Fails if a file is not a property list, or has a wrong value.
pub fn parse(files: &[Vec<u8>]) -> Result<Settings, Problem> {
    let files = files.iter().map(|bytes| dictionary(bytes)).collect::<Result<Vec<_>, _>>();
    let files = files.map_err(Problem::PropertyList)?;
    let value = |key: &str| files.iter().find_map(|file| file.get(key));
    let tenants = value(TENANT).map(|value| tenants(value).ok_or(Problem::Tenant)).transpose()?;
    let days = value(REMEMBER_KEY_DAYS).map(|value| days(value).ok_or(Problem::RememberKeyDays)).transpose()?;
    Ok(Settings { tenants: tenants.unwrap_or_default(), remember_key_days: days })
}

fn tenants(value: &Value) -> Option<Tenants> {
    let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let ids: Option<Vec<String>> = values.iter().map(|value| tenant_id(value.as_string()?)).collect();
    ids.filter(|ids| !ids.is_empty()).map(Tenants::new)
}

/// A tenant ID in lower case; `None` if this is not a GUID.
pub fn tenant_id(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| is_guid(text)).map(str::to_ascii_lowercase)
}

fn days(value: &Value) -> Option<u16> {
    let days = match value {
        Value::Integer(days) => days.as_unsigned()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    u16::try_from(days).ok().filter(|days| (1..=MAX_DAYS).contains(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANTS: [&str; 2] = ["7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f", "00000000-2f4a-4c58-9d3e-1a2b3c4d5e6f"];

    fn file(entries: &str) -> Vec<u8> {
        format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").into_bytes()
    }

    fn read(entries: &str) -> Result<Settings, Problem> {
        parse(&[file(entries)])
    }

    #[test]
    fn a_tenant_is_a_string_or_a_list() {
        let one = read(&format!("<key>tenant</key><string> {} </string>", TENANTS[0].to_ascii_uppercase())).unwrap();
        assert_eq!(one.tenants.ids(), &TENANTS[..1]);
        let [first, second] = TENANTS;
        let both = format!("<key>tenant</key><array><string>{first}</string><string>{second}</string></array>");
        assert_eq!(read(&both).unwrap().tenants.ids(), TENANTS);
        assert_eq!(read(""), Ok(Settings::default()));
        assert_eq!(parse(&[]), Ok(Settings::default()));
    }

    #[test]
    fn the_first_file_that_has_a_key_decides() {
        let all = file(&format!("<key>tenant</key><string>{}</string>", TENANTS[0]));
        let user = file("<key>rememberKeyDays</key><integer>30</integer>");
        let found = parse(&[user, all]).unwrap();
        assert_eq!((found.tenants.ids(), found.remember_key_days), (&TENANTS.map(str::to_owned)[..1], Some(30)));
    }

    #[test]
    fn a_wrong_value_is_an_error() {
        let mixed = format!("<array><string>{}</string><string>contoso.com</string></array>", TENANTS[0]);
        for value in
            ["<string>contoso.com</string>", "<string/>", "<array/>", "<true/>", "<integer>1</integer>", &mixed]
        {
            assert_eq!(read(&format!("<key>tenant</key>{value}")), Err(Problem::Tenant), "{value}");
        }
        let days = |value: &str| read(&format!("<key>rememberKeyDays</key>{value}")).map(|it| it.remember_key_days);
        for value in ["<integer>1</integer>", "<string>1</string>"] {
            assert_eq!(days(value), Ok(Some(1)));
        }
        assert_eq!(days("<integer>90</integer>"), Ok(Some(90)));
        for value in
            ["<integer>0</integer>", "<integer>91</integer>", "<integer>-1</integer>", "<real>7</real>", "<string/>"]
        {
            assert_eq!(days(value), Err(Problem::RememberKeyDays), "{value}");
        }
        assert_eq!(parse(&[b"x".to_vec()]), Err(Problem::PropertyList(property_list::Problem::NotAPlist)));
    }
}
