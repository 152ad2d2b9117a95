//! The lines of the evidence.

use crate::{
    assess::{
        Assessment,
        finding::Code,
        key::{Device, DeviceSource, Storage, WorkplaceJoin, devices, platform_sso, remembered_key},
        remedy::Remedy,
    },
    evidence::{Evidence, Probe, SsoSetUp, Witness},
    parse::{
        jamf_aad::{HaveAnAzureId, JamfAad, LastToken},
        login_keychain::LoginKeychain,
        platform_sso::{Absence, Key, UnderWay},
        timestamp::Timestamp,
    },
    report::{
        attribute::date,
        style::{Mark, Page},
    },
};

pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>) {
    let evidence = assessment.evidence;
    let found = WorkplaceJoin::shown_by(evidence);
    let mut row = |label: &str, (mark, text): (Mark, String)| page.row(mark, label, &text);
    row("WPJ certificate", certificate(assessment, found));
    if let Some(found) = found {
        row("Device id", id(found.device_id));
        row("Tenant id", id(found.tenant_id));
        if let Some(name) = found.user_principal_name {
            row("User principal name", (Mark::Neutral, name.to_owned()));
        }
    }
    for device in others(evidence, found) {
        row("Other device id", (Mark::Wrong, place(&device)));
    }
    if let Some(name) = &evidence.linked_name {
        row("Account record", (Mark::Neutral, format!("linked to Platform SSO as {name}")));
    }
    row("Private key", private_key(assessment));
    row("Key storage", storage(assessment));
    // Whether there is a key, if that is known.
    let has_key = assessment.state.is_ok().then_some(found.is_some());
    row("JamfAAD plist", plist(&evidence.jamf_aad, has_key));
    row("have_an_Azure_id", have_an_azure_id(&evidence.jamf_aad, has_key));
    row("Last token", last_token(&evidence.jamf_aad, has_key));
    let unneeded = found.is_some_and(|found| found.storage == Storage::LoginKeychain);
    let in_macos = [Remedy::RegisterInMacos, Remedy::FinishInMacos, Remedy::SignInLocally];
    let is_sound = found.is_some() && !in_macos.contains(&assessment.remedy);
    let key_of = |probe: &Probe<Key>| sso(probe, evidence, is_sound, unneeded);
    row("Platform SSO", key_of(&key(&evidence.platform_sso, |found| found.key)));
    if let Some(found) = evidence.platform_sso.probe.found() {
        if let Some(method) = found.sign_in_method {
            row("Sign-in method", (Mark::Neutral, method.name().to_owned()));
        }
        if let (Some(received), Some(expires)) = (found.token_received, found.token_expires) {
            row("SSO token", (Mark::Neutral, format!("of {}, expires at {}", time(received), time(expires))));
        }
    }
    row("SSO extension", key_of(&key(&evidence.sso_extension, |found| found.key)));
}

/// The devices with another id than the key that counts, each once.
fn others<'a>(evidence: &'a Evidence, found: Option<WorkplaceJoin<'a>>) -> Vec<Device<'a>> {
    let mut seen: Vec<&str> = found.and_then(|found| found.device_id).into_iter().collect();
    let mut others = devices(evidence);
    others.retain(|device| {
        let is_new = !seen.iter().any(|id| id.eq_ignore_ascii_case(device.device_id));
        seen.push(device.device_id);
        is_new
    });
    others
}

fn place(device: &Device<'_>) -> String {
    let source = match device.source {
        DeviceSource::LoginKeychain => "login keychain",
        DeviceSource::PlatformSso => "Platform SSO",
        DeviceSource::SsoExtension => "SSO extension",
    };
    let since = device.since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
    format!("{} ({source}{since})", device.device_id)
}

type Row = (Mark, String);

fn certificate(assessment: &Assessment<'_>, found: Option<WorkplaceJoin<'_>>) -> Row {
    let has = |code| assessment.findings.iter().any(|finding| finding.code == code);
    let Some(found) = found else { return without_key(assessment, certificates_without_key) };
    match (found.certificate, found.storage) {
        (Some(certificate), _) => {
            if has(Code::CertificateExpired) {
                (Mark::Wrong, format!("expired at {}", time(certificate.not_after)))
            } else if has(Code::CertificateNotYetValid) {
                (Mark::Wrong, format!("not valid until {}", time(certificate.not_before)))
            } else {
                (Mark::Good, format!("valid until {}", time(certificate.not_after)))
            }
        }
        (None, Storage::LoginKeychain) => (Mark::Unclear, "there, but it cannot be parsed".to_owned()),
        (None, Storage::SecureEnclave) if remembered_key(assessment.evidence).is_some() => {
            (Mark::Neutral, "not known: nobody can be asked now".to_owned())
        }
        (None, Storage::SecureEnclave) => (Mark::Neutral, "not shown by Jamf's tool".to_owned()),
    }
}

fn private_key(assessment: &Assessment<'_>) -> Row {
    let evidence = assessment.evidence;
    match Storage::shown_by(evidence) {
        Some(Storage::LoginKeychain) => (Mark::Good, "belongs to the certificate".to_owned()),
        Some(Storage::SecureEnclave) if platform_sso(evidence).is_some() => {
            (Mark::Good, "in use by Platform SSO".to_owned())
        }
        Some(Storage::SecureEnclave) => match remembered_key(evidence) {
            Some(found) => (Mark::Neutral, format!("remembered; it was there at {}", time(found.noted))),
            None => (Mark::Good, "in use by the SSO extension".to_owned()),
        },
        None => without_key(assessment, |found| {
            let lonely = found.details.as_ref().map_or(0, |details| details.keys_without_certificate);
            if lonely > 0 { "there, but its certificate is missing" } else { "none" }
        }),
    }
}

fn certificates_without_key(found: &LoginKeychain) -> &'static str {
    if found.workplace_join.is_empty() { "none" } else { "there, but its private key is missing" }
}

/// What the login keychain says if it does not show the key.
fn without_key(assessment: &Assessment<'_>, words: impl FnOnce(&LoginKeychain) -> &'static str) -> Row {
    let evidence = assessment.evidence;
    // Without a state it may still be in the Secure Enclave.
    let missing = if assessment.state.is_ok() { Mark::Wrong } else { Mark::Neutral };
    match &evidence.login_keychain.probe {
        Probe::Found(found) => match &found.unknown_issuer {
            Some(_) => (Mark::Unclear, "the issuer of a certificate cannot be determined".to_owned()),
            None => (missing, words(found).to_owned()),
        },
        Probe::Absent => (missing, "none: there is no login keychain".to_owned()),
        Probe::Unreadable(_) => (Mark::Unclear, "the login keychain cannot be read".to_owned()),
        Probe::NotAsked => (Mark::Unclear, "not asked".to_owned()),
    }
}

fn storage(assessment: &Assessment<'_>) -> Row {
    match (Storage::shown_by(assessment.evidence), &assessment.state) {
        (Some(storage), _) => (Mark::Neutral, storage.name().to_owned()),
        (None, Ok(_)) => (Mark::Neutral, "none".to_owned()),
        (None, Err(_)) => (Mark::Unclear, "cannot be told".to_owned()),
    }
}

fn id(id: Option<&str>) -> Row {
    id.map_or((Mark::Unclear, "not known".to_owned()), |id| (Mark::Neutral, id.to_owned()))
}

fn plist(plist: &Witness<JamfAad>, has_key: Option<bool>) -> Row {
    match &plist.probe {
        Probe::Found(JamfAad::Parsed { .. }) => (Mark::Good, "there".to_owned()),
        Probe::Found(JamfAad::Unparsable(reason)) => (Mark::Wrong, format!("cannot be parsed: {reason}")),
        Probe::Absent if has_key == Some(true) => (Mark::Wrong, "missing".to_owned()),
        Probe::Absent => (Mark::Neutral, "missing".to_owned()),
        Probe::Unreadable(cause) => (Mark::Unclear, format!("cannot be read: {cause}")),
        Probe::NotAsked => (Mark::Neutral, "not asked".to_owned()),
    }
}

fn have_an_azure_id(plist: &Witness<JamfAad>, has_key: Option<bool>) -> Row {
    match &plist.probe {
        Probe::Found(JamfAad::Parsed { have_an_azure_id, .. }) => match have_an_azure_id {
            // Nothing can be obtained with a key that is gone.
            HaveAnAzureId::True if has_key == Some(false) => {
                (Mark::Neutral, "true, of an earlier registration".to_owned())
            }
            HaveAnAzureId::True => (Mark::Good, "true".to_owned()),
            HaveAnAzureId::False => (Mark::Wrong, "false".to_owned()),
            HaveAnAzureId::Missing => (Mark::Wrong, "not set".to_owned()),
            HaveAnAzureId::Unexpected(value) => (Mark::Wrong, format!("neither true nor false: {value}")),
        },
        Probe::Found(JamfAad::Unparsable(_)) | Probe::Unreadable(_) => (Mark::Unclear, "not known".to_owned()),
        Probe::Absent => (Mark::Neutral, "not set, because there is no plist".to_owned()),
        Probe::NotAsked => (Mark::Neutral, "not asked".to_owned()),
    }
}

fn last_token(plist: &Witness<JamfAad>, has_key: Option<bool>) -> Row {
    match &plist.probe {
        Probe::Found(JamfAad::Parsed { last_token, have_an_azure_id }) => match last_token {
            LastToken::At(at) => (Mark::Neutral, time(*at)),
            LastToken::Never if *have_an_azure_id == HaveAnAzureId::True && has_key == Some(true) => {
                (Mark::Wrong, "never: a script has set have_an_Azure_id".to_owned())
            }
            LastToken::Never => (Mark::Neutral, "never".to_owned()),
            LastToken::Unexpected => (Mark::Unclear, "not a time".to_owned()),
        },
        Probe::Absent => (Mark::Neutral, "never".to_owned()),
        Probe::Found(JamfAad::Unparsable(_)) | Probe::Unreadable(_) => (Mark::Unclear, "not known".to_owned()),
        Probe::NotAsked => (Mark::Neutral, "not asked".to_owned()),
    }
}

/// What a source says about the key, without the rest.
fn key<T>(source: &Witness<T>, key: impl FnOnce(&T) -> Key) -> Probe<Key> {
    match &source.probe {
        Probe::Found(found) => Probe::Found(key(found)),
        Probe::Absent => Probe::Absent,
        Probe::Unreadable(cause) => Probe::Unreadable(cause.clone()),
        Probe::NotAsked => Probe::NotAsked,
    }
}

fn sso(probe: &Probe<Key>, evidence: &Evidence, is_sound: bool, unneeded: bool) -> Row {
    // The key may be elsewhere, and nothing is wrong then.
    let missing = if is_sound { Mark::Neutral } else { Mark::Wrong };
    let (mark, text) = match probe {
        Probe::Found(key) => match key {
            Key::Present => (Mark::Good, "registered"),
            Key::NeedsNewKeys => (Mark::Good, "registered; macOS makes new keys at the next sign-in"),
            Key::Absent(Absence::NotConfigured) => (Mark::Neutral, "not set up"),
            Key::Absent(Absence::NoDevice) => (Mark::Neutral, "not set up, by an output of root's"),
            Key::Absent(Absence::AnotherProvider) => (Mark::Neutral, "of another identity provider"),
            Key::Absent(Absence::DeviceNotRegistered) => (missing, "set up, but the device is not registered"),
            Key::Absent(Absence::DeviceLost) => (missing, "the device's registration is lost, but the user's is there"),
            Key::Absent(Absence::UserKeyInvalid) => (missing, "the user's key is invalid"),
            Key::UnderWay(UnderWay::NeedsBinding) => {
                (missing, "under way: the user has to sign in once with the local password")
            }
            Key::UnderWay(UnderWay::NewUser) => (missing, "the registration of this user is under way"),
            Key::Absent(Absence::UserNotRegistered) => (missing, "the device is registered, but not this user"),
            Key::Absent(Absence::NeedsRegistration) => (missing, "the user has to register again"),
            Key::Absent(Absence::NeedsRepair) => (missing, "the registration needs repair"),
        },
        Probe::Unreadable(cause) => return (Mark::Unclear, cause.to_string()),
        Probe::Absent | Probe::NotAsked if unneeded => (Mark::Neutral, "not asked, as the login keychain has the key"),
        Probe::Absent | Probe::NotAsked if matches!(evidence.sso_set_up, SsoSetUp::By(_) | SsoSetUp::MayBeDeclared) => {
            (Mark::Unclear, "not asked, as that takes sudo and a session of the user's")
        }
        Probe::Absent | Probe::NotAsked if evidence.can_ask_sso => (Mark::Neutral, "there is no command that tells"),
        Probe::Absent | Probe::NotAsked => (Mark::Neutral, "not asked"),
    };
    (mark, text.to_owned())
}

fn time(time: Timestamp) -> String {
    format!("{} UTC", date(time))
}
