//! Extension attributes, as templates for Jamf Pro's upload page and for its API.

use std::{collections::BTreeMap, fs};

use serde::{Deserialize, Serialize};
use wpj_state::{
    assess::{
        finding::{Code, Severity},
        key::Storage,
        remedy::Remedy,
        state::RegistrationState,
    },
    cli::attribute::{Attribute, DataType},
    parse::platform_sso::app_sso::SignInMethod,
    report::attribute::{NO_KEY, NOTHING_WRONG},
};

/// A template for the upload page.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "extensionAttribute", rename_all = "camelCase", deny_unknown_fields)]
struct Template {
    display_name: String,
    description: String,
    data_type: String,
    script_contents_mac: String,
    script_contents_windows: String,
}

/// The same for the API. The name comes first, because `upload.sh` reads it there.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    name: String,
    description: String,
    data_type: String,
    enabled: bool,
    inventory_display_type: String,
    input_type: String,
    script_contents: String,
}

impl From<Template> for Body {
    fn from(template: Template) -> Self {
        Self {
            name: template.display_name,
            description: template.description,
            data_type: template.data_type.to_ascii_uppercase(),
            enabled: true,
            inventory_display_type: "EXTENSION_ATTRIBUTES".to_owned(),
            input_type: "SCRIPT".to_owned(),
            script_contents: template.script_contents_mac,
        }
    }
}

/// An attribute's name in Jamf Pro and in smart groups. Jamf Pro sorts by name, so the state comes first.
pub fn display_name(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::State => "AAD Registration State",
        Attribute::User => "AAD Registration State - User",
        Attribute::DeviceId => "AAD Registration State - Device ID",
        Attribute::TenantId => "AAD Registration State - Tenant ID",
        Attribute::UserPrincipalName => "AAD Registration State - User Principal Name",
        Attribute::KeyStorage => "AAD Registration State - Key Storage",
        Attribute::CertificateExpires => "AAD Registration State - Certificate Expires",
        Attribute::LastToken => "AAD Registration State - Last Token",
        Attribute::SignInMethod => "AAD Registration State - Sign-in Method",
        Attribute::Finding => "AAD Registration State - Finding",
        Attribute::Remedy => "AAD Registration State - Remedy",
        Attribute::Users => "AAD Registration State - Users",
    }
}

/// All values that an attribute can have, if there is a fixed list of them.
pub fn values(attribute: Attribute) -> Option<Vec<&'static str>> {
    match attribute {
        Attribute::State => Some(RegistrationState::ALL.map(RegistrationState::as_str).into()),
        Attribute::KeyStorage => Some(vec![Storage::LoginKeychain.name(), Storage::SecureEnclave.name(), NO_KEY]),
        Attribute::Finding => {
            let wrong = Code::ALL.into_iter().filter(|code| code.severity() != Severity::Info);
            let states = RegistrationState::ALL.map(RegistrationState::as_str).into_iter().skip(1);
            Some([NOTHING_WRONG].into_iter().chain(wrong.map(Code::short_text)).chain(states).collect())
        }
        Attribute::SignInMethod => Some(SignInMethod::ALL.map(SignInMethod::name).into()),
        Attribute::Remedy => {
            let of_states = Remedy::ALL.into_iter().filter(|remedy| *remedy != Remedy::MendEvidence);
            Some(of_states.map(Remedy::short_text).collect())
        }
        _ => None,
    }
}

fn description(attribute: Attribute) -> String {
    let meaning = attribute.meaning();
    let values = match (values(attribute), attribute) {
        (Some(values), _) => values.join("; "),
        (None, Attribute::Users) => {
            let states = RegistrationState::ALL.map(RegistrationState::as_str).join("; ");
            format!("a line \"name: STATE\" for each user. STATE is one of {states}, or blank if it is not known")
        }
        (None, Attribute::CertificateExpires | Attribute::LastToken) => "YYYY-MM-DD hh:mm:ss in UTC".to_owned(),
        (None, Attribute::DeviceId | Attribute::TenantId) => "a GUID".to_owned(),
        (None, _) => "a name".to_owned(),
    };
    let blank = match attribute {
        Attribute::DeviceId | Attribute::TenantId | Attribute::UserPrincipalName | Attribute::CertificateExpires => {
            "the Mac is not registered, the value is not known,"
        }
        Attribute::SignInMethod => "the user does not use Platform SSO, the value is not known,",
        _ => "the value is not known",
    };
    format!("wpj-state: {meaning}. Values: {values}. Blank if {blank} or the tool is not installed.")
}

fn template(attribute: Attribute) -> Template {
    let wrapper = fs::read_to_string("ea-wrapper.sh").unwrap();
    let setting = "\nattribute='state'\n";
    assert_eq!(wrapper.matches(setting).count(), 1);
    Template {
        display_name: display_name(attribute).to_owned(),
        description: description(attribute),
        data_type: match attribute.data_type() {
            DataType::String => "string".to_owned(),
            DataType::Date => "date".to_owned(),
        },
        script_contents_mac: wrapper.replace(setting, &format!("\nattribute='{}'\n", attribute.name())),
        script_contents_windows: String::new(),
    }
}

pub fn xml<T: Serialize>(value: &T) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut serializer = quick_xml::se::Serializer::new(&mut text);
    serializer.indent(' ', 2);
    value.serialize(serializer).unwrap();
    text + "\n"
}

#[test]
fn there_are_templates_of_every_attribute_with_the_wrapper() {
    let files = |attribute: Attribute| {
        let body = serde_json::to_string_pretty(&Body::from(template(attribute))).unwrap() + "\n";
        [(format!("{}.xml", attribute.name()), xml(&template(attribute))), (format!("{}.json", attribute.name()), body)]
    };
    let files: BTreeMap<String, String> = Attribute::ALL.into_iter().flat_map(files).collect();
    super::keep_or_compare("jamf/extension-attributes", &files);
    for attribute in Attribute::ALL {
        let read: Template = quick_xml::de::from_str(&files[&format!("{}.xml", attribute.name())]).unwrap();
        assert_eq!(read, template(attribute));
        let read: Body = serde_json::from_str(&files[&format!("{}.json", attribute.name())]).unwrap();
        assert_eq!(read, Body::from(template(attribute)));
    }
}

#[test]
fn the_script_of_each_template_is_the_wrapper_except_for_the_attribute() {
    let wrapper = fs::read_to_string("ea-wrapper.sh").unwrap();
    for attribute in Attribute::ALL {
        let path = format!("jamf/extension-attributes/{}.xml", attribute.name());
        let read: Template = quick_xml::de::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let line = format!("attribute='{}'", attribute.name());
        let differing: Vec<_> =
            wrapper.lines().zip(read.script_contents_mac.lines()).filter(|(one, other)| one != other).collect();
        let expected: &[_] = if attribute == Attribute::State { &[] } else { &[("attribute='state'", line.as_str())] };
        assert_eq!(differing, expected);
        assert_eq!(wrapper.lines().count(), read.script_contents_mac.lines().count());
    }
}
