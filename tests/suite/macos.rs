//! What only a Mac can show: keychains that macOS itself makes here and now, and its own tools' view of them.
//!
//! Every keychain is thrown away; the login keychain of whoever runs this is not touched. Elsewhere these tests are
//! ignored.

use std::{
    collections::BTreeSet,
    fs,
    process::{self, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};
use tempfile::TempDir;
use wpj_state::parse::keychain::{Keychain, RelationId};

const PASSWORD: &str = "only for this test";
const DEVICE: &str = "0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21";

/// The name of Microsoft's device registration: one RDN.
const ISSUER: &str = "/DC=net+DC=windows+CN=MS-Organization-Access+OU=82dbaca4-3e81-46ca-9c73-0950c1eaca97";

const PLIST: &str = "fixtures/registered/home/Library/Preferences/com.jamf.management.jamfAAD.plist";

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn security(arguments: &[&str]) -> String {
    String::from_utf8(run("/usr/bin/security", arguments).stdout).unwrap()
}

fn openssl(arguments: &[&str]) {
    run("/usr/bin/openssl", arguments);
}

/// A keychain that macOS has made, deleted when dropped.
struct Made {
    folder: TempDir,
}

impl Made {
    fn empty() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        security(&["create-keychain", "-p", PASSWORD, &made.keychain()]);
        made
    }

    /// With an identity that an authority named like Microsoft's issued, and the authority's own certificate, whose key
    /// stays outside.
    fn with_identity(make_key: &[&str]) -> Self {
        let made = Self::empty();
        let file = |name: &str| made.file(name);
        let (key, request, certificate, identity) = (file("key"), file("request"), file("certificate"), file("p12"));
        let (authority_key, authority) = (file("authority-key"), file("authority"));
        openssl(&["genrsa", "-out", &authority_key, "2048"]);
        let authority_options = ["-multivalue-rdn", "-subj", ISSUER, "-days", "3650", "-out", &authority];
        openssl(&[&["req", "-x509", "-new", "-key", &authority_key][..], &authority_options].concat());
        openssl(&[make_key, &["-out", &key]].concat());
        openssl(&["req", "-new", "-key", &key, "-subj", &format!("/CN={DEVICE}"), "-out", &request]);
        let signer = ["-CA", &authority, "-CAkey", &authority_key, "-set_serial", "4660", "-days", "3650"];
        openssl(&[&["x509", "-req", "-in", &request, "-out", &certificate][..], &signer].concat());
        let name = "Microsoft Workplace Join Key";
        let password = format!("pass:{PASSWORD}");
        let content = ["-inkey", &key, "-in", &certificate, "-name", name, "-passout", &password];
        openssl(&[&["pkcs12", "-export", "-out", &identity][..], &content].concat());
        security(&["import", &identity, "-k", &made.keychain(), "-f", "pkcs12", "-P", PASSWORD]);
        security(&["import", &authority, "-k", &made.keychain(), "-t", "cert"]);
        made
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn keychain(&self) -> String {
        self.file("made.keychain-db")
    }

    fn lock(&self) {
        security(&["lock-keychain", &self.keychain()]);
    }

    /// What the tool says, with macOS's own reader as a second opinion.
    fn ask(&self) -> Value {
        let output = Command::new(cargo_bin("wpj-state"))
            .arg("--home")
            .arg(self.folder.path())
            .args(["--keychain", &self.keychain(), "--plist", PLIST, "--second-opinion", "--json"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = Command::new("/usr/bin/security").args(["delete-keychain", &self.keychain()]).output();
    }
}

fn codes(json: &Value) -> Vec<&str> {
    json["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// The SHA-1 fingerprints that `security` prints, in lower case.
fn fingerprints(printed: &str) -> BTreeSet<String> {
    let is_fingerprint = |word: &&str| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    printed.split_whitespace().filter(is_fingerprint).map(str::to_ascii_lowercase).collect()
}

/// How many private keys a dump lists: it names each record's relation, as a number or as four characters.
fn private_keys(dump: &str) -> usize {
    let relation = format!("class: {:#010x}", RelationId::PRIVATE_KEY.0);
    dump.lines().filter(|line| line.trim_start().to_ascii_lowercase().starts_with(&relation)).count()
}

fn all_readers_agree(made: &Made) {
    let path = made.keychain();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(read_copy(made), json!({ "certificates": 2, "private_keys": 1 }));
    let mut hashes = BTreeSet::new();
    let keychain = Keychain::open(bytes.as_slice()).unwrap();
    keychain.certificates(|it| _ = hashes.insert(sha1_smol::Sha1::from(it.der()).digest().to_string())).unwrap();
    assert_eq!(fingerprints(&security(&["find-certificate", "-a", "-Z", &path])), hashes);
    let identities = fingerprints(&security(&["find-identity", &path]));
    let json = made.ask();
    assert_eq!(identities.len(), 1);
    assert_eq!(json["keychain"]["identities"], 1);
    assert_eq!(json["workplace_join"]["certificate"]["sha1"].as_str(), identities.first().map(String::as_str));
    assert_eq!(json["workplace_join"]["device_id"], DEVICE);
    assert_eq!(private_keys(&security(&["dump-keychain", &path])), 1);
    assert_eq!(json["state"], "Registered");
    // The authority is its own issuer, so that its certificate counts as one without a private key.
    assert_eq!(codes(&json), ["certificate-without-private-key", "second-opinion-agrees"]);
}

/// What macOS's own reader and this tool's both find in a copy of the keychain, by the tool's hidden verb.
fn read_copy(made: &Made) -> Value {
    // It reads nothing but copies that this user has in a private folder.
    let prefix = format!("wpj-state.{}.", process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in("/private/tmp").unwrap();
    let copy = folder.path().join("copy.keychain-db");
    fs::copy(made.keychain(), &copy).unwrap();
    let output = Command::new(cargo_bin("wpj-state")).arg("--read-copy").arg(copy).output().unwrap();
    let reading: Value = serde_json::from_slice(&output.stdout).unwrap();
    let comparison = &reading["Ok"]["comparison"];
    let nothing = json!({ "certificates": 0, "private_keys": 0 });
    assert_eq!([&comparison["only_ours"], &comparison["only_theirs"]], [&nothing; 2], "{reading}");
    comparison["ours"].clone()
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn all_readers_agree_on_an_rsa_identity() {
    all_readers_agree(&Made::with_identity(&["genrsa"]));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn all_readers_agree_on_an_elliptic_curve_identity() {
    all_readers_agree(&Made::with_identity(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"]));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_keychain_that_has_never_held_a_certificate_holds_none() {
    let made = Made::empty();
    let bytes = fs::read(made.keychain()).unwrap();
    let mut records = 0;
    let keychain = Keychain::open(bytes.as_slice()).unwrap();
    keychain.certificates(|_| records += 1).unwrap();
    keychain.private_keys(|_| records += 1).unwrap();
    assert_eq!(records, 0);
    let json = made.ask();
    assert_eq!(json["state"], "Not Registered");
    assert_eq!(codes(&json), ["second-opinion-agrees"]);
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_locked_keychain_answers_the_same_and_is_neither_changed_nor_unlocked() {
    let made = Made::with_identity(&["genrsa"]);
    let unlocked = made.ask();
    made.lock();
    let bytes = fs::read(made.keychain()).unwrap();
    let changed = fs::metadata(made.keychain()).unwrap().modified().unwrap();
    assert_eq!(made.ask(), unlocked);
    assert_eq!(fs::read(made.keychain()).unwrap(), bytes);
    assert_eq!(fs::metadata(made.keychain()).unwrap().modified().unwrap(), changed);
    // A prompt would wait for somebody to answer it.
    assert_eq!(read_copy(&made), json!({ "certificates": 2, "private_keys": 1 }));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_damaged_keychain_leaves_nothing_behind() {
    let made = Made::with_identity(&["genrsa"]);
    let mut bytes = fs::read(made.keychain()).unwrap();
    let length = bytes.len();
    bytes.truncate(length - 400);
    let damaged = made.folder.path().join("damaged.keychain-db");
    fs::write(&damaged, &bytes).unwrap();
    let tool = Command::new(cargo_bin("wpj-state"))
        .arg("--home")
        .arg(made.folder.path())
        .arg("--keychain")
        .arg(&damaged)
        .args(["--plist", PLIST])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folders_of_this_run = format!("wpj-state.{}.", tool.id());
    let output = tool.wait_with_output().unwrap();
    // macOS may make sense of what is left, or not; what it must not be taken for is an absence.
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(["<result></result>\n", "<result>Registered</result>\n"].contains(&stdout.as_str()), "{stdout}");
    assert_eq!(fs::read(&damaged).unwrap(), bytes);
    let left = fs::read_dir("/private/tmp").unwrap().filter_map(Result::ok);
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&folders_of_this_run)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_home_on_a_disk_image_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    let [image, mount] = ["image.dmg", "mounted"].map(|name| place.join(name).to_str().unwrap().to_owned());
    fs::create_dir(&mount).unwrap();
    let create = || {
        let options = ["create", "-quiet", "-ov", "-size", "8m", "-fs", "HFS+", "-volname", "wpj-state", &image];
        Command::new("/usr/bin/hdiutil").args(options).status().unwrap().success()
    };
    // It says now and then that a resource is busy, on machines that are.
    assert!((0..5).any(|_| create() || {
        sleep(Duration::from_secs(2));
        false
    }));
    run("/usr/bin/hdiutil", &["attach", "-quiet", "-nobrowse", "-mountpoint", &mount, &image]);
    let home = format!("{mount}/home");
    let copied = Command::new("/bin/cp").args(["-R", "fixtures/registered/home", &home]).output().unwrap();
    let output = Command::new(cargo_bin("wpj-state")).args(["--home", &home]).output().unwrap();
    run("/usr/bin/hdiutil", &["detach", "-quiet", "-force", &mount]);
    assert!(copied.status.success(), "{copied:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "<result>Registered</result>\n");
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn without_options_there_is_one_result_line_whoever_is_at_the_console() {
    let output = Command::new(cargo_bin("wpj-state")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let answers = ["Registered", "WPJ Key present, JamfAAD PLIST missing", "WPJ Key present, AAD ID not acquired"];
    let lines: Vec<String> =
        answers.iter().chain(&["Not Registered", ""]).map(|it| format!("<result>{it}</result>\n")).collect();
    assert!(lines.contains(&stdout), "{stdout}");
    assert_eq!(output.status.code(), Some(i32::from(stdout == "<result></result>\n")));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn whoever_runs_this_is_among_all_users() {
    let output = Command::new(cargo_bin("wpj-state")).args(["--all-users", "--json"]).output().unwrap();
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap();
    let is_person_with_home = account.uid.as_raw() >= 500 && account.dir.starts_with("/Users");
    let is_listed = all.iter().any(|one| one["user"]["name"] == account.name.as_str());
    assert!(is_listed || !is_person_with_home, "{all:?}");
    assert_eq!(output.status.code(), Some(i32::from(all.iter().any(|one| one["state"].is_null()))));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn the_set_up_of_this_mac_is_looked_at() {
    let output = Command::new(cargo_bin("wpj-state")).arg("--json").output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Without a user there is nothing to look at the set-up for.
    assert!(json["set_up"]["asked"] == true || json["user"]["source"].is_null(), "{json}");
    let report = Command::new(cargo_bin("wpj-state")).arg("--explain").output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    let state = json["state"].as_str().unwrap_or("Cannot be told");
    assert_eq!(report.lines().next().unwrap(), format!("State: {state}"));
}
