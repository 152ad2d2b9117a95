//! Findings: what else was found. They never change the state.

use std::path::Path;

use crate::{
    assess::{
        finding::{Code, Finding},
        key::Storage,
    },
    evidence::{Console, Evidence, Probe, SecondOpinion, SetUp, Source, User, Witness},
    parse::{
        certificate::{Description, WORKPLACE_JOIN_ISSUER},
        jamf_aad::{HaveAnAzureId, JamfAad},
        login_keychain::{Details, LoginKeychain},
        platform_sso::{Absence, Key},
        set_up::Setting,
        timestamp::Timestamp,
    },
};

pub(super) fn all(evidence: &Evidence, now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = console(&evidence.user).into_iter().collect();
    findings.extend(second_opinion(&evidence.second_opinion));
    findings.extend(single_sign_on(evidence, now));
    if let Some(found) = evidence.login_keychain.probe.found() {
        findings.extend(workplace_join(found, now));
        findings.extend(found.details.iter().flat_map(|details| keychain_details(found, details)));
    }
    findings.extend(renamed_keychains(&evidence.renamed_keychains));
    findings.extend(jamf_aad(&evidence.jamf_aad));
    findings.extend(set_up(&evidence.set_up));
    findings.sort_by_key(|finding: &Finding| finding.code);
    findings
}

fn console(user: &User) -> Option<Finding> {
    let name = user.name.as_deref().unwrap_or("nobody");
    let at_console = match user.console {
        Console::ThisUser | Console::NotAsked => return None,
        Console::Contradictory => {
            return Some(Code::ConsoleContradictory.says(format!(
                "macOS names {name} as the console user, but the session on the console is another user's."
            )));
        }
        Console::Nobody => "Nobody is at the console".to_owned(),
        Console::Another(uid) => format!("The user with the number {uid} is at the console"),
    };
    let about = match user.source {
        Some(Source::LastConsole) => format!("; this is about {name}, who was there last"),
        Some(Source::MostRecent) => format!("; this is about {name}, whose login keychain changed last"),
        Some(Source::None) => ", and there is no user whose login keychain could be looked at".to_owned(),
        Some(Source::Console | Source::UserOption | Source::HomeOption | Source::AllUsers) | None => {
            format!("; this is about {name}")
        }
    };
    Some(Code::NotAtTheConsole.says(format!("{at_console}{about}.")))
}

fn second_opinion(opinion: &SecondOpinion) -> Option<Finding> {
    Some(match opinion {
        SecondOpinion::NotAsked => return None,
        SecondOpinion::Missing(words) => {
            Code::SecondOpinionMissing.says(format!("macOS' own keychain reader does not help: {words}."))
        }
        SecondOpinion::Used(error) => Code::SecondOpinionUsed.says(format!(
            "This tool's reader cannot make sense of the login keychain: {error}. macOS' own reader can, and was believed."
        )),
        SecondOpinion::Agrees(found) => {
            Code::SecondOpinionAgrees.says(format!("macOS' own keychain reader finds the same {found}."))
        }
        SecondOpinion::Differs { only_here, only_there } => Code::SecondOpinionDiffers.says(format!(
            "macOS' own keychain reader misses {only_here} that this tool's finds, and finds other {only_there}."
        )),
    })
}

fn single_sign_on(evidence: &Evidence, now: Timestamp) -> Vec<Finding> {
    let platform_sso = evidence.platform_sso.probe.found();
    let sso_extension = evidence.sso_extension.probe.found();
    let storage = Storage::shown_by(evidence);
    let keys = [platform_sso.map(|found| found.key), sso_extension.map(|found| found.key)];
    let mut findings: Vec<Finding> = Vec::new();
    if storage != Some(Storage::LoginKeychain) {
        findings.extend(keys.into_iter().flatten().filter_map(key));
    }
    if storage == Some(Storage::SecureEnclave) {
        let shown = platform_sso.filter(|found| found.key.is_there());
        findings.extend(shown.and_then(|found| validity(found.certificate.as_ref()?, now)));
    }
    let outputs = [output(&evidence.platform_sso), output(&evidence.sso_extension)];
    findings.extend(outputs.into_iter().flatten());
    findings.extend(device_ids(evidence));
    // Both sources may say the same.
    findings.dedup();
    findings
}

fn key(key: Key) -> Option<Finding> {
    let (code, message) = match key {
        Key::Present | Key::Absent(Absence::NotConfigured) => return None,
        Key::NeedsNewKeys => (Code::NeedsNewKeys, "The user is registered with Platform SSO, but needs new keys."),
        Key::Absent(Absence::AnotherProvider) => {
            (Code::AnotherProvider, "Platform SSO belongs to another identity provider.")
        }
        Key::Absent(Absence::DeviceNotRegistered) => {
            (Code::DeviceNotRegistered, "Platform SSO is configured, but the device is not registered with Microsoft.")
        }
        Key::Absent(Absence::UserNotRegistered) => {
            (Code::UserNotRegistered, "The device is registered with Platform SSO, but this user is not.")
        }
        Key::Absent(Absence::NeedsRegistration) => {
            (Code::NeedsRegistration, "The user has to register with Platform SSO again.")
        }
        Key::Absent(Absence::NeedsRepair) => {
            (Code::RegistrationNeedsRepair, "Jamf's tool says that the registration needs repair.")
        }
    };
    Some(code.says(message.to_owned()))
}

fn output<T>(source: &Witness<T>) -> Option<Finding> {
    let (Probe::Unreadable(cause), Some(path)) = (&source.probe, &source.path) else { return None };
    Some(Code::OutputUnusable.says(format!("{} cannot be used: {cause}.", file_name(path))))
}

fn device_ids(evidence: &Evidence) -> Option<Finding> {
    let in_keychain = evidence.login_keychain.probe.found().and_then(LoginKeychain::workplace_join_identity);
    let described = |description: Option<&'_ Description>| description.and_then(|it| it.device_id.clone());
    let platform_sso = evidence.platform_sso.probe.found().and_then(|found| found.certificate.as_ref());
    let ids = [
        described(in_keychain.and_then(|identity| identity.description.as_ref())),
        described(platform_sso),
        evidence.sso_extension.probe.found().and_then(|found| found.device_id.clone()),
    ];
    let mut ids: Vec<String> = ids.into_iter().flatten().map(|id| id.to_ascii_lowercase()).collect();
    ids.sort();
    ids.dedup();
    (ids.len() > 1)
        .then(|| Code::DeviceIdsDiffer.says(format!("The sources name different devices: {}.", ids.join(", "))))
}

fn workplace_join(found: &LoginKeychain, now: Timestamp) -> impl Iterator<Item = Finding> {
    let LoginKeychain { workplace_join_identities: identities, workplace_join_without_key: lonely, .. } = *found;
    let several = (identities > 1).then(|| {
        Code::SeveralWorkplaceJoinIdentities.says(format!(
            "There are {identities} Workplace Join identities; the one whose validity starts last is described."
        ))
    });
    let without_key = (lonely > 0).then(|| {
        let subject = counted(lonely, "Workplace Join certificate lacks its", "Workplace Join certificates lack their");
        Code::CertificateWithoutPrivateKey.says(format!("{subject} private key."))
    });
    let described = found.workplace_join_identity().and_then(|identity| identity.description.as_ref());
    [several, without_key, described.and_then(|certificate| validity(certificate, now))].into_iter().flatten()
}

/// Both ends of the validity belong to it.
fn validity(certificate: &Description, now: Timestamp) -> Option<Finding> {
    let Description { not_before, not_after, .. } = certificate;
    if now > *not_after {
        Some(Code::CertificateExpired.says(format!("The Workplace Join certificate expired at {not_after}.")))
    } else if now < *not_before {
        Some(
            Code::CertificateNotYetValid
                .says(format!("The Workplace Join certificate is not valid until {not_before}.")),
        )
    } else {
        None
    }
}

fn keychain_details(found: &LoginKeychain, details: &Details) -> impl Iterator<Item = Finding> {
    let Details {
        unparsable_certificates,
        first_unparsable_certificate,
        keys_without_certificate,
        issuer_name_elsewhere,
        other_records,
        ..
    } = details;
    let without_certificate = (*keys_without_certificate > 0).then(|| {
        let subject =
            counted(*keys_without_certificate, "Workplace Join key lacks its", "Workplace Join keys lack their");
        Code::PrivateKeyWithoutCertificate.says(format!("{subject} certificate."))
    });
    let unparsable = first_unparsable_certificate.map(|first| {
        let subject = counted(*unparsable_certificates, "certificate", "certificates");
        Code::CertificateUnparsable
            .says(format!("{subject} cannot be parsed (the first in the record at offset {first})."))
    });
    let unreadable = other_records.err().map(|error| {
        Code::OtherRecordsUnreadable.says(format!("Records that the state does not depend on cannot be read: {error}."))
    });
    let elsewhere = (*issuer_name_elsewhere && found.workplace_join.is_empty()).then(|| {
        Code::IssuerNameOutsideCertificates
            .says(format!("{WORKPLACE_JOIN_ISSUER} is named in other records, but no certificate is known to be its."))
    });
    [without_certificate, unparsable, unreadable, elsewhere].into_iter().flatten()
}

fn renamed_keychains(renamed: &[Witness<LoginKeychain>]) -> impl Iterator<Item = Finding> {
    let has_identity =
        |probe: &Probe<LoginKeychain>| probe.found().is_some_and(|found| found.workplace_join_identity().is_some());
    let name = |keychain: &Witness<LoginKeychain>| file_name(keychain.path.as_deref().unwrap_or(Path::new("")));
    let reset = renamed.iter().find(|keychain| has_identity(&keychain.probe)).map(|keychain| {
        Code::LoginKeychainReset
            .says(format!("The login keychain was reset: the Workplace Join identity is only in {}.", name(keychain)))
    });
    let unreadable = renamed.iter().find_map(|keychain| match &keychain.probe {
        Probe::Unreadable(cause) => {
            Some(Code::RenamedKeychainUnreadable.says(format!("{} cannot be read: {cause}.", name(keychain))))
        }
        Probe::Found(_) | Probe::Absent | Probe::NotAsked => None,
    });
    [reset, unreadable].into_iter().flatten()
}

fn jamf_aad(plist: &Witness<JamfAad>) -> Option<Finding> {
    let JamfAad::Parsed { have_an_azure_id, .. } = (match &plist.probe {
        Probe::Found(JamfAad::Unparsable(reason)) => {
            return Some(Code::PlistUnparsable.says(format!("The JamfAAD plist cannot be parsed: {reason}.")));
        }
        Probe::Unreadable(cause) => {
            return Some(Code::PlistUnreadable.says(format!("The JamfAAD plist cannot be read: {cause}.")));
        }
        Probe::Found(parsed) => parsed,
        Probe::Absent | Probe::NotAsked => return None,
    }) else {
        return None;
    };
    match have_an_azure_id {
        HaveAnAzureId::True => None,
        HaveAnAzureId::False => Some(
            Code::HaveAnAzureIdFalse.says("The JamfAAD plist says that the Azure AD ID was not obtained.".to_owned()),
        ),
        HaveAnAzureId::Missing => {
            Some(Code::HaveAnAzureIdMissing.says("The JamfAAD plist has no have_an_Azure_id.".to_owned()))
        }
        HaveAnAzureId::Unexpected(value) => Some(
            Code::HaveAnAzureIdUnexpected
                .says(format!("have_an_Azure_id in the JamfAAD plist is neither true nor false, but {value}.")),
        ),
    }
}

fn set_up(set_up: &SetUp) -> impl Iterator<Item = Finding> {
    let as_root = set_up.plist_of_root.found().map(|()| {
        Code::GatheredAsRoot.says("gatherAADInfo was once run as root, which does more harm than good.".to_owned())
    });
    let disabled = has_no_conditional_access(set_up).then(|| {
        let message = "microsoftCAEnabled is not true: registration stops when Company Portal closes.";
        Code::ConditionalAccessDisabled.says(message.to_owned())
    });
    [as_root, disabled].into_iter().flatten()
}

/// Whether the Jamf agent's preferences were read and do not switch conditional access on.
pub(crate) fn has_no_conditional_access(set_up: &SetUp) -> bool {
    match &set_up.conditional_access {
        Probe::Found(setting) => *setting != Setting::Is(true),
        Probe::Absent => true,
        Probe::Unreadable(_) | Probe::NotAsked => false,
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
