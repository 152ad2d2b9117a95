//! Parses the output of `Jamf Conditional Access getPSSOStatus`: the status of Platform SSO and of Microsoft's SSO
//! extension.
//!
//! The first line is a number: 0 Platform SSO is not enabled, 1 enabled but not registered, 2 registered, 3 the
//! registration needs repair. Then comes `extraDeviceInformation [AnyHashable("…"): …, …]`, in any order; values may be
//! blank. A device ID in the list shows that the key exists, even without Platform SSO. `Warning:Timedout` may come
//! instead of the list.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::answer::{Absence, Key, Unclear};
use crate::parse::{certificate, cut};

const DEVICE_ID: &str = "primary_registration_metadata_device_id";
const TENANT_ID: &str = "primary_registration_metadata_tenant_id";
const PREFIX: &str = "primary_registration_metadata_";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SsoStatus {
    /// The number on the first line, 0 to 3.
    pub status: u8,
    pub device_id: Option<String>,
    pub tenant_id: Option<String>,
    pub user_principal_name: Option<String>,
    pub key: Key,
}

/// Reads the output of `getPSSOStatus`.
/// Fails if it is not understood.
pub fn parse(text: &str) -> Result<SsoStatus, Unclear> {
    if text.contains("Device Configuration:") {
        return Err(Unclear::AppSsoOutput);
    }
    let timed_out = text.contains("Warning:Timedout");
    let is_number = |line: &&str| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.lines().map(str::trim).find(is_number);
    let value = |name: &str| value(text, &format!("{PREFIX}{name}"));
    let id = |name| value(name).map(|id| id.to_ascii_lowercase());
    let device_id = id("device_id");
    if device_id.as_ref().is_some_and(|id| !certificate::is_guid(id)) {
        return Err(strange("the device ID is not a GUID"));
    }
    if is_ambiguous(text, DEVICE_ID) {
        return Err(strange("the device ID has an unknown form"));
    }
    // The state need not depend on the tenant, so an unclear one is only unknown.
    let tenant_id = id("tenant_id").filter(|id| certificate::is_guid(id) && !is_ambiguous(text, TENANT_ID));
    let status = match number {
        Some("0") => 0,
        Some("1") => 1,
        Some("2") => 2,
        Some("3") => 3,
        Some(_) => return Err(strange("the status is unknown")),
        None if timed_out => return Err(Unclear::TimedOut),
        None => return Err(strange("the status is missing")),
    };
    let key = match (status, &device_id) {
        (3, _) => Key::Absent(Absence::NeedsRepair),
        // The tenant may be in the missing part of a list.
        (_, Some(_)) if tenant_id.is_none() && !has_whole_list(text) => return Err(strange("the list is cut off")),
        (_, Some(_)) => Key::Present,
        (_, None) if timed_out => return Err(Unclear::TimedOut),
        (_, None) if !text.contains(LIST) => return Err(Unclear::NoAnswer),
        (2, None) => return Err(strange("the device is registered, but has no device ID")),
        // The ID may be in the missing part of a list.
        (_, None) if !has_whole_list(text) => return Err(strange("the list is cut off")),
        (0, None) => Key::Absent(Absence::NotConfigured),
        (_, None) => Key::Absent(Absence::DeviceNotRegistered),
    };
    let user_principal_name = value("upn").as_deref().and_then(cut::whole);
    Ok(SsoStatus { status, tenant_id, user_principal_name, device_id, key })
}

/// Whether a name occurs twice or in an unknown form, so there may be a value that was not read.
fn is_ambiguous(text: &str, name: &str) -> bool {
    let pairs = text.matches(&format!("AnyHashable(\"{name}\"):")).count();
    text.matches(name).count() != pairs || pairs > 1
}

const LIST: &str = "extraDeviceInformation";

/// Whether the list is complete, so each bracket in it has its counterpart.
fn has_whole_list(text: &str) -> bool {
    let Some((_, list)) = text.split_once(LIST) else { return false };
    let mut depth = 0_usize;
    for character in list.chars() {
        match character {
            '[' => depth += 1,
            ']' if depth <= 1 => return depth == 1,
            ']' => depth -= 1,
            _ => {}
        }
    }
    false
}

const fn strange(what: &'static str) -> Unclear {
    Unclear::Unintelligible(Cow::Borrowed(what))
}

/// The value of a pair; `None` if it is blank, or if there is no such pair. Values contain no commas or brackets.
fn value(text: &str, name: &str) -> Option<String> {
    const BLANK: [&str; 5] = ["", "nil", "null", "none", "-"];
    let (_, rest) = text.split_once(&format!("AnyHashable(\"{name}\"):"))?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix("Optional(").unwrap_or(rest);
    let value = rest.split([',', ']', '\r', '\n']).next().unwrap_or_default();
    let value = value.trim_matches(|character: char| character.is_whitespace() || "\"()<>[".contains(character));
    let is_blank = BLANK.iter().any(|blank| value.eq_ignore_ascii_case(blank));
    (!is_blank).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(status: &str, device_id: &str) -> String {
        format!(
            "{status}\nextraDeviceInformation [AnyHashable(\"isSSOExtensionInFullMode\"): 1, \
             AnyHashable(\"primary_registration_metadata_upn\"): adele.vance@contoso.com, \
             AnyHashable(\"primary_registration_metadata_device_id\"): {device_id}, \
             AnyHashable(\"primary_registration_metadata_tenant_id\"): 7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f, \
             AnyHashable(\"primary_registration_metadata_cloud_host\"): ]\n"
        )
    }

    const DEVICE: &str = "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";

    fn key(text: &str) -> Result<Key, Unclear> {
        parse(text).map(|found| found.key)
    }

    #[test]
    fn a_device_id_shows_the_key_even_without_platform_sso() {
        for status in ["0", "1", "2"] {
            assert_eq!(key(&output(status, DEVICE)), Ok(Key::Present), "{status}");
        }
        let found = parse(&output("2", DEVICE)).unwrap();
        assert_eq!(found.device_id.as_deref(), Some(DEVICE));
        assert_eq!(found.tenant_id.as_deref(), Some("7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f"));
        assert_eq!(found.user_principal_name.as_deref(), Some("adele.vance@contoso.com"));
    }

    #[test]
    fn a_user_principal_name_that_is_too_long_is_unknown() {
        let name = |length: usize| {
            let text = output("2", DEVICE).replace("adele.vance@contoso.com", &"a".repeat(length));
            parse(&text).unwrap().user_principal_name
        };
        assert_eq!(name(255), Some("a".repeat(255)));
        assert_eq!(name(256), None);
    }

    #[test]
    fn ids_are_guids_in_lower_case() {
        let text = output("2", &DEVICE.to_ascii_uppercase());
        assert_eq!(parse(&text).unwrap().device_id.as_deref(), Some(DEVICE));
        let text = text.replace("7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f", "hello there");
        assert_eq!(parse(&text).map(|found| (found.key, found.tenant_id)), Ok((Key::Present, None)));
        assert_eq!(key(&output("2", "hello")), Err(Unclear::Unintelligible("the device ID is not a GUID".into())));
    }

    #[test]
    fn a_tenant_that_occurs_twice_is_unknown() {
        let tenant = "AnyHashable(\"primary_registration_metadata_tenant_id\"): 00000000-2f4a-4c58-9d3e-1a2b3c4d5e6f, ";
        let text = output("2", DEVICE).replace(
            "AnyHashable(\"primary_registration_metadata_cloud_host\")",
            &format!("{tenant}AnyHashable(\"x\")"),
        );
        assert_eq!(parse(&text).map(|found| (found.key, found.tenant_id)), Ok((Key::Present, None)));
    }

    #[test]
    fn without_a_device_id_there_is_no_key() {
        assert_eq!(key(&output("0", "")), Ok(Key::Absent(Absence::NotConfigured)));
        assert_eq!(key(&output("1", "")), Ok(Key::Absent(Absence::DeviceNotRegistered)));
        assert_eq!(key("0\nextraDeviceInformation [:]\n"), Ok(Key::Absent(Absence::NotConfigured)));
        let contradiction = Unclear::Unintelligible("the device is registered, but has no device ID".into());
        assert_eq!(key(&output("2", "")), Err(contradiction));
    }

    #[test]
    fn a_status_without_a_list_is_not_an_answer() {
        for text in ["0\n", "1\n", "2\n", "0\nSegmentation fault: 11\n"] {
            assert_eq!(key(text), Err(Unclear::NoAnswer), "{text}");
        }
    }

    #[test]
    fn a_list_that_is_cut_off_does_not_mean_that_there_is_no_key() {
        let text = "1\nextraDeviceInformation [AnyHashable(\"x\"): 1, AnyHash";
        assert_eq!(key(text), Err(Unclear::Unintelligible("the list is cut off".into())));
    }

    #[test]
    fn a_list_ends_with_the_bracket_that_matches_its_first_one() {
        let text = "1\nextraDeviceInformation [AnyHashable(\"a\"): [x, y], AnyH";
        assert_eq!(key(text), Err(Unclear::Unintelligible("the list is cut off".into())));
        assert_eq!(key(&format!("{text}]")), Ok(Key::Absent(Absence::DeviceNotRegistered)));
    }

    #[test]
    fn a_device_id_in_an_unknown_form_does_not_count_as_missing() {
        let other = Err(Unclear::Unintelligible("the device ID has an unknown form".into()));
        for pair in [
            format!("AnyHashable(\"{DEVICE_ID}\") : {DEVICE}"),
            format!("\"{DEVICE_ID}\": {DEVICE}"),
            format!("{DEVICE_ID} = {DEVICE}"),
            format!("AnyHashable(\"{DEVICE_ID}\"): , AnyHashable(\"{DEVICE_ID}\"): {DEVICE}"),
        ] {
            assert_eq!(key(&format!("0\nextraDeviceInformation [{pair}]\n")), other, "{pair}");
        }
    }

    #[test]
    fn the_output_of_app_sso_is_recognised_although_it_has_lines_with_numbers() {
        let output = "Device Configuration:\n {\n  \"createUserLoginTypes\" : [\n    1,\n    3\n  ]\n}\n";
        assert_eq!(key(output), Err(Unclear::AppSsoOutput));
    }

    #[test]
    fn a_device_id_that_is_not_a_guid_is_not_understood() {
        for strange in ["the id", "12", "Warning"] {
            assert_eq!(
                key(&output("0", strange)),
                Err(Unclear::Unintelligible("the device ID is not a GUID".into())),
                "{strange}"
            );
        }
    }

    #[test]
    fn a_registration_that_needs_repair_does_not_count() {
        assert_eq!(key(&output("3", DEVICE)), Ok(Key::Absent(Absence::NeedsRepair)));
    }

    #[test]
    fn pairs_are_found_in_any_order_on_any_line_and_with_any_quoting() {
        let id = |text: &str| parse(text).unwrap().device_id;
        let last = "1\r\nextraDeviceInformation [AnyHashable(\"a\"): {x, [y]},\r\n \
            AnyHashable(\"primary_registration_metadata_device_id\"): Optional(\"0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21\")] done\r\n";
        assert_eq!(id(last).as_deref(), Some(DEVICE));
        let quoted = "some text\n 0 \nextraDeviceInformation [AnyHashable(\"primary_registration_metadata_device_id\"): \
            \"0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21\", AnyHashable(\"b\"): ]";
        assert_eq!(id(quoted).as_deref(), Some(DEVICE));
        let blanks =
            ["", " ", "\"\"", "nil", "Optional(\"\")", "Optional(nil)", "<null>", "(null)", "NULL", "None", "-"];
        for blank in blanks {
            assert_eq!(key(&output("0", blank)), Ok(Key::Absent(Absence::NotConfigured)), "{blank}");
            let last = format!("0\nextraDeviceInformation [AnyHashable(\"{PREFIX}device_id\"): {blank}] done\n");
            assert_eq!(key(&last), Ok(Key::Absent(Absence::NotConfigured)), "{blank}");
        }
    }

    #[test]
    fn a_timeout_and_garbage_do_not_mean_that_there_is_no_key() {
        assert_eq!(key("Warning:Timedout\n"), Err(Unclear::TimedOut));
        assert_eq!(key("1\nWarning:Timedout\n"), Err(Unclear::TimedOut));
        for text in ["", "x0\n", "{}", "-1"] {
            assert_eq!(key(text), Err(Unclear::Unintelligible("the status is missing".into())), "{text}");
        }
        for status in ["4", "10", "20"] {
            let text = output(status, DEVICE) + "1\n";
            assert_eq!(key(&text), Err(Unclear::Unintelligible("the status is unknown".into())), "{text}");
        }
    }

    #[test]
    fn a_wrong_byte_never_makes_a_key_present() {
        let absent = output("3", DEVICE);
        for place in 0..absent.len() {
            for byte in [0, b'"', b'[', b']', b'(', b')', b',', b'\n', 0xFF] {
                let mut wrong = absent.clone().into_bytes();
                wrong[place] = byte;
                let found = key(&String::from_utf8_lossy(&wrong));
                assert!(!matches!(found, Ok(Key::Present | Key::NeedsNewKeys)), "{byte} at {place}: {found:?}");
            }
        }
    }

    #[test]
    fn a_part_of_an_output_never_gives_another_answer_than_the_whole() {
        for status in ["0", "1", "2"] {
            let whole = output(status, DEVICE);
            for length in 0..whole.len() {
                let part = parse(whole.get(..length).unwrap());
                assert!(part.is_err() || part.is_ok_and(|found| found.key == Key::Present), "{status} {length}");
            }
        }
    }
}
