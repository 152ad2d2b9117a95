//! What `app-sso platform -s` prints: the state of Platform SSO.
//!
//! A line with the time; then sections, each a heading and a JSON object or `(null)`: `Device Configuration:`, which is
//! the same for all users, `Login Configuration:` and `User Configuration:`, which is about the user who ran it; then
//! the SSO tokens. Some releases print old-style property lists (`key = value;`) instead of JSON.

use std::{borrow::Cow, io::Cursor};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{Absence, Key, Unclear, is_of_microsoft};
use crate::parse::{
    certificate::{self, Description, Issuer},
    cut::{self, cut},
};

const DEVICE: &str = "Device Configuration:";
const USER: &str = "User Configuration:";
const HEADINGS: [&str; 4] = [DEVICE, "Login Configuration:", USER, "SSO Tokens:"];

/// No section is nested as deep.
const MAX_DEPTH: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformSso {
    /// Whether the device's registration is complete; `None` if Platform SSO is not configured.
    pub registration_completed: Option<bool>,
    /// The identifier of the identity provider's extension, cut at 255 characters.
    pub extension: Option<String>,
    /// The device's certificate, if Microsoft's device registration issued it.
    pub certificate: Option<Description>,
    /// The state of this user's registration, without its number; `None` if there is none.
    pub user_state: Option<String>,
    /// The user principal name, if a Kerberos ticket has it.
    pub user_principal_name: Option<String>,
    pub key: Key,
}

/// Reads the output of `app-sso platform -s`.
/// Fails if it cannot be understood.
pub fn parse(text: &str) -> Result<PlatformSso, Unclear> {
    let device = section(text, DEVICE)?;
    let user = section(text, USER)?;
    let state = user.as_ref().map(user_state);
    let mut found = PlatformSso {
        registration_completed: None,
        extension: None,
        certificate: None,
        user_state: state.clone().and_then(Result::ok).map(str::to_owned),
        user_principal_name: user.as_ref().and_then(user_principal_name),
        key: Key::Absent(Absence::NotConfigured),
    };
    let Some(device) = &device else { return Ok(found) };
    let extension = device.get("extensionIdentifier").and_then(Value::as_str);
    found.extension = extension.map(|identifier| cut(identifier.to_owned()));
    let completed = boolean(device.get("registrationCompleted"));
    found.registration_completed = completed.clone().ok();
    // However another provider's registration looks, it is not Microsoft's.
    if !is_of_microsoft(extension.ok_or_else(|| strange("it names no extension"))?) {
        found.key = Key::Absent(Absence::AnotherProvider);
        return Ok(found);
    }
    if !completed? {
        found.key = Key::Absent(Absence::DeviceNotRegistered);
        return Ok(found);
    }
    let der = device.get("deviceSigningCertificate").map(certificate);
    let der = der.ok_or_else(|| strange("it is registered, but has no certificate"))??;
    found.key = match certificate::issuer(&der, None) {
        Issuer::WorkplaceJoin => {
            found.certificate = certificate::describe(&der);
            match state.transpose()? {
                None => Key::Absent(Absence::UserNotRegistered),
                Some(NORMAL) => Key::Present,
                Some(NEEDS_NEW_KEYS) => Key::NeedsNewKeys,
                Some(_) => Key::Absent(Absence::NeedsRegistration),
            }
        }
        Issuer::Another { .. } => Key::Absent(Absence::DeviceNotRegistered),
        Issuer::Unknown => return Err(unreadable_certificate()),
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
    cut::whole(&names.find(|name| name.contains('@'))?)
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

/// The device's certificate, which is written in the base64 that is safe in URLs.
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

/// A section's object; `None` if it is `(null)`. Other text may be before and after it, on lines of its own.
fn section(text: &str, heading: &str) -> Result<Option<Value>, Unclear> {
    let mut lines = text.split_inclusive('\n');
    lines.by_ref().find(|line| line.trim() == heading).ok_or_else(|| strange("a section is missing"))?;
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
    let value = serde_json::from_str(object).ok().or_else(|| old_style(object));
    let value = value.filter(|value: &Value| value.as_object().is_some_and(|object| !object.is_empty()));
    value.map(Some).ok_or_else(|| strange("a section is not an object"))
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

/// An old-style property list as JSON has it. Its reader passes over much that is not one, so the pairs are counted.
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

/// How many pairs `key = value;` an object has, not counting those of inner ones; `None` if it has anything else.
fn pairs(object: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    let (mut equals, mut ends) = (0, 0);
    for character in object.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            '=' if depth == 1 && equals == ends => equals += 1,
            ';' if depth == 1 && equals == ends + 1 => ends += 1,
            '=' | ';' | ':' if depth == 1 => return None,
            _ => {}
        }
    }
    (equals == ends).then_some(equals)
}

const fn strange(what: &'static str) -> Unclear {
    Unclear::Unintelligible(Cow::Borrowed(what))
}

#[cfg(test)]
mod tests;
