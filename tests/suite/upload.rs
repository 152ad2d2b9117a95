//! `jamf/upload.sh` with a stand-in for Jamf's API.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{
    jamf_api::{
        ANSWER_LIMIT, ATTRIBUTES, CLIENT, ENVIRONMENT, GROUPS, Jamf, PLATFORM_SIGN_IN, Place, Reply, SECRET, SIGN_IN,
        SIGN_OUT, Server, TOKEN, assert_output, encoded, find_attribute, group_of, reply, text, token,
        under_harsh_conditions,
    },
    shells::{self, SH},
};

const STATE: &str = "AAD Registration State";
const REGISTERED: &str = "AAD Registration State - Registered";

const NOTHING_CHANGED: &str = "Nothing was changed. Run again with --apply to make these changes.\n";

fn with(files: &[&str]) -> Place {
    Place::of("upload.sh", files)
}

/// A kit with one extension attribute and one smart group.
fn small() -> Place {
    with(&["extension-attributes/state.json", "smart-groups/registered.xml"])
}

/// The lines on standard error for these failures, and for their number.
fn failures(lines: &[String]) -> String {
    let said: String = lines.iter().map(|line| format!("upload.sh: {line}\n")).collect();
    format!("{said}upload.sh: failed: {}\n", lines.len())
}

/// Jamf Pro's answer about a group.
fn group(name: &str, is_smart: bool) -> String {
    format!("<computer_group><id>5</id><name>{name}</name><is_smart>{is_smart}</is_smart><criteria/></computer_group>")
}

fn none() -> Reply {
    reply(200, "{\"totalCount\":0,\"results\":[]}")
}

fn one(name: &str) -> Reply {
    reply(200, json!({ "totalCount": 1, "results": [{ "id": "12", "name": name }] }).to_string())
}

#[test]
fn without_apply_nothing_is_changed() {
    for shell in shells::installed() {
        let place = small();
        let server = Server::pro(&Arc::default());
        let stdout = format!("would be created: {STATE}\nwould be created: {REGISTERED}\n{NOTHING_CHANGED}");
        assert_output(&place.run(shell, &server, &[]), &stdout, "", 0);
        let group = format!("GET {}", group_of(REGISTERED));
        assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &group, SIGN_OUT]);
    }
}

#[test]
fn the_first_run_creates_attributes_and_groups_and_the_second_updates_them() {
    for shell in shells::installed() {
        let place = small();
        let jamf = Arc::default();
        let server = Server::pro(&jamf);
        let file = |name: &str| fs::read_to_string(place.path("a kit").join(name)).unwrap();
        let stdout = format!("created: {STATE}\ncreated: {REGISTERED}\n");
        assert_output(&place.run(shell, &server, &["--apply"]), &stdout, "", 0);
        let form = "grant_type=client_credentials&client_id=0a1b-client\
            &client_secret=s3%20cr%26t%3D%22q%5Cn%27%2541%2B%2F%40%24%60";
        let (attribute, group) = (file("extension-attributes/state.json"), file("smart-groups/registered.xml"));
        let mut requests = server.requests();
        // curl's versions encode a space differently.
        requests[0].body = requests[0].body.replace('+', "%20");
        let requests: Vec<_> = requests.iter().map(|it| (it.line.as_str(), it.body.as_str())).collect();
        let (find, look) = (find_attribute(STATE), format!("GET {}", group_of(REGISTERED)));
        let (post, post_group) = (format!("POST {ATTRIBUTES}"), format!("POST {GROUPS}/id/0"));
        let expected =
            [(SIGN_IN, form), (&find, ""), (&post, &attribute), (&look, ""), (&post_group, &group), (SIGN_OUT, "")];
        assert_eq!(requests, expected);

        place.change("a kit/extension-attributes/state.json", "exit 0", "exit 7");
        place.change("a kit/smart-groups/registered.xml", "<value>Registered", "<value>Unregistered");
        let stdout = format!("would be updated: {STATE}\nwould be updated: {REGISTERED}\n{NOTHING_CHANGED}");
        assert_output(&place.run(shell, &server, &[]), &stdout, "", 0);
        server.requests();
        let stdout = format!("updated: {STATE}\nupdated: {REGISTERED}\n");
        assert_output(&place.run(shell, &server, &["--apply"]), &stdout, "", 0);
        let (put, put_group) = (format!("PUT {ATTRIBUTES}/1"), format!("PUT {GROUPS}/id/2"));
        assert_eq!(server.lines(), [SIGN_IN, &find, &put, &look, &put_group, SIGN_OUT]);
        let jamf: &Mutex<Jamf> = &jamf;
        let jamf = jamf.lock().unwrap();
        let stored: Value = serde_json::from_str(&file("extension-attributes/state.json")).unwrap();
        assert_eq!(jamf.attributes, BTreeMap::from([(1, stored)]));
        assert_eq!(jamf.groups, BTreeMap::from([(2, file("smart-groups/registered.xml"))]));
    }
}

#[test]
fn a_kit_without_files_is_refused() {
    let place = with(&[]);
    let server = Server::pro(&Arc::default());
    let output = place.run(SH, &server, &["--apply"]);
    let stderr = "upload.sh: there are no extension-attributes/*.json or smart-groups/*.xml beside this script\n";
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str(), output.status.code()),
        ("", stderr, Some(2))
    );
}

#[test]
fn the_whole_kit_arrives_unchanged_and_a_second_run_adds_nothing() {
    let mut files: Vec<String> = Vec::new();
    for (folder, extension) in [("extension-attributes", "json"), ("smart-groups", "xml")] {
        let entries = fs::read_dir(Path::new("jamf").join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(extension));
        files.extend(names.map(|name| format!("{folder}/{name}")));
    }
    let place = with(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let jamf: Arc<Mutex<Jamf>> = Arc::default();
    let server = Server::pro(&jamf);
    for done in ["created", "updated"] {
        let output = place.run(SH, &server, &["--apply"]);
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
        let lines = text(&output.stdout).lines().filter(|line| line.starts_with(done)).count();
        assert_eq!(lines, files.len());
        let jamf = jamf.lock().unwrap();
        assert_eq!(jamf.attributes.len() + jamf.groups.len(), files.len());
        let groups: Vec<&String> = jamf.groups.values().collect();
        for file in files.iter().filter(|file| file.starts_with("smart")) {
            assert!(groups.contains(&&fs::read_to_string(Path::new("jamf").join(file)).unwrap()));
        }
    }
}

#[test]
fn a_missing_or_wrong_setting_is_refused_before_anything_is_sent() {
    let place = small();
    let run = |change: &dyn Fn(&mut Command)| {
        let mut command = place.command(SH, "https://contoso.jamfcloud.com", &[]);
        change(&mut command);
        place.output(&mut command)
    };
    for name in ["JAMF_URL", "JAMF_CLIENT_ID", "JAMF_CLIENT_SECRET"] {
        let stderr = format!("upload.sh: {name} is not set; see --help\n");
        assert_output(&run(&|command| drop_variable(command, name)), "", &stderr, 2);
        assert_output(&run(&|command| set(command, name, "")), "", &stderr, 2);
        let stderr = format!("upload.sh: {name} contains characters that are not allowed\n");
        assert_output(&run(&|command| set(command, name, "https://a\nb")), "", &stderr, 2);
    }
    for url in [
        "http://contoso.jamfcloud.com",
        "contoso.jamfcloud.com",
        "file:///etc/passwd",
        "http://127.0.0.1.contoso.com:80",
    ] {
        let stderr = "upload.sh: JAMF_URL must begin with https://\n";
        assert_output(&run(&|command| set(command, "JAMF_URL", url)), "", stderr, 2);
    }
    for (url, ids, words) in [
        (
            "https://us.api.jamfcloud.com",
            &[][..],
            "the Platform API needs either JAMF_ENVIRONMENT_ID or JAMF_TENANT_ID; see --help",
        ),
        (
            "https://US.API.JAMFCLOUD.COM",
            &[],
            "the Platform API needs either JAMF_ENVIRONMENT_ID or JAMF_TENANT_ID; see --help",
        ),
        (
            "https://us.api.jamfcloud.com:443/",
            &[],
            "the Platform API needs either JAMF_ENVIRONMENT_ID or JAMF_TENANT_ID; see --help",
        ),
        (
            "https://eu.api.jamfcloud.com",
            &[("JAMF_ENVIRONMENT_ID", ENVIRONMENT), ("JAMF_TENANT_ID", ENVIRONMENT)],
            "the Platform API needs either JAMF_ENVIRONMENT_ID or JAMF_TENANT_ID; see --help",
        ),
        ("https://eu.api.jamfcloud.com", &[("JAMF_TENANT_ID", "contoso")], "JAMF_TENANT_ID is not a GUID"),
        (
            "https://eu.api.jamfcloud.com",
            &[("JAMF_ENVIRONMENT_ID", "a\nb")],
            "JAMF_ENVIRONMENT_ID contains characters that are not allowed",
        ),
        ("https://eu.api.jamfcloud.com:8443", &[], "JAMF_URL of the Platform API must end with .api.jamfcloud.com"),
        ("https://eu.api.jamfcloud.com/pro", &[], "JAMF_URL of the Platform API must end with .api.jamfcloud.com"),
        (
            "https://contoso.jamfcloud.com",
            &[("JAMF_TENANT_ID", ENVIRONMENT)],
            "JAMF_ENVIRONMENT_ID and JAMF_TENANT_ID are for the Platform API, but JAMF_URL is another address",
        ),
        (
            "https://contoso.jamfcloud.com",
            &[("JAMF_PROXY", "http://a\nb")],
            "JAMF_PROXY contains characters that are not allowed",
        ),
    ] {
        let output = run(&|command| {
            command.env("JAMF_URL", url).envs(ids.iter().copied());
        });
        assert_output(&output, "", &format!("upload.sh: {words}\n"), 2);
    }
    for url in ["https://contoso.com/?a", "https://a@contoso.com", "https://contoso.com/ x", "https://c\"x"] {
        let stderr = "upload.sh: JAMF_URL contains characters that are not allowed in an address\n";
        assert_output(&run(&|command| set(command, "JAMF_URL", url)), "", stderr, 2);
    }
    assert!(!place.path("arguments").exists(), "curl was started");
}

fn set(command: &mut Command, name: &str, value: &str) {
    command.env(name, value);
}

fn drop_variable(command: &mut Command, name: &str) {
    command.env_remove(name);
}

#[test]
fn help_is_shown_and_wrong_usage_refused() {
    let place = small();
    let help = place.output(&mut place.command(SH, "", &["--help"]));
    assert!(text(&help.stdout).starts_with("Usage: upload.sh [--remove] [--apply]\n"));
    for name in
        ["JAMF_URL", "JAMF_CLIENT_ID", "JAMF_CLIENT_SECRET", "JAMF_ENVIRONMENT_ID", "JAMF_TENANT_ID", "JAMF_PROXY"]
    {
        assert!(text(&help.stdout).contains(name), "{name}");
    }
    assert!(text(&help.stdout).lines().all(|line| line.len() <= 80));
    assert_output(&place.output(&mut place.command(SH, "", &["-h"])), &text(&help.stdout), "", 0);
    assert_eq!((text(&help.stderr).as_str(), help.status.code()), ("", Some(0)));
    let wrong = place.output(&mut place.command(SH, "https://contoso.com", &["--aply"]));
    assert_output(&wrong, "", "upload.sh: unknown option --aply; see --help\n", 2);
}

#[test]
fn nothing_else_is_tried_if_signing_in_fails() {
    for (status, words) in [
        (401, "client ID or secret rejected (HTTP 401)"),
        (400, "client ID or secret rejected (HTTP 400)"),
        (500, "no token (HTTP 500); check the address"),
        (404, "no token (HTTP 404); check the address"),
        (200, "no token in the answer; check the address"),
    ] {
        let place = small();
        let server = Server::new(Box::new(move |_| reply(status, "<html>no</html>")));
        let stderr = format!("upload.sh: {}: {words}; nothing more was done\n", server.address);
        assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
        assert_eq!(server.lines(), [SIGN_IN]);
    }
}

#[test]
fn a_token_that_has_expired_is_replaced_once() {
    let place = with(&["extension-attributes/state.json"]);
    let server = Server::scripted(vec![none(), reply(401, ""), reply(201, "{\"id\":\"1\"}")]);
    assert_output(&place.run(SH, &server, &["--apply"]), &format!("created: {STATE}\n"), "", 0);
    let post = format!("POST {ATTRIBUTES}");
    assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &post, SIGN_IN, &post, SIGN_OUT]);

    let server = Server::scripted(vec![none(), reply(401, ""), reply(401, "")]);
    let words = "token rejected, or the client's role lacks a privilege (HTTP 401); nothing more was done";
    let stderr = format!("upload.sh: {}: {words}\n", server.address);
    assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
    assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &post, SIGN_IN, &post, SIGN_OUT]);
}

#[test]
fn an_error_is_reported_with_the_name_and_the_next_file_is_tried() {
    let conflict = "Jamf Pro reports a conflict (HTTP 409); the name may be taken, perhaps with other capitals";
    let cases = [
        (
            vec![reply(500, "one\n\u{1b}[2J")],
            vec![Reply::Redirect],
            format!("{STATE}: not created (HTTP 500): one  [2J"),
            format!("{REGISTERED}: not created (HTTP 302): "),
        ),
        (
            vec![reply(409, "{\"code\":\"BUSY\"}"), reply(409, "{\"code\":\"DUPLICATE\"}")],
            vec![reply(409, ""), reply(409, "<p>Error: Duplicate name</p>")],
            format!("{STATE}: not created: {conflict}: {{\"code\":\"DUPLICATE\"}}"),
            format!("{REGISTERED}: not created: {conflict}: <p>Error: Duplicate name</p>"),
        ),
        (
            vec![reply(400, "x".repeat(1000))],
            vec![reply(503, ""), reply(503, "busy")],
            format!("{STATE}: not created (HTTP 400): {}", "x".repeat(300)),
            format!("{REGISTERED}: not created (HTTP 503): busy"),
        ),
    ];
    for (attribute, group, one, other) in cases {
        let place = small();
        let replies = [none()].into_iter().chain(attribute).chain([reply(404, "")]).chain(group);
        let server = Server::scripted(replies.collect());
        assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[one, other]), 1);
    }
    // If the lookup fails, nothing is created.
    let place = small();
    let server = Server::scripted(vec![reply(500, "no"), reply(418, "neither")]);
    let said = [
        format!("{STATE}: could not be looked up (HTTP 500): no"),
        format!("{REGISTERED}: could not be looked up (HTTP 418): neither"),
    ];
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&said), 1);
}

/// A server may repeat it unchanged, or with the escapes of an address, a form, JSON or HTML, and these again escaped.
#[test]
fn an_answer_that_may_repeat_a_secret_is_not_printed() {
    let escaped = |text: &str, escape: fn(u8) -> String| -> String {
        let plain = |byte: u8| char::from(byte).to_string();
        text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { plain(byte) } else { escape(byte) }).collect()
    };
    let percent = |text: &str| escaped(text, |byte| format!("%{byte:02X}"));
    for secret in [SECRET, TOKEN] {
        let json = serde_json::to_string(secret).unwrap();
        let all = |escape: fn(u8) -> String| -> String { secret.bytes().map(escape).collect() };
        for repeated in [
            secret.to_owned(),
            encoded(secret),
            percent(secret),
            all(|byte| format!("%{byte:02X}")),
            percent(&all(|byte| format!("%{byte:02x}"))),
            percent(&percent(secret)),
            percent(secret).replace("%20", "+"),
            json.replace('/', "\\/"),
            escaped(secret, |byte| format!("\\u{byte:04x}")),
            escaped(secret, |byte| format!("&#{byte};")),
            escaped(secret, |byte| format!("&#x{byte:X};")),
            all(|byte| format!("\\u{byte:04x}")),
            all(|byte| format!("\\x{byte:02x}")),
            all(|byte| format!("\\{byte:03o}")),
            all(|byte| format!("&#{byte};")),
            format!("{}\r\n{}", &secret[..1], &secret[1..]),
            format!("{}{secret}", "x".repeat(280)),
        ] {
            let place = with(&["extension-attributes/state.json"]);
            let server = Server::scripted(vec![none(), reply(500, format!("for {repeated} that\nis\0 it"))]);
            let said = format!("{STATE}: not created (HTTP 500): an answer that may repeat a secret");
            assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said]), 1);
        }
    }
    // Percent signs and the like are not secrets, and neither are the paths of requests.
    let place = with(&["extension-attributes/state.json"]);
    for answer in ["100% %zz \\ \\\" \\n & &amp; + = /", &find_attribute(STATE), &group_of("Büro - 7")] {
        let server = Server::scripted(vec![none(), reply(500, answer)]);
        let said = format!("{STATE}: not created (HTTP 500): {answer}");
        assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said]), 1);
    }
}

/// Most of these would take hours if the time grew with the square of the length or depth of the answer.
#[test]
fn an_answer_that_is_hard_to_read_does_not_hold_up_the_script() {
    let with_more = |more: &str| format!("{{\"totalCount\":0,\"results\":[],\"more\":{more}}}");
    let unexpected = |answer: &str| {
        failures(&[format!("{STATE}: could not be looked up: unexpected answer: {}", answer.get(..300).unwrap())])
    };
    let created = format!("created: {STATE}\n");
    let nested = "[\"\",".repeat(200_000) + "1" + &"]".repeat(200_000);
    let open = "{\"\":".repeat(2_000_000) + "1,\"a\":1";
    let named = format!("{{\"{}\":[{}1]}}", "x".repeat(500_000), "1,\"\",".repeat(200_000));
    let numbers = format!("[{}1]", "1,".repeat(10_000));
    for (answer, stdout, stderr) in [
        (
            reply(500, "%41".repeat(1_000_000)),
            "",
            failures(&[format!("{STATE}: could not be looked up (HTTP 500): an answer that may repeat a secret")]),
        ),
        (reply(200, with_more(&format!("\"{}x\"", "\\\\".repeat(1_000_000)))), created.as_str(), String::new()),
        (reply(200, with_more(&format!("\"{}\"", "\\\"".repeat(1_000_000)))), &created, String::new()),
        (reply(200, with_more(&nested)), "", unexpected(&with_more(&nested))),
        (reply(200, open.as_str()), "", unexpected(&open)),
        (reply(200, named.as_str()), "", unexpected(&named)),
        (reply(200, numbers.as_str()), "", unexpected(&numbers)),
    ] {
        let place = with(&["extension-attributes/state.json"]);
        place.change("a kit/api.sh", &format!("answer_limit='{ANSWER_LIMIT}'\n"), "answer_limit='33554432'\n");
        let server = Server::scripted(vec![answer, reply(201, "")]);
        let mut command = under_harsh_conditions(30, &place.command(SH, &server.address, &["--apply"]));
        assert_output(&place.output(&mut command), stdout, &stderr, i32::from(stdout.is_empty()));
    }
}

#[test]
fn a_missing_privilege_is_reported_once_and_everything_that_needs_it_is_skipped() {
    let files = ["state", "user", "finding"].map(|name| format!("extension-attributes/{name}.json"));
    let groups = ["registered", "no-answer"].map(|name| format!("smart-groups/{name}.xml"));
    let files: Vec<&str> = files.iter().chain(&groups).map(String::as_str).collect();
    let lacking = |server: &Server, privilege: &str| {
        format!(
            "upload.sh: {}: the API client's role lacks the privilege {privilege} (HTTP 403); \
            everything that needs it is skipped\n",
            server.address
        )
    };
    let place = with(&files);
    let server = Server::scripted((0..2).map(|_| reply(403, "")).collect());
    let said = lacking(&server, "Read Computer Extension Attributes") + &lacking(&server, "Read Smart Computer Groups");
    assert_output(&place.run(SH, &server, &["--apply"]), "", &(said + "upload.sh: failed: 5\n"), 1);
    assert_eq!(server.lines().len(), 4, "one attribute and one group are looked up, between signing in and out");

    // The first attribute exists, and the others would be created.
    let named = "AAD Registration State - Finding";
    let place = with(&files);
    let server = Server::scripted(vec![
        one(named),
        reply(200, ""),
        none(),
        reply(403, ""),
        none(),
        reply(404, ""),
        reply(403, ""),
        reply(200, group(REGISTERED, true)),
        reply(200, ""),
    ]);
    let said =
        lacking(&server, "Create Computer Extension Attributes") + &lacking(&server, "Create Smart Computer Groups");
    let stdout = format!("updated: {named}\nupdated: {REGISTERED}\n");
    assert_output(&place.run(SH, &server, &["--apply"]), &stdout, &(said + "upload.sh: failed: 3\n"), 1);

    let place = with(&files[..2]);
    let server = Server::scripted(vec![one(STATE), reply(403, ""), one("AAD Registration State - User")]);
    let said = lacking(&server, "Delete Computer Extension Attributes");
    assert_output(&place.run(SH, &server, &["--remove", "--apply"]), "", &(said + "upload.sh: failed: 2\n"), 1);
}

#[test]
fn a_request_to_a_busy_server_is_repeated_once_after_the_time_that_it_names() {
    for (later, pause) in [
        ("7", "7"),
        ("0", "0"),
        (" 008 ", "008"),
        ("3600", "60"),
        ("99999999999999999999", "5"),
        ("-1", "5"),
        ("Wed, 25 Nov 2026 07:28:00 GMT", "5"),
        ("7; rm", "5"),
    ] {
        for status in [429, 503] {
            let place = with(&["extension-attributes/state.json"]);
            let server = Server::scripted(vec![Reply::Later(status, later), none(), reply(status, ""), reply(201, "")]);
            assert_output(&place.run(SH, &server, &["--apply"]), &format!("created: {STATE}\n"), "", 0);
            let (find, post) = (find_attribute(STATE), format!("POST {ATTRIBUTES}"));
            assert_eq!(server.lines(), [SIGN_IN, &find, &find, &post, &post, SIGN_OUT]);
            assert_eq!(place.pauses(), format!("{pause}\n5\n"));
        }
    }
    // This applies to a token, too, and only once.
    let place = small();
    let server = Server::new(Box::new(|_| Reply::Later(429, "9")));
    let stderr =
        format!("upload.sh: {}: no token (HTTP 429); check the address; nothing more was done\n", server.address);
    assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
    assert_eq!((server.lines().len(), place.pauses().as_str()), (2, "9\n"));
}

#[test]
fn after_a_conflict_creating_is_tried_again_but_not_updating() {
    for shell in shells::installed() {
        let place = small();
        let server = Server::scripted(vec![
            none(),
            reply(409, ""),
            reply(201, ""),
            reply(404, ""),
            reply(409, "<p>busy</p>"),
            reply(201, ""),
        ]);
        let stdout = format!("created: {STATE}\ncreated: {REGISTERED}\n");
        assert_output(&place.run(shell, &server, &["--apply"]), &stdout, "", 0);
        assert_eq!(place.pauses(), "5\n5\n");
    }
    let place = with(&["extension-attributes/state.json"]);
    let server = Server::scripted(vec![one(STATE), reply(409, "no")]);
    let conflict = "Jamf Pro reports a conflict (HTTP 409); the name may be taken, perhaps with other capitals";
    let said = [format!("{STATE}: not updated: {conflict}: no")];
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&said), 1);
    assert_eq!(place.pauses(), "");
}

#[test]
fn only_a_conflict_when_creating_or_updating_is_about_the_name() {
    let place = small();
    let said = [REGISTERED, STATE].map(|name| format!("{name}: could not be looked up (HTTP 409): no"));
    let server = Server::scripted(vec![reply(409, "no"), reply(409, "no")]);
    assert_output(&place.run(SH, &server, &["--remove"]), "", &failures(&said), 1);
    let server = Server::scripted(vec![
        reply(200, group(REGISTERED, true)),
        reply(409, "in use"),
        one(STATE),
        reply(409, "in use"),
    ]);
    let said = [REGISTERED, STATE].map(|name| format!("{name}: not removed (HTTP 409): in use"));
    assert_output(&place.run(SH, &server, &["--remove", "--apply"]), "", &failures(&said), 1);
}

#[test]
fn what_a_busy_server_has_removed_all_the_same_counts_as_removed() {
    for shell in shells::installed() {
        let place = small();
        let server = Server::scripted(vec![
            reply(200, group(REGISTERED, true)),
            reply(503, ""),
            reply(404, "gone"),
            one(STATE),
            reply(429, ""),
            reply(404, "gone"),
        ]);
        let stdout = format!("removed: {REGISTERED}\nremoved: {STATE}\n");
        assert_output(&place.run(shell, &server, &["--remove", "--apply"]), &stdout, "", 0);
    }
    // The token expires between the tries.
    let place = with(&["extension-attributes/state.json"]);
    let replies = vec![one(STATE), reply(503, ""), reply(401, ""), reply(404, "gone")];
    let output = place.run(SH, &Server::scripted(replies), &["--remove", "--apply"]);
    assert_output(&output, &format!("removed: {STATE}\n"), "", 0);
    // The server was not busy then, so somebody else has removed it.
    let said = format!("{STATE}: not removed (HTTP 404): gone");
    for busy in [None, Some(reply(503, ""))] {
        let replies = busy.into_iter().chain([one(STATE), reply(404, "gone")]);
        let output = place.run(SH, &Server::scripted(replies.collect()), &["--remove", "--apply"]);
        assert_output(&output, "", &failures(std::slice::from_ref(&said)), 1);
    }
}

#[test]
fn what_a_busy_server_may_have_created_is_not_called_a_taken_name() {
    let conflict = "Jamf Pro reports a conflict (HTTP 409); an earlier try may have created it, so run this again";
    let said = format!("{STATE}: not created: {conflict}: DUPLICATE");
    for busy in [vec![reply(503, "")], vec![reply(429, ""), reply(401, ""), reply(409, "")]] {
        let place = with(&["extension-attributes/state.json"]);
        let replies = [none()].into_iter().chain(busy).chain([reply(409, "DUPLICATE")]);
        let output = place.run(SH, &Server::scripted(replies.collect()), &["--apply"]);
        assert_output(&output, "", &failures(std::slice::from_ref(&said)), 1);
    }
    // A busy server has certainly not created what it was to update.
    let place = with(&["extension-attributes/state.json"]);
    let server = Server::scripted(vec![one(STATE), reply(503, ""), reply(409, "no")]);
    let conflict = "Jamf Pro reports a conflict (HTTP 409); the name may be taken, perhaps with other capitals";
    let said = format!("{STATE}: not updated: {conflict}: no");
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said]), 1);
}

#[test]
fn one_of_the_folders_may_be_empty() {
    for shell in shells::installed() {
        for (file, name) in [("extension-attributes/state.json", STATE), ("smart-groups/registered.xml", REGISTERED)] {
            let server = Server::pro(&Arc::default());
            let stdout = format!("would be created: {name}\n{NOTHING_CHANGED}");
            assert_output(&with(&[file]).run(shell, &server, &[]), &stdout, "", 0);
        }
    }
}

#[test]
fn a_name_that_differs_only_in_case_is_reported_and_left_as_it_is() {
    let (state, registered) = (STATE.to_uppercase(), REGISTERED.to_lowercase());
    let said = |name: &str, other: &str| {
        format!(
            "{name}: left as it is: Jamf Pro has one whose name differs only in case: {other}; rename or delete that one"
        )
    };
    for arguments in [&["--apply"][..], &[], &["--remove", "--apply"]] {
        let place = small();
        let jamf: Arc<Mutex<Jamf>> = Arc::default();
        jamf.lock().unwrap().attributes.insert(3, json!({ "name": state }));
        jamf.lock().unwrap().groups.insert(4, group(&registered, true));
        let server = Server::pro(&jamf);
        let mut lines = vec![said(STATE, &state), said(REGISTERED, &registered)];
        if arguments.contains(&"--remove") {
            lines.reverse();
        }
        assert_output(&place.run(SH, &server, arguments), "", &failures(&lines), 1);
        let jamf = jamf.lock().unwrap();
        assert_eq!((jamf.attributes.len(), jamf.groups.len()), (1, 1));
    }
    // Both names exist.
    let place = with(&["extension-attributes/state.json"]);
    let both = json!({ "totalCount": 2, "results": [{ "id": "1", "name": STATE }, { "id": "2", "name": state }] });
    let server = Server::scripted(vec![reply(200, both.to_string())]);
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said(STATE, &state)]), 1);
}

#[test]
fn an_answer_that_is_too_long_ends_the_script() {
    let long = format!("{{\"totalCount\":0,\"results\":[],\"more\":\"{}\"}}", "x".repeat(2 * ANSWER_LIMIT));
    for shell in shells::installed() {
        for answer in [reply(200, long.as_str()), Reply::Unannounced(long.clone())] {
            let place = small();
            let server = Server::scripted(vec![answer]);
            let stderr = format!(
                "upload.sh: {}: the answer is too long, or could not be stored; nothing more was done\n",
                server.address
            );
            assert_output(&place.run(shell, &server, &["--apply"]), "", &stderr, 1);
            assert_eq!(place.pauses(), "");
            assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), SIGN_OUT]);
        }
    }
    let fits = format!("{{\"totalCount\":0,\"results\":[],\"more\":\"{}\"}}", "x".repeat(ANSWER_LIMIT / 2));
    let place = with(&["extension-attributes/state.json"]);
    let server = Server::scripted(vec![Reply::Unannounced(fits), reply(201, "")]);
    assert_output(&place.run(SH, &server, &["--apply"]), &format!("created: {STATE}\n"), "", 0);
}

#[test]
fn an_impossible_token_is_not_used() {
    for answer in [
        "{\"access_token\":\"abc\u{1b}[2Jdef\"}".to_owned(),
        "{\"access_token\":\"abc\ndef\"}".to_owned(),
        "{\"access_token\":\"abc\0def\"}".to_owned(),
        "{\"access_token\":\"abcdef\"}\0".to_owned(),
        "{\"access_token\":\"abc\u{7f}def\"}".to_owned(),
        "{\"access_token\":\"abc\u{e4}def\"}".to_owned(),
        r#"{"access_token":"abc\r\nX-Evil: 1"}"#.to_owned(),
        r#"{"access_token":"abc\u000adef"}"#.to_owned(),
        r#"{"access_token":"abc def"}"#.to_owned(),
        r#"{"access_token":""}"#.to_owned(),
        r#"{"access_token":null}"#.to_owned(),
        r#"{"nested":{"access_token":"abcdef"}}"#.to_owned(),
        r#"{"access_token":"abc","access_token":"def"}"#.to_owned(),
        r#"{"access_token":"abcdef""#.to_owned(),
    ] {
        let place = small();
        let server = Server::new(Box::new(move |_| reply(200, answer.as_str())));
        let stderr = format!(
            "upload.sh: {}: no token in the answer; check the address; nothing more was done\n",
            server.address
        );
        for shell in shells::installed() {
            assert_output(&place.run(shell, &server, &["--apply"]), "", &stderr, 1);
            assert_eq!(server.lines(), [SIGN_IN]);
        }
    }
}

#[test]
fn only_attributes_and_groups_with_exactly_the_same_names_are_removed() {
    for shell in shells::installed() {
        let place = small();
        let jamf: Arc<Mutex<Jamf>> = Arc::default();
        let server = Server::pro(&jamf);
        let stdout = format!("does not exist: {REGISTERED}\ndoes not exist: {STATE}\n");
        assert_output(&place.run(shell, &server, &["--remove", "--apply"]), &stdout, "", 0);
        server.requests();
        place.run(shell, &server, &["--apply"]);
        let (others, other_groups) = {
            let mut jamf = jamf.lock().unwrap();
            jamf.attributes.insert(30, json!({ "name": format!("{STATE} of mine") }));
            jamf.groups.insert(31, group(&format!("{REGISTERED} Macs"), true));
            (jamf.attributes[&30].clone(), jamf.groups[&31].clone())
        };
        server.requests();

        let (find, look) = (find_attribute(STATE), format!("GET {}", group_of(REGISTERED)));
        let stdout = format!("would be removed: {REGISTERED}\nwould be removed: {STATE}\n{NOTHING_CHANGED}");
        assert_output(&place.run(shell, &server, &["--remove"]), &stdout, "", 0);
        assert_eq!(server.lines(), [SIGN_IN, &look, &find, SIGN_OUT]);
        // Groups refer to attributes, so they are removed first.
        let stdout = format!("removed: {REGISTERED}\nremoved: {STATE}\n");
        assert_output(&place.run(shell, &server, &["--apply", "--remove"]), &stdout, "", 0);
        let (group, attribute) = (format!("DELETE {GROUPS}/id/2"), format!("DELETE {ATTRIBUTES}/1"));
        assert_eq!(server.lines(), [SIGN_IN, &look, &group, &find, &attribute, SIGN_OUT]);
        let jamf = jamf.lock().unwrap();
        assert_eq!(jamf.attributes, BTreeMap::from([(30, others)]));
        assert_eq!(jamf.groups, BTreeMap::from([(31, other_groups)]));
    }
}

#[test]
fn a_failed_removal_is_reported() {
    let twice = json!({ "totalCount": 2, "results": [{ "id": "1", "name": STATE }, { "id": "2", "name": STATE }] });
    for (replies, lines) in [
        (
            vec![reply(200, group(REGISTERED, false)), reply(200, twice.to_string())],
            [
                format!("{REGISTERED}: left as it is: there is a group with this name that is not a smart group"),
                format!("{STATE}: left as it is: several have this name; delete all but one"),
            ],
        ),
        (
            vec![reply(200, group(REGISTERED, true)), reply(400, "in use"), one(STATE), reply(500, "no")],
            [format!("{REGISTERED}: not removed (HTTP 400): in use"), format!("{STATE}: not removed (HTTP 500): no")],
        ),
    ] {
        let place = small();
        let server = Server::scripted(replies);
        assert_output(&place.run(SH, &server, &["--remove", "--apply"]), "", &failures(&lines), 1);
    }
}

#[test]
fn the_platform_api_has_the_same_calls_under_other_paths() {
    for shell in shells::installed() {
        let place = small();
        let jamf: Arc<Mutex<Jamf>> = Arc::default();
        let server = Server::pro(&jamf);
        let (find, look) = (find_attribute(STATE), format!("GET {}", group_of(REGISTERED)));
        let on_platform = |line: &str| line.replace("/api/", "/pro/").replace("/JSSResource/", "/proclassic/");
        for (done, arguments, lines) in [
            (
                "created",
                &["--apply"][..],
                [&find, &format!("POST {ATTRIBUTES}"), &look, &format!("POST {GROUPS}/id/0")],
            ),
            ("updated", &["--apply"], [&find, &format!("PUT {ATTRIBUTES}/1"), &look, &format!("PUT {GROUPS}/id/2")]),
            (
                "removed",
                &["--apply", "--remove"],
                [&look, &format!("DELETE {GROUPS}/id/2"), &find, &format!("DELETE {ATTRIBUTES}/1")],
            ),
        ] {
            let mut stdout = [format!("{done}: {STATE}\n"), format!("{done}: {REGISTERED}\n")];
            if done == "removed" {
                stdout.reverse();
            }
            assert_output(&place.run_on_platform(shell, &server, arguments), &stdout.concat(), "", 0);
            // The Platform API has no call to sign out.
            let lines = lines.map(|line| on_platform(line));
            assert_eq!(server.lines(), [&[PLATFORM_SIGN_IN.to_owned()][..], &lines].concat());
        }
    }
    let place = small();
    let server = Server::scripted(vec![reply(403, ""), reply(404, ""), reply(403, "")]);
    let lacking = |permission: &str| {
        format!(
            "upload.sh: {}: the integration lacks the permission {permission}, or JAMF_ENVIRONMENT_ID does not belong to \
            it (HTTP 403); everything that needs it is skipped\n",
            server.address
        )
    };
    let stderr = lacking("extension-attributes:read") + &lacking("device-groups:create") + "upload.sh: failed: 2\n";
    assert_output(&place.run_on_platform(SH, &server, &["--apply"]), "", &stderr, 1);
}

#[test]
fn an_integration_for_a_tenant_sends_the_tenant_id() {
    let place = small();
    let server = Server::scripted(vec![none(), reply(404, "")]);
    let mut command = place.command(SH, &server.address, &[]);
    let stdout = format!("would be created: {STATE}\nwould be created: {REGISTERED}\n{NOTHING_CHANGED}");
    assert_output(&place.output(command.env("JAMF_TENANT_ID", ENVIRONMENT)), &stdout, "", 0);
    let requests = std::mem::take(&mut *server.requests.lock().unwrap());
    let headers = requests.iter().map(|request| (request.header("x-tenant-id"), request.header("x-environment-id")));
    assert_eq!(headers.collect::<Vec<_>>(), [("", ""), (ENVIRONMENT, ""), (ENVIRONMENT, "")]);
}

/// Here, the stand-in is the proxy, and nothing listens at the address.
#[test]
fn a_proxy_is_used_only_if_it_is_set() {
    let place = with(&["extension-attributes/state.json"]);
    let server = Server::new(Box::new(|request| match request.line.split_once("//127.0.0.1:1").unwrap().1 {
        "/api/oauth/token" => token(),
        "/api/v1/auth/invalidate-token" => reply(204, ""),
        _ => none(),
    }));
    let mut command = place.command(SH, "http://127.0.0.1:1", &[]);
    let proxies = [("JAMF_PROXY", server.address.as_str()), ("no_proxy", "*"), ("NO_PROXY", "127.0.0.1")];
    let stdout = format!("would be created: {STATE}\n{NOTHING_CHANGED}");
    assert_output(&place.output(command.envs(proxies)), &stdout, "", 0);
    let requests = server.requests.lock().unwrap();
    assert_eq!(requests.iter().filter(|request| request.line.contains(" http://127.0.0.1:1/api/")).count(), 3);
}

#[test]
fn without_the_shared_file_nothing_is_tried() {
    for shell in shells::installed() {
        let place = small();
        fs::remove_file(place.path("a kit/api.sh")).unwrap();
        let stderr =
            format!("upload.sh: {}/api.sh is missing; keep the folder together\n", place.path("a kit").display());
        assert_output(&place.output(&mut place.command(shell, "https://contoso.jamfcloud.com", &[])), "", &stderr, 2);
    }
}

#[test]
fn the_script_ends_if_there_is_no_answer() {
    for silence in [Reply::Hangs, Reply::Closes, Reply::BreaksOff] {
        let place = small();
        let server = Server::scripted(vec![silence]);
        let output = place.run(SH, &server, &["--apply"]);
        let stderr = text(&output.stderr);
        assert!(stderr.starts_with(&format!("upload.sh: {}: no answer: curl: (", server.address)), "{stderr}");
        assert!(stderr.ends_with("; nothing more was done\n") && stderr.lines().count() == 1, "{stderr}");
        assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("", Some(1)));
    }
    let place = small();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = place.output(&mut place.command(SH, &format!("http://{nowhere}"), &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no answer: curl: ("), "{}", text(&output.stderr));
}

#[test]
fn an_unexpected_answer_creates_nothing() {
    let state = format!("{{\"id\":\"5\",\"name\":\"{STATE}\"}}");
    for answer in [
        "".to_owned(),
        "<html>".to_owned(),
        "{\"results\":[]}".to_owned(),
        "{\"totalCount\":1,\"results\":[]}".to_owned(),
        "[]".to_owned(),
        // Another attribute, no name, a nested ID, and a wrong count
        "{\"totalCount\":1,\"results\":[{\"id\":\"5\",\"name\":\"x\"}]}".to_owned(),
        "{\"totalCount\":1,\"results\":[{\"id\":\"5\"}]}".to_owned(),
        format!("{{\"totalCount\":1,\"results\":[{{\"ldap\":{{\"id\":\"99\"}}}},{state}]}}"),
        format!("{{\"totalCount\":0,\"results\":[{state}]}}"),
        format!("{{\"totalCount\":1,\"results\":[{{\"name\":\"{STATE}\"}}]}}"),
        format!("{{\"totalCount\":1,\"results\":[{{\"id\":\"5/../6\",\"name\":\"{STATE}\"}}]}}"),
    ] {
        let place = with(&["extension-attributes/state.json"]);
        let server = Server::scripted(vec![reply(200, answer.as_str())]);
        let said = format!("{STATE}: could not be looked up: unexpected answer: {answer}");
        assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said]), 1);
        assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), SIGN_OUT]);
    }
}

/// A short value with a long path would take far more room in the file of fields than in the answer.
#[test]
fn a_long_path_in_an_answer_is_refused() {
    let answer = |length| format!("{{\"totalCount\":0,\"results\":[],\"{}\":[1]}}", "x".repeat(length));
    let place = with(&["extension-attributes/state.json"]);
    let server = Server::scripted(vec![reply(200, answer(118)), reply(201, "")]);
    assert_output(&place.run(SH, &server, &["--apply"]), &format!("created: {STATE}\n"), "", 0);
    let server = Server::scripted(vec![reply(200, answer(119))]);
    let said = format!("{STATE}: could not be looked up: unexpected answer: {}", answer(119));
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said]), 1);
}

#[test]
fn an_unexpected_answer_about_a_group_neither_replaces_nor_removes_it() {
    for answer in [
        group(REGISTERED, true).replace("<id>5</id>", ""),
        group(REGISTERED, true).replace("<id>5</id>", "<id>5/../6</id>"),
        group(REGISTERED, true).replace("<is_smart>true", "<is_smart>"),
        group("Others", true),
        json!({ "computer_group": { "id": 5, "name": REGISTERED, "is_smart": true } }).to_string(),
        String::new(),
    ] {
        for arguments in [&["--apply"][..], &["--remove", "--apply"]] {
            let place = with(&["smart-groups/registered.xml"]);
            let server = Server::scripted(vec![reply(200, answer.as_str())]);
            let said = format!("{REGISTERED}: could not be looked up: unexpected answer: {answer}");
            assert_output(&place.run(SH, &server, arguments), "", &failures(&[said]), 1);
            assert_eq!(server.lines().len(), 3, "nothing is changed between signing in and out");
        }
    }
}

#[test]
fn an_attribute_that_exists_twice_and_a_group_that_is_not_smart_are_left_as_they_are() {
    let place = small();
    let twice = json!({ "totalCount": 2, "results": [{ "id": "1", "name": STATE }, { "id": "2", "name": STATE }] });
    let server = Server::scripted(vec![reply(200, twice.to_string()), reply(200, group(REGISTERED, false))]);
    let said = [
        format!("{STATE}: left as it is: several have this name; delete all but one"),
        format!("{REGISTERED}: left as it is: there is a group with this name that is not a smart group"),
    ];
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&said), 1);
}

#[test]
fn text_in_a_stored_script_is_not_taken_for_an_answer() {
    let place = with(&["extension-attributes/state.json"]);
    let script = "echo '{ \"id\": \"66\", \"totalCount\": 0 }'";
    let one = json!({ "totalCount": 1, "results": [{ "id": "12", "scriptContents": script, "name": STATE }] });
    for text in [one.to_string(), serde_json::to_string_pretty(&one).unwrap()] {
        let server = Server::scripted(vec![reply(200, text), reply(200, "{}")]);
        assert_output(&place.run(SH, &server, &["--apply"]), &format!("updated: {STATE}\n"), "", 0);
        let put = format!("PUT {ATTRIBUTES}/12");
        assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &put, SIGN_OUT]);
    }
}

#[test]
fn a_file_without_a_name_in_the_expected_line_is_reported() {
    let place = small();
    place.write("a kit/extension-attributes/state.json", "{\"name\": \"a\"}");
    place.write("a kit/smart-groups/registered.xml", "<computer_group><name>a</name></computer_group>");
    let server = Server::scripted(Vec::new());
    let kit = place.path("a kit");
    let said = [
        format!("{}/extension-attributes/state.json: no name in its second line", kit.display()),
        format!("{}/smart-groups/registered.xml: no name in its third line", kit.display()),
    ];
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&said), 1);
}

#[test]
fn a_jamf_pro_without_this_api_is_reported() {
    let place = small();
    let server = Server::scripted(vec![reply(404, "<html>")]);
    let words = "no API for extension attributes (HTTP 404); Jamf Pro 11.9 or later is needed; nothing more was done";
    let stderr = format!("upload.sh: {}: {words}\n", server.address);
    assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
    assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), SIGN_OUT]);
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    for shell in shells::installed() {
        let place = small();
        let (arrived, arrival) = std::sync::mpsc::channel();
        let mut replies = VecDeque::from([token()]);
        let server = Server::new(Box::new(move |_| {
            replies.pop_front().unwrap_or_else(|| {
                let _ = arrived.send(());
                Reply::Hangs
            })
        }));
        let mut command = place.command(shell, &server.address, &["--apply"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        arrival.recv().unwrap();
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
        place.output(&mut Command::new("true"));
    }
}

#[test]
fn an_https_address_is_used_only_with_https() {
    let place = small();
    place.output(&mut place.command(SH, "https://127.0.0.1:1///", &[]));
    let arguments = fs::read_to_string(place.path("arguments")).unwrap();
    assert!(
        arguments.starts_with("-q\n--config\n-\n--request\nPOST\n--proto\n=https\n--connect-timeout\n10\n"),
        "{arguments}"
    );
}

#[test]
fn tracing_shows_no_secret() {
    let place = small();
    let server = Server::pro(&Arc::default());
    let mut command = Command::new(shells::path(SH));
    command.arg("-x").arg(place.path("a kit/upload.sh")).env("JAMF_URL", &server.address);
    command.env("JAMF_CLIENT_ID", CLIENT).env("JAMF_CLIENT_SECRET", SECRET).env("TMPDIR", place.path("temporary"));
    assert_eq!(place.output(&mut command).status.code(), Some(0));
}
