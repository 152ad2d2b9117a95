//! How a Mac is set up for JamfAAD, as far as the system's own files show it.
//!
//! Jamf's agent has `microsoftCAEnabled` in `com.jamfsoftware.jamf.plist`: without it, registration stops when Company
//! Portal closes. Profiles set JamfAAD's preferences, and which apps Microsoft's SSO extension serves: its
//! `AppPrefixAllowList`, a string with commas in between, has to have a prefix of JamfAAD's identifier. Each user's
//! managed preferences go before the ones for all.

use plist::Value;
use serde::{Deserialize, Serialize};

use crate::{
    parse::{
        platform_sso,
        property_list::{Problem, dictionary},
    },
    rows::rows,
};

/// What the identifiers of Jamf's apps begin with.
const JAMF_APPS: &str = "com.jamf.management.";

/// How deep `AppPrefixAllowList` may be in the managed preferences.
const MAX_DEPTH: usize = 4;

rows! {
    /// Jamf's tool, and what it was in earlier releases: name, and place below the system's root.
    #[derive(Serialize, Deserialize)]
    pub enum JamfTool(&'static str, &'static str) {
        ConditionalAccess => (
            "Jamf Conditional Access",
            "Library/Application Support/JAMF/Jamf.app/Contents/MacOS/Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access"
        ),
        JamfAad => (
            "JamfAAD",
            "Library/Application Support/JAMF/Jamf.app/Contents/MacOS/JamfAAD.app/Contents/MacOS/JamfAAD"
        ),
    }
}

impl JamfTool {
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    pub(crate) const fn path(self) -> &'static str {
        self.row().1
    }
}

/// The value of a key that should have a certain type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting<T> {
    NotSet,
    Is(T),
    /// It has a value of another type.
    WrongType,
}

impl<T: Copy> Setting<T> {
    /// The value, if it is of the right type.
    pub(crate) const fn value(&self) -> Option<T> {
        match self {
            Self::Is(value) => Some(*value),
            Self::NotSet | Self::WrongType => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// Whether to sign in in a web view of its own.
    pub use_wk_web_view: Setting<bool>,
    /// How often to try again to get a token.
    pub token_retry_count: Setting<u64>,
    /// How long to wait in between, in seconds.
    pub token_retry_wait_time: Setting<u64>,
}

impl Preferences {
    /// Whether nothing has a value of another type.
    pub(crate) fn have_right_types(&self) -> bool {
        self.use_wk_web_view != Setting::WrongType
            && self.token_retry_count != Setting::WrongType
            && self.token_retry_wait_time != Setting::WrongType
    }
}

/// Which apps Microsoft's SSO extension serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllowList {
    CoversJamf,
    /// Some of Jamf's are among them, by longer prefixes; which ones they are is not known.
    CoversSome,
    LacksJamf,
    NotSet,
    /// The list is not a string.
    WrongType,
}

/// Reads JamfAAD's managed preferences: each of `files`, the one that goes first at the front.
/// Fails if one is not a property list with a dictionary.
pub fn preferences(files: &[Vec<u8>]) -> Result<Preferences, Problem> {
    let files = files.iter().map(|bytes| dictionary(bytes)).collect::<Result<Vec<_>, _>>()?;
    let value = |key: &str| files.iter().find_map(|file| file.get(key));
    let whole = |key: &str| setting(value(key), Value::as_unsigned_integer);
    Ok(Preferences {
        use_wk_web_view: setting(value("useWKWebView"), boolean),
        token_retry_count: whole("tokenRetryCount"),
        token_retry_wait_time: whole("tokenRetryWaitTime"),
    })
}

/// Reads what the preferences of Jamf's agent say about conditional access.
/// Fails if this is not a property list with a dictionary.
pub fn conditional_access(bytes: &[u8]) -> Result<Setting<bool>, Problem> {
    Ok(setting(dictionary(bytes)?.get("microsoftCAEnabled"), boolean))
}

/// Reads which apps Microsoft's SSO extension serves; `None` if none of `files`, managed preferences of the domain
/// `com.apple.extensiblesso`, sets it up.
/// Fails if one is not a property list with a dictionary.
pub fn allow_list(files: &[Vec<u8>]) -> Result<Option<AllowList>, Problem> {
    for bytes in files {
        let file = Value::Dictionary(dictionary(bytes)?);
        // There may be several extensions.
        let is_of_microsoft = |value: &Value| {
            let extension = value.as_dictionary().and_then(|it| it.get("ExtensionIdentifier")?.as_string());
            extension.is_some_and(platform_sso::is_of_microsoft)
        };
        if let Some(extension) = find(&file, MAX_DEPTH, &|value| Some(value).filter(|value| is_of_microsoft(value))) {
            let list = find(extension, MAX_DEPTH, &|value| value.as_dictionary()?.get("AppPrefixAllowList"));
            return Ok(Some(list.map_or(AllowList::NotSet, AllowList::of)));
        }
    }
    Ok(None)
}

impl AllowList {
    fn of(value: &Value) -> Self {
        let Some(list) = value.as_string() else { return Self::WrongType };
        let has =
            |wanted: &dyn Fn(&str) -> bool| list.split(',').map(str::trim).filter(|item| !item.is_empty()).any(wanted);
        if has(&|item| JAMF_APPS.starts_with(item)) {
            Self::CoversJamf
        } else if has(&|item| item.starts_with(JAMF_APPS)) {
            Self::CoversSome
        } else {
            Self::LacksJamf
        }
    }
}

fn setting<T>(value: Option<&Value>, read: impl FnOnce(&Value) -> Option<T>) -> Setting<T> {
    value.map_or(Setting::NotSet, |value| read(value).map_or(Setting::WrongType, Setting::Is))
}

/// What macOS takes for a boolean, too: `defaults write` without a type makes text of it.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(value) => Some(*value),
        Value::Integer(number) => {
            number.as_signed().and_then(|number| [false, true].get(usize::try_from(number).ok()?).copied())
        }
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Some(true),
            "0" | "false" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The first value of which `wanted` makes something, however deep it is, down to a limit.
fn find<'a>(value: &'a Value, depth: usize, wanted: &impl Fn(&'a Value) -> Option<&'a Value>) -> Option<&'a Value> {
    let depth = depth.checked_sub(1)?;
    let inner = |value| find(value, depth, wanted);
    wanted(value).or_else(|| match value {
        Value::Dictionary(entries) => entries.values().find_map(inner),
        Value::Array(values) => values.iter().find_map(inner),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::property_list::Kind;

    fn file(entries: &str) -> Vec<u8> {
        format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").into_bytes()
    }

    #[test]
    fn preferences_of_the_user_go_before_the_ones_for_all() {
        let user = file("<key>tokenRetryCount</key><integer>3</integer><key>useWKWebView</key><string>maybe</string>");
        let all = file(
            "<key>tokenRetryCount</key><integer>5</integer><key>useWKWebView</key><true/>\
             <key>tokenRetryWaitTime</key><integer>42</integer>",
        );
        let expected = Preferences {
            use_wk_web_view: Setting::WrongType,
            token_retry_count: Setting::Is(3),
            token_retry_wait_time: Setting::Is(42),
        };
        assert_eq!(preferences(&[user, all]), Ok(expected));
        let none = Preferences {
            use_wk_web_view: Setting::NotSet,
            token_retry_count: Setting::NotSet,
            token_retry_wait_time: Setting::NotSet,
        };
        assert_eq!(preferences(&[file("")]), Ok(none));
        assert_eq!(preferences(&[b"x".to_vec()]), Err(Problem::NotAPlist));
        let array = b"<plist version=\"1.0\"><array/></plist>".to_vec();
        assert_eq!(preferences(&[file(""), array]), Err(Problem::NotADictionary(Kind::Array)));
    }

    #[test]
    fn conditional_access_is_on_by_what_macos_takes_for_true() {
        let read = |value: &str| conditional_access(&file(&format!("<key>microsoftCAEnabled</key>{value}"))).unwrap();
        for value in ["<true/>", "<integer>1</integer>", "<string>YES</string>"] {
            assert_eq!(read(value), Setting::Is(true), "{value}");
        }
        for value in ["<false/>", "<integer>0</integer>", "<string>0</string>"] {
            assert_eq!(read(value), Setting::Is(false), "{value}");
        }
        for value in ["<integer>2</integer>", "<integer>-1</integer>", "<array/>", "<string/>"] {
            assert_eq!(read(value), Setting::WrongType, "{value}");
        }
        assert_eq!(conditional_access(&file("")), Ok(Setting::NotSet));
        assert_eq!(conditional_access(b""), Err(Problem::Empty));
    }

    #[test]
    fn the_allow_list_has_to_have_a_prefix_of_an_identifier_of_jamf() {
        const MICROSOFT: &str =
            "<key>ExtensionIdentifier</key><string>com.microsoft.CompanyPortalMac.ssoextension</string>";
        let read = |value: &str| {
            let data = format!("<key>ExtensionData</key><dict><key>AppPrefixAllowList</key>{value}</dict>");
            allow_list(&[file(&(MICROSOFT.to_owned() + &data))]).unwrap().unwrap()
        };
        for list in ["com.microsoft.,com.apple.,com.jamf.,com.jamfsoftware.", " com.jamf.management. ", "com."] {
            assert_eq!(read(&format!("<string>{list}</string>")), AllowList::CoversJamf, "{list}");
        }
        for list in ["com.microsoft.,com.apple.", "com.jamfsoftware.", "", ",", "jamf"] {
            assert_eq!(read(&format!("<string>{list}</string>")), AllowList::LacksJamf, "{list}");
        }
        for list in ["com.microsoft.,com.jamf.management.jamfAAD", "com.jamf.management.x"] {
            assert_eq!(read(&format!("<string>{list}</string>")), AllowList::CoversSome, "{list}");
        }
        assert_eq!(read("<array><string>com.jamf.</string></array>"), AllowList::WrongType);
        let nested = format!(
            "<key>a</key><array><dict><key>ExtensionIdentifier</key><string>com.contoso.sso</string></dict>\
             <dict>{MICROSOFT}<key>ExtensionData</key><dict><key>AppPrefixAllowList</key><string>com.</string></dict>\
             </dict></array>"
        );
        assert_eq!(allow_list(&[file(&nested)]), Ok(Some(AllowList::CoversJamf)));
        let another = "<key>ExtensionIdentifier</key><string>com.contoso.sso</string><key>PlatformSSO</key><dict/>";
        assert_eq!(allow_list(&[file(another)]), Ok(None));
        assert_eq!(allow_list(&[file(""), file(MICROSOFT)]), Ok(Some(AllowList::NotSet)));
        assert_eq!(allow_list(&[file("")]), Ok(None));
        assert_eq!(allow_list(&[file(""), b"x".to_vec()]), Err(Problem::NotAPlist));
    }
}
