//! `jamf/compare-device-ids.sh` with a stand-in for Jamf's API.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use wpj_state::cli::attribute::Attribute;

use crate::{
    jamf_api::{
        ANSWER_LIMIT, PLATFORM_SIGN_IN, Place, Reply, SIGN_IN, SIGN_OUT, Server, TOKEN, assert_output, reply, text,
        token, under_harsh_conditions,
    },
    jamf_kit::extension_attributes::display_name,
    shells::{self, SH},
};

const HEADER: &str =
    "\"Jamf ID\",\"Name\",\"Serial number\",\"Device ID of the Mac\",\"Device IDs in Jamf\",\"Result\"\n";
const ONE: &str = "0a8cf1a3-51f2-4bd5-a1d7-d4d9ea0c3a11";
const OTHER: &str = "7f1d2c3b-4a59-4687-9c0e-1b2a3d4c5e6f";

/// A computer in the inventory, with other attributes before and after the one with the device ID.
fn computer(id: u32, name: &str, device: Value) -> Value {
    let attribute = |name: &str, values: Value| json!({ "definitionId": "9", "name": name, "values": values });
    json!({
        "id": id.to_string(),
        "udid": "0",
        "general": { "name": name, "extensionAttributes": [attribute("Asset", json!(["[{\"id\":\"66\"}]"]))] },
        "hardware": { "serialNumber": format!("C02{id}"), "extensionAttributes": [] },
        "extensionAttributes": [
            attribute("AAD Registration State", json!(["Registered"])),
            attribute(&format!("Old {} 2", display_name(Attribute::DeviceId)), json!([OTHER])),
            attribute(display_name(Attribute::DeviceId), device),
            attribute("AAD Registration State - User", json!([OTHER])),
        ],
    })
}

/// Jamf's record of a computer's devices.
fn record(devices: &[&str]) -> Reply {
    let vendors = json!([
        { "deviceId": "1", "complianceVendor": "none", "complianceVendorDeviceInformation": { "deviceIds": [] } },
        { "deviceId": "1", "applicable": true, "complianceVendor": "Intune",
          "complianceVendorDeviceInformation": { "deviceIds": devices } },
    ]);
    reply(200, serde_json::to_string_pretty(&vendors).unwrap())
}

/// The same record as in Jamf's example, which has a list instead of the schema's object.
fn record_with_list(devices: &[&str]) -> Reply {
    let vendors = json!([{ "deviceId": "1", "complianceVendorDeviceInformation": [{ "deviceIds": devices }] }]);
    reply(200, vendors.to_string())
}

type Record = fn() -> Reply;

/// Answers requests for pages of these computers, and for their records.
fn inventory(computers: Vec<Value>, records: Vec<Record>) -> impl FnMut(&str) -> Reply + Send + 'static {
    move |line| {
        let target = line.strip_prefix("GET ").expect("nothing is changed");
        if let Some((_, id)) = target.split_once("/v1/conditional-access/device-compliance-information/computer/") {
            return records[id.parse::<usize>().unwrap() - 1]();
        }
        let query = target.split_once("/v4/computers-inventory?").unwrap().1;
        let number =
            |name: &str| query.split('&').find_map(|it| it.strip_prefix(name)).unwrap().parse::<usize>().unwrap();
        let (page, size) = (number("page="), number("page-size="));
        let results: Vec<&Value> = computers.iter().skip(page * size).take(size).collect();
        reply(200, json!({ "totalCount": computers.len(), "results": results }).to_string())
    }
}

fn server(mut answer: impl FnMut(&str) -> Reply + Send + 'static) -> Server {
    Server::new(Box::new(move |request| match request.line.as_str() {
        SIGN_IN | PLATFORM_SIGN_IN => token(),
        SIGN_OUT => reply(204, ""),
        line => answer(line),
    }))
}

/// A folder with the script, which lists two computers on a page.
fn place() -> Place {
    let place = Place::of("compare-device-ids.sh", &[]);
    place.change("a kit/compare-device-ids.sh", "page_size='100'\n", "page_size='2'\n");
    place
}

fn page(number: usize) -> String {
    format!(
        "GET /api/v4/computers-inventory?section=GENERAL&section=HARDWARE&section=EXTENSION_ATTRIBUTES&sort=id%3Aasc\
        &page-size=2&page={number}"
    )
}

fn record_of(id: usize) -> String {
    format!("GET /api/v1/conditional-access/device-compliance-information/computer/{id}")
}

fn row(id: u32, name: &str, mac: &str, jamf: &str, result: &str) -> String {
    format!("\"{id}\",\"{name}\",\"C02{id}\",\"{mac}\",\"{jamf}\",\"{result}\"\n")
}

/// The summary at the end: same, different, only in Jamf, only on the Mac, neither, not known.
fn summary(count: usize, numbers: [u32; 6]) -> String {
    let [same, different, jamf, mac, neither, unknown] = numbers;
    format!(
        "compare-device-ids.sh: computers: {count}; same: {same}; different: {different}; only in Jamf: {jamf}; \
        only on the Mac: {mac}; neither: {neither}; not known: {unknown}\n"
    )
}

#[test]
fn every_computer_of_every_page_is_compared() {
    for shell in shells::installed() {
        let server = server(inventory(
            vec![
                computer(1, "Adele's Mac", json!([ONE])),
                computer(2, "Büro", json!([ONE])),
                computer(3, "Three", json!([""])),
                computer(4, "Four", json!([ONE])),
                computer(5, "Five", json!([])),
                computer(6, "Six", json!([ONE.to_uppercase()])),
                computer(7, "Seven", json!([ONE])),
            ],
            vec![
                || record(&[ONE]),
                || record(&[OTHER]),
                || record_with_list(&[OTHER]),
                || reply(404, "{\"httpStatus\":404,\"errors\":[]}"),
                || reply(404, ""),
                || record(&[OTHER, ONE, OTHER]),
                || reply(200, "[]"),
            ],
        ));
        let place = place();
        let stdout = [
            HEADER.to_owned(),
            row(1, "Adele's Mac", ONE, ONE, "same"),
            row(2, "Büro", ONE, OTHER, "different"),
            row(3, "Three", "", OTHER, "only in Jamf"),
            row(4, "Four", ONE, "", "only on the Mac"),
            row(5, "Five", "", "", "neither"),
            row(6, "Six", &ONE.to_uppercase(), &format!("{OTHER} {ONE}"), "same"),
            row(7, "Seven", ONE, "", "only on the Mac"),
        ];
        let stderr = summary(7, [2, 1, 1, 2, 1, 0]);
        assert_output(&place.run(shell, &server, &[]), &stdout.concat(), &stderr, 0);
        let mut lines = vec![SIGN_IN.to_owned()];
        lines.extend((0..4).map(page));
        lines.extend((1..8).map(record_of));
        lines.push(SIGN_OUT.to_owned());
        assert_eq!(server.lines(), lines);
    }
}

/// A token is valid for three requests, which are for pages or for records.
#[test]
fn a_token_that_expires_in_the_middle_is_renewed() {
    for shell in shells::installed() {
        let computers = (1..6).map(|id| computer(id, "Mac", json!([ONE]))).collect();
        let mut answer = inventory(computers, vec![|| record(&[ONE]); 5]);
        let mut left = 0;
        let server = Server::new(Box::new(move |request| {
            let line = request.line.as_str();
            match line {
                SIGN_IN => {
                    left = 3;
                    token()
                }
                SIGN_OUT => reply(204, ""),
                _ if left == 0 => reply(401, "{\"httpStatus\":401}"),
                _ => {
                    left -= 1;
                    answer(line)
                }
            }
        }));
        let place = place();
        let rows: String = (1..6).map(|id| row(id, "Mac", ONE, ONE, "same")).collect();
        assert_output(
            &place.run(shell, &server, &[]),
            &(HEADER.to_owned() + &rows),
            &summary(5, [5, 0, 0, 0, 0, 0]),
            0,
        );
        let lines = server.lines();
        assert_eq!(lines.iter().filter(|line| *line == SIGN_IN).count(), 3);
        // Pages 0 to 2, record 1 (refused), records 1 to 3, record 4 (refused), records 4 and 5
        let expected = [page(0), page(1), page(2), record_of(1), SIGN_IN.to_owned(), record_of(1)];
        assert_eq!(lines[1..7], expected);
    }
}

#[test]
fn an_older_version_of_the_api_is_used_if_the_newest_is_missing() {
    for (missing, version) in [(&["/v4/"][..], "/v3/"), (&["/v4/", "/v3/"], "/v1/")] {
        let mut answer =
            inventory((1..4).map(|id| computer(id, "Mac", json!([ONE]))).collect(), vec![|| record(&[ONE]); 3]);
        let server = server(move |line| match missing.iter().any(|it| line.contains(it)) {
            true => reply(404, "<html>"),
            false => answer(&line.replace(&format!("{version}computers"), "/v4/computers")),
        });
        let place = place();
        let rows: String = (1..4).map(|id| row(id, "Mac", ONE, ONE, "same")).collect();
        assert_output(&place.run(SH, &server, &[]), &(HEADER.to_owned() + &rows), &summary(3, [3, 0, 0, 0, 0, 0]), 0);
        // Further pages are requested with the version that exists.
        let pages: Vec<String> =
            server.lines().into_iter().filter(|line| line.contains("computers-inventory")).collect();
        let tried = missing.iter().map(|version| page(0).replace("/v4/", version));
        let expected: Vec<String> = tried.chain((0..2).map(|number| page(number).replace("/v4/", version))).collect();
        assert_eq!(pages, expected);
    }
    let server = server(|_| reply(404, "<html>nothing here</html>"));
    let stderr = format!(
        "compare-device-ids.sh: {}: cannot read the inventory (HTTP 404): <html>nothing here</html>; nothing more was done\n",
        server.address
    );
    assert_output(&place().run(SH, &server, &[]), "", &stderr, 1);
}

/// Users give their Macs names, and the table is opened in a spreadsheet.
#[test]
fn no_cell_is_a_formula_or_breaks_the_table() {
    let names = [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        (" \r\n =1", "'=1"),
        ("\u{ff1d}1", "'\u{ff1d}1"),
        ("'1", "''1"),
        ("a\",=\"b", "a\"\",=\"\"b"),
        ("a\\b/c", "a\\b/c"),
        ("a\u{1f}b\u{7f}c\u{1b}[2Jd\u{9b}e", "a?b c?[2Jd?e"),
        ("a\nb", "a b"),
        ("Ölmühle", "Ölmühle"),
        ("7 of 9", "7 of 9"),
        ("a\\", "a\\"),
        ("", ""),
    ];
    for shell in shells::installed() {
        let numbered = || names.iter().zip(1..);
        let computers = numbered().map(|((name, _), id)| computer(id, name, json!([ONE]))).collect();
        let server = server(inventory(computers, vec![|| record(&[ONE]); names.len()]));
        let rows: String = numbered().map(|((_, cell), id)| row(id, cell, ONE, ONE, "same")).collect();
        let count = u32::try_from(names.len()).unwrap();
        let stderr = summary(names.len(), [count, 0, 0, 0, 0, 0]);
        assert_output(&place().run(shell, &server, &[]), &(HEADER.to_owned() + &rows), &stderr, 0);
    }
    // A device ID that is not a GUID is shown, and so are several values.
    let server = server(inventory(
        vec![computer(1, "Mac", json!(["=1"])), computer(2, "Mac", json!([ONE, OTHER]))],
        vec![|| record(&["=2"]), || record(&[ONE])],
    ));
    let rows = [row(1, "Mac", "'=1", "'=2", "different"), row(2, "Mac", &format!("{ONE} {OTHER}"), ONE, "different")];
    let stdout = HEADER.to_owned() + &rows.concat();
    assert_output(&place().run(SH, &server, &[]), &stdout, &summary(2, [0, 2, 0, 0, 0, 0]), 0);
}

#[test]
fn a_missing_privilege_ends_the_script_and_is_named() {
    let refused = server(|_| reply(403, "{}"));
    let stderr = format!(
        "compare-device-ids.sh: {}: the API client's role lacks the privilege Read Computers (HTTP 403); \
        nothing more was done\n",
        refused.address
    );
    assert_output(&place().run(SH, &refused, &[]), "", &stderr, 1);
    assert_eq!(refused.lines(), [SIGN_IN, &page(0), SIGN_OUT]);

    let computers = (1..3).map(|id| computer(id, "Mac", json!([ONE]))).collect();
    let refused = server(inventory(computers, vec![|| reply(403, "{}"); 2]));
    let stderr = format!(
        "compare-device-ids.sh: {}: the API client's role lacks the privilege Read Device Compliance Information \
        (HTTP 403); nothing more was done\n",
        refused.address
    );
    assert_output(&place().run(SH, &refused, &[]), HEADER, &stderr, 1);
    assert_eq!(refused.lines(), [SIGN_IN, &page(0), &record_of(1), SIGN_OUT]);
}

#[test]
fn a_record_that_cannot_be_read_is_reported_and_the_others_are_compared() {
    for shell in shells::installed() {
        let server = server(inventory(
            (1..7).map(|id| computer(id, "Mac", json!([ONE]))).collect(),
            vec![
                || record(&[ONE]),
                || reply(500, format!("for {TOKEN}")),
                || reply(200, "<html>"),
                || reply(200, json!({ "complianceVendorDeviceInformation": { "deviceIds": [ONE] } }).to_string()),
                || reply(200, "[{\"deviceId\":\"5\""),
                || record(&[ONE]),
            ],
        ));
        let rows = [
            row(1, "Mac", ONE, ONE, "same"),
            row(2, "Mac", ONE, "", "not known"),
            row(3, "Mac", ONE, "", "not known"),
            row(4, "Mac", ONE, "", "not known"),
            row(5, "Mac", ONE, "", "not known"),
            row(6, "Mac", ONE, ONE, "same"),
        ];
        let reported = format!(
            "compare-device-ids.sh: computer 2: not known (HTTP 500): an answer that may repeat a secret\n\
            compare-device-ids.sh: computer 3: not known: unexpected answer: <html>\n\
            compare-device-ids.sh: computer 4: not known: unexpected answer: \
            {{\"complianceVendorDeviceInformation\":{{\"deviceIds\":[\"{ONE}\"]}}}}\n\
            compare-device-ids.sh: computer 5: not known: unexpected answer: [{{\"deviceId\":\"5\"\n"
        );
        let stderr = reported + &summary(6, [2, 0, 0, 0, 0, 4]);
        assert_output(&place().run(shell, &server, &[]), &(HEADER.to_owned() + &rows.concat()), &stderr, 1);
    }
}

/// Joining all of them would take hours.
#[test]
fn a_very_long_list_of_values_is_cut() {
    let values = vec!["y"; 700_000];
    let server = server(inventory(vec![computer(1, "Mac", json!(values))], vec![|| record(&[])]));
    let place = place();
    place.change("a kit/api.sh", &format!("answer_limit='{ANSWER_LIMIT}'\n"), "answer_limit='33554432'\n");
    let row = row(1, "Mac", &"y ".repeat(5000), "", "only on the Mac");
    let mut command = under_harsh_conditions(30, &place.command(SH, &server.address, &[]));
    let none_on_record = "compare-device-ids.sh: Jamf has no device on record for any computer; check that device \
        compliance is set up\n";
    let stderr = summary(1, [0, 0, 0, 1, 0, 0]) + none_on_record;
    assert_output(&place.output(&mut command), &(HEADER.to_owned() + &row), &stderr, 0);
}

/// Otherwise, they would be too long for an environment, or removing their escapes would take hours.
#[test]
fn very_long_texts_are_cut() {
    let long = "x".repeat(140_000);
    let mut asset = computer(1, &long, json!([ONE]));
    asset["hardware"]["serialNumber"] = json!(long);
    let computers = vec![asset, computer(2, "Mac", json!([long])), computer(3, "Mac", json!([ONE]))];
    let escapes = || record(&[&"\\".repeat(800_000)]);
    let server = server(inventory(computers, vec![|| record(&[ONE]), || record(&[ONE]), escapes]));
    let place = place();
    place.change("a kit/api.sh", &format!("answer_limit='{ANSWER_LIMIT}'\n"), "answer_limit='33554432'\n");
    let cut = &long[..10_000];
    let rows = [
        row(1, cut, ONE, ONE, "same").replace("C021", cut),
        row(2, "Mac", cut, ONE, "different"),
        row(3, "Mac", ONE, &format!("'{}", "\\".repeat(5000)), "different"),
    ];
    let mut command = under_harsh_conditions(30, &place.command(SH, &server.address, &[]));
    let stdout = HEADER.to_owned() + &rows.concat();
    assert_output(&place.output(&mut command), &stdout, &summary(3, [1, 2, 0, 0, 0, 0]), 0);
}

#[test]
fn a_request_is_repeated_once_if_there_is_no_answer_or_the_server_is_busy() {
    let mut answer =
        inventory((1..4).map(|id| computer(id, "Mac", json!([ONE]))).collect(), vec![|| record(&[ONE]); 3]);
    let mut number = 0;
    let server = server(move |line| {
        number += 1;
        match number {
            1 => Reply::Closes,
            3 => Reply::Later(503, "2"),
            5 => Reply::Later(429, "3"),
            7 => Reply::BreaksOff,
            _ => answer(line),
        }
    });
    let place = place();
    let rows: String = (1..4).map(|id| row(id, "Mac", ONE, ONE, "same")).collect();
    assert_output(&place.run(SH, &server, &[]), &(HEADER.to_owned() + &rows), &summary(3, [3, 0, 0, 0, 0, 0]), 0);
    assert_eq!(place.pauses(), "5\n2\n3\n5\n");
}

#[test]
fn the_script_ends_if_there_is_no_answer_and_keeps_the_rows_so_far() {
    let computers = (1..4).map(|id| computer(id, "Mac", json!([ONE]))).collect();
    let server = server(inventory(computers, vec![|| record(&[ONE]), || Reply::Closes, || record(&[ONE])]));
    let output = place().run(SH, &server, &[]);
    assert_eq!(text(&output.stdout), HEADER.to_owned() + &row(1, "Mac", ONE, ONE, "same"));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with(&format!("compare-device-ids.sh: {}: no answer: curl: (", server.address)), "{stderr}");
    assert!(stderr.ends_with("; nothing more was done\n") && stderr.lines().count() == 1, "{stderr}");
    assert_eq!(output.status.code(), Some(1));
}

/// If a computer is deleted while the pages are read, later ones move forward, and one of them is missing.
#[test]
fn an_inventory_that_changes_meanwhile_is_reported() {
    let of = |ids: &[u32]| ids.iter().map(|id| computer(*id, "Mac", json!([ONE]))).collect::<Vec<_>>();
    let (before, after, twice) = (of(&[1, 2, 3, 4, 5]), of(&[2, 3, 4, 5]), of(&[1, 2, 2, 3]));
    for (first, rest, ids, total) in [(before, after, &[1, 2, 4, 5][..], 4), (twice.clone(), twice, &[1, 2, 2, 3], 4)] {
        let is_complete = ids.iter().collect::<BTreeSet<_>>().len() == total;
        let (mut first, mut rest) =
            (inventory(first, vec![|| record(&[ONE]); 5]), inventory(rest, vec![|| record(&[ONE]); 5]));
        let server = server(move |line| if line.ends_with("&page=0") { first(line) } else { rest(line) });
        let rows: String = ids.iter().map(|id| row(*id, "Mac", ONE, ONE, "same")).collect();
        let count = u32::try_from(ids.len()).unwrap();
        let reported = format!(
            "compare-device-ids.sh: the inventory changed meanwhile, so some of its {total} computers are missing; \
            run this again\n"
        );
        let stderr = summary(ids.len(), [count, 0, 0, 0, 0, 0]) + if is_complete { "" } else { &reported };
        assert_output(&place().run(SH, &server, &[]), &(HEADER.to_owned() + &rows), &stderr, i32::from(!is_complete));
    }
}

#[test]
fn an_inventory_that_ends_early_is_reported() {
    let mut answer =
        inventory((1..3).map(|id| computer(id, "Mac", json!([ONE]))).collect(), vec![|| record(&[ONE]); 2]);
    let server = server(move |line| match answer(line) {
        Reply::Status(200, body) => reply(200, body.replace("\"totalCount\":2", "\"totalCount\":3")),
        other => other,
    });
    let rows: String = (1..3).map(|id| row(id, "Mac", ONE, ONE, "same")).collect();
    let reported = "compare-device-ids.sh: the inventory changed meanwhile, so some of its 3 computers are missing; \
        run this again\n";
    let stderr = summary(2, [2, 0, 0, 0, 0, 0]) + reported;
    assert_output(&place().run(SH, &server, &[]), &(HEADER.to_owned() + &rows), &stderr, 1);
}

#[test]
fn an_unexpected_inventory_compares_nothing() {
    for answer in [
        "<html>".to_owned(),
        "[]".to_owned(),
        "{\"results\":[]}".to_owned(),
        "{\"totalCount\":\"x\",\"results\":[]}".to_owned(),
        json!({ "totalCount": 1, "results": [{ "general": { "name": "Mac" } }] }).to_string(),
        json!({ "totalCount": 1, "results": [{ "id": "1/../2" }] }).to_string(),
        json!({ "totalCount": 1, "results": [{ "id": "1".repeat(101) }] }).to_string(),
        "{\"totalCount\":1,\"results\":[{\"id\":\"1\"}".to_owned(),
        "{\"totalCount\":1,\"results\":[{\"id\":\"1\"}]]".to_owned(),
        "{\"totalCount\":0,\"results\":[]}{}".to_owned(),
        "{\"totalCount\":0,\"results\":[]} x".to_owned(),
        "{\"totalCount\":0,\"results\":[\"a\u{1}\"]}".to_owned(),
    ] {
        let shown = answer.replace('\u{1}', " ");
        let server = server(move |_| reply(200, answer.as_str()));
        let stderr = format!(
            "compare-device-ids.sh: {}: cannot read the inventory: unexpected answer: {shown}; nothing more was done\n",
            server.address
        );
        assert_output(&place().run(SH, &server, &[]), "", &stderr, 1);
    }
    let empty = server(inventory(Vec::new(), Vec::new()));
    assert_output(&place().run(SH, &empty, &[]), HEADER, &summary(0, [0, 0, 0, 0, 0, 0]), 0);
}

#[test]
fn the_script_reports_that_all_records_are_missing() {
    let computers = vec![computer(1, "Mac", json!([ONE])), computer(2, "Mac", json!([]))];
    let server = server(inventory(computers, vec![|| reply(404, ""), || reply(200, "[]")]));
    let rows = [row(1, "Mac", ONE, "", "only on the Mac"), row(2, "Mac", "", "", "neither")];
    let reported = "compare-device-ids.sh: Jamf has no device on record for any computer; \
        check that device compliance is set up\n";
    let stderr = summary(2, [0, 0, 0, 1, 1, 0]) + reported;
    assert_output(&place().run(SH, &server, &[]), &(HEADER.to_owned() + &rows.concat()), &stderr, 0);
}

/// This happens in `compare-device-ids.sh | head`.
#[test]
fn a_closed_output_ends_the_script_which_leaves_nothing_behind() {
    for shell in shells::installed() {
        let computers = (1..4).map(|id| computer(id, "Mac", json!([ONE]))).collect();
        let server = server(inventory(computers, vec![|| record(&[ONE]); 3]));
        let place = place();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command(shell, &server.address, &[]);
        assert_eq!(command.stdout(writer).stderr(Stdio::null()).status().unwrap().code(), Some(1));
        place.output(&mut Command::new("true"));
        assert_eq!(server.lines().last().map(String::as_str), Some(SIGN_OUT));
    }
}

#[test]
fn an_attribute_that_no_computer_has_is_reported() {
    let mut other = computer(1, "Mac", json!([ONE]));
    other["extensionAttributes"][2]["name"] = json!("Device ID");
    let server = server(inventory(vec![other], Vec::new()));
    let stderr = format!(
        "compare-device-ids.sh: {}: no computer has the extension attribute AAD Registration State - Device ID; create \
        it with upload.sh, which also has it displayed under Extension Attributes; nothing more was done\n",
        server.address
    );
    assert_output(&place().run(SH, &server, &[]), "", &stderr, 1);
}

#[test]
fn the_platform_api_has_the_same_calls_under_other_paths() {
    for shell in shells::installed() {
        let mut answer =
            inventory((1..4).map(|id| computer(id, "Mac", json!([ONE]))).collect(), vec![|| record(&[ONE]); 3]);
        let server = server(move |line| answer(line));
        let rows: String = (1..4).map(|id| row(id, "Mac", ONE, ONE, "same")).collect();
        let output = place().run_on_platform(shell, &server, &[]);
        assert_output(&output, &(HEADER.to_owned() + &rows), &summary(3, [3, 0, 0, 0, 0, 0]), 0);
        let mut lines = vec![PLATFORM_SIGN_IN.to_owned()];
        lines.extend((0..2).map(page).chain((1..4).map(record_of)).map(|line| line.replace("/api/", "/pro/")));
        assert_eq!(server.lines(), lines);
    }
    let server = server(|_| reply(403, "{}"));
    let stderr = format!(
        "compare-device-ids.sh: {}: the integration lacks the permission devices:read, or JAMF_ENVIRONMENT_ID does not \
        belong to it (HTTP 403); nothing more was done\n",
        server.address
    );
    assert_output(&place().run_on_platform(SH, &server, &[]), "", &stderr, 1);
}

#[test]
fn help_is_shown_and_wrong_usage_refused() {
    let place = place();
    let help = place.output(&mut place.command(SH, "", &["--help"]));
    assert!(text(&help.stdout).starts_with("Usage: compare-device-ids.sh >devices.csv\n"));
    assert!(text(&help.stdout).lines().all(|line| line.len() <= 80));
    assert_output(&place.output(&mut place.command(SH, "", &["-h"])), &text(&help.stdout), "", 0);
    let wrong = place.output(&mut place.command(SH, "https://contoso.jamfcloud.com", &["--apply"]));
    assert_output(&wrong, "", "compare-device-ids.sh: unknown option --apply; see --help\n", 2);
}

#[test]
fn the_attribute_has_the_same_name_as_in_the_kit() {
    let script = fs::read_to_string("jamf/compare-device-ids.sh").unwrap();
    assert!(script.contains(&format!("\nattribute='{}'\n", display_name(Attribute::DeviceId))));
}
