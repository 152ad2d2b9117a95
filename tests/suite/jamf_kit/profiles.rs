//! Profiles, as configuration profiles to upload, and as property lists for Jamf Pro's own payloads. The latter contain
//! the custom settings of a preferences domain, or the data of a single sign-on extension.

use std::{collections::BTreeMap, fs, path::Path};

use plist::{Dictionary, Value};
use wpj_state::parse::set_up::{self, Preferences, Service, Setting, SsoProfile};

const JAMF_AAD: &str = "com.jamf.management.jamfAAD";
const WPJ_STATE: &str = "wpj-state";
const EXTENSIBLE_SSO: &str = "com.apple.extensiblesso";

/// A profile and its only payload.
struct Profile {
    file: &'static str,
    name: &'static str,
    description: &'static str,
    /// For the profile and its payload. They never change, so a new version replaces the old one.
    uuids: [&'static str; 2],
    domain: &'static str,
    settings: Dictionary,
}

fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Dictionary {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn text(value: &str) -> Value {
    value.into()
}

fn profiles() -> [Profile; 4] {
    let urls = [
        "https://login.microsoftonline.com",
        "https://login.microsoft.com",
        "https://sts.windows.net",
        "https://login.partner.microsoftonline.cn",
        "https://login.chinacloudapi.cn",
        "https://login.microsoftonline.us",
        "https://login-us.microsoftonline.com",
    ];
    [
        Profile {
            file: "jamfaad-web-view",
            name: "JamfAAD: web view",
            description: "Makes JamfAAD use its own web view for sign-in instead of the default browser.",
            uuids: ["1E2AAF72-EEFC-42C3-999E-0D7314687AC0", "06943286-653E-4160-BEBF-CE15C110491A"],
            domain: JAMF_AAD,
            settings: dictionary([("useWKWebView", true.into())]),
        },
        Profile {
            file: "jamfaad-token-retries",
            name: "JamfAAD: token retries",
            description: "Makes JamfAAD try three times, 42 seconds apart, to obtain a token.",
            uuids: ["71802AE8-ABAE-4071-BE1C-D6920792CB10", "582B6CD6-6A2F-4AD6-8883-5C4278941320"],
            domain: JAMF_AAD,
            settings: dictionary([("tokenRetryCount", 3.into()), ("tokenRetryWaitTime", 42.into())]),
        },
        Profile {
            file: "wpj-state-settings",
            name: "wpj-state: settings",
            description: "Sets which tenants count for wpj-state, and for how many days it remembers a key.",
            uuids: ["39B397B5-40B6-4F6B-B13D-D944BD7CD188", "7D1EC0B4-2EC6-4C23-9259-BA394E190189"],
            domain: WPJ_STATE,
            settings: dictionary([
                // Not a GUID, because it must not be mistaken for the ID of a real tenant.
                ("tenant", Value::Array(vec![text("TENANT-ID")])),
                ("rememberKeyDays", 30.into()),
            ]),
        },
        Profile {
            file: "microsoft-sso-extension",
            name: "Microsoft SSO extension",
            description: "Configures Microsoft's SSO extension, including for Jamf's apps.",
            uuids: ["4F3753F0-A6A4-4F70-9D1A-E0E8C9976EE3", "7DA21722-502A-41A2-BB60-9645D84DEB39"],
            domain: EXTENSIBLE_SSO,
            settings: dictionary([
                ("ExtensionIdentifier", text("com.microsoft.CompanyPortalMac.ssoextension")),
                ("TeamIdentifier", text("UBF8T346G9")),
                ("Type", text("Redirect")),
                ("URLs", Value::Array(urls.map(text).into())),
                (
                    "ExtensionData",
                    Value::Dictionary(dictionary([
                        ("AppPrefixAllowList", text("com.microsoft.,com.apple.,com.jamf.,com.jamfsoftware.")),
                        ("browser_sso_interaction_enabled", 1.into()),
                        ("disable_explicit_app_prompt", 1.into()),
                    ])),
                ),
            ]),
        },
    ]
}

impl Profile {
    /// The payload. macOS has a payload type for single sign-on, and another for the preferences of any domain.
    fn payload(&self) -> Dictionary {
        let header = dictionary([
            ("PayloadIdentifier", text(&format!("wpj-state.{}.settings", self.file))),
            ("PayloadUUID", text(self.uuids[1])),
            ("PayloadVersion", 1.into()),
            ("PayloadDisplayName", text(self.name)),
        ]);
        let content = if self.domain == EXTENSIBLE_SSO {
            let mut content = self.settings.clone();
            content.insert("PayloadType".to_owned(), text(EXTENSIBLE_SSO));
            content
        } else {
            let settings = dictionary([("mcx_preference_settings", Value::Dictionary(self.settings.clone()))]);
            let forced = dictionary([("Forced", Value::Array(vec![Value::Dictionary(settings)]))]);
            dictionary([
                ("PayloadType", text("com.apple.ManagedClient.preferences")),
                ("PayloadContent", Value::Dictionary(dictionary([(self.domain, Value::Dictionary(forced))]))),
            ])
        };
        header.into_iter().chain(content).collect()
    }

    /// The settings for Jamf Pro's own payload.
    fn bare(&self) -> Dictionary {
        match self.settings.get("ExtensionData") {
            Some(data) => data.as_dictionary().unwrap().clone(),
            None => self.settings.clone(),
        }
    }

    fn profile(&self) -> Dictionary {
        dictionary([
            ("PayloadType", text("Configuration")),
            ("PayloadVersion", 1.into()),
            ("PayloadIdentifier", text(&format!("wpj-state.{}", self.file))),
            ("PayloadUUID", text(self.uuids[0])),
            ("PayloadDisplayName", text(self.name)),
            ("PayloadDescription", text(self.description)),
            ("PayloadScope", text("System")),
            ("PayloadContent", Value::Array(vec![Value::Dictionary(self.payload())])),
        ])
    }
}

fn xml(mut dictionary: Dictionary) -> String {
    dictionary.sort_keys();
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, &dictionary).unwrap();
    String::from_utf8(bytes).unwrap() + "\n"
}

#[test]
fn the_profiles_and_property_lists_match_this_file() {
    let files = profiles().into_iter().flat_map(|profile| {
        let bare = (format!("{}.plist", profile.file), xml(profile.bare()));
        [(format!("{}.mobileconfig", profile.file), xml(profile.profile())), bare]
    });
    super::keep_or_compare("jamf/profiles", &files.collect::<BTreeMap<_, _>>());
}

fn read(file: &str) -> Dictionary {
    plist::from_file::<_, Value>(Path::new("jamf/profiles").join(file)).unwrap().into_dictionary().unwrap()
}

/// The only payload of a profile.
fn payload(profile: &Dictionary) -> Dictionary {
    let [payload] = profile["PayloadContent"].as_array().unwrap().as_slice() else { panic!("one payload") };
    payload.as_dictionary().unwrap().clone()
}

#[test]
fn every_payload_has_the_required_keys_and_unique_identifiers() {
    let mut seen = Vec::new();
    for profile in profiles() {
        let whole = read(&format!("{}.mobileconfig", profile.file));
        let inner = payload(&whole);
        assert_eq!(whole["PayloadType"].as_string(), Some("Configuration"));
        assert_eq!(whole["PayloadScope"].as_string(), Some("System"));
        for payload in [&whole, &inner] {
            assert_eq!(payload["PayloadVersion"].as_signed_integer(), Some(1));
            assert!(!payload["PayloadDisplayName"].as_string().unwrap().is_empty());
            let uuid = payload["PayloadUUID"].as_string().unwrap();
            assert!(wpj_state::parse::certificate::is_guid(uuid), "{uuid}");
            seen.extend([uuid.to_owned(), payload["PayloadIdentifier"].as_string().unwrap().to_owned()]);
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), count), (16, 16));
}

/// The settings for this domain in a profile of preferences.
fn forced(file: &str, domain: &str) -> Dictionary {
    let payload = payload(&read(file));
    assert_eq!(payload["PayloadType"].as_string(), Some("com.apple.ManagedClient.preferences"));
    let domains = payload["PayloadContent"].as_dictionary().unwrap();
    assert_eq!(domains.keys().collect::<Vec<_>>(), [domain]);
    let [forced] = domains[domain].as_dictionary().unwrap()["Forced"].as_array().unwrap().as_slice() else {
        panic!("one set of settings")
    };
    forced.as_dictionary().unwrap()["mcx_preference_settings"].as_dictionary().unwrap().clone()
}

#[test]
fn a_bare_property_list_has_the_settings_of_its_profile() {
    for (file, domain) in
        [("jamfaad-web-view", JAMF_AAD), ("jamfaad-token-retries", JAMF_AAD), ("wpj-state-settings", WPJ_STATE)]
    {
        assert_eq!(read(&format!("{file}.plist")), forced(&format!("{file}.mobileconfig"), domain), "{file}");
    }
    let data = payload(&read("microsoft-sso-extension.mobileconfig"))["ExtensionData"].clone();
    assert_eq!(Value::Dictionary(read("microsoft-sso-extension.plist")), data);
}

/// Otherwise, if an admin uploads the profile unchanged, every Mac would count as registered with another tenant.
#[test]
fn the_tools_own_settings_do_not_name_a_real_tenant() {
    let settings = read("wpj-state-settings.plist");
    assert_eq!(settings.keys().collect::<Vec<_>>(), ["rememberKeyDays", "tenant"]);
    assert_eq!(settings["rememberKeyDays"].as_signed_integer(), Some(30));
    let [tenant] = settings["tenant"].as_array().unwrap().as_slice() else { panic!("one tenant") };
    assert!(!wpj_state::parse::certificate::is_guid(tenant.as_string().unwrap()));
}

#[test]
fn the_profile_for_microsofts_extension_has_the_right_settings() {
    let payload = payload(&read("microsoft-sso-extension.mobileconfig"));
    let settings: Dictionary = payload.into_iter().filter(|(key, _)| !key.starts_with("Payload")).collect();
    let text = |key: &str| settings[key].as_string().unwrap();
    assert_eq!(text("ExtensionIdentifier"), "com.microsoft.CompanyPortalMac.ssoextension");
    assert_eq!((text("TeamIdentifier"), text("Type")), ("UBF8T346G9", "Redirect"));
    let urls = settings["URLs"].as_array().unwrap();
    assert!(urls.iter().all(|url| url.as_string().unwrap().starts_with("https://")));
    assert!(urls.contains(&"https://login.microsoftonline.com".into()));
    let mut keys: Vec<&String> = settings.keys().collect();
    keys.sort();
    assert_eq!(keys, ["ExtensionData", "ExtensionIdentifier", "TeamIdentifier", "Type", "URLs"]);
    // As far as is known, macOS writes these settings to the file that the tool reads.
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, &settings).unwrap();
    assert_eq!(set_up::sso_profile(&[bytes]), Ok(Some(SsoProfile::OfMicrosoft(Service::ByPrefix))));
}

#[test]
fn the_tool_understands_the_settings() {
    let bytes = |file: &str| fs::read(Path::new("jamf/profiles").join(file)).unwrap();
    let both = [bytes("jamfaad-web-view.plist"), bytes("jamfaad-token-retries.plist")];
    let expected = Preferences {
        use_wk_web_view: Setting::Is(true),
        token_retry_count: Setting::Is(3),
        token_retry_wait_time: Setting::Is(42),
    };
    assert_eq!(set_up::preferences(&both), Ok(expected));
    let data = read("microsoft-sso-extension.plist");
    for flag in ["browser_sso_interaction_enabled", "disable_explicit_app_prompt"] {
        assert_eq!(data[flag].as_signed_integer(), Some(1));
    }
}
