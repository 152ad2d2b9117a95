//! What `app-sso platform -s` prints: the state of Platform SSO.
//!
//! A line with the time; then sections, each a heading and a JSON object or `(null)`: `Device Configuration:`, which is
//! the same for all users, `Login Configuration:` and `User Configuration:`, which is about the user who asked; then the
//! SSO tokens. Some releases print old-style property lists (`key = value;`) instead of JSON.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{Absence, Key, MICROSOFT, Unclear};
use crate::certificate::{self, Description, Issuer};

const DEVICE: &str = "Device Configuration:";
const USER: &str = "User Configuration:";
const HEADINGS: [&str; 4] = [DEVICE, "Login Configuration:", USER, "SSO Tokens:"];

/// No section is nested as deep.
const MAX_DEPTH: usize = 32;

/// What Platform SSO says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformSso {
    /// Whether the device's registration is complete; `None` if Platform SSO is not configured.
    pub registration_completed: Option<bool>,
    /// The extension of the identity provider.
    pub extension: Option<String>,
    /// The device's certificate, if Microsoft's device registration issued it.
    pub certificate: Option<Description>,
    /// The state of this user's registration, without its number; `None` if there is none.
    pub user_state: Option<&'static str>,
    /// The user principal name, if a Kerberos ticket has it.
    pub user_principal_name: Option<String>,
    /// Whether this user's key is there.
    pub key: Key,
}

/// Reads the output of `app-sso platform -s`.
///
/// # Errors
/// If it cannot be understood.
pub fn parse(text: &str) -> Result<PlatformSso, Unclear> {
    let device = section(text, DEVICE)?;
    let user = section(text, USER)?;
    let user_state = match &user {
        Some(user) => Some(user_state(user)?),
        None => None,
    };
    let mut found = PlatformSso {
        registration_completed: None,
        extension: None,
        certificate: None,
        user_state,
        user_principal_name: user.as_ref().and_then(user_principal_name),
        key: Key::Absent(Absence::NotConfigured),
    };
    let Some(device) = &device else { return Ok(found) };
    let extension = device.get("extensionIdentifier").and_then(Value::as_str);
    found.extension = extension.map(str::to_owned);
    found.registration_completed = device.get("registrationCompleted").map(boolean).transpose()?;
    let issuer = device.get("deviceSigningCertificate").map(issuer).transpose()?;
    if let Some(Issuer::WorkplaceJoin(Some(description))) = &issuer {
        found.certificate = Some(description.as_ref().clone());
    }
    let is_device_registered =
        found.registration_completed == Some(true) && matches!(issuer, Some(Issuer::WorkplaceJoin(_)));
    found.key = match (extension, user_state) {
        (None, _) if found.registration_completed == Some(true) => return Err(strange("it names no extension")),
        (Some(extension), _) if !extension.eq_ignore_ascii_case(MICROSOFT) => Key::Absent(Absence::AnotherProvider),
        _ if !is_device_registered => Key::Absent(Absence::DeviceNotRegistered),
        (_, None) => Key::Absent(Absence::UserNotRegistered),
        (_, Some(NORMAL)) => Key::Present,
        (_, Some(NEEDS_NEW_KEYS)) => Key::NeedsNewKeys,
        (_, Some(_)) => Key::Absent(Absence::NeedsRegistration),
    };
    Ok(found)
}

const NORMAL: &str = "POUserStateNormal";
const NEEDS_NEW_KEYS: &str = "POUserStateNeedsNewKeys";
const NEEDS_REGISTRATION: &str = "POUserStateNeedsRegistration";

/// The state's name, which a number in parentheses may follow; or the number alone.
fn user_state(user: &Value) -> Result<&'static str, Unclear> {
    let state = user.get("state").ok_or_else(|| strange("the user has no state"))?;
    let name = match state {
        Value::String(text) => text.split_whitespace().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    };
    [(NORMAL, "0"), (NEEDS_NEW_KEYS, "1"), (NEEDS_REGISTRATION, "2")]
        .into_iter()
        .find(|&(known, number)| name == known || name == number)
        .map(|(known, _)| known)
        .ok_or_else(|| strange("the user is in an unknown state"))
}

/// `user\@example.com@REALM` in the first ticket that has a name.
fn user_principal_name(user: &Value) -> Option<String> {
    let tickets = user.get("kerberosStatus")?.as_array()?;
    let names = tickets.iter().filter_map(|ticket| ticket.get("upn")?.as_str());
    let mut names = names.filter_map(|name| Some(name.rsplit_once('@')?.0.replace("\\@", "@")));
    names.find(|name| name.contains('@'))
}

fn boolean(value: &Value) -> Result<bool, Unclear> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
        Value::String(text) if ["1", "true", "yes"].iter().any(|word| text.eq_ignore_ascii_case(word)) => Ok(true),
        Value::String(text) if ["0", "false", "no"].iter().any(|word| text.eq_ignore_ascii_case(word)) => Ok(false),
        _ => Err(strange("registrationCompleted is neither true nor false")),
    }
}

/// Who issued the device's certificate, which stands there in the base64 that is safe in URLs.
fn issuer(value: &Value) -> Result<Issuer, Unclear> {
    let unreadable = || strange("the device's certificate cannot be read");
    let text = value.as_str().ok_or_else(unreadable)?.trim().trim_end_matches('=');
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
    match certificate::issuer(&URL_SAFE_NO_PAD.decode(text).map_err(|_| unreadable())?, None) {
        Issuer::Unknown => Err(unreadable()),
        issuer => Ok(issuer),
    }
}

/// A section's object; `None` if it is `(null)`.
fn section(text: &str, heading: &str) -> Result<Option<Value>, Unclear> {
    let mut lines = text.split_inclusive('\n');
    lines.by_ref().find(|line| line.trim() == heading).ok_or_else(|| strange("a section is missing"))?;
    let body: String = lines.take_while(|line| !HEADINGS.contains(&line.trim())).collect();
    let start = match (body.find('{'), body.find("(null)")) {
        (Some(object), null) if null.is_none_or(|null| object < null) => object,
        (_, Some(_)) => return Ok(None),
        _ => return Err(strange("a section is empty")),
    };
    let object = balanced(body.get(start..).unwrap_or_default()).ok_or_else(|| strange("a section does not end"))?;
    let value = serde_json::from_str(object).ok().or_else(|| old_style(object));
    // The reader of old-style property lists passes over much that is none.
    let value = value.filter(|value| value.as_object().is_some_and(|object| !object.is_empty()));
    value.map(Some).ok_or_else(|| strange("a section is no object"))
}

/// The object at the start of `text`, up to the brace that closes it.
fn balanced(text: &str) -> Option<&str> {
    let mut open = Vec::new();
    let mut in_string = false;
    let mut escaped = false;
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '{' if !in_string => open.push('}'),
            '[' if !in_string => open.push(']'),
            '(' if !in_string => open.push(')'),
            '}' | ']' | ')' if !in_string && open.pop() != Some(character) => return None,
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

/// An old-style property list as JSON has it.
fn old_style(object: &str) -> Option<Value> {
    fn convert(value: plist::Value) -> Value {
        match value {
            plist::Value::Dictionary(entries) => {
                Value::Object(entries.into_iter().map(|(key, value)| (key, convert(value))).collect())
            }
            plist::Value::Array(values) => Value::Array(values.into_iter().map(convert).collect()),
            plist::Value::String(text) => Value::String(text),
            plist::Value::Boolean(value) => Value::Bool(value),
            plist::Value::Integer(number) => Value::String(number.to_string()),
            _ => Value::Null,
        }
    }
    plist::Value::from_reader_ascii(Cursor::new(object)).ok().map(convert)
}

const fn strange(what: &'static str) -> Unclear {
    Unclear::Unintelligible(what)
}

#[cfg(test)]
mod tests;
