//! Parses the output of `app-sso platform -s`: the state of Platform SSO.
//!
//! The output has a line with the time, and then sections, each with a heading and a JSON object or `(null)`:
//! `Device Configuration:`, which is the same for all users, `Login Configuration:` and `User Configuration:`, which is
//! about the user who ran the command. The SSO tokens follow. Some releases print old-style property lists
//! (`key = value;`) instead of JSON.

use std::{borrow::Cow, io::Cursor};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Absence, Key, Unclear, UnderWay, is_microsoft_extension};
use crate::{
    parse::{
        certificate::{self, Description, Issuer},
        cut::{self, cut},
        timestamp::Timestamp,
    },
    rows::rows,
};

const DEVICE: &str = "Device Configuration:";
const LOGIN: &str = "Login Configuration:";
const USER: &str = "User Configuration:";
const TOKENS: &str = "SSO Tokens:";
const HEADINGS: [&str; 4] = [DEVICE, LOGIN, USER, TOKENS];

/// The deepest nesting of a section that is read; real ones are nested less.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformSso {
    /// Whether the device's registration is complete; `None` if Platform SSO is not configured.
    pub registration_completed: Option<bool>,
    /// The identifier of the identity provider's extension, cut at 255 characters.
    pub extension: Option<String>,
    /// The device's certificate, if Microsoft's device registration issued it.
    pub certificate: Option<Description>,
    /// The state of this user's registration: the name without the number, or else the number; `None` if there is none.
    pub user_state: Option<String>,
    /// The user principal name, if the output does not mask it.
    pub user_principal_name: Option<String>,
    /// How this user signs in.
    pub sign_in_method: Option<SignInMethod>,
    /// When the SSO token was received.
    pub token_received: Option<Timestamp>,
    pub token_expires: Option<Timestamp>,
    pub key: Key,
}

impl PlatformSso {
    /// The tenant with which the device is registered.
    pub(crate) fn tenant_id(&self) -> Option<&str> {
        self.certificate.as_ref()?.tenant_id.as_deref()
    }
}

rows! {
    /// How a user of Platform SSO signs in: name and number in the output of `app-sso`, and the name for people.
    #[derive(Serialize, Deserialize)]
    pub enum SignInMethod(&'static str, u32, &'static str) {
        Password => ("POLoginTypePassword", 1, "Password"),
        SecureEnclaveKey => ("POLoginTypeUserSecureEnclaveKey", 2, "Secure Enclave Key"),
        SmartCard => ("POLoginTypeSmartCard", 3, "Smart Card"),
        AccessKey => ("POLoginTypeAccessKey", 4, "Access Key"),
    }
}

impl SignInMethod {
    /// The name in extension attributes and in output for people.
    pub const fn name(self) -> &'static str {
        self.row().2
    }

    fn parse(value: &Value) -> Option<Self> {
        let named = EnumValue::parse(value)?;
        let of_name = Self::ALL.into_iter().find(|method| named.name == method.row().0);
        let of_number = Self::ALL.into_iter().find(|method| named.number == Some(method.row().1));
        let agree = named.number.is_none() || of_name.is_none() || of_name == of_number;
        of_name.or(of_number).filter(|_| agree)
    }
}

/// Reads the output of `app-sso platform -s`, run as the user.
/// Fails if it is not understood.
pub fn parse_as_user(text: &str) -> Result<PlatformSso, Unclear> {
    let missing = || strange("the user's section is missing");
    let found = parse(text).map_err(|unclear| if unclear == Unclear::TakenAsRoot { missing() } else { unclear })?;
    // Only a device that is not registered with Microsoft is the same answer for every user.
    if found.extension.is_none() && !has_heading(text, USER) { Err(missing()) } else { Ok(found) }
}

/// Reads a saved output of `app-sso platform -s`.
/// Fails if it is not understood, or if it was saved as root and the answer depends on the user.
pub fn parse(text: &str) -> Result<PlatformSso, Unclear> {
    if !has_heading(text, DEVICE) && is_jamf_tool_output(text) {
        return Err(Unclear::JamfToolOutput);
    }
    let device = section(text, DEVICE)?;
    // An output that was saved as root has no section for the user.
    let is_of_user = has_heading(text, USER);
    let begins_heading = |line: &str| line.starts_with("User") || (!line.is_empty() && USER.starts_with(line));
    if !is_of_user && text.lines().map(str::trim).any(begins_heading) {
        return Err(strange("the user's section is cut off"));
    }
    let login = if is_of_user && !has_heading(text, LOGIN) { None } else { section(text, LOGIN)? };
    let user = if is_of_user { section(text, USER)? } else { None };
    let state = user.as_ref().map(UserState::parse);
    let mut found = PlatformSso {
        registration_completed: None,
        extension: None,
        certificate: None,
        user_state: state.clone().and_then(Result::ok).map(|(_, shown)| shown),
        user_principal_name: user.as_ref().and_then(user_principal_name),
        sign_in_method: user.as_ref().and_then(|user| SignInMethod::parse(user.get("loginType")?)),
        token_received: token_time(text, "Received:"),
        token_expires: token_time(text, "Expiration:"),
        key: Key::Absent(match (&user, &login) {
            (Some(_), _) => Absence::DeviceLost,
            (None, Some(_)) => Absence::DeviceNotRegistered,
            (None, None) if is_of_user => Absence::NotConfigured,
            (None, None) => Absence::NoDevice,
        }),
    };
    let Some(device) = &device else { return Ok(found) };
    let extension = device.get("extensionIdentifier").and_then(Value::as_str);
    found.extension = extension.map(|identifier| cut(identifier.to_owned()));
    let completed = boolean(device.get("registrationCompleted"));
    found.registration_completed = completed.clone().ok();
    // A registration with another provider is never Microsoft's, so the rest does not matter.
    if !is_microsoft_extension(extension.ok_or_else(|| strange("the extension's identifier is missing"))?) {
        found.key = Key::Absent(Absence::AnotherProvider);
        return Ok(found);
    }
    if !completed? {
        found.key = Key::Absent(Absence::DeviceNotRegistered);
        return Ok(found);
    }
    let der = device.get("deviceSigningCertificate").map(certificate);
    let der = der.ok_or_else(|| strange("the device is registered, but has no certificate"))??;
    found.key = match certificate::issuer(&der, None) {
        Issuer::WorkplaceJoin if !is_of_user => return Err(Unclear::TakenAsRoot),
        Issuer::WorkplaceJoin => {
            found.certificate = certificate::describe(&der);
            state.transpose()?.map_or(Key::Absent(Absence::UserNotRegistered), |(state, _)| state.key())
        }
        Issuer::Another { .. } => Key::Absent(Absence::DeviceNotRegistered),
        Issuer::Unknown => return Err(unreadable_certificate()),
    };
    Ok(found)
}

fn has_heading(text: &str, heading: &str) -> bool {
    text.lines().any(|line| line.trim() == heading)
}

/// An enumeration value as macOS prints it: `NAME (NUMBER)`. The name is `(null)` if this release has none.
#[derive(Debug, PartialEq, Eq)]
struct EnumValue {
    name: String,
    number: Option<u32>,
}

impl EnumValue {
    fn parse(value: &Value) -> Option<Self> {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            other => other.to_string(),
        };
        if let Ok(number) = text.parse() {
            return Some(Self { name: String::new(), number: Some(number) });
        }
        match text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) {
            Some((name, number)) if !name.is_empty() => {
                Some(Self { name: name.trim().to_owned(), number: Some(number.trim().parse().ok()?) })
            }
            _ => Some(Self { name: text, number: None }),
        }
    }
}

rows! {
    /// The known states of a Platform SSO user: the name, and the possible numbers. Which of 3, 4, 6 and 7 the last
    /// three have is not certain.
    pub enum UserState(&'static str, &'static [u32]) {
        Normal => ("POUserStateNormal", &[0]),
        NeedsNewKeys => ("POUserStateNeedsNewKeys", &[1]),
        NeedsRegistration => ("POUserStateNeedsRegistration", &[2]),
        UserKeyInvalid => ("POUserStateUserKeyInvalid", &[5]),
        NewPasswordUser => ("POUserStateNewPasswordUser", &[3, 4, 6, 7]),
        NewSmartCardUser => ("POUserStateNewSmartCardUser", &[3, 4, 6, 7]),
        NeedsBinding => ("POUserStateNeedsBinding", &[3, 4, 6, 7]),
    }
}

impl UserState {
    /// The state by its name or, if there is no name, by its number; and the text to show.
    fn parse(user: &Value) -> Result<(Self, String), Unclear> {
        let state = user.get("state").ok_or_else(|| strange("the user has no state"))?;
        let unknown = || strange("the user is in an unknown state");
        let EnumValue { name, number } = EnumValue::parse(state).ok_or_else(unknown)?;
        if let Some(state) = Self::ALL.into_iter().find(|state| name == state.row().0) {
            return if number.is_none_or(|number| state.row().1.contains(&number)) {
                Ok((state, name))
            } else {
                Err(strange("the user's state has a name and a number that disagree"))
            };
        }
        let number = number.filter(|_| name.is_empty() || name == "(null)");
        let state = match number.ok_or_else(unknown)? {
            0 => Self::Normal,
            1 => Self::NeedsNewKeys,
            2 | 3 => Self::NeedsRegistration,
            5 => Self::UserKeyInvalid,
            4 | 6 | 7 => Self::NewPasswordUser,
            _ => return Err(unknown()),
        };
        Ok((state, number.map(|number| number.to_string()).unwrap_or_default()))
    }

    const fn key(self) -> Key {
        match self {
            Self::Normal => Key::Present,
            Self::NeedsNewKeys => Key::NeedsNewKeys,
            Self::NeedsRegistration => Key::Absent(Absence::NeedsRegistration),
            Self::UserKeyInvalid => Key::Absent(Absence::UserKeyInvalid),
            Self::NewPasswordUser | Self::NewSmartCardUser => Key::UnderWay(UnderWay::NewUser),
            Self::NeedsBinding => Key::UnderWay(UnderWay::NeedsBinding),
        }
    }
}

/// The user principal name: from the ticket for Microsoft's cloud, or else the sign-in name, unless it is masked. A
/// ticket for a local Active Directory may have another name.
fn user_principal_name(user: &Value) -> Option<String> {
    let tickets = user.get("kerberosStatus").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of_cloud = tickets.iter().find_map(|ticket| {
        let (name, realm) = ticket.get("upn")?.as_str()?.rsplit_once('@')?;
        let path = ticket.get("ticketKeyPath").and_then(Value::as_str);
        let is_of_cloud = path == Some("tgt_cloud") || (path.is_none() && realm == "KERBEROS.MICROSOFTONLINE.COM");
        is_of_cloud.then(|| name.replace("\\@", "@")).filter(|name| name.contains('@'))
    });
    let to_sign_in = || {
        let name = user.get("userLoginConfiguration")?.get("loginUserName")?.as_str()?;
        (name.contains('@') && !name.contains('*')).then(|| name.to_owned())
    };
    cut::whole(&of_cloud.or_else(to_sign_in)?)
}

/// The time on the line after a heading in the section with the SSO tokens.
fn token_time(text: &str, heading: &str) -> Option<Timestamp> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != TOKENS);
    lines.find(|line| *line == heading)?;
    let time: x509_cert::der::DateTime = lines.next()?.split_whitespace().next()?.parse().ok()?;
    Some(time.into())
}

fn boolean(value: Option<&Value>) -> Result<bool, Unclear> {
    let is = |text: &str, words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match value {
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::String(text)) if is(text, ["1", "true", "yes"]) => Ok(true),
        Some(Value::String(text)) if is(text, ["0", "false", "no"]) => Ok(false),
        _ => Err(strange("registrationCompleted is neither true nor false")),
    }
}

/// The device's certificate in DER; the output has it in URL-safe base64.
fn certificate(value: &Value) -> Result<Vec<u8>, Unclear> {
    let text = value.as_str().ok_or_else(unreadable_certificate)?.trim().trim_end_matches('=');
    let text: String = text
        .chars()
        .map(|it| {
            if it == '+' {
                '-'
            } else if it == '/' {
                '_'
            } else {
                it
            }
        })
        .collect();
    URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable_certificate())
}

const fn unreadable_certificate() -> Unclear {
    strange("the device's certificate cannot be read")
}

/// Whether this looks like the output of Jamf's tool.
fn is_jamf_tool_output(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let is_status = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    is_status || ["extraDeviceInformation", "Warning:Timedout"].iter().any(|word| text.contains(word))
}

/// The object of a section; `None` if it is `(null)`. There may be other lines before and after it.
fn section(text: &str, heading: &str) -> Result<Option<Value>, Unclear> {
    let mut lines = text.split_inclusive('\n');
    lines.by_ref().find(|line| line.trim() == heading).ok_or_else(|| strange("a section is missing"))?;
    if lines.clone().any(|line| line.trim() == heading) {
        return Err(strange("a section occurs twice"));
    }
    let is_heading = |line: &&str| HEADINGS.contains(&line.trim()) || line.trim().ends_with(" Configuration:");
    let mut body = lines.take_while(|line| !is_heading(line));
    let first = loop {
        let line = body.next().ok_or_else(|| strange("a section is empty"))?.trim_start();
        if line.trim() == "(null)" {
            return Ok(None);
        }
        if line.starts_with('{') {
            break line;
        }
    };
    let rest: String = [first].into_iter().chain(body).collect();
    let object = balanced(&rest).ok_or_else(|| strange("a section does not end"))?;
    // Of a key that occurs twice, only one value would be kept.
    let has_each_once = |value: &Value| value.as_object().is_some_and(|found| found.len() == colons(object));
    let json = |text: &str| serde_json::from_str(text).ok().filter(has_each_once);
    let value = json(object).or_else(|| json(&with_restored_escapes(object))).or_else(|| old_style(object));
    let value = value.filter(|value: &Value| value.as_object().is_some_and(|object| !object.is_empty()));
    value.map(Some).ok_or_else(|| strange("a section is not an object"))
}

/// The characters of an object outside its strings, with their places.
fn outside_strings(object: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut in_string, mut escaped) = (false, false);
    object.char_indices().filter(move |&(_, character)| {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => return !in_string,
        }
        false
    })
}

/// The number of colons at the outermost level of an object, which is that of its keys in JSON.
fn colons(object: &str) -> usize {
    let (mut depth, mut found) = (0_usize, 0);
    for (_, character) in outside_strings(object) {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ':' if depth == 1 => found += 1,
            _ => {}
        }
    }
    found
}

/// The object with double backslashes where a single one would be invalid: the `echo` of some shells turns `\\@` into
/// `\@`.
fn with_restored_escapes(object: &str) -> String {
    let mut whole = String::with_capacity(object.len());
    let mut characters = object.chars();
    while let Some(character) = characters.next() {
        whole.push(character);
        if character == '\\' {
            match characters.clone().next().filter(|_| is_escape(characters.as_str())) {
                Some(escaped) => {
                    whole.push(escaped);
                    characters.next();
                }
                None => whole.push('\\'),
            }
        }
    }
    whole
}

/// Whether JSON knows this text after a backslash.
fn is_escape(text: &str) -> bool {
    let is_code = |text: &str| text.get(..4).is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
    text.strip_prefix('u').map_or_else(|| text.starts_with(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']), is_code)
}

/// The object at the start of `text`, up to the brace that closes it.
fn balanced(text: &str) -> Option<&str> {
    let mut open = Vec::new();
    for (place, character) in outside_strings(text) {
        match character {
            '{' => open.push('}'),
            '[' => open.push(']'),
            '(' => open.push(')'),
            '}' | ']' | ')' if open.pop() != Some(character) => return None,
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return None;
        }
        if open.is_empty() {
            return text.get(..=place);
        }
    }
    None
}

/// An old-style property list as a JSON value. The parser silently skips invalid text, so the pairs are counted.
fn old_style(object: &str) -> Option<Value> {
    fn convert(value: plist::Value) -> Value {
        match value {
            plist::Value::Dictionary(entries) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key, convert(value))).collect())
            }
            plist::Value::Array(values) => Value::Array(values.into_iter().map(convert).collect()),
            plist::Value::String(text) => Value::String(text),
            plist::Value::Integer(number) => Value::String(number.to_string()),
            _ => Value::Null,
        }
    }
    let pairs = pairs(object)?;
    let value = plist::Value::from_reader_ascii(Cursor::new(object)).ok().map(convert)?;
    value.as_object().is_some_and(|object| object.len() == pairs).then_some(value)
}

/// The number of pairs `key = value;` in an object, without those of inner objects; `None` if it has anything else.
fn pairs(object: &str) -> Option<usize> {
    let (mut depth, mut equals, mut ends) = (0, 0, 0);
    let mut before = ' ';
    for (_, character) in outside_strings(object) {
        match character {
            // The parser knows other strings and comments, in which it would see other brackets.
            '\'' => return None,
            '/' | '*' if before == '/' => return None,
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            '=' if depth == 1 && equals == ends => equals += 1,
            ';' if depth == 1 && equals == ends + 1 => ends += 1,
            '=' | ';' | ':' if depth == 1 => return None,
            _ => {}
        }
        before = character;
    }
    (equals == ends).then_some(equals)
}

const fn strange(what: &'static str) -> Unclear {
    Unclear::Unintelligible(Cow::Borrowed(what))
}

#[cfg(test)]
mod tests;
