//! Parses the system's files that show how a Mac is set up for JamfAAD.
//!
//! The Jamf agent has `microsoftCAEnabled` in `com.jamfsoftware.jamf.plist`: without it, registration stops when
//! Company Portal closes. `microsoftCANativeClientAppId` in the same file shows which connector is in use.
//!
//! Profiles set JamfAAD's preferences, and which apps Microsoft's SSO extension serves. `AppBlockList` takes
//! precedence. Otherwise an app is served if `AppPrefixAllowList` has a prefix of its identifier, if `AppAllowList` has
//! the whole identifier, or if `Enable_SSO_On_All_ManagedApps` is on. The lists are strings with commas. A user's
//! managed preferences take precedence over those for all users.

use plist::Value;
use serde::{Deserialize, Serialize};

use crate::{
    parse::{
        platform_sso,
        property_list::{Problem, dictionary},
    },
    rows::rows,
};

/// The beginning of the identifiers of Jamf's apps.
const JAMF_APPS: &str = "com.jamf.management.";

/// The identifier of Microsoft's developer team.
const MICROSOFT_TEAM: &str = "UBF8T346G9";

/// The hosts where users of Microsoft's clouds sign in, which a profile for the SSO extension lists.
const MICROSOFT_SIGN_IN: [&str; 11] = [
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.microsoftonline.us",
    "login-us.microsoftonline.com",
    "login.sovcloud-identity.fr",
    "login.sovcloud-identity.de",
    "login.sovcloud-identity.sg",
];

/// The current connectors of the Device Compliance integration: for the public cloud, and for GCC High.
const CONNECTORS: [&str; 2] = ["b03c10a8-71c7-45f9-b44a-3335ab76e970", "dcf07df3-346f-4f0e-b803-c1f0ea0fb5ae"];

rows! {
    /// Jamf's tool for registration in current and earlier releases: name, and path below the system's root.
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

/// The short link to Jamf's tool, below the system's root.
pub(crate) const JAMF_LINK: &str = "usr/local/jamf/bin/jamfAAD";

impl JamfTool {
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    pub(crate) const fn path(self) -> &'static str {
        self.row().1
    }
}

/// The value of a key that must have a certain type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting<T> {
    NotSet,
    Is(T),
    /// The value has another type.
    WrongType,
}

impl<T: Copy> Setting<T> {
    /// The value, if it is set and has the right type.
    pub(crate) const fn value(&self) -> Option<T> {
        match self {
            Self::Is(value) => Some(*value),
            Self::NotSet | Self::WrongType => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// Whether JamfAAD uses its own web view for sign-in.
    pub use_wk_web_view: Setting<bool>,
    /// How many times JamfAAD tries to get a token again.
    pub token_retry_count: Setting<u64>,
    /// How long JamfAAD waits between the attempts, in seconds.
    pub token_retry_wait_time: Setting<u64>,
}

impl Preferences {
    /// Whether all values have the right type.
    pub(crate) fn have_right_types(&self) -> bool {
        self.use_wk_web_view != Setting::WrongType
            && self.token_retry_count != Setting::WrongType
            && self.token_retry_wait_time != Setting::WrongType
    }
}

/// The preferences of the Jamf agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The value of `microsoftCAEnabled`.
    pub conditional_access: Setting<bool>,
    /// Whether the connector is the one that was retired in January 2025.
    pub has_old_connector: bool,
}

/// What a profile configures for single sign-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SsoProfile {
    /// Microsoft's SSO extension; contains whether it serves Jamf's apps.
    OfMicrosoft(Service),
    /// Platform SSO with an unknown extension.
    PlatformSso,
    /// Platform SSO with another extension.
    OfAnother,
}

/// Whether Microsoft's SSO extension serves Jamf's apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// `AppBlockList` contains one of Jamf's apps.
    Blocked,
    /// `AppPrefixAllowList` covers all of Jamf's apps.
    ByPrefix,
    /// `AppAllowList` contains some of Jamf's apps.
    ByName,
    /// The extension serves all apps that MDM manages.
    AllManagedApps,
    /// `AppPrefixAllowList` has longer prefixes, and it is not known which of Jamf's apps they cover.
    SomeByPrefix,
    /// The lists do not contain Jamf's apps.
    Lacking,
    /// There are no lists.
    NoLists,
    /// `AppPrefixAllowList` is not a string.
    WrongType,
    /// The lists are not beside the extension's identifier, so they may belong to another extension.
    NotKnown,
}

/// Parses JamfAAD's managed preferences from `files`, in order of precedence.
/// Fails if a file is not a property list with a dictionary.
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

/// Parses the preferences of the Jamf agent.
/// Fails if this is not a property list with a dictionary.
pub fn agent(bytes: &[u8]) -> Result<Agent, Problem> {
    let file = dictionary(bytes)?;
    let connector = file.get("microsoftCANativeClientAppId").and_then(Value::as_string).map(str::trim);
    let is_current = |id: &str| CONNECTORS.iter().any(|current| id.eq_ignore_ascii_case(current));
    Ok(Agent {
        conditional_access: setting(file.get("microsoftCAEnabled"), boolean),
        has_old_connector: connector.is_some_and(|id| !id.is_empty() && !is_current(id)),
    })
}

/// Parses managed preferences of the domain `com.apple.extensiblesso`; `None` if they set up neither Platform SSO nor
/// Microsoft's extension. A file can have several payloads, and their layout is not public. So keys and values are
/// searched at any depth.
/// Fails if a file is not a property list with a dictionary.
pub fn sso_profile(files: &[Vec<u8>]) -> Result<Option<SsoProfile>, Problem> {
    let files = files.iter().map(|bytes| dictionary(bytes).map(Value::Dictionary)).collect::<Result<Vec<_>, _>>()?;
    let services = || files.iter().filter(|file| mentions_microsoft(file)).map(Service::of);
    // A file without lists may add only the team to what another one configures.
    if let Some(service) = services().find(|service| *service != Service::NotKnown).or_else(|| services().next()) {
        return Ok(Some(SsoProfile::OfMicrosoft(service)));
    }
    let platform_sso = files.iter().find_map(|file| find(file, &|value| with_key(value, "PlatformSSO")));
    Ok(platform_sso.map(|payload| {
        let is_named = with_key(payload, EXTENSION).is_some();
        if is_named { SsoProfile::OfAnother } else { SsoProfile::PlatformSso }
    }))
}

const EXTENSION: &str = "ExtensionIdentifier";

fn with_key<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_dictionary().filter(|entries| entries.contains_key(key)).map(|_| value)
}

/// Whether a value contains Microsoft's extension, team or a sign-in host, at any depth.
fn mentions_microsoft(value: &Value) -> bool {
    match value {
        Value::Dictionary(entries) => {
            entries.iter().any(|(key, value)| contains_microsoft_name(key) || mentions_microsoft(value))
        }
        Value::Array(values) => values.iter().any(mentions_microsoft),
        Value::String(text) => contains_microsoft_name(text),
        _ => false,
    }
}

fn contains_microsoft_name(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_alphanumeric() && !".-".contains(character)).any(|word| {
        platform_sso::is_microsoft_extension(word)
            || word.eq_ignore_ascii_case(MICROSOFT_TEAM)
            || MICROSOFT_SIGN_IN.iter().any(|host| word.eq_ignore_ascii_case(host))
    })
}

impl Service {
    /// Evaluates the lists in the payload with Microsoft's extension. Other lists may belong to another extension.
    fn of(file: &Value) -> Self {
        let is_payload = |value: &Value| {
            let extension = value.as_dictionary().and_then(|it| it.get(EXTENSION)?.as_string());
            extension.is_some_and(platform_sso::is_microsoft_extension)
        };
        let payload = find(file, &|value| is_payload(value).then_some(value));
        let Some(payload) = payload else { return Self::NotKnown };
        let value = |key| find(payload, &|value| value.as_dictionary()?.get(key));
        let has = |key, wanted: &dyn Fn(&str) -> bool| {
            let list = value(key).and_then(Value::as_string).unwrap_or_default();
            list.split(',').map(str::trim).filter(|item| !item.is_empty()).any(wanted)
        };
        let is_of_jamf = |item: &str| item.starts_with(JAMF_APPS);
        let prefixes = value("AppPrefixAllowList");
        if has("AppBlockList", &is_of_jamf) {
            Self::Blocked
        } else if has("AppPrefixAllowList", &|item| JAMF_APPS.starts_with(item)) {
            Self::ByPrefix
        } else if value("Enable_SSO_On_All_ManagedApps").and_then(boolean) == Some(true) {
            Self::AllManagedApps
        } else if has("AppAllowList", &is_of_jamf) {
            Self::ByName
        } else if has("AppPrefixAllowList", &is_of_jamf) {
            Self::SomeByPrefix
        } else if prefixes.is_some_and(|list| list.as_string().is_none()) {
            Self::WrongType
        } else if prefixes.is_some() || value("AppAllowList").is_some() {
            Self::Lacking
        } else if LISTS.iter().any(|list| find(file, &|value| value.as_dictionary()?.get(list)).is_some()) {
            Self::NotKnown
        } else {
            Self::NoLists
        }
    }
}

const LISTS: [&str; 3] = ["AppPrefixAllowList", "AppAllowList", "AppBlockList"];

fn setting<T>(value: Option<&Value>, read: impl FnOnce(&Value) -> Option<T>) -> Setting<T> {
    value.map_or(Setting::NotSet, |value| read(value).map_or(Setting::WrongType, Setting::Is))
}

/// The value as a boolean, in every form that macOS accepts: `defaults write` without a type writes a string.
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

/// The first result of `wanted` for a value at any depth. The parser has already limited the depth.
fn find<'a>(value: &'a Value, wanted: &impl Fn(&'a Value) -> Option<&'a Value>) -> Option<&'a Value> {
    let inner = |value| find(value, wanted);
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
    fn preferences_of_the_user_take_precedence_over_those_for_all_users() {
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
    fn conditional_access_is_on_for_every_value_that_macos_accepts_as_true() {
        let read =
            |value: &str| agent(&file(&format!("<key>microsoftCAEnabled</key>{value}"))).unwrap().conditional_access;
        for value in ["<true/>", "<integer>1</integer>", "<string>YES</string>"] {
            assert_eq!(read(value), Setting::Is(true), "{value}");
        }
        for value in ["<false/>", "<integer>0</integer>", "<string>0</string>"] {
            assert_eq!(read(value), Setting::Is(false), "{value}");
        }
        for value in ["<integer>2</integer>", "<integer>-1</integer>", "<array/>", "<string/>"] {
            assert_eq!(read(value), Setting::WrongType, "{value}");
        }
        let nothing = Agent { conditional_access: Setting::NotSet, has_old_connector: false };
        assert_eq!(agent(&file("")), Ok(nothing));
        assert_eq!(agent(b""), Err(Problem::Empty));
    }

    #[test]
    fn a_connector_that_is_not_a_current_one_is_old() {
        let is_old =
            |id: &str| agent(&file(&format!("<key>microsoftCANativeClientAppId</key>{id}"))).unwrap().has_old_connector;
        for id in ["b03c10a8-71c7-45f9-b44a-3335ab76e970", "DCF07DF3-346F-4F0E-B803-C1F0EA0FB5AE", ""] {
            assert!(!is_old(&format!("<string>{id}</string>")), "{id}");
        }
        assert!(!is_old("<integer>1</integer>"));
        assert!(is_old("<string>0a1b2c3d-4e5f-4a6b-8c7d-8e9fa0b1c2d3</string>"));
    }

    const MICROSOFT: &str =
        "<key>ExtensionIdentifier</key><string>com.microsoft.CompanyPortalMac.ssoextension</string>";

    #[test]
    fn jamf_is_served_by_prefix_or_name_or_with_all_managed_apps_unless_it_is_blocked() {
        let read = |data: &str| {
            let data = format!("<key>ExtensionData</key><dict>{data}</dict>");
            match sso_profile(&[file(&(MICROSOFT.to_owned() + &data))]).unwrap() {
                Some(SsoProfile::OfMicrosoft(service)) => service,
                other => panic!("{other:?}"),
            }
        };
        let prefixes = |list: &str| format!("<key>AppPrefixAllowList</key><string>{list}</string>");
        let names = |list: &str| format!("<key>AppAllowList</key><string>{list}</string>");
        let blocked = "<key>AppBlockList</key><string>com.contoso.app, com.jamf.management.jamfAAD</string>";
        for list in ["com.microsoft.,com.apple.,com.jamf.,com.jamfsoftware.", " com.jamf.management. ", "com."] {
            assert_eq!(read(&prefixes(list)), Service::ByPrefix, "{list}");
            assert_eq!(read(&(prefixes(list) + blocked)), Service::Blocked, "{list}");
        }
        for list in ["com.microsoft.,com.apple.", "com.jamfsoftware.", "", ",", "jamf"] {
            assert_eq!(read(&prefixes(list)), Service::Lacking, "{list}");
            assert_eq!(read(&names(list)), Service::Lacking, "{list}");
        }
        for list in ["com.microsoft.,com.jamf.management.jamfAAD", "com.jamf.management.x"] {
            assert_eq!(read(&prefixes(list)), Service::SomeByPrefix, "{list}");
            assert_eq!(read(&(prefixes("com.apple.") + &names(list))), Service::ByName, "{list}");
        }
        let array = "<key>AppPrefixAllowList</key><array><string>com.jamf.</string></array>";
        assert_eq!(read(array), Service::WrongType);
        let all = "<key>Enable_SSO_On_All_ManagedApps</key><integer>1</integer>";
        assert_eq!(read(all), Service::AllManagedApps);
        assert_eq!(read(&(all.to_owned() + blocked)), Service::Blocked);
        assert_eq!(read(&all.replace('1', "0")), Service::NoLists);
        assert_eq!(read(""), Service::NoLists);
    }

    #[test]
    fn lists_that_may_belong_to_another_extension_do_not_count() {
        let apart = format!(
            "<key>a</key><dict>{MICROSOFT}</dict>\
             <key>b</key><dict><key>AppPrefixAllowList</key><string>com.jamf.</string></dict>"
        );
        let beside_kerberos = "<key>TeamIdentifier</key><string>UBF8T346G9</string>\
            <key>b</key><dict><key>AppBlockList</key><string>com.jamf.management.x</string></dict>";
        for entries in [&apart, beside_kerberos] {
            let found = sso_profile(&[file(entries)]);
            assert_eq!(found, Ok(Some(SsoProfile::OfMicrosoft(Service::NotKnown))), "{entries}");
        }
    }

    #[test]
    fn the_identifier_or_team_or_a_host_of_microsoft_is_found_at_any_depth() {
        let not_known = Ok(Some(SsoProfile::OfMicrosoft(Service::NotKnown)));
        for address in MICROSOFT_SIGN_IN {
            let urls = format!("<key>URLs</key><array><string>https://{address}</string></array>");
            assert_eq!(sso_profile(&[file(&urls)]), not_known, "{address}");
        }
        let team = "<key>TeamIdentifier</key><string>UBF8T346G9</string>";
        assert_eq!(sso_profile(&[file(team)]), not_known);
        for entries in [
            "<key>com.microsoft.CompanyPortalMac.ssoextension (UBF8T346G9)</key><dict/>",
            "<key>a</key><string>com.microsoft.CompanyPortalMac.ssoextension (UBF8T346G9)</string>",
            "<key>a</key><string>https://login.contoso.com,https://login.microsoftonline.com/</string>",
            "<key>a</key><array><array><string>UBF8T346G9</string></array></array>",
        ] {
            assert_eq!(sso_profile(&[file(entries)]), not_known, "{entries}");
        }
        let of_microsoft = Ok(Some(SsoProfile::OfMicrosoft(Service::NoLists)));
        let mut deep = MICROSOFT.to_owned();
        for _ in 0..25 {
            deep = format!("<key>a</key><array><dict>{deep}</dict></array>");
        }
        assert_eq!(sso_profile(&[file(""), file(&deep)]), of_microsoft);
        // The file with the lists counts, not the one that names only the team.
        assert_eq!(sso_profile(&[file(team), file(&deep)]), of_microsoft);
        let beside = format!(
            "<key>a</key><array><dict><key>ExtensionIdentifier</key><string>com.contoso.sso</string>\
             <key>AppPrefixAllowList</key><string>com.apple.</string></dict><dict>{MICROSOFT}\
             <key>ExtensionData</key><dict><key>AppPrefixAllowList</key><string>com.</string></dict></dict></array>"
        );
        assert_eq!(sso_profile(&[file(&beside)]), Ok(Some(SsoProfile::OfMicrosoft(Service::ByPrefix))));
        let another = "<key>ExtensionIdentifier</key><string>com.contoso.sso</string><key>PlatformSSO</key><dict/>";
        assert_eq!(sso_profile(&[file(another)]), Ok(Some(SsoProfile::OfAnother)));
        let nested = "<key>a</key><dict><key>PlatformSSO</key><dict/></dict>";
        assert_eq!(sso_profile(&[file(nested)]), Ok(Some(SsoProfile::PlatformSso)));
        let kerberos = "<key>ExtensionIdentifier</key><string>com.apple.AppSSOKerberos.KerberosExtension</string>\
            <key>Hosts</key><array><string>.microsoftonline.com.contoso.com</string></array>";
        assert_eq!(sso_profile(&[file(kerberos)]), Ok(None));
        assert_eq!(sso_profile(&[file("")]), Ok(None));
        assert_eq!(sso_profile(&[file(""), b"x".to_vec()]), Err(Problem::NotAPlist));
    }
}
