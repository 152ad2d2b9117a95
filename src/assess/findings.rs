//! Findings: other observations. They never change the state.

use std::path::Path;

use crate::{
    assess::{
        finding::{Code, Finding, Mend},
        key::{
            Storage, WorkplaceJoin, other_tenants, platform_sso, remembered_key as remembered_key_that_counts,
            sso_extension,
        },
        remedy::Remedy,
        state::RegistrationState,
    },
    evidence::{Console, Evidence, Obstacle, Probe, SecondOpinion, SetUp, Source, User, Witness},
    parse::{
        certificate::{Description, WORKPLACE_JOIN_ISSUER},
        jamf_aad::{HaveAnAzureId, JamfAad, LastToken},
        login_keychain::{Details, LoginKeychain, WorkplaceJoinCertificate},
        platform_sso::{Absence, Key, UnderWay},
        set_up::{Service, Setting, SsoProfile},
        tenants::Tenants,
        timestamp::Timestamp,
    },
};

/// Findings that only matter if there is no key.
const LEFT_OVER: [Code; 3] =
    [Code::LoginKeychainReset, Code::CertificateWithoutPrivateKey, Code::PrivateKeyWithoutCertificate];

pub(super) fn all(evidence: &Evidence, state: Option<RegistrationState>, now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<Finding> = console(&evidence.user).into_iter().collect();
    findings.extend(second_opinion(&evidence.second_opinion));
    findings.extend(tenants(evidence));
    findings.extend(remembered_key(evidence));
    findings.extend(settings(&evidence.unused_settings));
    findings.extend(single_sign_on(evidence, now));
    if let Some(found) = evidence.login_keychain.probe.found() {
        findings.extend(workplace_join(found, evidence.identity(), now));
        findings.extend(found.details.iter().flat_map(|details| keychain_details(found, details)));
    }
    findings.extend(renamed_keychains(&evidence.renamed_keychains, &evidence.expected_tenants));
    if Storage::shown_by(evidence).is_some() {
        // If there is a key, these are left over from an earlier registration.
        findings.retain(|finding| !LEFT_OVER.contains(&finding.code));
    }
    findings.extend(jamf_aad(&evidence.jamf_aad, Storage::shown_by(evidence).is_some()));
    findings.extend(set_up(evidence, state));
    findings.sort_by_key(|finding: &Finding| finding.code);
    findings
}

fn console(user: &User) -> Option<Finding> {
    let name = user.name.as_deref().unwrap_or("nobody");
    let at_console = match user.console {
        Console::ThisUser | Console::NotChecked => return None,
        Console::Contradictory => {
            return Some(Code::ConsoleContradictory.says(format!(
                "macOS names {name} as the console user, but the session at the console belongs to another user."
            )));
        }
        Console::Nobody => "Nobody is at the console".to_owned(),
        Console::Another(uid) => format!("User {uid} is at the console"),
    };
    let about = match user.source {
        Some(Source::LastConsole) => format!("; this is about {name}, who was there last"),
        Some(Source::MostRecent) => format!("; this is about {name}, whose login keychain changed last"),
        Some(Source::None) => ", and no user has a login keychain".to_owned(),
        Some(Source::Console | Source::UserOption | Source::HomeOption | Source::FilesGiven | Source::AllUsers)
        | None => {
            format!("; this is about {name}")
        }
    };
    Some(Code::NotAtTheConsole.says(format!("{at_console}{about}.")))
}

fn second_opinion(opinion: &SecondOpinion) -> Option<Finding> {
    Some(match opinion {
        SecondOpinion::NotChecked => return None,
        SecondOpinion::NoKey => Code::SecondOpinionMissing.says(
            "No second opinion: macOS's reader found no Workplace Join key that counts, but it skips damaged tables."
                .to_owned(),
        ),
        SecondOpinion::Missing(words) => Code::SecondOpinionMissing.says(format!("No second opinion: {words}.")),
        SecondOpinion::Used(error) => Code::SecondOpinionUsed.says(format!(
            "This tool could not read the login keychain ({}). The result relies on macOS's own reader.",
            error.kind
        )),
        SecondOpinion::Agrees(found) => {
            Code::SecondOpinionAgrees.says(format!("macOS's own reader finds the same {found}."))
        }
        SecondOpinion::Differs { only_here, only_there } => Code::SecondOpinionDiffers.says(format!(
            "macOS's reader and this tool disagree. Only this tool found {only_here}; only macOS's found {only_there}."
        )),
    })
}

fn single_sign_on(evidence: &Evidence, now: Timestamp) -> Vec<Finding> {
    // What another tenant's registration needs does not concern this one.
    let counts = |tenant_id| evidence.expected_tenants.accept(tenant_id);
    let by_app_sso = evidence.platform_sso.probe.found().filter(|found| counts(found.tenant_id())).map(|it| it.key);
    let by_jamf = evidence.sso_extension.probe.found().filter(|_| counts(evidence.sso_extension_tenant()));
    let by_jamf = by_jamf.map(|found| found.key);
    let storage = Storage::shown_by(evidence);
    // The device is then not registered with Microsoft because another identity provider is used.
    let is_of_another = by_app_sso == Some(Key::Absent(Absence::AnotherProvider));
    let by_jamf = by_jamf.filter(|key| !is_of_another || *key != Key::Absent(Absence::DeviceNotRegistered));
    let keys = [by_app_sso, by_jamf];
    let mut findings: Vec<Finding> = Vec::new();
    if storage == Some(Storage::LoginKeychain) {
        let found = || keys.into_iter().flatten().filter_map(key);
        findings.extend(found().filter(|finding| finding.code == Code::RegistrationUnderWay));
        let wants_registration = found().any(|finding| finding.code.mend() == Mend::By(Remedy::RegisterInMacos));
        findings.extend(wants_registration.then(|| {
            let message =
                "The login keychain has a key, but this Mac is set up for Platform SSO, which needs a registration.";
            Code::PlatformSsoToRegister.says(message.to_owned())
        }));
    } else {
        findings.extend(keys.into_iter().flatten().filter_map(key));
    }
    if storage == Some(Storage::SecureEnclave) {
        findings.extend(platform_sso(evidence).and_then(|found| validity(found.certificate.as_ref()?, now)));
    }
    findings.extend(unusable_outputs(evidence).iter().map(output));
    findings.extend(device_ids(evidence));
    // Both sources may give the same finding.
    findings.dedup();
    findings
}

fn key(key: Key) -> Option<Finding> {
    let (code, message) = match key {
        Key::Present => return None,
        Key::Absent(Absence::NotConfigured | Absence::NoDevice) => {
            (Code::PlatformSsoNotSetUp, "Platform SSO is not set up for this user.")
        }
        Key::NeedsNewKeys => (Code::NeedsNewKeys, "The user is registered with Platform SSO, but needs new keys."),
        Key::Absent(Absence::AnotherProvider) => {
            (Code::AnotherProvider, "Platform SSO is set up for another identity provider.")
        }
        Key::Absent(Absence::DeviceNotRegistered) => {
            (Code::DeviceNotRegistered, "Platform SSO is configured, but the device is not registered with Microsoft.")
        }
        Key::Absent(Absence::DeviceLost) => (
            Code::DeviceRegistrationLost,
            "The device's part of the Platform SSO registration is lost, but the user's part exists.",
        ),
        Key::Absent(Absence::UserKeyInvalid) => (Code::UserKeyInvalid, "The user's key for Platform SSO is invalid."),
        Key::UnderWay(UnderWay::NeedsBinding) => (
            Code::RegistrationUnderWay,
            "The user's registration with Platform SSO is under way: the user has to sign in with the local password.",
        ),
        Key::UnderWay(UnderWay::NewUser) => {
            (Code::RegistrationUnderWay, "The user's registration with Platform SSO is under way.")
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

/// The commands whose output cannot be used, and why. Jamf's tool often gives no answer, which does not matter if there
/// is a key.
pub(crate) fn unusable_outputs(evidence: &Evidence) -> Vec<Obstacle> {
    let is_needed = Storage::shown_by(evidence).is_none() || !evidence.jamf_gave_no_answer();
    let by_jamf = evidence.sso_extension.obstacle().filter(|_| is_needed);
    evidence.platform_sso.obstacle().into_iter().chain(by_jamf).collect()
}

fn output(Obstacle { path, cause }: &Obstacle) -> Finding {
    let name = file_name(path.as_deref().unwrap_or(Path::new("")));
    Code::OutputUnusable.says(format!("{name} cannot be used: {cause}."))
}

fn device_ids(evidence: &Evidence) -> Option<Finding> {
    // Only the key that counts from each source, because an earlier registration may have left others.
    let in_keychain = evidence.identity().and_then(|identity| identity.description.as_ref());
    let by_app_sso = platform_sso(evidence).and_then(|found| found.certificate.as_ref());
    let ids = [
        in_keychain.and_then(|it| it.device_id.as_deref()),
        by_app_sso.and_then(|it| it.device_id.as_deref()),
        sso_extension(evidence).and_then(|found| found.device_id.as_deref()),
    ];
    let mut ids: Vec<String> = ids.into_iter().flatten().map(str::to_ascii_lowercase).collect();
    ids.sort();
    ids.dedup();
    (ids.len() > 1)
        .then(|| Code::SeveralDeviceIds.says(format!("This Mac has keys of several devices: {}.", ids.join(", "))))
}

/// Whether the key belongs to an expected tenant.
fn tenants(evidence: &Evidence) -> Option<Finding> {
    if evidence.expected_tenants.accept_all() {
        return None;
    }
    match WorkplaceJoin::shown_by(evidence) {
        Some(found) => found.tenant_id.is_none().then(|| {
            let message = "The Workplace Join key does not name its tenant; it counts all the same.";
            Code::TenantNotKnown.says(message.to_owned())
        }),
        None => {
            let others = other_tenants(evidence);
            (!others.is_empty()).then(|| {
                let others = others.join(", ");
                let message = format!("The key belongs to the tenant {others}, which is not an expected one.");
                Code::RegisteredWithAnotherTenant.says(message)
            })
        }
    }
}

fn settings(unused: &[String]) -> Option<Finding> {
    (!unused.is_empty())
        .then(|| Code::SettingUnusable.says(format!("wpj-state ignores a setting: {}.", unused.join("; "))))
}

fn remembered_key(evidence: &Evidence) -> Option<Finding> {
    let Witness { path, probe } = &evidence.remembered_key;
    match probe {
        Probe::Found(_) => remembered_key_that_counts(evidence).map(|found| {
            Code::KeyRemembered.says(format!(
                "Without a session, a key in the Secure Enclave cannot be checked now. It was found at {}.",
                found.noted
            ))
        }),
        Probe::Unreadable(cause) => {
            let path = path.as_deref().unwrap_or(Path::new("")).display();
            Some(Code::RememberedKeyUnusable.says(format!("{path}: {cause}.")))
        }
        Probe::Absent | Probe::NotChecked => None,
    }
}

fn workplace_join(
    found: &LoginKeychain,
    identity: Option<&WorkplaceJoinCertificate>,
    now: Timestamp,
) -> impl Iterator<Item = Finding> {
    let LoginKeychain { workplace_join_identities: identities, workplace_join_without_key: lonely, .. } = *found;
    let several = (identities > 1).then(|| {
        Code::SeveralWorkplaceJoinIdentities
            .says(format!("There are {identities} Workplace Join identities; the newest one is shown."))
    });
    let without_key = (lonely > 0).then(|| {
        let subject = counted(lonely, "Workplace Join certificate lacks its", "Workplace Join certificates lack their");
        Code::CertificateWithoutPrivateKey.says(format!("{subject} private key."))
    });
    let described = identity.and_then(|identity| identity.description.as_ref());
    [several, without_key, described.and_then(|certificate| validity(certificate, now))].into_iter().flatten()
}

/// Whether the certificate is outside its validity; both limits belong to the validity.
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
    let unparsable = first_unparsable_certificate.map(|_| {
        let subject = counted(*unparsable_certificates, "certificate", "certificates");
        Code::CertificateUnparsable.says(format!("{subject} cannot be parsed."))
    });
    let unreadable = other_records.err().map(|error| {
        Code::OtherRecordsUnreadable
            .says(format!("Records that do not affect the state cannot be read: {}.", error.kind))
    });
    let elsewhere = (*issuer_name_elsewhere && found.workplace_join.is_empty()).then(|| {
        Code::IssuerNameOutsideCertificates.says(format!(
            "{WORKPLACE_JOIN_ISSUER} appears in other records, but no certificate issued by it was found."
        ))
    });
    [without_certificate, unparsable, unreadable, elsewhere].into_iter().flatten()
}

fn renamed_keychains(renamed: &[Witness<LoginKeychain>], tenants: &Tenants) -> impl Iterator<Item = Finding> {
    let has_identity =
        |probe: &Probe<LoginKeychain>| probe.found().is_some_and(|found| found.identity_of(tenants).is_some());
    let name = |keychain: &Witness<LoginKeychain>| file_name(keychain.path.as_deref().unwrap_or(Path::new("")));
    let reset = renamed.iter().find(|keychain| has_identity(&keychain.probe)).map(|keychain| {
        Code::LoginKeychainReset
            .says(format!("The login keychain was reset: the Workplace Join identity is only in {}.", name(keychain)))
    });
    let unreadable = renamed.iter().find_map(|keychain| match &keychain.probe {
        Probe::Unreadable(cause) => {
            Some(Code::RenamedKeychainUnreadable.says(format!("{} cannot be read: {cause}.", name(keychain))))
        }
        Probe::Found(_) | Probe::Absent | Probe::NotChecked => None,
    });
    [reset, unreadable].into_iter().flatten()
}

fn jamf_aad(plist: &Witness<JamfAad>, has_key: bool) -> Option<Finding> {
    let JamfAad::Parsed { have_an_azure_id, last_token } = (match &plist.probe {
        Probe::Found(JamfAad::Unparsable(reason)) => {
            return Some(Code::PlistUnparsable.says(format!("The JamfAAD plist cannot be parsed: {reason}.")));
        }
        Probe::Unreadable(cause) => {
            return Some(Code::PlistUnreadable.says(format!("The JamfAAD plist cannot be read: {cause}.")));
        }
        Probe::Found(parsed) => parsed,
        Probe::Absent | Probe::NotChecked => return None,
    }) else {
        return None;
    };
    match have_an_azure_id {
        HaveAnAzureId::True => (has_key && *last_token == LastToken::Never).then(|| {
            let message = "have_an_Azure_id is true, but JamfAAD has never obtained a token: a script set the value.";
            Code::AzureIdWithoutToken.says(message.to_owned())
        }),
        HaveAnAzureId::False => Some(
            Code::HaveAnAzureIdFalse
                .says("have_an_Azure_id is false: JamfAAD did not obtain the Azure AD ID.".to_owned()),
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

fn set_up(evidence: &Evidence, state: Option<RegistrationState>) -> impl Iterator<Item = Finding> {
    let Evidence { set_up, platform_sso, sso_extension, .. } = evidence;
    let as_root = set_up.plist_of_root.found().map(|()| {
        Code::GatheredAsRoot.says("gatherAADInfo was run as root in the past, which can break registration.".to_owned())
    });
    let disabled = has_no_conditional_access(set_up).then(|| {
        let message = "microsoftCAEnabled is not true: registration stops when Company Portal closes.";
        Code::ConditionalAccessDisabled.says(message.to_owned())
    });
    let is_old = set_up.agent.found().is_some_and(|agent| agent.has_old_connector);
    let connector = is_old.then(|| {
        let message = "microsoftCANativeClientAppId belongs to the connector that was retired in January 2025.";
        Code::OldConnector.says(message.to_owned())
    });
    // What the commands show was set up, even if no file does so any more.
    let is_configured = platform_sso.probe.found().is_some_and(|found| {
        !matches!(found.key, Key::Absent(Absence::NotConfigured | Absence::NoDevice | Absence::AnotherProvider))
    }) || sso_extension.probe.found().is_some_and(|found| found.status > 0);
    let lacks_profile = matches!(set_up.sso_profile, Probe::Absent | Probe::Found(SsoProfile::OfAnother))
        && state == Some(RegistrationState::NotRegistered)
        && !is_configured;
    let profile = lacks_profile.then(|| {
        let message = "No profile configures Microsoft's SSO extension, which new registrations need.";
        Code::SsoProfileMissing.says(message.to_owned())
    });
    let is_blocked = set_up.sso_profile.found() == Some(&SsoProfile::OfMicrosoft(Service::Blocked));
    let blocked = is_blocked.then(|| {
        Code::JamfBlocked.says("AppBlockList excludes Jamf's apps from Microsoft's SSO extension.".to_owned())
    });
    [as_root, disabled, connector, profile, blocked].into_iter().flatten()
}

/// Whether the Jamf agent's preferences were read and do not turn on conditional access.
pub(crate) fn has_no_conditional_access(set_up: &SetUp) -> bool {
    match &set_up.agent {
        Probe::Found(agent) => agent.conditional_access != Setting::Is(true),
        Probe::Absent => true,
        Probe::Unreadable(_) | Probe::NotChecked => false,
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
