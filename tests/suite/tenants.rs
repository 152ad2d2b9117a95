//! Checks that only registrations with expected tenants count.

use fixture_generator::{
    Certificate, Keychain,
    sso::{PlatformSso, not_configured, sso_status},
};
use wpj_state::{
    assess::{assess, finding::Code, remedy::Remedy},
    cli::{Output, Request, Subject, UseMacosReader, UserChoice, attribute::Attribute},
    parse::{tenants::Tenants, timestamp::Timestamp},
    report,
};

use crate::mac::{ADELE, APP_SSO, JAMF, Mac, console, damaged, records, registered, with_session};

const OURS: &str = "7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f";
const OTHER: &str = "11111111-1111-1111-1111-111111111111";
const SETTINGS: &str = "Library/Managed Preferences/wpj-state.plist";

/// A Mac with a user at the console who is registered with our tenant.
fn at_console() -> Mac {
    Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) }
}

fn setting(tenant: &str) -> String {
    format!("<key>tenant</key><string>{tenant}</string>")
}

fn tenants(ids: &[&str]) -> Tenants {
    Tenants::new(ids.iter().map(|&id| id.to_owned()))
}

/// State or reason, the findings about tenants, and the remedy; both depths must agree.
fn outcome(mac: &Mac, change: impl Fn(Request) -> Request) -> (Result<&'static str, String>, Vec<Code>, Remedy) {
    let [plain, detailed] = [Output::Result(Attribute::State), Output::Json].map(|output| {
        let request =
            Request { subject: Subject::One(UserChoice::Console), ..mac.request(UseMacosReader::Never, output) };
        let evidence = mac.evidence(&change(request));
        let found = assess(&evidence, Timestamp::now());
        let codes = found.findings.iter().map(|finding| finding.code);
        let about_tenants = [Code::RegisteredWithAnotherTenant, Code::TenantNotKnown];
        let codes: Vec<Code> = codes.filter(|code| about_tenants.contains(code)).collect();
        (found.state.as_ref().map(|state| state.as_str()).map_err(report::reason), codes, found.remedy)
    });
    assert_eq!((&plain.0, &plain.1), (&detailed.0, &detailed.1));
    plain
}

fn same(request: Request) -> Request {
    request
}

fn with_another_tenant() -> (Result<&'static str, String>, Vec<Code>, Remedy) {
    (Ok("Not Registered"), vec![Code::RegisteredWithAnotherTenant], Remedy::CheckTenant)
}

fn registered_here() -> (Result<&'static str, String>, Vec<Code>, Remedy) {
    (Ok("Registered"), vec![], Remedy::Nothing)
}

/// Jamf's tool may leave the tenant blank; another source that shows the same device names it.
#[test]
fn a_blank_tenant_is_that_of_the_same_device_elsewhere() {
    let other = |request| Request { tenants: tenants(&[OTHER]), ..request };
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    let device = Certificate::workplace_join().subject;
    let blank = String::from_utf8(sso_status(2, device)).unwrap().replace(OURS, "").into_bytes();
    let by_app_sso = (APP_SSO, Ok(PlatformSso::registered().json()));
    let mac = Mac { programs: vec![by_app_sso, (JAMF, Ok(blank.clone()))], ..with_session() };
    assert_eq!(outcome(&mac, other), with_another_tenant());
    assert_eq!(outcome(&mac, ours), registered_here());
    let programs = || vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(blank.clone()))];
    let beside_keychain = Mac { programs: programs(), ..at_console() };
    assert_eq!(outcome(&beside_keychain, other), with_another_tenant());
    // Nothing else shows the device.
    let alone = Mac { programs: programs(), ..with_session() };
    assert_eq!(outcome(&alone, other), (Ok("Registered"), vec![Code::TenantNotKnown], Remedy::Nothing));
}

/// The key of an expected tenant may be in the Secure Enclave, which cannot be checked then.
#[test]
fn a_foreign_key_at_the_login_window_calls_for_a_check_in_a_session() {
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..Mac::new(&registered()) };
    let team = "<key>TeamIdentifier</key><string>UBF8T346G9</string>";
    mac.set_up("Library/Managed Preferences/com.apple.extensiblesso.plist", team);
    let other = |request| Request { tenants: tenants(&[OTHER]), ..request };
    let (state, codes, remedy) = outcome(&mac, other);
    assert!(state.is_err(), "{state:?}");
    assert_eq!((codes, remedy), (vec![Code::RegisteredWithAnotherTenant], Remedy::LookInSession));
}

#[test]
fn a_foreign_key_beside_a_registration_here_that_is_under_way_calls_for_finishing_it() {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let keychain = Keychain::new().certificate(&foreign).workplace_join_key(&foreign).to_bytes();
    let under_way = PlatformSso { user_state: Some("POUserStateNeedsBinding (4)"), ..PlatformSso::registered() };
    let programs = vec![(APP_SSO, Ok(under_way.json())), (JAMF, Ok(sso_status(0, "")))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&keychain) };
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours).2, Remedy::SignInLocally);
}

#[test]
fn a_key_of_another_tenant_does_not_count() {
    let mac = at_console();
    assert_eq!(outcome(&mac, same), registered_here());
    mac.set_up(SETTINGS, &setting(OTHER));
    assert_eq!(outcome(&mac, same), with_another_tenant());
    mac.set_up(SETTINGS, &setting(&OURS.to_ascii_uppercase()));
    assert_eq!(outcome(&mac, same), registered_here());
    let both = format!("<key>tenant</key><array><string>{OTHER}</string><string>{OURS}</string></array>");
    mac.set_up(SETTINGS, &both);
    assert_eq!(outcome(&mac, same), registered_here());
}

#[test]
fn the_option_takes_precedence_and_settings_do_not_apply_to_a_given_home() {
    let mac = at_console();
    mac.set_up(SETTINGS, &setting(OTHER));
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours), registered_here());
    let home = |request| Request { subject: Subject::One(UserChoice::Home(mac.folder.path().to_owned())), ..request };
    assert_eq!(outcome(&mac, home), registered_here());
    let other = |request| Request { tenants: tenants(&[OTHER]), ..home(request) };
    assert_eq!(outcome(&mac, other), with_another_tenant());
}

#[test]
fn settings_of_the_user_take_precedence_over_those_for_all_users() {
    let mac = at_console();
    mac.set_up(SETTINGS, &setting(OURS));
    mac.set_up("Library/Managed Preferences/adele/wpj-state.plist", &setting(OTHER));
    assert_eq!(outcome(&mac, same), with_another_tenant());
}

#[test]
fn wrong_settings_give_no_answer_and_are_reported() {
    let mac = at_console();
    let path = mac.system.path().join(SETTINGS);
    mac.set_up(SETTINGS, &setting("contoso.com"));
    let words = "tenant must be a tenant ID (a GUID) or a list of them; correct the profile with wpj-state's settings";
    assert_eq!(outcome(&mac, same), (Err(format!("{}: {words}", path.display())), vec![], Remedy::MendEvidence));
    // What is given goes before what is set.
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours), registered_here());
}

/// Nobody is sent to repair another company's registration.
#[test]
fn a_registration_of_another_tenant_that_needs_repair_calls_for_a_check_of_the_tenant() {
    let other = |request| Request { tenants: tenants(&[OTHER]), ..request };
    let programs =
        vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(3, Certificate::workplace_join().subject)))];
    assert_eq!(outcome(&Mac { programs, ..with_session() }, other), with_another_tenant());
    let again = PlatformSso { user_state: Some("POUserStateNeedsRegistration (2)"), ..PlatformSso::registered() };
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let keychain = Keychain::new().certificate(&foreign).workplace_join_key(&foreign).to_bytes();
    let programs = vec![(APP_SSO, Ok(again.json())), (JAMF, Ok(sso_status(0, "")))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&keychain) };
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours), with_another_tenant());
}

/// Nobody is prompted to repair a registration here while another company's key is there.
#[test]
fn a_key_of_another_tenant_calls_for_a_check_with_every_answer_of_jamfs_tool() {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let keychain = Keychain::new().certificate(&foreign).workplace_join_key(&foreign).to_bytes();
    for user_state in [Some("POUserStateNeedsRegistration (2)"), Some("POUserStateUserKeyInvalid (5)"), None] {
        for answer in [sso_status(0, ""), b"Warning:Timedout\n".to_vec(), b"x".to_vec()] {
            let output = PlatformSso { user_state, ..PlatformSso::registered() }.json();
            let programs = vec![(APP_SSO, Ok(output)), (JAMF, Ok(answer))];
            let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&keychain) };
            let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
            assert_eq!(outcome(&mac, ours).2, Remedy::CheckTenant, "{user_state:?}");
        }
    }
}

/// Platform SSO on a Mac that another company has registered.
fn foreign_platform_sso(user_state: Option<&'static str>) -> PlatformSso {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let tickets = vec![["tgt_cloud", "KERBEROS.MICROSOFTONLINE.COM", "adele@fabrikam.com"]];
    PlatformSso { certificate: Some(foreign), user_state, tickets, ..PlatformSso::registered() }
}

#[test]
fn what_another_tenants_registration_needs_does_not_matter_beside_a_key_that_counts() {
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    let device = Certificate::workplace_join().subject;
    for state in ["NeedsRegistration (2)", "UserKeyInvalid (5)", "NewPasswordUser (4)", "NeedsBinding (7)"] {
        let state = format!("POUserState{state}");
        let output = foreign_platform_sso(Some(state.clone().leak())).json();
        let programs = || vec![(APP_SSO, Ok(output.clone())), (JAMF, Ok(sso_status(0, device)))];
        for mac in [Mac { programs: programs(), ..with_session() }, Mac { programs: programs(), ..at_console() }] {
            assert_eq!(outcome(&mac, ours), registered_here(), "{state}");
        }
    }
}

#[test]
fn the_key_that_counts_does_not_get_the_user_of_another_tenants_registration() {
    let programs = vec![(APP_SSO, Ok(foreign_platform_sso(Some("POUserStateNormal (0)")).json()))];
    let mac = Mac { programs, ..at_console() };
    for tenants in [Tenants::default(), tenants(&[OURS])] {
        let request = Request { tenants, ..mac.request(UseMacosReader::Never, Output::Json) };
        let report = mac.report(&Request { subject: Subject::One(UserChoice::Console), ..request });
        let json: serde_json::Value = serde_json::from_str(&report.document).unwrap();
        assert_eq!(json["workplace_join"]["tenant_id"], OURS);
        assert_eq!(json["workplace_join"]["user_principal_name"], serde_json::Value::Null);
    }
}

#[test]
fn the_report_shows_a_key_of_another_tenant_as_one_that_does_not_count() {
    let programs = vec![(APP_SSO, Ok(foreign_platform_sso(Some("POUserStateNormal (0)")).json()))];
    let mac = Mac { programs, ..with_session() };
    let request = Request { tenants: tenants(&[OURS]), ..mac.request(UseMacosReader::Never, Output::Explain) };
    let report = mac.report(&Request { subject: Subject::One(UserChoice::Console), ..request }).document;
    for row in [
        "[-] WPJ key              none that counts: the key belongs to another tenant\n",
        "[-] Platform SSO         for another tenant, so it does not count\n",
    ] {
        assert!(report.contains(row), "{report}");
    }
}

#[test]
fn settings_that_are_not_a_plist_do_not_matter_if_an_option_names_the_tenant() {
    let mac = at_console();
    mac.set_up_file(SETTINGS, b"x");
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours), registered_here());
    let words =
        "this is not a plist: not a property list, or a damaged one; correct the profile with wpj-state's settings";
    let path = mac.system.path().join(SETTINGS);
    assert_eq!(outcome(&mac, same), (Err(format!("{}: {words}", path.display())), vec![], Remedy::MendEvidence));
}

#[test]
fn a_key_whose_tenant_is_unknown_counts_with_a_finding() {
    let old = Certificate { tenant_id: None, ..Certificate::workplace_join() };
    let mac = Mac {
        console: Some(console("adele", ADELE, ADELE)),
        ..Mac::new(&Keychain::new().certificate(&old).workplace_join_key(&old).to_bytes())
    };
    let other = |request| Request { tenants: tenants(&[OTHER]), ..request };
    assert_eq!(outcome(&mac, other), (Ok("Registered"), vec![Code::TenantNotKnown], Remedy::Nothing));
    assert_eq!(outcome(&mac, same), registered_here());
}

#[test]
fn the_tenants_apply_to_keys_that_commands_report_too() {
    let other = |request| Request { tenants: tenants(&[OTHER]), ..request };
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    let device = Certificate::workplace_join().subject;
    let by_app_sso = vec![(APP_SSO, Ok(PlatformSso::registered().json())), (JAMF, Ok(sso_status(2, device)))];
    let by_jamf = vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, device)))];
    for programs in [by_app_sso, by_jamf] {
        let mac = Mac { programs, ..with_session() };
        assert_eq!(outcome(&mac, other), with_another_tenant());
        assert_eq!(outcome(&mac, ours), registered_here());
    }
}

#[test]
fn jamfs_tool_is_asked_where_macos_shows_a_key_of_another_tenant() {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let output = PlatformSso { certificate: Some(foreign), ..PlatformSso::registered() }.json();
    let device = Certificate::workplace_join().subject;
    let mac = Mac { programs: vec![(APP_SSO, Ok(output)), (JAMF, Ok(sso_status(0, device)))], ..with_session() };
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours), registered_here());
}

#[test]
fn a_device_that_another_tenant_has_registered_is_not_to_be_repaired() {
    for state in ["POUserStateNeedsRegistration (2)", "POUserStateNeedsBinding (7)"] {
        let output = PlatformSso { user_state: Some(state), ..PlatformSso::registered() }.json();
        let mac = Mac { programs: vec![(APP_SSO, Ok(output))], ..with_session() };
        let other = |request| Request { tenants: tenants(&[OTHER]), ..request };
        assert_eq!(outcome(&mac, other), with_another_tenant(), "{state}");
    }
}

#[test]
fn what_macos_finds_of_another_tenant_in_a_damaged_keychain_proves_nothing() {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let mac = Mac {
        console: Some(console("adele", ADELE, ADELE)),
        opinion: Ok(records(std::slice::from_ref(&foreign), std::slice::from_ref(&foreign))),
        ..Mac::new(&damaged())
    };
    let if_damaged = |request| Request { second_opinion: UseMacosReader::IfDamaged, ..request };
    assert_eq!(outcome(&mac, if_damaged).0, Ok("Registered"));
    let ours = |request| Request { tenants: tenants(&[OURS]), ..if_damaged(request) };
    assert!(outcome(&mac, ours).0.is_err());
}

#[test]
fn a_key_of_ours_outside_the_keychain_counts_beside_one_of_another_tenant_in_it() {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let keychain = Keychain::new().certificate(&foreign).workplace_join_key(&foreign).to_bytes();
    let programs = vec![(APP_SSO, Ok(PlatformSso::registered().json()))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&keychain) };
    let ours = |request| Request { tenants: tenants(&[OURS]), ..request };
    assert_eq!(outcome(&mac, ours), registered_here());
    let request = Request {
        subject: Subject::One(UserChoice::Console),
        tenants: tenants(&[OURS]),
        ..mac.request(UseMacosReader::Never, Output::Json)
    };
    let json: serde_json::Value = serde_json::from_str(&mac.report(&request).document).unwrap();
    assert_eq!(json["expected_tenants"], serde_json::json!([OURS]));
    assert_eq!(json["workplace_join"]["storage"], "secure-enclave");
}
