//! Tests the outputs about all users of a Mac, and about several homes.

use std::{fs, os::unix::fs::symlink, path::Path};

use assert_cmd::cargo::cargo_bin;
use fixture_generator::sso::PlatformSso;
use wpj_state::{
    cli::{Output, Request, Subject, UseMacosReader, attribute::Attribute},
    report::Report,
};

use crate::mac::{
    ADELE, APP_SSO, KEYCHAIN, Mac, NO_RECORD, PLIST, both, console, damaged, records, registered, with_session,
};

const BEN: u32 = 502;
const CLAIRE: u32 = 503;

/// A Mac with three users: Adele is registered, Ben has no keychain, and Claire's keychain is a link.
fn of_three() -> Mac {
    let mac = Mac { others: vec![(CLAIRE, "claire"), (BEN, "ben")], ..Mac::new(&registered()) };
    fs::create_dir(mac.path("ben")).unwrap();
    let keychain = mac.path("claire").join(KEYCHAIN);
    fs::create_dir_all(keychain.parent().unwrap()).unwrap();
    symlink("/etc/hosts", keychain).unwrap();
    mac
}

fn all(mac: &Mac, output: Output) -> Report {
    mac.report(&Request { subject: Subject::AllUsers, ..mac.request(UseMacosReader::IfDamaged, output) })
}

fn reason_for_claire(mac: &Mac) -> String {
    let path = mac.path("claire").join(KEYCHAIN);
    let words = "this is a symbolic link, and links are not followed; replace it with the real file, or give the path of the real file";
    format!("claire: {}: {words}", path.display())
}

#[test]
fn each_user_has_a_line_and_an_unreadable_home_does_not_affect_the_others() {
    let mac = of_three();
    let document = "<result>adele: Registered\nben: Not Registered\nclaire:</result>\n".to_owned();
    let expected = Report { document, reasons: vec![reason_for_claire(&mac)], is_complete: false };
    assert_eq!(all(&mac, Output::Result(Attribute::Users)), expected);
}

#[test]
fn the_json_of_all_users_is_an_array_of_the_objects_for_one_user() {
    let mac = of_three();
    let report = all(&mac, Output::Json);
    assert_eq!(report.reasons, [reason_for_claire(&mac)]);
    let json: Vec<serde_json::Value> = serde_json::from_str(&report.document).unwrap();
    let row = |it: &serde_json::Value| {
        let fields = [&it["user"]["name"], &it["user"]["uid"], &it["user"]["source"], &it["state"]];
        let join = [&it["workplace_join"]["storage"], &it["workplace_join"]["device_id"]];
        serde_json::json!([fields, join])
    };
    let device = "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";
    let expected = [
        serde_json::json!([["adele", 501, "all-users", "Registered"], ["login-keychain", device]]),
        serde_json::json!([["ben", 502, "all-users", "Not Registered"], [null, null]]),
        serde_json::json!([["claire", 503, "all-users", null], [null, null]]),
    ];
    assert_eq!(json.iter().map(row).collect::<Vec<_>>(), expected);
    assert!(json.iter().all(|it| it["schema"] == 1));
}

#[test]
fn the_table_has_a_row_for_each_user() {
    let mac = of_three();
    let table = all(&mac, Output::Explain).document;
    let table = table.split("could not be determined").collect::<Vec<_>>();
    let [before, _] = table.as_slice() else { panic!("{table:?}") };
    let expected = "\
NAME    UID  STATE                                   KEY STORAGE
adele   501  Registered                              Login Keychain
             device 0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21
ben     502  Not Registered                          None
claire  503  ";
    assert_eq!(*before, expected);
}

#[test]
fn only_local_users_with_a_home_are_listed() {
    let mac = Mac { others: vec![(BEN, "ben"), (CLAIRE, "claire"), (499, "helper")], ..Mac::new(&registered()) };
    fs::create_dir(mac.path("helper")).unwrap();
    fs::create_dir(mac.path("claire")).unwrap();
    let document = "<result>adele: Registered\nclaire: Not Registered</result>\n".to_owned();
    assert_eq!(all(&mac, Output::Result(Attribute::Users)), Report { document, reasons: vec![], is_complete: true });
}

#[test]
fn a_user_whose_account_lookup_fails_is_listed_by_uid() {
    let mac = Mac { others: vec![(NO_RECORD, "nobody")], ..Mac::new(&registered()) };
    let report = all(&mac, Output::Result(Attribute::Users));
    let document = "<result>adele: Registered\n#666:</result>\n".to_owned();
    let reason = "#666: cannot determine which user to check: no answer; name the user with --user or the home directory with --home";
    assert_eq!(report, Report { document, reasons: vec![reason.to_owned()], is_complete: false });
}

#[test]
fn a_name_that_jamf_might_refuse_is_replaced_by_the_uid() {
    let mac = Mac { others: vec![(BEN, "b<e>n")], ..Mac::new(&registered()) };
    fs::create_dir(mac.path("b<e>n")).unwrap();
    let document = "<result>adele: Registered\n#502: Not Registered</result>\n".to_owned();
    assert_eq!(all(&mac, Output::Result(Attribute::Users)), Report { document, reasons: vec![], is_complete: true });
}

#[test]
fn without_users_the_list_is_empty_and_the_value_is_unknown() {
    let mac = Mac::new(&registered());
    let report = |output| all(&mac, output);
    let reasons = vec!["no local user with a home was found; name a home with --home".to_owned()];
    assert_eq!(
        report(Output::Result(Attribute::Users)),
        Report { document: "<result></result>\n".to_owned(), reasons, is_complete: false }
    );
    assert_eq!(report(Output::Json), Report { document: "[]\n".to_owned(), reasons: vec![], is_complete: true });
    let document = "No local user with a home was found.\n".to_owned();
    assert_eq!(report(Output::Explain), Report { document, reasons: vec![], is_complete: true });
}

#[test]
fn a_user_with_a_session_is_listed_and_single_sign_on_is_checked() {
    let programs = vec![(APP_SSO, Ok(PlatformSso::registered().json()))];
    let mac = Mac { programs, ..with_session() };
    let document = "<result>adele: Registered</result>\n".to_owned();
    assert_eq!(all(&mac, Output::Result(Attribute::Users)), Report { document, reasons: vec![], is_complete: true });
    assert_eq!(mac.commands.borrow().len(), 1);
}

#[test]
fn each_damaged_keychain_gets_a_second_opinion() {
    let mac = Mac {
        others: vec![(BEN, "ben")],
        opinion: Ok(records(&both(), &both())),
        console: Some(console("adele", ADELE, ADELE)),
        ..Mac::new(&damaged())
    };
    for (file, content) in [(KEYCHAIN, damaged()), (PLIST, fs::read(mac.path(PLIST)).unwrap())] {
        mac.write(&format!("ben/{file}"), &content);
    }
    let document = "<result>adele: Registered\nben: Registered</result>\n".to_owned();
    assert_eq!(all(&mac, Output::Result(Attribute::Users)), Report { document, reasons: vec![], is_complete: true });
    assert_eq!(*mac.keychains_read.borrow(), [damaged(), damaged()]);
}

/// The outputs of the tool for these arguments, and its exit status.
fn tool(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output =
        std::process::Command::new(cargo_bin("wpj-state")).env("LC_ALL", "C").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn several_homes_are_a_list() {
    let homes = ["--home", "fixtures/registered/home", "--home", "fixtures/keychain-empty/home"];
    let reason = "wpj-state: fixtures/keychain-empty/home/Library/Keychains/\
        login.keychain-db: the file is empty; have the user log out and in, and run it again\n";
    let lines = "<result>fixtures/registered/home: Registered\nfixtures/keychain-empty/home:</result>\n";
    assert_eq!(tool(&homes), (lines.to_owned(), reason.to_owned(), Some(1)));
    let (json, stderr, status) = tool(&[&homes[..], &["--json"]].concat());
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!((json.len(), stderr.as_str(), status), (2, reason, Some(1)));
    let one = tool(&["--home", "fixtures/registered/home", "--json"]).0;
    assert_eq!(json[0], serde_json::from_str::<serde_json::Value>(&one).unwrap());
    let one_of_list = tool(&["--all-users", "--home", "fixtures/registered/home", "--json"]).0;
    let one_of_list: Vec<serde_json::Value> = serde_json::from_str(&one_of_list).unwrap();
    assert_eq!(one_of_list, json[..1]);
}

#[test]
fn a_name_that_is_too_long_for_its_column_has_a_separate_line() {
    let homes = ["--home", "fixtures/registered/home", "--home", "fixtures/not-registered/home", "--explain"];
    let expected = "\
NAME                      STATE                                   KEY STORAGE
fixtures/registered/home  Registered                              Login Keychain
                          device 0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21
fixtures/not-registered/home
                          Not Registered                          None
";
    assert_eq!(tool(&homes), (expected.to_owned(), String::new(), Some(0)));
    assert!(Path::new("fixtures/not-registered/home").is_dir());
}

#[test]
fn a_home_with_an_unusual_name_does_not_affect_the_others() {
    let odd = "fixtures/no-such-h\u{f6}me <b>: Registered";
    let reason = "this home directory does not exist; give an existing home directory with --home";
    let homes = ["--home", "fixtures/registered/home", "--home", odd];
    let lines = "<result>fixtures/registered/home: Registered\nfixtures/no-such-h?me??b???Registered:</result>\n";
    let stderr = format!("wpj-state: {odd}: {reason}\n").replace('\u{f6}', "\\u{f6}");
    assert_eq!(tool(&homes), (lines.to_owned(), stderr.clone(), Some(1)));
    let lines = "<result>fixtures/no-such-h?me??b???Registered:</result>\n";
    assert_eq!(tool(&["--all-users", "--home", odd]), (lines.to_owned(), stderr, Some(1)));
}

#[test]
fn a_name_that_looks_like_a_state_is_replaced_by_the_uid() {
    let mac = Mac { others: vec![(BEN, "ben: Registered")], ..Mac::new(&registered()) };
    fs::create_dir(mac.path("ben: Registered")).unwrap();
    let document = "<result>adele: Registered\n#502: Not Registered</result>\n".to_owned();
    assert_eq!(all(&mac, Output::Result(Attribute::Users)), Report { document, reasons: vec![], is_complete: true });
}

#[test]
fn single_sign_on_is_checked_for_any_number_of_users() {
    let many: Vec<(u32, &'static str)> = (502..542).map(|uid| (uid, "other")).collect();
    let programs = vec![(APP_SSO, Ok(PlatformSso::registered().json()))];
    let mac = Mac { programs, others: many, ..with_session() };
    fs::create_dir(mac.path("other")).unwrap();
    let request = mac.request(UseMacosReader::IfDamaged, Output::Result(Attribute::Users));
    let report = mac.report(&Request { subject: Subject::AllUsers, ..request });
    assert_eq!(report.document.lines().next().unwrap(), "<result>adele: Registered");
    assert_eq!((report.document.lines().count(), mac.commands.borrow().len()), (41, 1));
}

#[test]
fn a_user_with_a_session_but_without_a_home_is_listed() {
    let mac = Mac { console: Some(console("claire", 503, 503)), ..of_three() };
    fs::remove_dir_all(mac.path("claire")).unwrap();
    let report = all(&mac, Output::Result(Attribute::Users));
    assert_eq!(report.document, "<result>adele: Registered\nben: Not Registered\nclaire:</result>\n");
    let words = "this home directory does not exist; give an existing home directory with --home";
    assert_eq!(report.reasons, [format!("claire: {}: {words}", mac.path("claire").display())]);
}
