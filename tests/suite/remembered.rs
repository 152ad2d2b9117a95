//! Device IDs, account records, and keys that are remembered while nobody is logged in.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use fixture_generator::{
    Certificate, Keychain,
    sso::{PlatformSso, not_configured, sso_status},
};
use wpj_state::{
    assess::{assess, finding::Code, memory::note, remedy::Remedy},
    cli::{Output, Request, Subject, UseMacosReader, UserChoice, attribute::Attribute},
    collect::remember,
    evidence::{Evidence, RememberedKey},
    parse::{tenants::Tenants, timestamp::Timestamp},
};

use crate::mac::{ADELE, APP_SSO, JAMF, Mac, PLIST, console, registered, with_session};

const PROFILE: &str = "Library/Managed Preferences/com.apple.extensiblesso.plist";
const SETTINGS: &str = "Library/Managed Preferences/wpj-state.plist";
const DSCL: &str = "/usr/bin/dscl";
const DEVICE: &str = "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";
const TENANT: &str = "7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f";
const DAY: u64 = 24 * 60 * 60;

/// A Mac on which a profile sets up Microsoft's extension, and nobody is logged in.
fn at_login_window() -> Mac {
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..with_session() };
    mac.set_up(PROFILE, "<key>TeamIdentifier</key><string>UBF8T346G9</string>");
    mac
}

fn remembering(mac: &Mac, output: Output) -> Request {
    let subject = Subject::One(UserChoice::Console);
    Request { subject, remember_key_days: Some(30), ..mac.request(UseMacosReader::Never, output) }
}

fn evidence(mac: &Mac) -> Evidence {
    mac.evidence(&remembering(mac, Output::Json))
}

fn outcome(evidence: &Evidence) -> (Option<&'static str>, Vec<Code>) {
    let found = assess(evidence, Timestamp::now());
    let codes = found.findings.iter().map(|finding| finding.code);
    let about_keys = [Code::KeyRemembered, Code::RememberedKeyUnusable];
    (found.state.ok().map(|state| state.as_str()), codes.filter(|code| about_keys.contains(code)).collect())
}

fn days_ago(days: u64) -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix(now - Duration::from_secs(days * DAY)).unwrap()
}

fn write_note(mac: &Mac, days: u64) -> PathBuf {
    let folder = mac.system.path().join("private/var/db/wpj-state");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let note = RememberedKey {
        uid: ADELE,
        home: mac.folder.path().to_owned(),
        device_id: Some(DEVICE.to_owned()),
        tenant_id: Some(TENANT.to_owned()),
        noted: days_ago(days),
    };
    let path = folder.join("501.json");
    fs::write(&path, serde_json::to_vec(&note).unwrap()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn a_remembered_key_counts_while_nobody_is_logged_in_and_the_plist_decides_the_rest() {
    let mac = at_login_window();
    assert_eq!(outcome(&evidence(&mac)), (None, vec![]));
    let written: RememberedKey = serde_json::from_slice(&fs::read(write_note(&mac, 29)).unwrap()).unwrap();
    let found = evidence(&mac);
    assert_eq!(outcome(&found), (Some("Registered"), vec![Code::KeyRemembered]));
    let json: serde_json::Value = serde_json::from_str(&mac.report(&remembering(&mac, Output::Json)).document).unwrap();
    assert_eq!(json["workplace_join"]["device_id"], DEVICE);
    assert_eq!(json["remembered_key"]["noted"], serde_json::json!(written.noted.to_string()));
    fs::remove_file(mac.path(PLIST)).unwrap();
    assert_eq!(outcome(&evidence(&mac)).0, Some("WPJ Key present, JamfAAD PLIST missing"));
    mac.write(PLIST, b"");
    assert_eq!(outcome(&evidence(&mac)).0, Some("WPJ Key present, AAD ID not acquired"));
}

#[test]
fn a_remembered_key_counts_only_if_that_is_enabled_and_nothing_else_decides() {
    let mac = at_login_window();
    write_note(&mac, 1);
    let not_wanted = Request { remember_key_days: None, ..remembering(&mac, Output::Json) };
    assert_eq!(outcome(&mac.evidence(&not_wanted)), (None, vec![]));
    let shorter = Request { remember_key_days: Some(1), ..remembering(&mac, Output::Json) };
    write_note(&mac, 2);
    assert_eq!(outcome(&mac.evidence(&shorter)), (None, vec![]));
    mac.set_up(SETTINGS, "<key>rememberKeyDays</key><integer>7</integer>");
    assert_eq!(outcome(&mac.evidence(&not_wanted)).0, Some("Registered"));
    let other = "11111111-1111-1111-1111-111111111111";
    mac.set_up(SETTINGS, &format!("<key>tenant</key><string>{other}</string>"));
    assert_eq!(outcome(&evidence(&mac)).0, None);
    fs::remove_file(mac.system.path().join(SETTINGS)).unwrap();
    let home = Request {
        subject: Subject::One(UserChoice::Home(mac.folder.path().to_owned())),
        ..remembering(&mac, Output::Json)
    };
    assert_eq!(outcome(&mac.evidence(&home)), (Some("Not Registered"), vec![]));
    let not_root = Mac { may_run: false, ..at_login_window() };
    write_note(&not_root, 1);
    assert_eq!(outcome(&evidence(&not_root)), (None, vec![]));
    // If single sign-on is no longer set up, there is no key.
    fs::remove_file(mac.system.path().join(PROFILE)).unwrap();
    assert_eq!(outcome(&evidence(&mac)), (Some("Not Registered"), vec![]));
    let session = Mac { programs: vec![(APP_SSO, Ok(not_configured()))], ..with_session() };
    write_note(&session, 1);
    assert_eq!(outcome(&evidence(&session)), (Some("Not Registered"), vec![]));
}

#[test]
fn a_note_that_does_not_count_is_a_finding() {
    let mac = at_login_window();
    let path = write_note(&mac, 1);
    fs::write(&path, "{}").unwrap();
    assert_eq!(outcome(&evidence(&mac)), (None, vec![Code::RememberedKeyUnusable]));
    write_note(&mac, 1);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(outcome(&evidence(&mac)), (None, vec![Code::RememberedKeyUnusable]));
}

/// The note that a run in a session gives.
fn noted(mac: &Mac, output: Output) -> Option<(u32, Option<RememberedKey>)> {
    let evidence = mac.evidence(&remembering(mac, output));
    note(&evidence, days_ago(0))
}

fn registered_in_enclave() -> Mac {
    Mac { programs: vec![(APP_SSO, Ok(PlatformSso::registered().json()))], ..with_session() }
}

/// A request that reads a saved output instead of running `app-sso`.
fn by_saved_output(mac: &Mac) -> Request {
    let saved = mac.path("app-sso.txt");
    fs::write(&saved, PlatformSso::registered().json()).unwrap();
    Request { app_sso_state: Some(saved), ..remembering(mac, Output::Result(Attribute::State)) }
}

/// Of keys of several tenants, the one that counts is noted.
#[test]
fn the_key_that_counts_is_noted() {
    let other = "11111111-1111-1111-1111-111111111111";
    let by_jamf = String::from_utf8(sso_status(2, other)).unwrap().replace(TENANT, other).into_bytes();
    let programs = vec![(APP_SSO, Ok(PlatformSso::registered().json())), (JAMF, Ok(by_jamf))];
    let mac = Mac { programs, ..with_session() };
    let request = |tenant: &str| Request {
        tenants: Tenants::new([tenant.to_owned()]),
        ..remembering(&mac, Output::Result(Attribute::State))
    };
    for tenant in [TENANT, other] {
        let (_, noted) = note(&mac.evidence(&request(tenant)), days_ago(0)).unwrap();
        assert_eq!(noted.unwrap().tenant_id.as_deref(), Some(tenant));
    }
}

/// With a key in the login keychain, this attribute does not need Jamf's tool, so it proves nothing about another key.
#[test]
fn a_run_that_leaves_out_jamfs_tool_removes_no_note() {
    let programs = vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, DEVICE)))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&registered()) };
    assert!(noted(&mac, Output::Json).unwrap().1.is_some());
    assert_eq!(noted(&mac, Output::Result(Attribute::SignInMethod)), None);
}

#[test]
fn what_a_run_in_a_session_notes_counts_at_the_login_window_until_a_run_removes_it() {
    let mac = registered_in_enclave();
    let team = "<key>TeamIdentifier</key><string>UBF8T346G9</string>";
    let remember = |mac: &Mac| {
        let found = mac.evidence(&remembering(mac, Output::Result(Attribute::State)));
        assert_eq!(remember(note(&found, days_ago(0)).into_iter().collect(), mac), []);
    };
    fs::create_dir_all(mac.system.path().join("private/var/db")).unwrap();
    remember(&mac);
    mac.set_up(PROFILE, team);
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..mac };
    assert_eq!(outcome(&evidence(&mac)), (Some("Registered"), vec![Code::KeyRemembered]));
    // For files of another Mac it says nothing.
    assert_eq!(outcome(&mac.evidence(&by_saved_output(&mac))).1, vec![]);
    let programs = vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, "")))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..mac };
    remember(&mac);
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..mac };
    assert_eq!(outcome(&evidence(&mac)), (None, vec![]));
}

#[test]
fn a_note_does_not_count_if_something_else_determines_the_state() {
    let foreign = Certificate { tenant_id: Some([0x11; 16]), ..Certificate::workplace_join() };
    let keychain = Keychain::new().certificate(&foreign).workplace_join_key(&foreign).to_bytes();
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..Mac::new(&keychain) };
    write_note(&mac, 1);
    let request = Request { tenants: Tenants::new([TENANT.to_owned()]), ..remembering(&mac, Output::Json) };
    assert_eq!(outcome(&mac.evidence(&request)), (Some("Not Registered"), vec![]));
}

#[test]
fn without_a_plist_a_remembered_key_calls_for_a_look_in_a_session() {
    let mac = at_login_window();
    write_note(&mac, 1);
    fs::remove_file(mac.path(PLIST)).unwrap();
    assert_eq!(assess(&evidence(&mac), Timestamp::now()).remedy, Remedy::LookInSession);
    let report = mac.report(&remembering(&mac, Output::Explain)).document;
    let step = "What to do\n 1. Run this as root while the user is logged in, because a key in the Secure\n";
    assert!(report.contains(step), "{report}");
}

#[test]
fn a_setting_that_cannot_be_used_is_named_and_takes_no_state() {
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    mac.set_up(SETTINGS, "<key>rememberKeyDays</key><integer>365</integer><key>tenants</key><string>x</string>");
    let found = mac.evidence(&Request { remember_key_days: None, ..remembering(&mac, Output::Json) });
    let words = ["tenants is not a setting", "rememberKeyDays is not a whole number from 0 to 90"];
    assert_eq!(found.unused_settings, words);
    let found = assess(&found, Timestamp::now());
    assert_eq!(found.state.map(|state| state.as_str()), Ok("Registered"));
    assert!(found.findings.iter().any(|finding| finding.code == Code::SettingUnusable));
}

#[test]
fn the_account_records_name_counts_only_if_nothing_else_has_one() {
    let linked = "AltSecurityIdentities: PlatformSSO:linked@contoso.com\n";
    let name = |app_sso: Vec<u8>| {
        let programs = vec![(APP_SSO, Ok(app_sso)), (DSCL, Ok(linked.into()))];
        let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&registered()) };
        let json: serde_json::Value = serde_json::from_str(&mac.report_at_console(Output::Json).document).unwrap();
        json["workplace_join"]["user_principal_name"].clone()
    };
    assert_eq!(name(PlatformSso::registered().json()), "adele.vance@contoso.com");
    assert_eq!(name(not_configured()), "linked@contoso.com");
}

/// Notes in a folder that others can change do not count, and the next run would write nothing there.
#[test]
fn the_report_says_to_remove_a_folder_of_notes_that_others_can_change() {
    let mac = at_login_window();
    let folder = write_note(&mac, 1).parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let request = remembering(&mac, Output::Explain);
    let report = mac.report(&request).document;
    assert!(report.contains("Remove the folder with the notes"), "{report}");
    assert!(report.contains(&format!("rm -r {}\n", folder.display())), "{report}");
}

#[test]
fn the_name_and_the_sign_in_of_another_provider_are_not_taken_for_microsofts() {
    let okta = PlatformSso {
        extension: "com.okta.mobile.auth-service-extension",
        certificate: None,
        ..PlatformSso::registered()
    };
    let linked = "AltSecurityIdentities: PlatformSSO:adele@okta.contoso.com\n";
    let programs = vec![(APP_SSO, Ok(okta.json())), (DSCL, Ok(linked.into()))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&registered()) };
    let json: serde_json::Value = serde_json::from_str(&mac.report_at_console(Output::Json).document).unwrap();
    assert_eq!(json["workplace_join"]["user_principal_name"], serde_json::Value::Null);
    let value = mac.report_at_console(Output::Result(Attribute::SignInMethod));
    assert_eq!((value.document.as_str(), value.is_complete), ("<result></result>\n", true));
}

#[test]
fn a_run_in_a_session_notes_a_key_and_forgets_one_that_no_longer_exists() {
    let state = Output::Result(Attribute::State);
    let in_session = |programs| Mac { programs, ..with_session() };
    let key = |mac: &Mac| RememberedKey {
        uid: ADELE,
        home: mac.folder.path().to_owned(),
        device_id: Some(DEVICE.to_owned()),
        tenant_id: Some(TENANT.to_owned()),
        noted: days_ago(0),
    };
    let by_app_sso = in_session(vec![(APP_SSO, Ok(PlatformSso::registered().json()))]);
    let by_jamf = in_session(vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, DEVICE)))]);
    for mac in [by_app_sso, by_jamf] {
        let (uid, note) = noted(&mac, state).unwrap();
        let expected = key(&mac);
        assert_eq!((uid, RememberedKey { noted: expected.noted, ..note.unwrap() }), (ADELE, expected));
    }
    let none = in_session(vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, "")))]);
    assert_eq!(noted(&none, state), Some((ADELE, None)));
    // What is given proves nothing about this Mac, and what another tenant has is a key all the same.
    let saved = by_saved_output(&none);
    assert_eq!(note(&none.evidence(&saved), Timestamp::now()), None);
    let of_another = Request {
        tenants: Tenants::new(["11111111-1111-1111-1111-111111111111".to_owned()]),
        ..remembering(&registered_in_enclave(), state)
    };
    let found = note(&registered_in_enclave().evidence(&of_another), Timestamp::now()).unwrap().1.unwrap();
    assert_eq!(found.tenant_id.as_deref(), Some(TENANT));
    // Neither shows that there is no key.
    let unclear = in_session(vec![(APP_SSO, Ok(b"Killed: 9\n".to_vec()))]);
    assert_eq!(noted(&unclear, state), None);
    let new_user = PlatformSso { user_state: Some("POUserStateNeedsBinding (7)"), ..PlatformSso::registered() };
    assert_eq!(noted(&in_session(vec![(APP_SSO, Ok(new_user.json()))]), state), None);
    assert_eq!(noted(&in_session(Vec::new()), state), None);
    assert_eq!(noted(&at_login_window(), state), None);
    // No command was run, because the login keychain has the key.
    let in_keychain = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    assert_eq!(noted(&in_keychain, state), None);
    let not_wanted = Request { remember_key_days: None, ..remembering(&none, state) };
    assert_eq!(note(&none.evidence(&not_wanted), Timestamp::now()), None);
}

#[test]
fn detailed_output_lists_all_device_ids_and_has_a_finding_about_several() {
    let another = Certificate { device_id: Some([0x22; 16]), ..Certificate::workplace_join() };
    let programs = vec![
        (APP_SSO, Ok(PlatformSso { certificate: Some(another), ..PlatformSso::registered() }.json())),
        (JAMF, Ok(sso_status(2, DEVICE))),
    ];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&registered()) };
    let json: serde_json::Value = serde_json::from_str(&mac.report_at_console(Output::Json).document).unwrap();
    let since = "2024-02-29T12:34:56Z";
    assert_eq!(
        json["devices"],
        serde_json::json!([
            { "source": "login-keychain", "device_id": DEVICE, "tenant_id": TENANT, "since": since },
            {
                "source": "platform-sso",
                "device_id": "22222222-2222-2222-2222-222222222222",
                "tenant_id": TENANT,
                "since": since,
            },
            { "source": "sso-extension", "device_id": DEVICE, "tenant_id": TENANT, "since": null },
        ])
    );
    let codes: Vec<&str> =
        json["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert!(codes.contains(&"several-device-ids"), "{codes:?}");
    let report = mac.report_at_console(Output::Explain).document;
    let row = "[-] Other device ID      22222222-2222-2222-2222-222222222222 (Platform SSO\n";
    assert!(report.contains(row), "{report}");
    // The other attributes run no commands.
    mac.commands.borrow_mut().clear();
    assert_eq!(
        mac.report_at_console(Output::Result(Attribute::DeviceId)).document,
        format!("<result>{DEVICE}</result>\n")
    );
    assert_eq!(*mac.commands.borrow(), Vec::<String>::new());
}

#[test]
fn the_account_record_gives_only_a_name_and_never_a_state() {
    let linked = "AltSecurityIdentities: PlatformSSO:adele.vance@contoso.com\n";
    let mac = Mac { programs: vec![(DSCL, Ok(linked.into()))], ..at_login_window() };
    let json: serde_json::Value = serde_json::from_str(&mac.report(&remembering(&mac, Output::Json)).document).unwrap();
    assert_eq!(
        (&json["state"], &json["user"]["linked_to"]),
        (&serde_json::Value::Null, &"adele.vance@contoso.com".into())
    );
    let report = mac.report(&remembering(&mac, Output::Explain)).document;
    assert!(
        report.contains(" ·  Account record       linked to Platform SSO as adele.vance@contoso.com\n"),
        "{report}"
    );
    let command = format!("{DSCL}|.|-read|/Users/adele|dsAttrTypeStandard:AltSecurityIdentities");
    assert!(mac.commands.borrow().contains(&command), "{:?}", mac.commands.borrow());
    // It is used if no other source has the user principal name.
    write_note(&mac, 1);
    let json: serde_json::Value = serde_json::from_str(&mac.report(&remembering(&mac, Output::Json)).document).unwrap();
    assert_eq!(json["workplace_join"]["user_principal_name"], "adele.vance@contoso.com");
    mac.commands.borrow_mut().clear();
    mac.report(&remembering(&mac, Output::Result(Attribute::State)));
    assert_eq!(*mac.commands.borrow(), Vec::<String>::new());
}

#[test]
fn the_sign_in_method_is_checked_even_if_the_login_keychain_has_the_key() {
    let value = |programs| {
        let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&registered()) };
        let report = mac.report_at_console(Output::Result(Attribute::SignInMethod));
        (report.document, report.reasons.len())
    };
    let registered = PlatformSso { login_type: "POLoginTypePassword (1)", ..PlatformSso::registered() };
    assert_eq!(value(vec![(APP_SSO, Ok(registered.json()))]), ("<result>Password</result>\n".to_owned(), 0));
    assert_eq!(value(vec![(APP_SSO, Ok(not_configured()))]), ("<result></result>\n".to_owned(), 0));
    assert_eq!(value(Vec::new()), ("<result></result>\n".to_owned(), 1));
}
