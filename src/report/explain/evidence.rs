//! The rows of the evidence.

use crate::{
    assess::{
        Assessment,
        finding::Code,
        findings::unusable_outputs,
        key::{Device, DeviceSource, Storage, WorkplaceJoin, devices, other_tenants, platform_sso, remembered_key},
        remedy::Remedy,
    },
    cli::Request,
    evidence::{Evidence, Obstacle, Probe, Witness},
    parse::{
        jamf_aad::{HaveAnAzureId, JamfAad, LastToken},
        platform_sso::{Absence, Key, UnderWay},
        timestamp::Timestamp,
    },
    report::{
        attribute::date,
        style::{Mark, Page},
    },
};

type Row = (Mark, String);

/// What was not checked, and the option with which it can be given.
pub(super) type Unchecked = (&'static str, &'static str);

/// Prints the rows, and returns what was not checked.
pub(super) fn rows(page: &mut Page, assessment: &Assessment<'_>) -> Vec<Unchecked> {
    let evidence = assessment.evidence;
    let found = WorkplaceJoin::shown_by(evidence);
    let mut unchecked = Vec::new();
    let mut row = |label: &str, (mark, text): Row| page.row(mark, label, &text);
    match key(assessment) {
        Some(it) => row("WPJ key", it),
        None => unchecked.push(("the login keychain", "--keychain")),
    }
    if let Some(found) = found {
        if let Some(it) = certificate(assessment, found) {
            row("Certificate", it);
        }
        row("Device ID", found.device_id.map_or_else(unknown, |id| (Mark::Neutral, device(evidence, id, 2))));
        let without_tenant = || if evidence.expected_tenants.accept_all() { Mark::Neutral } else { Mark::Unclear };
        let unknown_tenant = || (without_tenant(), "unknown".to_owned());
        row("Tenant ID", found.tenant_id.map_or_else(unknown_tenant, |id| (Mark::Neutral, id.to_owned())));
        if let Some(name) = found.user_principal_name {
            row("User principal name", (Mark::Neutral, name.to_owned()));
        }
    }
    let are_several = assessment.findings.iter().any(|finding| finding.code == Code::SeveralDeviceIds);
    for other in others(evidence, found) {
        let label = if found.is_some() { "Other device ID" } else { "Device ID, not used" };
        row(label, (if are_several { Mark::Wrong } else { Mark::Neutral }, device(evidence, other, 1)));
    }
    if let Some(name) = &evidence.linked_name {
        row("Account record", (Mark::Neutral, format!("linked to Platform SSO as {name}")));
    }
    // Whether the key is present, if that is known.
    let has_key = assessment.state.is_ok().then_some(found.is_some());
    // The first line has the reason for the missing state.
    let said = assessment.state.as_ref().err();
    match plist(&evidence.jamf_aad, has_key, said) {
        Some(it) => row("JamfAAD plist", it),
        None => unchecked.push(("JamfAAD's plist", "--plist")),
    }
    let in_macos = [Remedy::RegisterInMacos, Remedy::FinishInMacos, Remedy::SignInLocally];
    // If the key is elsewhere, nothing is wrong.
    let missing = if found.is_some() && !in_macos.contains(&assessment.remedy) { Mark::Neutral } else { Mark::Wrong };
    let counts = |tenant_id: Option<&str>| evidence.expected_tenants.accept(tenant_id);
    match key_of(&evidence.platform_sso, said, |found| (found.key, counts(found.tenant_id()))) {
        Some(key) => row("Platform SSO", sso(&key, missing)),
        None => unchecked.push(("Platform SSO", "--app-sso-state")),
    }
    if let Some(found) = evidence.platform_sso.probe.found()
        && found.key != Key::Absent(Absence::AnotherProvider)
    {
        if let Some(method) = found.sign_in_method {
            row("Sign-in method", (Mark::Neutral, method.name().to_owned()));
        }
        if let (Some(received), Some(expires)) = (found.token_received, found.token_expires) {
            row("SSO token", (Mark::Neutral, format!("{} to {}", date(received), time(expires))));
        }
    }
    match key_of(&evidence.sso_extension, said, |found| (found.key, counts(evidence.sso_extension_tenant()))) {
        Some(Err(words))
            if unusable_outputs(evidence).iter().all(|output| output.path != evidence.sso_extension.path) =>
        {
            row("SSO extension", (Mark::Neutral, words));
        }
        Some(key) => row("SSO extension", sso(&key, missing)),
        // For this key, the other command is enough.
        None if platform_sso(evidence).is_none() => unchecked.push(("the SSO extension", "--psso-status")),
        None => {}
    }
    unchecked
}

/// One line that lists what was not checked, and why.
pub(super) fn not_checked(assessment: &Assessment<'_>, unchecked: &[Unchecked], request: &Request) -> Option<String> {
    let Evidence { user, can_check_sso, .. } = assessment.evidence;
    let given = request.system_root.is_some().then_some("--system-root");
    // If the commands could have been run, one that is missing is not installed, which needs no line.
    let is_shown = |(_, option): &&Unchecked| {
        let is_command = ["--app-sso-state", "--psso-status"].contains(option);
        // The report says to check for a key there.
        let is_needed = WorkplaceJoin::shown_by(assessment.evidence).is_none()
            || matches!(assessment.remedy, Remedy::RegisterInSelfService | Remedy::DeployProfile);
        !is_command || (!can_check_sso && is_needed)
    };
    let unchecked: Vec<&Unchecked> = unchecked.iter().filter(is_shown).collect();
    if unchecked.is_empty() {
        return None;
    }
    let rest = "the rest of JamfAAD's set-up, which is not in the folder of --system-root";
    let name = |&&(name, option): &&Unchecked| if Some(option) == given { rest } else { name };
    let names: Vec<&str> = unchecked.iter().map(name).collect();
    let options: Vec<&str> = unchecked.iter().map(|(_, option)| *option).filter(|it| Some(*it) != given).collect();
    let names = listed(&names);
    Some(if !user.is_of_this_mac() {
        let what = if user.home.is_some() { "a saved home" } else { "these files" };
        let options = if options.is_empty() { String::new() } else { format!("; see {}", listed(&options)) };
        format!("Not checked for {what}: {names}{options}.")
    } else if user.has_session == Some(false) {
        format!("Not checked, because the user is not logged in: {names}.")
    } else {
        format!("Not checked: {names}.")
    })
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// The storage of the key, or what was found instead; `None` if that was not checked.
fn key(assessment: &Assessment<'_>) -> Option<Row> {
    let evidence = assessment.evidence;
    Some(match Storage::shown_by(evidence) {
        Some(Storage::LoginKeychain) => (Mark::Good, "in the login keychain".to_owned()),
        Some(Storage::SecureEnclave) => match remembered_key(evidence) {
            Some(found) => {
                (Mark::Neutral, format!("in the Secure Enclave at {}; it may be gone since", time(found.noted)))
            }
            None => (Mark::Good, "in the Secure Enclave".to_owned()),
        },
        None => {
            // If the state is unknown, the key may still be in the Secure Enclave.
            let missing = if assessment.state.is_ok() { Mark::Wrong } else { Mark::Neutral };
            match &evidence.login_keychain.probe {
                Probe::Found(found) if found.unknown_issuer.is_some() => {
                    (Mark::Unclear, "unknown: the issuer of a certificate cannot be read".to_owned())
                }
                Probe::Found(found) => {
                    let lonely = found.details.as_ref().map_or(0, |details| details.keys_without_certificate);
                    let has_certificate = !found.workplace_join.is_empty();
                    let is_of_another = !other_tenants(evidence).is_empty();
                    let text = match (is_of_another, has_certificate, lonely > 0) {
                        (true, _, _) => "none that counts: the key belongs to another tenant",
                        (_, true, _) => "none; the login keychain has a certificate without its private key",
                        (_, _, true) => "none; the login keychain has a private key without its certificate",
                        _ => "none in the login keychain",
                    };
                    (missing, text.to_owned())
                }
                Probe::Absent => (missing, "none; there is no login keychain".to_owned()),
                Probe::Unreadable(_) => (Mark::Unclear, "unknown: the login keychain cannot be read".to_owned()),
                Probe::NotChecked => return None,
            }
        }
    })
}

/// The row about the certificate; `None` if the source of the key shows no certificate.
fn certificate(assessment: &Assessment<'_>, found: WorkplaceJoin<'_>) -> Option<Row> {
    let has = |code| assessment.findings.iter().any(|finding| finding.code == code);
    Some(match (found.certificate, found.storage) {
        (Some(certificate), _) if has(Code::CertificateExpired) => {
            (Mark::Wrong, format!("expired at {}", time(certificate.not_after)))
        }
        (Some(certificate), _) if has(Code::CertificateNotYetValid) => {
            (Mark::Wrong, format!("not valid until {}", time(certificate.not_before)))
        }
        (Some(certificate), _) => {
            (Mark::Good, format!("valid {} to {}", date(certificate.not_before), time(certificate.not_after)))
        }
        (None, Storage::LoginKeychain) => (Mark::Unclear, "present, but it cannot be parsed".to_owned()),
        (None, Storage::SecureEnclave) => return None,
    })
}

fn unknown() -> Row {
    (Mark::Unclear, "unknown".to_owned())
}

/// The device IDs other than that of the key that counts, without duplicates.
fn others<'a>(evidence: &'a Evidence, found: Option<WorkplaceJoin<'a>>) -> Vec<&'a str> {
    let mut seen: Vec<&str> = found.and_then(|found| found.device_id).into_iter().collect();
    let known = seen.len();
    for device in devices(evidence) {
        if !seen.iter().any(|id| id.eq_ignore_ascii_case(device.device_id)) {
            seen.push(device.device_id);
        }
    }
    seen.split_off(known)
}

/// A device ID with the sources that show it and when it was registered, if there are at least so many.
fn device(evidence: &Evidence, id: &str, at_least: usize) -> String {
    let mut places: Vec<String> =
        devices(evidence).iter().filter(|device| device.device_id.eq_ignore_ascii_case(id)).map(place).collect();
    places.dedup();
    if places.len() < at_least { id.to_owned() } else { format!("{id} ({})", places.join(", ")) }
}

fn place(device: &Device<'_>) -> String {
    let source = match device.source {
        DeviceSource::LoginKeychain => "login keychain",
        DeviceSource::PlatformSso => "Platform SSO",
        DeviceSource::SsoExtension => "SSO extension",
    };
    let since = device.since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
    format!("{source}{since}")
}

/// The row about JamfAAD's plist; `None` if it was not checked.
fn plist(plist: &Witness<JamfAad>, has_key: Option<bool>, said: Option<&Obstacle>) -> Option<Row> {
    let (have_an_azure_id, last_token) = match &plist.probe {
        Probe::Found(JamfAad::Parsed { have_an_azure_id, last_token }) => (have_an_azure_id, last_token),
        Probe::Found(JamfAad::Unparsable(reason)) => return Some((Mark::Wrong, format!("cannot be parsed: {reason}"))),
        Probe::Absent if has_key == Some(true) => return Some((Mark::Wrong, "missing".to_owned())),
        Probe::Absent => return Some((Mark::Neutral, "missing".to_owned())),
        Probe::Unreadable(_) if said.is_some_and(|said| said.explains(plist)) => {
            return Some((Mark::Unclear, "cannot be read".to_owned()));
        }
        Probe::Unreadable(cause) => return Some((Mark::Unclear, format!("cannot be read: {cause}"))),
        Probe::NotChecked => return None,
    };
    let token = match last_token {
        LastToken::At(at) => format!("last token {}", time(*at)),
        LastToken::Never => "never a token".to_owned(),
        LastToken::Unexpected => "the time of the last token is invalid".to_owned(),
    };
    let (mark, text) = match have_an_azure_id {
        // Without a key, the value is from an earlier registration.
        HaveAnAzureId::True if has_key == Some(false) => (Mark::Neutral, "an old AAD ID".to_owned()),
        HaveAnAzureId::True if *last_token == LastToken::Never => {
            (Mark::Wrong, "have_an_Azure_id was set by a script".to_owned())
        }
        HaveAnAzureId::True => (Mark::Good, "AAD ID acquired".to_owned()),
        HaveAnAzureId::False => (Mark::Wrong, "AAD ID not acquired".to_owned()),
        HaveAnAzureId::Missing => (Mark::Wrong, "have_an_Azure_id is missing".to_owned()),
        HaveAnAzureId::Unexpected(value) => (Mark::Wrong, format!("have_an_Azure_id is {value}, not true or false")),
    };
    Some((mark, format!("{text}; {token}")))
}

/// What a command shows about the key, and whether the key's tenant is an expected one; `None` if it was not run.
fn key_of<T>(
    source: &Witness<T>,
    said: Option<&Obstacle>,
    key: impl FnOnce(&T) -> (Key, bool),
) -> Option<Result<(Key, bool), String>> {
    match &source.probe {
        Probe::Found(found) => Some(Ok(key(found))),
        Probe::Unreadable(_) if said.is_some_and(|said| said.explains(source)) => Some(Err("unknown".to_owned())),
        Probe::Unreadable(cause) => Some(Err(cause.to_string())),
        Probe::Absent | Probe::NotChecked => None,
    }
}

fn sso(key: &Result<(Key, bool), String>, missing: Mark) -> Row {
    let key = match key {
        Ok((key, true)) => key,
        Ok((_, false)) => return (missing, "for another tenant, so it does not count".to_owned()),
        Err(words) => return (Mark::Unclear, words.clone()),
    };
    let (mark, text) = match key {
        Key::Present => (Mark::Good, "registered"),
        Key::NeedsNewKeys => (Mark::Good, "registered; macOS creates new keys at the next sign-in"),
        Key::UnderWay(UnderWay::NeedsBinding) => (missing, "registering; needs a login with the local password"),
        Key::UnderWay(UnderWay::NewUser) => (missing, "registering"),
        Key::Absent(absence) => match absence {
            Absence::NotConfigured => (Mark::Neutral, "not set up"),
            Absence::NoDevice => (Mark::Neutral, "not set up, according to an output saved as root"),
            Absence::AnotherProvider => (Mark::Neutral, "set up for another identity provider"),
            Absence::DeviceNotRegistered => (missing, "set up, but the device is not registered"),
            Absence::DeviceLost => (missing, "the device's registration is lost; the user's exists"),
            Absence::UserKeyInvalid => (missing, "the user's key is invalid"),
            Absence::UserNotRegistered => (missing, "the device is registered, but not this user"),
            Absence::NeedsRegistration => (missing, "the user has to register again"),
            Absence::NeedsRepair => (missing, "the registration needs repair"),
        },
    };
    (mark, text.to_owned())
}

fn time(time: Timestamp) -> String {
    format!("{} UTC", date(time))
}
