//! Collects evidence on a made-up Mac, to test what files alone do not show: commands, sessions, the second opinion.

use std::{fs, thread, time::Duration};

use fixture_generator::{
    Certificate, Keychain,
    sso::{PlatformSso, not_configured, sso_status},
};
use wpj_state::{
    assess::{assess, finding::Code, remedy::Remedy},
    cli::{Output, Request, Subject, UseMacosReader, UserChoice, attribute::Attribute},
    collect::Failure,
    evidence::{Cause, Probe},
    parse::timestamp::Timestamp,
    report::Report,
};

use crate::mac::{
    ADELE, APP_SSO, JAMF, KEYCHAIN, Mac, PLIST, VERSION, both, console, damaged, records, registered, with_session,
};

#[test]
fn a_keychain_that_is_being_created_is_read_again() {
    let mac = Mac::new(b"");
    let created = mac.path("created");
    fs::write(&created, registered()).unwrap();
    let keychain = mac.path(KEYCHAIN);
    let macos = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        fs::rename(created, keychain).unwrap();
    });
    let report = mac.report(&mac.request(UseMacosReader::IfDamaged, Output::Result(Attribute::State)));
    macos.join().unwrap();
    assert_eq!(
        report,
        Report { document: "<result>Registered</result>\n".to_owned(), reasons: vec![], is_complete: true }
    );
}

#[test]
fn a_keychain_that_stays_empty_gets_no_second_opinion() {
    let mac = Mac::new(b"");
    let (state, findings) = mac.assess(UseMacosReader::IfDamaged);
    let path = mac.path(KEYCHAIN);
    let reason = format!("{}: the file is empty; have the user log out and in, and run it again", path.display());
    assert_eq!((state, findings), (Err(reason), vec![]));
    assert!(mac.keychains_read.borrow().is_empty());
}

#[test]
fn a_readable_keychain_needs_no_second_opinion() {
    let mac = Mac::new(&registered());
    assert_eq!(mac.assess(UseMacosReader::IfDamaged), (Ok("Registered"), vec![]));
    assert!(mac.keychains_read.borrow().is_empty());
}

#[test]
fn for_a_damaged_keychain_the_second_opinion_counts() {
    let with_key = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&damaged()) };
    assert_eq!(with_key.assess(UseMacosReader::IfDamaged), (Ok("Registered"), vec![Code::SecondOpinionUsed]));
    assert_eq!(*with_key.keychains_read.borrow(), [damaged(), damaged()]);
}

#[test]
fn without_a_usable_second_opinion_a_damaged_keychain_gives_no_answer() {
    let without_key = records(&both(), &[Certificate::contoso()]);
    for opinion in [Err("it fails".to_owned()), Ok(records(&[], &[])), Ok(without_key)] {
        let mac = Mac { opinion, ..Mac::new(&damaged()) };
        let (state, findings) = mac.assess(UseMacosReader::IfDamaged);
        let reason = format!(
            "{}: damaged keychain: the file is cut short; restore it from a backup; a reset of the login \
             keychain loses the passwords in it",
            mac.path(KEYCHAIN).display()
        );
        assert_eq!((state, findings), (Err(reason), vec![Code::SecondOpinionMissing]));
    }
}

#[test]
fn the_second_opinion_can_be_switched_off() {
    let mac = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&damaged()) };
    let (state, findings) = mac.assess(UseMacosReader::Never);
    assert!(state.is_err());
    assert_eq!(findings, vec![]);
    assert!(mac.keychains_read.borrow().is_empty());
}

#[test]
fn a_requested_second_opinion_is_compared_and_changes_nothing() {
    let agrees = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&registered()) };
    assert_eq!(agrees.assess(UseMacosReader::Always), (Ok("Registered"), vec![Code::SecondOpinionAgrees]));
    assert_eq!(*agrees.keychains_read.borrow(), [registered(), registered()]);
    let differs = Mac { opinion: Ok(records(&[], &both())), ..Mac::new(&registered()) };
    assert_eq!(differs.assess(UseMacosReader::Always), (Ok("Registered"), vec![Code::SecondOpinionDiffers]));
    let missing = Mac { opinion: Err("it fails".to_owned()), ..Mac::new(&registered()) };
    assert_eq!(missing.assess(UseMacosReader::Always), (Ok("Registered"), vec![Code::SecondOpinionMissing]));
    let used = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&damaged()) };
    assert_eq!(used.assess(UseMacosReader::Always), (Ok("Registered"), vec![Code::SecondOpinionUsed]));
}

#[test]
fn there_is_no_second_opinion_on_a_missing_keychain() {
    let mac = Mac::new(&registered());
    fs::remove_file(mac.path(KEYCHAIN)).unwrap();
    assert_eq!(mac.assess(UseMacosReader::Always), (Ok("Not Registered"), vec![]));
    fs::create_dir(mac.path(KEYCHAIN)).unwrap();
    let (state, findings) = mac.assess(UseMacosReader::Always);
    assert!(state.is_err());
    assert_eq!(findings, vec![]);
    assert!(mac.keychains_read.borrow().is_empty());
}

#[test]
fn on_a_mac_without_users_the_state_is_not_registered() {
    let mac = Mac::new(&registered());
    let json: serde_json::Value = serde_json::from_str(&mac.report_at_console(Output::Json).document).unwrap();
    let expected = serde_json::json!({
        "schema": 1,
        "state": "Not Registered",
        "undetermined": null,
        "user": { "name": null, "uid": null, "home": null, "source": "none", "linked_to": null },
        "expected_tenants": [],
        "workplace_join": null,
        "devices": [],
        "remembered_key": {
            "path": null,
            "status": "not-asked",
            "device_id": null,
            "tenant_id": null,
            "noted": null,
        },
        "keychain": {
            "path": null,
            "status": "absent",
            "damage_offset": null,
            "certificates": null,
            "private_keys": null,
            "identities": null,
            "workplace_join_certificates": null,
        },
        "platform_sso": {
            "asked": false,
            "status": "not-asked",
            "registration_completed": null,
            "user_state": null,
            "extension": null,
            "device_id": null,
            "tenant_id": null,
            "user_principal_name": null,
            "sign_in_method": null,
            "token_received": null,
            "token_expires": null,
        },
        "sso_extension": {
            "asked": false,
            "status": "not-asked",
            "device_id": null,
            "tenant_id": null,
            "user_principal_name": null,
        },
        "jamf_aad": { "path": null, "status": "absent", "have_an_azure_id": null, "last_token": null },
        "set_up": {
            "asked": true,
            "use_wk_web_view": null,
            "token_retry_count": null,
            "token_retry_wait_time": null,
            "sso_profile_installed": false,
            "sso_extension_allows_jamf": null,
            "microsoft_ca_enabled": null,
            "has_old_connector": null,
            "gathered_as_root": false,
            "company_portal_installed": false,
            "jamf_tool": null,
        },
        "findings": [{
            "code": "sso-profile-missing",
            "severity": "warning",
            "message": "No profile configures Microsoft's SSO extension, which new registrations need.",
            "remedy": "Deploy a profile for Microsoft's SSO extension first: new registrations need it.",
        }, {
            "code": "conditional-access-disabled",
            "severity": "warning",
            "message": "microsoftCAEnabled is not true: registration stops when Company Portal closes.",
            "remedy": "Escalate to the Jamf administrator, with this report: Jamf Pro must share inventory with \
                Microsoft; then /usr/local/jamf/bin/jamf manage must run on this Mac as root.",
        }, {
            "code": "not-at-the-console",
            "severity": "info",
            "message": "Nobody is at the console, and no user has a login keychain.",
            "remedy": "None needed; use --user to report on another user.",
        }],
        "remedy": {
            "code": "look-in-session",
            "user": "Log in.",
            "administrator": "Update the inventory while the user is logged in, because a key in the Secure Enclave \
                shows only then.",
            "source": "https://github.com/Macjutsu/pseudo",
        },
    });
    assert_eq!(json, expected);
}

#[test]
fn at_most_the_sixteen_latest_renamed_keychains_are_read() {
    let mac = Mac::new(&Keychain::new().to_bytes());
    let renamed = |number: u32| format!("Library/Keychains/login_renamed_{number}.keychain-db");
    for number in 1..=17 {
        mac.write(&renamed(number), &Keychain::new().to_bytes());
    }
    mac.write(&renamed(1), &registered());
    assert_eq!(mac.assess(UseMacosReader::Never), (Ok("Not Registered"), vec![]));
    mac.write(&renamed(2), &registered());
    assert_eq!(mac.assess(UseMacosReader::Never), (Ok("Not Registered"), vec![Code::LoginKeychainReset]));
}

const RAN_APP_SSO: &str = "as 501|/usr/bin/app-sso|platform|-s";

/// The state, or the reason why it cannot be determined, and the commands that were run for it; JSON, which lists every
/// device, must agree about the state.
fn outcome(mac: &Mac, change: impl Fn(Request) -> Request) -> (Result<&'static str, String>, Vec<String>) {
    let [plain, detailed] = [Output::Result(Attribute::State), Output::Json].map(|output| {
        mac.commands.borrow_mut().clear();
        let request =
            Request { subject: Subject::One(UserChoice::Console), ..mac.request(UseMacosReader::Never, output) };
        let evidence = mac.evidence(&change(request));
        let assessment = assess(&evidence, Timestamp::now());
        let state = assessment.state.as_ref().map(|state| state.as_str()).map_err(|undetermined| {
            let path = undetermined.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            format!("{path}: {}", undetermined.cause)
        });
        (state, mac.commands.borrow().clone())
    });
    assert_eq!(plain.0, detailed.0);
    plain
}

fn same(request: Request) -> Request {
    request
}

#[test]
fn with_a_key_in_the_login_keychain_commands_are_run_only_for_details_and_do_not_change_the_state() {
    let programs = vec![(APP_SSO, Ok(b"Killed: 9\n".to_vec())), (JAMF, Ok(sso_status(3, "")))];
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), programs, ..Mac::new(&registered()) };
    for (output, commands) in [
        (Output::Result(Attribute::State), 0),
        (Output::Result(Attribute::DeviceId), 0),
        (Output::Result(Attribute::Finding), 0),
        (Output::Json, 2),
        (Output::Explain, 2),
    ] {
        mac.commands.borrow_mut().clear();
        let evidence = mac.evidence(&Request {
            subject: Subject::One(UserChoice::Console),
            ..mac.request(UseMacosReader::Never, output)
        });
        assert_eq!(assess(&evidence, Timestamp::now()).state.unwrap().as_str(), "Registered", "{output:?}");
        assert_eq!(mac.commands.borrow().len(), commands, "{output:?}");
    }
}

#[test]
fn app_sso_is_run_first_and_the_jamf_tool_only_if_it_shows_no_key() {
    let device = Certificate::workplace_join().subject;
    let registered = || Ok(PlatformSso::registered().json());
    let both = Mac { programs: vec![(JAMF, Ok(sso_status(3, ""))), (APP_SSO, registered())], ..with_session() };
    assert_eq!(outcome(&both, same), (Ok("Registered"), vec![RAN_APP_SSO.to_owned()]));
    let programs = vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, device)))];
    let commands_run = vec![RAN_APP_SSO.to_owned(), format!("as 501|{JAMF}|getPSSOStatus")];
    assert_eq!(outcome(&Mac { programs, ..with_session() }, same), (Ok("Registered"), commands_run));
    let neither = vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, "")))];
    let (state, commands) = outcome(&Mac { programs: neither, ..with_session() }, same);
    assert_eq!((state, commands.len()), (Ok("Not Registered"), 2));
}

#[test]
fn a_missing_tool_or_verb_counts_as_not_checked() {
    assert_eq!(outcome(&with_session(), same), (Ok("Not Registered"), vec![]));
    let usage = vec![(APP_SSO, Ok(b"Usage: app-sso <verb>\n".to_vec()))];
    let state = outcome(&Mac { programs: usage, ..with_session() }, same);
    assert_eq!(state, (Ok("Not Registered"), vec![RAN_APP_SSO.to_owned()]));
    let help = Ok(b"clean, gatherAADInfo, registerWithIntune, version, help\n".to_vec());
    let mac = Mac { programs: vec![(APP_SSO, Ok(not_configured())), (JAMF, help)], ..with_session() };
    assert_eq!(outcome(&mac, same).0, Ok("Not Registered"));
}

#[test]
fn an_unclear_output_gives_no_answer_unless_the_other_command_shows_a_key() {
    let failures = [
        (Err(Failure::TimedOut), "the command timed out"),
        (Err(Failure::Missing), "the command could not be run: launchctl or sudo is missing"),
        (Err(Failure::TooMuch), "the output cannot be understood: more than 1 MiB"),
        (Err(Failure::Failed("no memory".to_owned())), "the command could not be run: no memory"),
        (Ok(b"sudo: unknown user\n".to_vec()), "the output cannot be understood: a section is missing"),
    ];
    for (failure, words) in failures {
        let app_sso = |jamf: Option<Vec<u8>>| {
            let mut programs = vec![(APP_SSO, failure.clone())];
            programs.extend(jamf.map(|output| (JAMF, Ok(output))));
            outcome(&Mac { programs, ..with_session() }, same).0
        };
        assert_eq!(app_sso(None), Err(format!("{APP_SSO}: {words}")));
        assert_eq!(app_sso(Some(sso_status(0, ""))), Err(format!("{APP_SSO}: {words}")));
        assert_eq!(app_sso(Some(sso_status(0, Certificate::workplace_join().subject))), Ok("Registered"));
    }
}

#[test]
fn the_jamf_tool_is_run_again_after_a_pause_if_it_gave_no_answer() {
    let ran_jamf = format!("as 501|{JAMF}|getPSSOStatus");
    let commands_run = vec![RAN_APP_SSO.to_owned(), ran_jamf.clone(), "wait".to_owned(), ran_jamf.clone()];
    let device = Certificate::workplace_join().subject;
    let first = [
        Ok(b"Warning:Timedout\n".to_vec()),
        Ok(b"0\n".to_vec()),
        Ok(b"2\n".to_vec()),
        Ok(Vec::new()),
        Err(Failure::TimedOut),
        Err(Failure::Ended("it was ended by SIGSEGV".to_owned())),
    ];
    for first in first {
        let programs = vec![(APP_SSO, Ok(not_configured())), (JAMF, first), (JAMF, Ok(sso_status(0, device)))];
        assert_eq!(outcome(&Mac { programs, ..with_session() }, same), (Ok("Registered"), commands_run.clone()));
    }
    let refused = vec![(APP_SSO, Ok(not_configured())), (JAMF, Err(Failure::Failed("no memory".to_owned())))];
    let (state, commands) = outcome(&Mac { programs: refused, ..with_session() }, same);
    assert_eq!(state, Err(format!("{JAMF}: the command could not be run: no memory")));
    assert_eq!(commands, [RAN_APP_SSO.to_owned(), ran_jamf]);
}

#[test]
fn without_an_answer_of_the_jamf_tool_only_a_mac_without_set_up_is_not_registered() {
    let mac = |app_sso: Vec<u8>| {
        let programs = vec![(APP_SSO, Ok(app_sso)), (JAMF, Ok(b"Warning:Timedout\n".to_vec()))];
        Mac { programs, ..with_session() }
    };
    let no_answer = Err(format!("{JAMF}: the command timed out"));
    assert_eq!(outcome(&mac(not_configured()), same).0, Ok("Not Registered"));
    let by_team = mac(not_configured());
    by_team.set_up(
        "Library/Managed Preferences/adele/com.apple.extensiblesso.plist",
        "<key>a</key><array><dict><key>TeamIdentifier</key><string>UBF8T346G9</string></dict></array>",
    );
    assert_eq!(outcome(&by_team, same).0, no_answer);
    let declared = mac(not_configured());
    declared.set_up(VERSION, "<key>ProductVersion</key><string>27.1</string>");
    assert_eq!(outcome(&declared, same).0, no_answer);
    let to_register = PlatformSso { user_state: None, ..PlatformSso::registered() }.json();
    assert_eq!(outcome(&mac(to_register), same).0, no_answer);
}

#[test]
fn since_macos_27_missing_files_prove_nothing_if_nobody_is_logged_in() {
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..with_session() };
    for (version, state) in [
        ("26.4", Ok("Not Registered")),
        (
            "27.0",
            Err(": a declaration may configure single sign-on, and its keys can be checked only as root while \
                the user is logged in"
                .to_owned()),
        ),
    ] {
        mac.set_up(VERSION, &format!("<key>ProductVersion</key><string>{version}</string>"));
        assert_eq!(outcome(&mac, same), (state, vec![]), "{version}");
    }
    // An unknown release may be a new one.
    fs::remove_file(mac.system.path().join(VERSION)).unwrap();
    assert!(outcome(&mac, same).0.is_err());
}

/// Without the commands, nothing shows a key that a profile makes possible. To run this again would not help.
#[test]
fn missing_commands_give_no_state_if_a_profile_configures_single_sign_on() {
    let team = "<key>TeamIdentifier</key><string>UBF8T346G9</string>";
    let mac = with_session();
    assert_eq!(outcome(&mac, same).0, Ok("Not Registered"));
    let file = "Library/Managed Preferences/com.apple.extensiblesso.plist";
    mac.set_up(file, team);
    let words = "single sign-on may be configured, and this Mac has no command that shows its keys";
    assert_eq!(outcome(&mac, same).0, Err(format!("{}: {words}", mac.system.path().join(file).display())));
    let evidence = mac.evidence(&Request {
        subject: Subject::One(UserChoice::Console),
        ..mac.request(UseMacosReader::Never, Output::Json)
    });
    assert_eq!(assess(&evidence, Timestamp::now()).remedy, Remedy::MendEvidence);
}

/// Without the user's section, a live output does not show that nothing is set up.
#[test]
fn a_live_output_without_the_users_section_gives_no_state() {
    let whole = "Device Configuration:\n (null)\nLogin Configuration:\n (null)\nUser Configuration:\n (null)\n";
    // A device that is not registered with Microsoft is the same answer for every user.
    let lost = String::from_utf8(PlatformSso { device: false, ..PlatformSso::registered() }.json()).unwrap();
    let lost = lost.replace("Login Configuration:\n (null)", "Login Configuration:\n {\n \"a\" : 1\n}");
    let okta = PlatformSso { extension: "com.okta.mobile.auth-service-extension", ..PlatformSso::registered() }.json();
    let okta = String::from_utf8(okta).unwrap();
    let without_user = |text: &str| text[..text.find("User Config").unwrap()].to_owned();
    for (output, is_answer) in [
        (whole, true),
        (&without_user(whole), false),
        (&whole[..70], false),
        (&lost, true),
        (&without_user(&lost), false),
        (&without_user(&okta), true),
    ] {
        let mac = Mac { programs: vec![(APP_SSO, Ok(output.into())), (JAMF, Ok(sso_status(0, "")))], ..with_session() };
        assert_eq!(outcome(&mac, same).0.is_ok(), is_answer, "{output}");
    }
}

#[test]
fn app_sso_is_not_run_before_macos_13() {
    let programs = || vec![(APP_SSO, Ok(PlatformSso::registered().json())), (JAMF, Ok(sso_status(0, "")))];
    let commands = |version| outcome(&Mac { programs: programs(), version, ..with_session() }, same).1;
    assert_eq!(commands(Some(12)), [format!("as 501|{JAMF}|getPSSOStatus")]);
    for version in [Some(13), Some(26), None] {
        assert_eq!(commands(version), [RAN_APP_SSO.to_owned()]);
    }
}

#[test]
fn a_warning_of_sudo_counts_as_no_answer() {
    let stderr = "sudo: setrlimit(RLIMIT_STACK): Operation not permitted\n";
    let device = Certificate::workplace_join().subject;
    let jamf = |second| vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(Vec::new())), (JAMF, Ok(second))];
    let mac = Mac { stderr, programs: jamf(sso_status(0, device)), ..with_session() };
    assert_eq!(outcome(&mac, same).0, Ok("Registered"));
    let mac = Mac { stderr, programs: vec![(APP_SSO, Ok(Vec::new()))], ..with_session() };
    let words = format!("{APP_SSO}: the command gave no answer, but printed: {}", stderr.trim_end());
    assert_eq!(outcome(&mac, same).0, Err(words));
}

/// Jamf's tool often gives no answer, which does not matter beside a key.
#[test]
fn without_an_answer_of_the_jamf_tool_a_mac_with_a_key_has_no_finding() {
    let programs = vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(b"Warning:Timedout\n".to_vec()))];
    let mac = Mac { programs, console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    let evidence = mac.evidence(&Request {
        subject: Subject::One(UserChoice::Console),
        ..mac.request(UseMacosReader::Never, Output::Json)
    });
    let findings = assess(&evidence, Timestamp::now()).findings;
    assert!(findings.iter().all(|finding| finding.code != Code::OutputUnusable), "{findings:?}");
}

#[test]
fn a_command_that_crashed_has_given_no_answer() {
    let crash = || Err(Failure::Ended("it was ended by SIGSEGV".to_owned()));
    let mac =
        Mac { programs: vec![(APP_SSO, Ok(not_configured())), (JAMF, crash()), (JAMF, crash())], ..with_session() };
    assert_eq!(outcome(&mac, same).0, Ok("Not Registered"));
    let json: serde_json::Value = serde_json::from_str(&mac.report_at_console(Output::Json).document).unwrap();
    assert_eq!(json["sso_extension"]["status"], "no-answer");
}

#[test]
fn standard_error_is_the_reason_and_never_the_answer() {
    let refused = "sudo: PAM account management error: permission denied\nsudo: a password is required\n";
    let mac = Mac { programs: vec![(APP_SSO, Ok(Vec::new()))], stderr: refused, ..with_session() };
    let reason = format!("{APP_SSO}: sudo: PAM account management error: permission denied");
    assert_eq!(outcome(&mac, same).0, Err(reason));
    // A warning from the runtime does not invalidate the answer on standard output.
    let mac = Mac { programs: vec![(JAMF, Ok(Vec::new()))], stderr: "objc: a warning\n", ..with_session() };
    assert_eq!(outcome(&mac, same).0, Err(format!("{JAMF}: the command gave no answer, but printed: objc: a warning")));
    let device = Certificate::workplace_join().subject;
    let answer = String::from_utf8(sso_status(2, device)).unwrap().leak();
    let mac = Mac { programs: vec![(JAMF, Ok(sso_status(0, "")))], stderr: answer, ..with_session() };
    assert_eq!(outcome(&mac, same).0, Ok("Not Registered"));
}

#[test]
fn platform_sso_proves_the_key_even_if_the_keychain_cannot_be_read() {
    let mac = Mac { programs: vec![(APP_SSO, Ok(PlatformSso::registered().json()))], ..with_session() };
    mac.write(KEYCHAIN, &damaged());
    assert_eq!(outcome(&mac, same), (Ok("Registered"), vec![RAN_APP_SSO.to_owned()]));
    let mac = Mac { programs: vec![(APP_SSO, Ok(not_configured()))], ..with_session() };
    mac.write(KEYCHAIN, &damaged());
    let reason = format!("{}: damaged keychain: the file is cut short", mac.path(KEYCHAIN).display());
    assert_eq!(outcome(&mac, same).0, Err(reason));
}

#[test]
fn a_saved_output_replaces_its_command() {
    let programs = || vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, "")))];
    let mac = Mac { programs: programs(), ..with_session() };
    let saved = mac.path("app-sso.txt");
    fs::write(&saved, PlatformSso::registered().json()).unwrap();
    let change = |request| Request { app_sso_state: Some(saved.clone()), ..request };
    assert_eq!(outcome(&mac, change), (Ok("Registered"), vec![]));
    let missing = mac.path("no-such-file");
    let change = |request| Request { psso_status: Some(missing.clone()), ..request };
    let reason = format!("{}: this file does not exist", missing.display());
    assert_eq!(outcome(&mac, change), (Err(reason.clone()), vec![]));
    // Even if the keychain has the key.
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    let change = |request| Request { psso_status: Some(missing.clone()), ..request };
    assert_eq!(outcome(&mac, change), (Err(reason), vec![]));
}

#[test]
fn a_file_given_as_the_plist_that_is_not_one_is_an_error() {
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    let given = mac.path("notes.txt");
    fs::write(&given, "have_an_Azure_id\n").unwrap();
    let change = |request| Request { plist: Some(given.clone()), ..request };
    let reason = "this is not a plist: a string instead of a dictionary";
    assert_eq!(outcome(&mac, change).0, Err(format!("{}: {reason}", given.display())));
    mac.write(PLIST, b"have_an_Azure_id\n");
    assert_eq!(outcome(&mac, same).0, Ok("WPJ Key present, AAD ID not acquired"));
}

#[test]
fn without_a_session_no_command_is_run_and_a_single_sign_on_profile_leaves_no_answer() {
    let programs = || vec![(APP_SSO, Ok(PlatformSso::registered().json()))];
    let microsoft = "<plist version=\"1.0\"><dict><key>ExtensionIdentifier</key>\
        <string>com.microsoft.CompanyPortalMac.ssoextension</string></dict></plist>";
    let managed = "Library/Managed Preferences";
    let no_session = || Mac { console: Some(console("loginwindow", 0, 0)), programs: programs(), ..with_session() };
    let not_as_this_user = || Mac { may_run: false, programs: programs(), ..with_session() };
    for mac in [no_session(), not_as_this_user()] {
        assert_eq!(outcome(&mac, same), (Ok("Not Registered"), vec![]));
        for file in ["com.apple.extensiblesso.plist", "adele/com.apple.extensiblesso.plist"] {
            let path = mac.system.path().join(managed).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, microsoft).unwrap();
            let words = "a profile configures single sign-on, and its keys can be checked only as root while the user is logged in";
            let unasked = (Err(format!("{}: {words}", path.display())), vec![]);
            assert_eq!(outcome(&mac, same), unasked);
            // A saved output of one command without a key proves nothing about the other one.
            let saved = mac.path("app-sso.txt");
            fs::write(&saved, not_configured()).unwrap();
            assert_eq!(outcome(&mac, |request| Request { app_sso_state: Some(saved.clone()), ..request }), unasked);
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            assert_eq!(outcome(&mac, same), unasked);
            let home =
                |request| Request { subject: Subject::One(UserChoice::Home(mac.folder.path().to_owned())), ..request };
            assert_eq!(outcome(&mac, home), (Ok("Not Registered"), vec![]));
            fs::remove_dir(path).unwrap();
        }
    }
    // Commands can be run in a session behind the login window.
    let behind = Mac { console: Some(console("loginwindow", 0, ADELE)), programs: programs(), ..with_session() };
    assert_eq!(outcome(&behind, same), (Ok("Registered"), vec![RAN_APP_SSO.to_owned()]));
}

#[test]
fn with_a_home_no_command_is_run() {
    let mac = Mac { programs: vec![(APP_SSO, Ok(PlatformSso::registered().json()))], ..with_session() };
    let home = |request| Request { subject: Subject::One(UserChoice::Home(mac.folder.path().to_owned())), ..request };
    assert_eq!(outcome(&mac, home), (Ok("Not Registered"), vec![]));
}

#[test]
fn the_set_up_is_read_only_for_outputs_that_need_it() {
    let mac = Mac::new(&registered());
    for (output, is_read) in [
        (Output::Json, true),
        (Output::Explain, true),
        (Output::Result(Attribute::Finding), true),
        (Output::Result(Attribute::State), false),
        (Output::Result(Attribute::LastToken), false),
        (Output::Result(Attribute::UserPrincipalName), false),
    ] {
        let request =
            Request { subject: Subject::One(UserChoice::Console), ..mac.request(UseMacosReader::Never, output) };
        let evidence = mac.evidence(&request);
        assert_eq!(!matches!(evidence.set_up.jamf_tool, Probe::NotChecked), is_read, "{output:?}");
        // A home may come from another Mac.
        let evidence = mac.evidence(&mac.request(UseMacosReader::Never, output));
        assert!(matches!(evidence.set_up.jamf_tool, Probe::NotChecked), "{output:?}");
    }
}

#[test]
fn a_set_up_that_hangs_affects_findings_but_not_the_state() {
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    let look = |output| {
        // The first read is the home, the second one the set-up.
        mac.reads.set(1);
        mac.evidence(&Request {
            subject: Subject::One(UserChoice::Console),
            ..mac.request(UseMacosReader::IfDamaged, output)
        })
    };
    let late = Cause::DeadlinePassed(10);
    for output in [Output::Json, Output::Explain] {
        let evidence = look(output);
        assert_eq!(assess(&evidence, Timestamp::now()).state.unwrap().as_str(), "Registered", "{output:?}");
        assert_eq!(evidence.set_up.jamf_tool, Probe::Unreadable(late.clone()));
    }
    assert_eq!(look(Output::Result(Attribute::Finding)).obstacle, Some(late.into()));
}

#[test]
fn a_home_that_was_never_used_is_an_error_if_sessions_are_unknown() {
    let mac = Mac { console: Some("?".to_owned()), ..Mac::new(&registered()) };
    fs::remove_dir_all(mac.path("Library")).unwrap();
    let subject = Subject::One(UserChoice::User("adele".to_owned()));
    let evidence = mac.evidence(&Request { subject, ..mac.request(UseMacosReader::IfDamaged, Output::Explain) });
    assert_eq!(evidence.obstacle.map(|obstacle| obstacle.cause), Some(Cause::NotAHome));
}
