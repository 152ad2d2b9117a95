//! A stand-in for Jamf's API, and a folder in which to run the kit's scripts that use it. The stand-in is an HTTP
//! server that gives the answers of a test, or stores what it receives, as Jamf Pro does.

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

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shells::{self, Shell};

pub const CLIENT: &str = "0a1b-client";
/// Contains all characters that have a special meaning in curl's configuration or in a form.
pub const SECRET: &str = r#"s3 cr&t="q\n'%41+/@$`"#;
pub const TOKEN: &str = "eyJ0b2tlbiI6.Contoso-_~+/=";

/// The length of the longest answer that the scripts accept here, in bytes.
pub const ANSWER_LIMIT: usize = 65_536;

pub const SIGN_IN: &str = "POST /api/oauth/token";
pub const SIGN_OUT: &str = "POST /api/v1/auth/invalidate-token";
pub const ATTRIBUTES: &str = "/api/v1/computer-extension-attributes";
pub const GROUPS: &str = "/JSSResource/computergroups";

/// The ID of the environment that an integration for the Platform API belongs to.
pub const ENVIRONMENT: &str = "11111111-2222-4333-8444-555555555555";
pub const PLATFORM_SIGN_IN: &str = "POST /auth/token";

#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path.
    pub line: String,
    /// By their names in lower case.
    headers: BTreeMap<String, String>,
    pub body: String,
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

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

pub enum Reply {
    Status(u16, String),
    /// A status with this `Retry-After`.
    Later(u16, &'static str),
    /// An answer without a length, which ends with the connection.
    Unannounced(String),
    Redirect,
    /// Fewer bytes than announced.
    BreaksOff,
    Closes,
    Hangs,
}

pub fn reply(status: u16, body: impl Into<String>) -> Reply {
    Reply::Status(status, body.into())
}

pub fn token() -> Reply {
    reply(200, json!({ "access_token": TOKEN, "token_type": "Bearer", "expires_in": 59 }).to_string())
}

pub type Answers = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A server that listens until the tests end.
pub struct Server {
    pub address: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn new(mut answers: Answers) -> Self {
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
                let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
                let (status, head, body) = match answers(&request) {
                    Reply::Status(status, body) => {
                        (status, format!("Set-Cookie: member=7; Path=/\r\n{}", length(&body)), body)
                    }
                    Reply::Later(status, after) => {
                        let head =
                            format!("Set-Cookie: member=7; Path=/\r\nretry-AFTER: {after}\r\nContent-Length: 0\r\n");
                        (status, head, String::new())
                    }
                    Reply::Unannounced(body) => (200, String::new(), body),
                    Reply::Redirect => {
                        let head = "Location: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n";
                        (302, head.to_owned(), String::new())
                    }
                    Reply::BreaksOff => (200, "Content-Length: 99\r\n".to_owned(), "{\"totalCount\":0".to_owned()),
                    Reply::Closes => continue,
                    Reply::Hangs => {
                        hanging.push(stream);
                        continue;
                    }
                };
                let head = format!("HTTP/1.1 {status} Said\r\n{head}Connection: close\r\n\r\n");
                // curl may have closed the connection already.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { address, requests }
    }

    /// A server that gives a token at every sign-in, and these answers to other requests.
    pub fn scripted(replies: Vec<Reply>) -> Self {
        let mut replies = VecDeque::from(replies);
        Self::new(Box::new(move |request| match request.line.as_str() {
            SIGN_IN | PLATFORM_SIGN_IN => token(),
            SIGN_OUT => reply(204, ""),
            _ => replies.pop_front().unwrap_or(Reply::Closes),
        }))
    }

    /// A server that behaves like Jamf Pro.
    pub fn pro(jamf: &Arc<Mutex<Jamf>>) -> Self {
        let jamf = Arc::clone(jamf);
        Self::new(Box::new(move |request| jamf.lock().unwrap().answer(request)))
    }

    /// The requests since the last call. Checks what must be true for each of them.
    pub fn requests(&self) -> Vec<Request> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        for (number, request) in requests.iter().enumerate() {
            let line = request.line.as_str();
            let signs_in = [SIGN_IN, PLATFORM_SIGN_IN].contains(&line);
            let authorization = if signs_in { String::new() } else { format!("Bearer {TOKEN}") };
            assert_eq!(request.header("authorization"), authorization, "{line}");
            let environment = if line.contains(" /pro") { ENVIRONMENT } else { "" };
            assert_eq!(request.header("x-environment-id"), environment, "{line}");
            assert_eq!(request.header("x-tenant-id"), "", "{line}");
            assert!(request.header("user-agent").starts_with("curl/"), "curl has read its configuration file");
            let kind = if line.contains("/computergroups/") { "application/xml" } else { "application/json" };
            let content = match (line, request.body.as_str()) {
                _ if signs_in => "application/x-www-form-urlencoded",
                (_, "") => "",
                _ => kind,
            };
            assert_eq!(request.header("content-type"), content, "{line}");
            assert_eq!(request.header("accept"), if signs_in { "*/*" } else { kind }, "{line}");
            // The cookie makes the same member of a cluster answer every request.
            assert_eq!(request.header("cookie"), if number == 0 { "" } else { "member=7" }, "{line}");
        }
        requests
    }

    pub fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

/// The attributes and groups that Jamf Pro stores, with the rules that matter here.
#[derive(Default)]
pub struct Jamf {
    pub attributes: BTreeMap<u32, Value>,
    pub groups: BTreeMap<u32, String>,
    last: u32,
}

impl Jamf {
    fn answer(&mut self, request: &Request) -> Reply {
        let (method, target) = request.line.split_once(' ').unwrap();
        // The Platform API has the same under other paths.
        let target = &target.replacen("/proclassic/", "/JSSResource/", 1).replacen("/pro/", "/api/", 1);
        if let Some(rest) = target.strip_prefix(ATTRIBUTES) {
            return match (method, rest.strip_prefix("?filter=")) {
                ("GET", Some(filter)) => self.find_attributes(&decoded(filter)),
                _ => self.attribute(method, rest, &request.body),
            };
        }
        match (target.as_str(), target.strip_prefix(GROUPS)) {
            ("/api/oauth/token" | "/auth/token", _) => token(),
            ("/api/v1/auth/invalidate-token", _) => reply(204, ""),
            (_, Some(rest)) => self.group(method, rest, &request.body),
            _ => reply(404, "<html>nothing here</html>"),
        }
    }

    fn find_attributes(&self, filter: &str) -> Reply {
        let name = filter.strip_prefix("name==\"").and_then(|rest| rest.strip_suffix('"')).unwrap();
        let found = self.attributes.iter().filter(|(_, body)| is_same(body["name"].as_str().unwrap(), name));
        let results: Vec<Value> = found
            .map(|(id, body)| {
                // Jamf Pro puts the ID first.
                let mut result = json!({ "id": id.to_string() });
                result.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
                result
            })
            .collect();
        reply(200, serde_json::to_string_pretty(&json!({ "totalCount": results.len(), "results": results })).unwrap())
    }

    fn attribute(&mut self, method: &str, rest: &str, body: &str) -> Reply {
        let id = rest.strip_prefix('/').map(|id| id.parse::<u32>().unwrap());
        if let ("DELETE", Some(id)) = (method, id) {
            return reply(if self.attributes.remove(&id).is_some() { 204 } else { 404 }, "");
        }
        let body: Value = serde_json::from_str(body).expect("JSON");
        match (method, id) {
            ("POST", None)
                if !self
                    .attributes
                    .values()
                    .any(|it| is_same(it["name"].as_str().unwrap(), body["name"].as_str().unwrap())) =>
            {
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
        let answer = |status, id| reply(status, format!("<computer_group><id>{id}</id></computer_group>"));
        let wanted = rest.strip_prefix("/name/").map(decoded);
        let is_wanted =
            |(_, body): &(&u32, &String)| wanted.as_ref().is_some_and(|name| is_same(group_name(body), name));
        let id = match rest.strip_prefix("/id/") {
            Some(id) => id.parse().unwrap(),
            None => self.groups.iter().find(is_wanted).map_or(0, |(id, _)| *id),
        };
        match (method, self.groups.get(&id)) {
            ("GET", Some(body)) => {
                // Members come last, and have IDs and names, too.
                let head = format!("<?xml version=\"1.0\"?><computer_group><id>{id}</id>");
                let members = "<computers><computer><id>7</id><name>Mac</name></computer></computers></computer_group>";
                let body = body.split_once("<computer_group>").unwrap().1;
                reply(200, format!("{head}{}", body.replace("</computer_group>", members)))
            }
            ("GET", None) => reply(404, "<html>The server has not found anything matching the request URI</html>"),
            ("PUT", Some(_)) => {
                self.groups.insert(id, body.to_owned());
                answer(201, id)
            }
            ("DELETE", Some(_)) => {
                self.groups.remove(&id);
                answer(200, id)
            }
            ("POST", None) if id == 0 && !self.groups.values().any(|it| is_same(group_name(it), group_name(body))) => {
                self.last += 1;
                self.groups.insert(self.last, body.to_owned());
                answer(201, self.last)
            }
            _ => reply(409, "<html>Conflict</html>"),
        }
    }
}

/// Compares names as a database that ignores case does.
fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn group_name(body: &str) -> &str {
    body.split_once("<name>").unwrap().1.split_once("</name>").unwrap().0
}

pub fn decoded(text: &str) -> String {
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

pub fn encoded(text: &str) -> String {
    let one = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02x}") };
    text.bytes().map(one).collect()
}

pub fn find_attribute(name: &str) -> String {
    format!("GET {ATTRIBUTES}?filter={}", encoded(&format!("name==\"{name}\"")))
}

pub fn group_of(name: &str) -> String {
    format!("{GROUPS}/name/{}", encoded(name))
}

/// A folder with copies of the scripts and of some files. It also contains a stand-in for curl that records its
/// arguments, one for sleep that does not sleep, and a home with a curl configuration that must not be read.
pub struct Place {
    folder: TempDir,
    script: &'static str,
}

impl Place {
    /// A folder with this script to run, and with these files of the kit.
    pub fn of(script: &'static str, files: &[&str]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), script };
        for folder in ["a kit/extension-attributes", "a kit/smart-groups", "temporary", "home", "programs"] {
            fs::create_dir_all(place.path(folder)).unwrap();
        }
        place.write("home/.curlrc", "user-agent = \"configured\"\n");
        place.write("a kit/api.sh", &fs::read_to_string("jamf/api.sh").unwrap());
        place.change("a kit/api.sh", "call_limit='60'\n", "call_limit='5'\n");
        place.change("a kit/api.sh", "answer_limit='33554432'\n", &format!("answer_limit='{ANSWER_LIMIT}'\n"));
        for file in files.iter().chain([&script]) {
            fs::copy(Path::new("jamf").join(file), place.path("a kit").join(file)).unwrap();
        }
        let (arguments, pauses, curl) = (place.path("arguments"), place.path("pauses"), found("curl"));
        place.program(
            "curl",
            &format!(
                "{{ printf '%s\\n' \"$@\"; env; }} >>'{}'\nexec '{}' \"$@\"\n",
                arguments.display(),
                curl.display()
            ),
        );
        place.program("sleep", &format!("printf '%s\\n' \"$*\" >>'{}'\n", pauses.display()));
        place
    }

    fn program(&self, name: &str, lines: &str) {
        self.write("draft", &format!("#!/bin/sh\n{lines}"));
        fs::set_permissions(self.path("draft"), fs::Permissions::from_mode(0o755)).unwrap();
        // Another process copies it: a program cannot be started while it is open for writing, even in a child that
        // another test has just forked.
        let copied = Command::new("cp").arg(self.path("draft")).arg(self.path("programs").join(name)).status();
        assert!(copied.unwrap().success());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn change(&self, name: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(old), "{text}");
        self.write(name, &text.replace(old, new));
    }

    pub fn command(&self, shell: Shell, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(shells::path(shell));
        command.args(shell.1).arg(self.path("a kit").join(self.script)).args(arguments);
        let path = std::env::var("PATH").unwrap();
        command.env_clear().env("PATH", format!("{}:{path}", self.path("programs").display()));
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("temporary"));
        command.env("JAMF_URL", url).env("JAMF_CLIENT_ID", CLIENT).env("JAMF_CLIENT_SECRET", SECRET);
        // Nothing listens there, because the scripts must not use these.
        for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env(name, "http://127.0.0.1:1");
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    pub fn run(&self, shell: Shell, server: &Server, arguments: &[&str]) -> Output {
        self.output(&mut self.command(shell, &server.address, arguments))
    }

    /// Runs the script with the Platform API.
    pub fn run_on_platform(&self, shell: Shell, server: &Server, arguments: &[&str]) -> Output {
        self.output(self.command(shell, &server.address, arguments).env("JAMF_ENVIRONMENT_ID", ENVIRONMENT))
    }

    /// The length of each pause, in seconds.
    pub fn pauses(&self) -> String {
        fs::read_to_string(self.path("pauses")).unwrap_or_default()
    }

    /// Runs a command. Checks that it shows no secret and leaves no file behind.
    pub fn output(&self, command: &mut Command) -> Output {
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

/// The same command in which no process can use the processor for longer than some seconds, or ends by SIGPIPE. A
/// program that ignores that signal passes this on.
pub fn under_harsh_conditions(seconds: u32, command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", &format!("ulimit -t {seconds}; trap '' PIPE; exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir("/").stdin(Stdio::null());
    limited
}

fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|it| it.exists()).unwrap_or_default()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
pub fn assert_output(output: &Output, stdout: &str, stderr: &str, status: i32) {
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), (stdout, stderr));
    assert_eq!(output.status.code(), Some(status));
}
