//! Everything that was found, as one JSON object; docs/json.md documents it.

use std::path::Path;

use serde::Serialize;

use super::{reason::reason, style::is_unsafe};
use crate::{
    assess::{
        Assessment,
        finding::{Finding, Mend},
        key::{self, DeviceSource, Storage},
        remedy::Remedy,
    },
    evidence::{Cause, Evidence, Probe, RememberedKey, SetUp, Source, Witness},
    parse::{
        certificate::{Description, Fields},
        jamf_aad::{JamfAad, LastToken},
        login_keychain::{LoginKeychain, WorkplaceJoinCertificate},
        platform_sso::{
            Unclear,
            app_sso::{PlatformSso, SignInMethod},
            sso_status::SsoStatus,
        },
        set_up::{Service, SsoProfile},
        timestamp::Timestamp,
    },
};

/// The version of the format. It is increased when a key is removed or changes its meaning.
const SCHEMA: u32 = 1;

/// The assessment of one user as an indented JSON object. The order of the keys is fixed.
pub(super) fn object(assessment: &Assessment<'_>) -> String {
    indented(&report(assessment))
}

/// The assessments of several users as an indented array of such objects.
pub(super) fn array(assessments: &[Assessment<'_>]) -> String {
    indented(&assessments.iter().map(report).collect::<Vec<_>>())
}

/// JSON can express everything here, so writing it cannot fail. Characters that could change how a terminal shows the
/// text are escaped; JSON has them only in strings.
fn indented(value: &impl Serialize) -> String {
    let document = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    document.chars().fold(String::with_capacity(document.len()), |mut escaped, character| {
        if character != '\n' && is_unsafe(character) {
            let units =
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
            escaped.push_str(&units);
        } else {
            escaped.push(character);
        }
        escaped
    })
}

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    state: Option<&'static str>,
    undetermined: Option<String>,
    user: UserReport<'a>,
    expected_tenants: &'a [String],
    workplace_join: Option<WorkplaceJoin<'a>>,
    devices: Vec<DeviceReport<'a>>,
    remembered_key: RememberedKeyReport<'a>,
    keychain: KeychainReport<'a>,
    platform_sso: PlatformSsoReport<'a>,
    sso_extension: SsoExtensionReport<'a>,
    jamf_aad: JamfAadReport,
    set_up: SetUpReport,
    findings: Vec<FindingReport<'a>>,
    remedy: RemedyReport,
}

#[derive(Serialize)]
struct DeviceReport<'a> {
    source: DeviceSource,
    device_id: &'a str,
    tenant_id: Option<&'a str>,
    since: Option<String>,
}

#[derive(Serialize)]
struct RememberedKeyReport<'a> {
    path: Option<String>,
    status: &'static str,
    device_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
    noted: Option<String>,
}

#[derive(Serialize)]
struct RemedyReport {
    code: &'static str,
    user: &'static str,
    administrator: &'static str,
    source: &'static str,
}

#[derive(Serialize)]
struct UserReport<'a> {
    name: Option<&'a str>,
    uid: Option<u32>,
    home: Option<String>,
    source: Option<Source>,
    linked_to: Option<&'a str>,
}

#[derive(Serialize)]
struct WorkplaceJoin<'a> {
    storage: Storage,
    device_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
    user_principal_name: Option<&'a str>,
    certificate: Option<CertificateReport<'a>>,
}

#[derive(Serialize)]
struct CertificateReport<'a> {
    #[serde(flatten)]
    fields: &'a Fields,
    not_before: String,
    not_after: String,
}

#[derive(Serialize)]
struct KeychainReport<'a> {
    path: Option<String>,
    status: &'static str,
    damage_offset: Option<u64>,
    certificates: Option<usize>,
    private_keys: Option<usize>,
    identities: Option<usize>,
    workplace_join_certificates: Option<Vec<WorkplaceJoinCertificateReport<'a>>>,
}

#[derive(Serialize)]
struct WorkplaceJoinCertificateReport<'a> {
    device_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
    certificate: Option<CertificateReport<'a>>,
    has_private_key: bool,
}

#[derive(Serialize)]
struct PlatformSsoReport<'a> {
    asked: bool,
    status: &'static str,
    registration_completed: Option<bool>,
    user_state: Option<&'a str>,
    extension: Option<&'a str>,
    device_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
    user_principal_name: Option<&'a str>,
    sign_in_method: Option<&'static str>,
    token_received: Option<String>,
    token_expires: Option<String>,
}

#[derive(Serialize)]
struct SsoExtensionReport<'a> {
    asked: bool,
    status: &'static str,
    device_id: Option<&'a str>,
    tenant_id: Option<&'a str>,
    user_principal_name: Option<&'a str>,
}

#[derive(Serialize)]
struct JamfAadReport {
    path: Option<String>,
    status: &'static str,
    have_an_azure_id: Option<bool>,
    last_token: Option<String>,
}

#[derive(Serialize)]
struct SetUpReport {
    asked: bool,
    use_wk_web_view: Option<bool>,
    token_retry_count: Option<u64>,
    token_retry_wait_time: Option<u64>,
    sso_profile_installed: Option<bool>,
    sso_extension_allows_jamf: Option<bool>,
    microsoft_ca_enabled: Option<bool>,
    has_old_connector: Option<bool>,
    gathered_as_root: Option<bool>,
    company_portal_installed: Option<bool>,
    jamf_tool: Option<&'static str>,
}

#[derive(Serialize)]
struct FindingReport<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    remedy: &'static str,
}

fn report<'a>(assessment: &'a Assessment<'_>) -> Report<'a> {
    let Assessment { state, findings, remedy, evidence, .. } = assessment;
    Report {
        schema: SCHEMA,
        state: state.as_ref().ok().map(|state| state.as_str()),
        undetermined: state.as_ref().err().map(reason),
        user: user(evidence),
        expected_tenants: evidence.expected_tenants.ids(),
        workplace_join: key::WorkplaceJoin::shown_by(evidence).map(workplace_join),
        devices: key::devices(evidence).into_iter().map(device).collect(),
        remembered_key: remembered_key(&evidence.remembered_key),
        keychain: keychain(&evidence.login_keychain),
        platform_sso: platform_sso(&evidence.platform_sso),
        sso_extension: sso_extension(&evidence.sso_extension),
        jamf_aad: jamf_aad(&evidence.jamf_aad),
        set_up: set_up(&evidence.set_up),
        findings: findings.iter().map(|found| finding(found, *remedy)).collect(),
        remedy: RemedyReport {
            code: remedy.as_str(),
            user: remedy.for_user(),
            administrator: remedy.for_admin(),
            source: remedy.source(),
        },
    }
}

fn user(evidence: &Evidence) -> UserReport<'_> {
    let user = &evidence.user;
    UserReport {
        name: user.name.as_deref(),
        uid: user.uid,
        home: user.home.as_deref().map(text),
        source: user.source,
        linked_to: evidence.linked_name.as_deref(),
    }
}

fn device(device: key::Device<'_>) -> DeviceReport<'_> {
    let key::Device { source, device_id, tenant_id, since } = device;
    DeviceReport { source, device_id, tenant_id, since: since.as_ref().map(Timestamp::to_string) }
}

fn remembered_key(key: &Witness<RememberedKey>) -> RememberedKeyReport<'_> {
    let found = key.probe.found();
    RememberedKeyReport {
        path: key.path.as_deref().map(text),
        status: status(&key.probe),
        device_id: found.and_then(|found| found.device_id.as_deref()),
        tenant_id: found.and_then(|found| found.tenant_id.as_deref()),
        noted: found.map(|found| found.noted.to_string()),
    }
}

fn workplace_join(found: key::WorkplaceJoin<'_>) -> WorkplaceJoin<'_> {
    let key::WorkplaceJoin { storage, device_id, tenant_id, user_principal_name, certificate } = found;
    let certificate = certificate.map(certificate_of);
    WorkplaceJoin { storage, device_id, tenant_id, user_principal_name, certificate }
}

fn certificate_of(description: &Description) -> CertificateReport<'_> {
    CertificateReport {
        fields: &description.fields,
        not_before: description.not_before.to_string(),
        not_after: description.not_after.to_string(),
    }
}

fn keychain(keychain: &Witness<LoginKeychain>) -> KeychainReport<'_> {
    let found = keychain.probe.found();
    KeychainReport {
        path: keychain.path.as_deref().map(text),
        status: match &keychain.probe {
            Probe::Unreadable(cause) if cause.damage().is_some() => "damaged",
            probe => status(probe),
        },
        damage_offset: match &keychain.probe {
            Probe::Unreadable(cause) => cause.damage().map(|error| error.offset),
            probe => probe.found().and_then(|found| found.unknown_issuer),
        },
        certificates: found.map(|found| found.certificates),
        private_keys: found.map(|found| found.private_keys),
        identities: found.map(|found| found.identities),
        workplace_join_certificates: found
            .map(|found| found.workplace_join.iter().map(workplace_join_certificate).collect()),
    }
}

fn workplace_join_certificate(certificate: &WorkplaceJoinCertificate) -> WorkplaceJoinCertificateReport<'_> {
    let description = certificate.description.as_ref();
    WorkplaceJoinCertificateReport {
        device_id: description.and_then(|it| it.device_id.as_deref()),
        tenant_id: description.and_then(|it| it.tenant_id.as_deref()),
        certificate: description.map(certificate_of),
        has_private_key: certificate.has_private_key,
    }
}

fn platform_sso(source: &Witness<PlatformSso>) -> PlatformSsoReport<'_> {
    let found = source.probe.found();
    let certificate = found.and_then(|found| found.certificate.as_ref());
    PlatformSsoReport {
        asked: is_asked(&source.probe),
        status: sso_status(&source.probe),
        registration_completed: found.and_then(|found| found.registration_completed),
        user_state: found.and_then(|found| found.user_state.as_deref()),
        extension: found.and_then(|found| found.extension.as_deref()),
        device_id: certificate.and_then(|it| it.device_id.as_deref()),
        tenant_id: certificate.and_then(|it| it.tenant_id.as_deref()),
        user_principal_name: found.and_then(|found| found.user_principal_name.as_deref()),
        sign_in_method: found.and_then(|found| found.sign_in_method).map(SignInMethod::name),
        token_received: found.and_then(|found| found.token_received).as_ref().map(Timestamp::to_string),
        token_expires: found.and_then(|found| found.token_expires).as_ref().map(Timestamp::to_string),
    }
}

fn sso_extension(source: &Witness<SsoStatus>) -> SsoExtensionReport<'_> {
    let found = source.probe.found();
    SsoExtensionReport {
        asked: is_asked(&source.probe),
        status: sso_status(&source.probe),
        device_id: found.and_then(|found| found.device_id.as_deref()),
        tenant_id: found.and_then(|found| found.tenant_id.as_deref()),
        user_principal_name: found.and_then(|found| found.user_principal_name.as_deref()),
    }
}

fn jamf_aad(plist: &Witness<JamfAad>) -> JamfAadReport {
    let (have_an_azure_id, last_token) = match plist.probe.found() {
        Some(JamfAad::Parsed { have_an_azure_id, last_token }) => (have_an_azure_id.as_bool(), Some(*last_token)),
        Some(JamfAad::Unparsable(_)) | None => (None, None),
    };
    JamfAadReport {
        path: plist.path.as_deref().map(text),
        status: match &plist.probe {
            Probe::Found(JamfAad::Unparsable(_)) => "unparsable",
            probe => status(probe),
        },
        have_an_azure_id,
        last_token: last_token.and_then(LastToken::time).as_ref().map(Timestamp::to_string),
    }
}

fn set_up(set_up: &SetUp) -> SetUpReport {
    let preferences = set_up.preferences.found();
    SetUpReport {
        asked: is_asked(&set_up.jamf_tool),
        use_wk_web_view: preferences.and_then(|it| it.use_wk_web_view.value()),
        token_retry_count: preferences.and_then(|it| it.token_retry_count.value()),
        token_retry_wait_time: preferences.and_then(|it| it.token_retry_wait_time.value()),
        sso_profile_installed: match &set_up.sso_profile {
            Probe::Found(SsoProfile::OfMicrosoft(_)) => Some(true),
            Probe::Found(SsoProfile::OfAnother) | Probe::Absent => Some(false),
            Probe::Found(SsoProfile::PlatformSso) | Probe::Unreadable(_) | Probe::NotChecked => None,
        },
        sso_extension_allows_jamf: set_up.sso_profile.found().and_then(|profile| match profile {
            SsoProfile::OfMicrosoft(Service::ByPrefix | Service::ByName | Service::AllManagedApps) => Some(true),
            SsoProfile::OfMicrosoft(Service::SomeByPrefix | Service::NotKnown)
            | SsoProfile::PlatformSso
            | SsoProfile::OfAnother => None,
            SsoProfile::OfMicrosoft(Service::Blocked | Service::Lacking | Service::NoLists | Service::WrongType) => {
                Some(false)
            }
        }),
        microsoft_ca_enabled: set_up.agent.found().and_then(|agent| agent.conditional_access.value()),
        has_old_connector: set_up.agent.found().map(|agent| agent.has_old_connector),
        gathered_as_root: is_present(&set_up.plist_of_root),
        company_portal_installed: is_present(&set_up.company_portal),
        jamf_tool: set_up.jamf_tool.found().map(|tool| tool.name()),
    }
}

const fn is_present<T>(probe: &Probe<T>) -> Option<bool> {
    match probe {
        Probe::Found(_) => Some(true),
        Probe::Absent => Some(false),
        Probe::Unreadable(_) | Probe::NotChecked => None,
    }
}

/// A finding. With Platform SSO, a user registers in macOS, not in Self Service, so the user's own remedy is shown.
fn finding(finding: &Finding, remedy: Remedy) -> FindingReport<'_> {
    let action = match finding.code.mend() {
        Mend::By(Remedy::RegisterInSelfService | Remedy::FinishInMacos) => remedy.action(),
        Mend::By(_) if remedy == Remedy::Nothing => remedy.action(),
        Mend::By(_) | Mend::Step(_) | Mend::Nothing(_) => finding.code.remedy(),
    };
    FindingReport {
        code: finding.code.as_str(),
        severity: finding.code.severity().as_str(),
        message: &finding.message,
        remedy: action,
    }
}

const fn status<T>(probe: &Probe<T>) -> &'static str {
    match probe {
        Probe::Found(_) => "found",
        Probe::Absent => "absent",
        Probe::Unreadable(_) => "unreadable",
        Probe::NotChecked => "not-asked",
    }
}

const fn is_asked<T>(probe: &Probe<T>) -> bool {
    !matches!(probe, Probe::NotChecked)
}

const fn sso_status<T>(probe: &Probe<T>) -> &'static str {
    match probe {
        Probe::Unreadable(Cause::Unclear(Unclear::TimedOut)) => "timed-out",
        Probe::Unreadable(Cause::Unclear(Unclear::NoAnswer | Unclear::OnlyWords(_) | Unclear::Ended(_))) => "no-answer",
        Probe::Unreadable(Cause::Unclear(Unclear::Failed(_) | Unclear::Refused(_))) => "failed",
        Probe::Unreadable(Cause::Unclear(_)) => "unintelligible",
        probe => status(probe),
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
