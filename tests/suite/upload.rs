//! `jamf/upload.sh` with a stand-in for Jamf Pro: an HTTP server that answers as each test wants, or keeps what it is sent
//! as Jamf Pro does.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shells::{self, SH, Shell};

const CLIENT: &str = "0a1b-client";
/// With all that curl's configuration and a form give a meaning of their own.
const SECRET: &str = r#"s3 cr&t="q\n'%41+/@$`"#;
const TOKEN: &str = "eyJ0b2tlbiI6.Contoso-_~+/=";

const SIGN_IN: &str = "POST /api/oauth/token";
const SIGN_OUT: &str = "POST /api/v1/auth/invalidate-token";
const ATTRIBUTES: &str = "/api/v1/computer-extension-attributes";
const GROUPS: &str = "/JSSResource/computergroups";

const STATE: &str = "AAD Registration State";
const REGISTERED: &str = "AAD Registration State - Registered";

const NOTHING_CHANGED: &str = "Nothing was changed; --apply does it.\n";

#[derive(Clone, Debug)]
struct Request {
    /// Method and target.
    line: String,
    /// Names in lower case.
    headers: BTreeMap<String, String>,
    body: String,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = (&mut reader).lines();
        let line = lines.next()?.ok()?.strip_suffix(" HTTP/1.1")?.to_owned();
        let header = |line: std::io::Result<String>| {
            let line = line.ok()?;
            line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        };
        let headers: BTreeMap<_, _> = lines.map_while(header).collect();
        let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        Some(Self { line, headers, body: String::from_utf8(body).ok()? })
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

enum Reply {
    Status(u16, String),
    Redirect,
    /// Fewer bytes than promised.
    BreaksOff,
    Closes,
    Hangs,
}

fn reply(status: u16, body: impl Into<String>) -> Reply {
    Reply::Status(status, body.into())
}

fn token() -> Reply {
    reply(200, json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 59 }).to_string())
}

type Answers = Box<dyn FnMut(&Request) -> Reply + Send>;

/// Listens until the tests end.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn new(mut answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            let mut hanging = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = Request::read(&stream) else { continue };
                log.lock().unwrap().push(request.clone());
                let (status, head, body, missing) = match answers(&request) {
                    Reply::Status(status, body) => (status, "Set-Cookie: member=7; Path=/\r\n", body, 0),
                    Reply::Redirect => (302, "Location: http://127.0.0.1:1/elsewhere\r\n", String::new(), 0),
                    Reply::BreaksOff => (200, "", "{\"totalCount\":0".to_owned(), 9),
                    Reply::Closes => continue,
                    Reply::Hangs => {
                        hanging.push(stream);
                        continue;
                    }
                };
                let length = body.len() + missing;
                let head =
                    format!("HTTP/1.1 {status} Said\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
                // Whether curl still listens is its own affair.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { address, requests }
    }

    /// Gives a token whenever it is asked for one, and otherwise these answers.
    fn scripted(replies: Vec<Reply>) -> Self {
        let mut replies = VecDeque::from(replies);
        Self::new(Box::new(move |request| match request.line.as_str() {
            SIGN_IN => token(),
            SIGN_OUT => reply(204, ""),
            _ => replies.pop_front().unwrap_or(Reply::Closes),
        }))
    }

    fn pro(jamf: &Arc<Mutex<Jamf>>) -> Self {
        let jamf = Arc::clone(jamf);
        Self::new(Box::new(move |request| jamf.lock().unwrap().answer(request)))
    }

    /// The requests since the last time, after a look at what has to be true for each.
    fn requests(&self) -> Vec<Request> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        for (number, request) in requests.iter().enumerate() {
            let line = request.line.as_str();
            let authorization = if line == SIGN_IN { String::new() } else { format!("Bearer {TOKEN}") };
            assert_eq!(request.header("authorization"), authorization, "{line}");
            assert!(request.header("user-agent").starts_with("curl/"), "curl has read a configuration file");
            let kind = if line.contains(GROUPS) { "application/xml" } else { "application/json" };
            let content = match (line, request.body.as_str()) {
                (SIGN_IN, _) => "application/x-www-form-urlencoded",
                (_, "") => "",
                _ => kind,
            };
            assert_eq!(request.header("content-type"), content, "{line}");
            assert_eq!(request.header("accept"), if line == SIGN_IN { "*/*" } else { kind }, "{line}");
            // The same member of a cluster answers all the time.
            assert_eq!(request.header("cookie"), if number == 0 { "" } else { "member=7" }, "{line}");
        }
        requests
    }

    fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

/// What Jamf Pro keeps, with its rules as far as they matter here.
#[derive(Default)]
struct Jamf {
    attributes: BTreeMap<u32, Value>,
    groups: BTreeMap<u32, String>,
    last: u32,
}

impl Jamf {
    fn answer(&mut self, request: &Request) -> Reply {
        let (method, target) = request.line.split_once(' ').unwrap();
        if let Some(rest) = target.strip_prefix(ATTRIBUTES) {
            return match (method, rest.strip_prefix("?filter=")) {
                ("GET", Some(filter)) => self.find_attributes(&decoded(filter)),
                _ => self.attribute(method, rest, &request.body),
            };
        }
        match (target, target.strip_prefix(GROUPS)) {
            ("/api/oauth/token", _) => token(),
            ("/api/v1/auth/invalidate-token", _) => reply(204, ""),
            (_, Some(rest)) => self.group(method, rest, &request.body),
            _ => reply(404, "<html>nothing here</html>"),
        }
    }

    fn find_attributes(&self, filter: &str) -> Reply {
        let name = filter.strip_prefix("name==\"").and_then(|rest| rest.strip_suffix('"')).unwrap();
        let found = self.attributes.iter().filter(|(_, body)| body["name"] == name);
        let results: Vec<Value> = found
            .map(|(id, body)| {
                // Jamf Pro gives the id first.
                let mut result = json!({ "id": id.to_string() });
                result.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
                result
            })
            .collect();
        reply(200, serde_json::to_string_pretty(&json!({ "totalCount": results.len(), "results": results })).unwrap())
    }

    fn attribute(&mut self, method: &str, rest: &str, body: &str) -> Reply {
        let body: Value = serde_json::from_str(body).expect("JSON");
        match (method, rest.strip_prefix('/').map(|id| id.parse::<u32>().unwrap())) {
            ("POST", None) if self.attributes.values().all(|it| it["name"] != body["name"]) => {
                self.last += 1;
                self.attributes.insert(self.last, body);
                reply(201, json!({ "id": self.last.to_string() }).to_string())
            }
            ("PUT", Some(id)) if self.attributes.contains_key(&id) => {
                self.attributes.insert(id, body);
                reply(200, json!({ "id": id.to_string() }).to_string())
            }
            _ => reply(409, "{\"errors\":[{\"code\":\"DUPLICATE_FIELD\"}]}"),
        }
    }

    fn group(&mut self, method: &str, rest: &str, body: &str) -> Reply {
        let name = rest.strip_prefix("/name/").map(decoded);
        let of_name = |name: &str| format!("<name>{name}</name>\n  <is_smart>");
        let known = name.and_then(|name| self.groups.iter().find(|(_, it)| it.contains(&of_name(&name))));
        match (method, known.map(|(id, body)| (*id, body.clone()))) {
            ("GET", Some((id, body))) => {
                reply(200, body.replace("<computer_group>", &format!("<computer_group><id>{id}</id>")))
            }
            ("GET", None) => reply(404, "<html>The server has not found anything matching the request URI</html>"),
            ("PUT", Some((id, _))) => {
                self.groups.insert(id, body.to_owned());
                reply(201, format!("<computer_group><id>{id}</id></computer_group>"))
            }
            ("POST", None) if rest == "/id/0" => {
                self.last += 1;
                self.groups.insert(self.last, body.to_owned());
                reply(201, format!("<computer_group><id>{}</id></computer_group>", self.last))
            }
            _ => reply(409, "<html>Conflict</html>"),
        }
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        assert!(byte == b'%' || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte), "not encoded: {text}");
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn find_attribute(name: &str) -> String {
    format!("GET {ATTRIBUTES}?filter={}", encoded(&format!("name==\"{name}\"")))
}

fn group_of(name: &str) -> String {
    format!("{GROUPS}/name/{}", encoded(name))
}

/// A folder with a copy of the script and of some files, a stand-in for curl that notes its arguments, and a home whose
/// configuration for curl nobody must read.
struct Place {
    folder: TempDir,
}

impl Place {
    /// With these files of the kit's.
    fn with(files: &[&str]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["a kit/extension-attributes", "a kit/smart-groups", "temporary", "home", "programs"] {
            fs::create_dir_all(place.path(folder)).unwrap();
        }
        place.write("home/.curlrc", "user-agent = \"configured\"\n");
        let script = fs::read_to_string("jamf/upload.sh").unwrap();
        let limit = "call_limit='60'\n";
        assert_eq!(script.matches(limit).count(), 1);
        place.write("a kit/upload.sh", &script.replace(limit, "call_limit='5'\n"));
        for file in files {
            fs::copy(Path::new("jamf").join(file), place.path("a kit").join(file)).unwrap();
        }
        let (notes, curl) = (place.path("arguments"), found("curl"));
        let stand_in = format!(
            "#!/bin/sh\n{{ printf '%s\\n' \"$@\"; env; }} >>'{}'\nexec '{}' \"$@\"\n",
            notes.display(),
            curl.display()
        );
        place.write("draft", &stand_in);
        fs::set_permissions(place.path("draft"), fs::Permissions::from_mode(0o755)).unwrap();
        // Copied by another process: a program that is open for writing, if only in a child that another test has just
        // forked, cannot be started.
        let copied = Command::new("cp").arg(place.path("draft")).arg(place.path("programs/curl")).status();
        assert!(copied.unwrap().success());
        place
    }

    /// With an extension attribute and a smart group.
    fn small() -> Self {
        Self::with(&["extension-attributes/state.json", "smart-groups/registered.xml"])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn change(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(old), "{text}");
        self.write(name, &text.replace(old, new));
    }

    fn command(&self, shell: Shell, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(shells::path(shell));
        command.args(shell.1).arg(self.path("a kit/upload.sh")).args(arguments);
        let path = std::env::var("PATH").unwrap();
        command.env_clear().env("PATH", format!("{}:{path}", self.path("programs").display()));
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("temporary"));
        command.env("JAMF_URL", url).env("JAMF_CLIENT_ID", CLIENT).env("JAMF_CLIENT_SECRET", SECRET);
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn run(&self, shell: Shell, server: &Server, arguments: &[&str]) -> Output {
        self.output(&mut self.command(shell, &server.address, arguments))
    }

    /// What a command does, after a look for what it must never show or leave behind.
    fn output(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap();
        let arguments = fs::read_to_string(self.path("arguments")).unwrap_or_default();
        for text in [&text(&output.stdout), &text(&output.stderr), &arguments] {
            for secret in [SECRET, &encoded(SECRET), "cr%26t", CLIENT, TOKEN] {
                assert!(!text.contains(secret), "a secret shows: {text}");
            }
        }
        let left: Vec<_> = fs::read_dir(self.path("temporary")).unwrap().map(|it| it.unwrap().path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new());
        output
    }
}

fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|it| it.exists()).unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn assert_output(output: &Output, stdout: &str, stderr: &str, status: i32) {
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), (stdout, stderr));
    assert_eq!(output.status.code(), Some(status));
}

/// What is said of a failure, and how many there were.
fn failures(lines: &[String]) -> String {
    let said: String = lines.iter().map(|line| format!("upload.sh: {line}\n")).collect();
    format!("{said}upload.sh: failed: {}\n", lines.len())
}

#[test]
fn without_apply_it_only_looks() {
    for shell in shells::installed() {
        let place = Place::small();
        let server = Server::pro(&Arc::default());
        let stdout = format!("would be created: {STATE}\nwould be created: {REGISTERED}\n{NOTHING_CHANGED}");
        assert_output(&place.run(shell, &server, &[]), &stdout, "", 0);
        let group = format!("GET {}", group_of(REGISTERED));
        assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &group, SIGN_OUT]);
    }
}

#[test]
fn what_is_missing_is_created_attributes_first_and_a_second_run_replaces_it() {
    for shell in shells::installed() {
        let place = Place::small();
        let jamf = Arc::default();
        let server = Server::pro(&jamf);
        let file = |name: &str| fs::read_to_string(place.path("a kit").join(name)).unwrap();
        let stdout = format!("created: {STATE}\ncreated: {REGISTERED}\n");
        assert_output(&place.run(shell, &server, &["--apply"]), &stdout, "", 0);
        let form = "grant_type=client_credentials&client_id=0a1b-client\
            &client_secret=s3%20cr%26t%3D%22q%5Cn%27%2541%2B%2F%40%24%60";
        let (attribute, group) = (file("extension-attributes/state.json"), file("smart-groups/registered.xml"));
        let mut requests = server.requests();
        // Versions of curl differ in how they write a space.
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
        let (put, put_group) = (format!("PUT {ATTRIBUTES}/1"), format!("PUT {}", group_of(REGISTERED)));
        assert_eq!(server.lines(), [SIGN_IN, &find, &put, &look, &put_group, SIGN_OUT]);
        let jamf: &Mutex<Jamf> = &jamf;
        let jamf = jamf.lock().unwrap();
        let stored: Value = serde_json::from_str(&file("extension-attributes/state.json")).unwrap();
        assert_eq!(jamf.attributes, BTreeMap::from([(1, stored)]));
        assert_eq!(jamf.groups, BTreeMap::from([(2, file("smart-groups/registered.xml"))]));
    }
}

#[test]
fn the_whole_kit_arrives_byte_for_byte_and_twice_is_the_same_as_once() {
    let mut files: Vec<String> = Vec::new();
    for (folder, extension) in [("extension-attributes", "json"), ("smart-groups", "xml")] {
        let entries = fs::read_dir(Path::new("jamf").join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(extension));
        files.extend(names.map(|name| format!("{folder}/{name}")));
    }
    let place = Place::with(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let jamf: Arc<Mutex<Jamf>> = Arc::default();
    let server = Server::pro(&jamf);
    for done in ["created", "updated"] {
        let output = place.run(SH, &server, &["--apply"]);
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
        let lines = text(&output.stdout).lines().filter(|line| line.starts_with(done)).count();
        assert_eq!(lines, files.len());
        let jamf = jamf.lock().unwrap();
        assert_eq!((jamf.attributes.len(), jamf.groups.len()), (10, 8));
        let groups: Vec<&String> = jamf.groups.values().collect();
        for file in files.iter().filter(|file| file.starts_with("smart")) {
            assert!(groups.contains(&&fs::read_to_string(Path::new("jamf").join(file)).unwrap()));
        }
    }
}

#[test]
fn a_setting_that_is_missing_or_wrong_is_refused_before_anything_is_sent() {
    let place = Place::small();
    let run = |change: &dyn Fn(&mut Command)| {
        let mut command = place.command(SH, "https://contoso.jamfcloud.com", &[]);
        change(&mut command);
        place.output(&mut command)
    };
    for name in ["JAMF_URL", "JAMF_CLIENT_ID", "JAMF_CLIENT_SECRET"] {
        let stderr = format!("upload.sh: {name} is not set; see --help\n");
        assert_output(&run(&|command| drop_variable(command, name)), "", &stderr, 2);
        assert_output(&run(&|command| set(command, name, "")), "", &stderr, 2);
        let stderr = format!("upload.sh: {name} has characters that it cannot have\n");
        assert_output(&run(&|command| set(command, name, "https://a\nb")), "", &stderr, 2);
    }
    for url in [
        "http://contoso.jamfcloud.com",
        "contoso.jamfcloud.com",
        "file:///etc/passwd",
        "http://127.0.0.1.contoso.com:80",
    ] {
        let stderr = "upload.sh: JAMF_URL has to begin with https://\n";
        assert_output(&run(&|command| set(command, "JAMF_URL", url)), "", stderr, 2);
    }
    for url in ["https://contoso.com/?a", "https://a@contoso.com", "https://contoso.com/ x", "https://c\"x"] {
        let stderr = "upload.sh: JAMF_URL has characters that an address cannot have\n";
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
    let place = Place::small();
    let help = place.output(&mut place.command(SH, "", &["--help"]));
    assert!(text(&help.stdout).starts_with("Usage: upload.sh [--apply]\n"));
    assert_eq!((text(&help.stderr).as_str(), help.status.code()), ("", Some(0)));
    let wrong = place.output(&mut place.command(SH, "https://contoso.com", &["--aply"]));
    assert_output(&wrong, "", "upload.sh: --aply: not understood; see --help\n", 2);
}

#[test]
fn a_client_that_is_not_let_in_is_told_and_nothing_else_is_tried() {
    for (status, words) in [
        (401, "it does not take the client id and secret (HTTP 401)"),
        (400, "it does not take the client id and secret (HTTP 400)"),
        (500, "no token (HTTP 500); is this the address of Jamf Pro?"),
        (404, "no token (HTTP 404); is this the address of Jamf Pro?"),
        (200, "no token in its answer; is this the address of Jamf Pro?"),
    ] {
        let place = Place::small();
        let server = Server::new(Box::new(move |_| reply(status, "<html>no</html>")));
        let stderr = format!("upload.sh: {}: {words}; nothing more was done\n", server.address);
        assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
        assert_eq!(server.lines(), [SIGN_IN]);
    }
}

#[test]
fn a_token_that_has_expired_is_replaced_once() {
    let none = || reply(200, "{\"totalCount\":0,\"results\":[]}");
    let place = Place::with(&["extension-attributes/state.json"]);
    let server = Server::scripted(vec![none(), reply(401, ""), reply(201, "{\"id\":\"1\"}")]);
    assert_output(&place.run(SH, &server, &["--apply"]), &format!("created: {STATE}\n"), "", 0);
    let post = format!("POST {ATTRIBUTES}");
    assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &post, SIGN_IN, &post, SIGN_OUT]);

    let server = Server::scripted(vec![none(), reply(401, ""), reply(401, "")]);
    let words =
        "it does not take its own token, or the client's role lacks a privilege (HTTP 401); nothing more was done";
    let stderr = format!("upload.sh: {}: {words}\n", server.address);
    assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
    assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), &post, SIGN_IN, &post, SIGN_OUT]);
}

#[test]
fn an_error_is_told_with_the_thing_and_the_next_one_is_tried() {
    let none = || reply(200, "{\"totalCount\":0,\"results\":[]}");
    let missing = || reply(404, "");
    let lacking = "the API client's role lacks a privilege (HTTP 403); --help lists them";
    let conflict = "Jamf Pro finds a conflict, such as a name that is taken (HTTP 409)";
    let cases = [
        (
            reply(403, ""),
            reply(403, ""),
            format!("{STATE}: not created: {lacking}"),
            format!("{REGISTERED}: not created: {lacking}"),
        ),
        (
            reply(409, "{\"code\":\"DUPLICATE\"}\n\u{1b}[2J"),
            reply(409, "<p>Error: Duplicate name</p>"),
            format!("{STATE}: not created: {conflict}: {{\"code\":\"DUPLICATE\"}}  [2J"),
            format!("{REGISTERED}: not created: {conflict}: <p>Error: Duplicate name</p>"),
        ),
        (
            reply(500, TOKEN),
            reply(500, SECRET),
            format!("{STATE}: not created (HTTP 500): an answer that repeats a secret"),
            format!("{REGISTERED}: not created (HTTP 500): an answer that repeats a secret"),
        ),
        (
            Reply::Redirect,
            reply(503, "x".repeat(1000)),
            format!("{STATE}: not created (HTTP 302): "),
            format!("{REGISTERED}: not created (HTTP 503): {}", "x".repeat(300)),
        ),
    ];
    for (attribute, group, one, other) in cases {
        let place = Place::small();
        let server = Server::scripted(vec![none(), attribute, missing(), group]);
        assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[one, other]), 1);
    }
    // What cannot even be looked for is not created.
    let place = Place::small();
    let server = Server::scripted(vec![reply(500, "no"), reply(403, "")]);
    let said = [format!("{STATE}: not found (HTTP 500): no"), format!("{REGISTERED}: not found: {lacking}")];
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&said), 1);
}

#[test]
fn no_answer_ends_it() {
    for silence in [Reply::Hangs, Reply::Closes, Reply::BreaksOff] {
        let place = Place::small();
        let server = Server::scripted(vec![silence]);
        let output = place.run(SH, &server, &["--apply"]);
        let stderr = text(&output.stderr);
        assert!(stderr.starts_with(&format!("upload.sh: {}: no answer: curl: (", server.address)), "{stderr}");
        assert!(stderr.ends_with("; nothing more was done\n") && stderr.lines().count() == 1, "{stderr}");
        assert_eq!((text(&output.stdout).as_str(), output.status.code()), ("", Some(1)));
    }
    let place = Place::small();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = place.output(&mut place.command(SH, &format!("http://{nowhere}"), &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no answer: curl: ("), "{}", text(&output.stderr));
}

#[test]
fn an_answer_that_is_not_understood_creates_nothing() {
    let state = format!("{{\"id\":\"5\",\"name\":\"{STATE}\"}}");
    for answer in [
        "".to_owned(),
        "<html>".to_owned(),
        "{\"results\":[]}".to_owned(),
        "{\"totalCount\":1,\"results\":[]}".to_owned(),
        "[]".to_owned(),
        // Another attribute, one without a name, another's id beside it, and one that does not count.
        "{\"totalCount\":1,\"results\":[{\"id\":\"5\",\"name\":\"x\"}]}".to_owned(),
        "{\"totalCount\":1,\"results\":[{\"id\":\"5\"}]}".to_owned(),
        format!("{{\"totalCount\":1,\"results\":[{{\"ldap\":{{\"id\":\"99\"}}}},{state}]}}"),
        format!("{{\"totalCount\":0,\"results\":[{state}]}}"),
    ] {
        let place = Place::with(&["extension-attributes/state.json"]);
        let server = Server::scripted(vec![reply(200, answer.as_str())]);
        let said = format!("{STATE}: not found: the answer makes no sense: {answer}");
        assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&[said]), 1);
        assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), SIGN_OUT]);
    }
}

#[test]
fn what_is_there_twice_or_is_no_smart_group_is_left_as_it_is() {
    let place = Place::small();
    let twice = json!({ "totalCount": 2, "results": [{ "id": "1", "name": STATE }, { "id": "2", "name": STATE }] });
    let server = Server::scripted(vec![
        reply(200, twice.to_string()),
        reply(200, "<computer_group><id>5</id><is_smart>false</is_smart></computer_group>"),
    ]);
    let said = [
        format!("{STATE}: left as it is: there are several of this name; leave one of them"),
        format!("{REGISTERED}: left as it is: a group of this name is there, and is no smart group"),
    ];
    assert_output(&place.run(SH, &server, &["--apply"]), "", &failures(&said), 1);
}

#[test]
fn what_a_stored_script_says_is_not_taken_for_an_answer() {
    let place = Place::with(&["extension-attributes/state.json"]);
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
fn a_file_that_was_changed_beyond_recognition_is_told() {
    let place = Place::small();
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
fn a_jamf_pro_without_this_api_is_told() {
    let place = Place::small();
    let server = Server::scripted(vec![reply(404, "<html>")]);
    let words = "it has no API for extension attributes (HTTP 404); Jamf Pro 11.9 or later has; nothing more was done";
    let stderr = format!("upload.sh: {}: {words}\n", server.address);
    assert_output(&place.run(SH, &server, &["--apply"]), "", &stderr, 1);
    assert_eq!(server.lines(), [SIGN_IN, &find_attribute(STATE), SIGN_OUT]);
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    for shell in shells::installed() {
        let place = Place::small();
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
fn an_address_with_https_is_asked_by_https_only() {
    let place = Place::small();
    place.output(&mut place.command(SH, "https://127.0.0.1:1///", &[]));
    let arguments = fs::read_to_string(place.path("arguments")).unwrap();
    assert!(
        arguments.starts_with("-q\n--config\n-\n--request\nPOST\n--proto\n=https\n--connect-timeout\n10\n"),
        "{arguments}"
    );
}

#[test]
fn a_trace_shows_no_secret() {
    let place = Place::small();
    let server = Server::pro(&Arc::default());
    let mut command = Command::new(shells::path(SH));
    command.arg("-x").arg(place.path("a kit/upload.sh")).env("JAMF_URL", &server.address);
    command.env("JAMF_CLIENT_ID", CLIENT).env("JAMF_CLIENT_SECRET", SECRET).env("TMPDIR", place.path("temporary"));
    assert_eq!(place.output(&mut command).status.code(), Some(0));
}
