//! Tests that need a Mac: keychains that macOS creates during the test are compared with the view of macOS's own tools.
//!
//! All keychains are deleted afterwards, and the login keychain of the current user is not touched. On other systems
//! these tests are ignored.

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

/// The issuer name of Microsoft's device registration, in one RDN.
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

/// A keychain that macOS created, deleted when dropped.
struct TestKeychain {
    folder: TempDir,
}

impl TestKeychain {
    fn empty() -> Self {
        let keychain = Self { folder: tempfile::tempdir().unwrap() };
        security(&["create-keychain", "-p", PASSWORD, &keychain.path()]);
        keychain
    }

    /// A keychain with an identity, issued by an authority with the name of Microsoft's, and with the authority's own
    /// certificate, but without its key.
    fn with_identity(make_key: &[&str]) -> Self {
        let keychain = Self::empty();
        let file = |name: &str| keychain.file(name);
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
        security(&["import", &identity, "-k", &keychain.path(), "-f", "pkcs12", "-P", PASSWORD]);
        security(&["import", &authority, "-k", &keychain.path(), "-t", "cert"]);
        keychain
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn path(&self) -> String {
        self.file("keychain.keychain-db")
    }

    fn lock(&self) {
        security(&["lock-keychain", &self.path()]);
    }

    /// The tool's JSON about this keychain, with a second opinion of macOS's own reader.
    fn check(&self) -> Value {
        let output = Command::new(cargo_bin("wpj-state"))
            .arg("--home")
            .arg(self.folder.path())
            .args(["--keychain", &self.path(), "--plist", PLIST, "--second-opinion", "--json"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for TestKeychain {
    fn drop(&mut self) {
        let _ = Command::new("/usr/bin/security").args(["delete-keychain", &self.path()]).output();
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

/// The number of private keys in a dump, which shows the relation of each record as a number or as four characters.
fn private_keys(dump: &str) -> usize {
    let relation = format!("class: {:#010x}", RelationId::PRIVATE_KEY.0);
    dump.lines().filter(|line| line.trim_start().to_ascii_lowercase().starts_with(&relation)).count()
}

fn all_readers_agree(keychain: &TestKeychain) {
    let path = keychain.path();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(read_copy(keychain), json!({ "certificates": 2, "private_keys": 1 }));
    let mut hashes = BTreeSet::new();
    let parsed = Keychain::open(bytes.as_slice()).unwrap();
    parsed.certificates(|it| _ = hashes.insert(sha1_smol::Sha1::from(it.der()).digest().to_string())).unwrap();
    assert_eq!(fingerprints(&security(&["find-certificate", "-a", "-Z", &path])), hashes);
    let identities = fingerprints(&security(&["find-identity", &path]));
    let json = keychain.check();
    assert_eq!(identities.len(), 1);
    assert_eq!(json["keychain"]["identities"], 1);
    assert_eq!(json["workplace_join"]["certificate"]["sha1"].as_str(), identities.first().map(String::as_str));
    assert_eq!(json["workplace_join"]["device_id"], DEVICE);
    assert_eq!(private_keys(&security(&["dump-keychain", &path])), 1);
    assert_eq!(json["state"], "Registered");
    // The authority issued its own certificate, which counts as one without a private key.
    assert_eq!(codes(&json), ["certificate-without-private-key", "second-opinion-agrees"]);
}

/// What macOS's own reader and this tool's reader find in a copy of the keychain, from the tool's hidden verb.
fn read_copy(keychain: &TestKeychain) -> Value {
    // The verb reads only copies in a private folder of this user.
    let prefix = format!("wpj-state.{}.", process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in("/private/tmp").unwrap();
    let copy = folder.path().join("copy.keychain-db");
    fs::copy(keychain.path(), &copy).unwrap();
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
    all_readers_agree(&TestKeychain::with_identity(&["genrsa"]));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn all_readers_agree_on_an_elliptic_curve_identity() {
    all_readers_agree(&TestKeychain::with_identity(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"]));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_keychain_that_never_had_a_certificate_is_read() {
    let keychain = TestKeychain::empty();
    let bytes = fs::read(keychain.path()).unwrap();
    let mut records = 0;
    let parsed = Keychain::open(bytes.as_slice()).unwrap();
    parsed.certificates(|_| records += 1).unwrap();
    parsed.private_keys(|_| records += 1).unwrap();
    assert_eq!(records, 0);
    let json = keychain.check();
    assert_eq!(json["state"], "Not Registered");
    assert_eq!(codes(&json), ["second-opinion-agrees"]);
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_locked_keychain_gives_the_same_answer_and_is_neither_changed_nor_unlocked() {
    let keychain = TestKeychain::with_identity(&["genrsa"]);
    let unlocked = keychain.check();
    keychain.lock();
    let bytes = fs::read(keychain.path()).unwrap();
    let changed = fs::metadata(keychain.path()).unwrap().modified().unwrap();
    assert_eq!(keychain.check(), unlocked);
    assert_eq!(fs::read(keychain.path()).unwrap(), bytes);
    assert_eq!(fs::metadata(keychain.path()).unwrap().modified().unwrap(), changed);
    // A prompt would block the tool.
    assert_eq!(read_copy(&keychain), json!({ "certificates": 2, "private_keys": 1 }));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn a_damaged_keychain_leaves_nothing_behind() {
    let keychain = TestKeychain::with_identity(&["genrsa"]);
    let mut bytes = fs::read(keychain.path()).unwrap();
    let length = bytes.len();
    bytes.truncate(length - 400);
    let damaged = keychain.folder.path().join("damaged.keychain-db");
    fs::write(&damaged, &bytes).unwrap();
    let tool = Command::new(cargo_bin("wpj-state"))
        .arg("--home")
        .arg(keychain.folder.path())
        .arg("--keychain")
        .arg(&damaged)
        .args(["--plist", PLIST])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let folders_of_this_run = format!("wpj-state.{}.", tool.id());
    let output = tool.wait_with_output().unwrap();
    // macOS may or may not be able to read the rest, but the result must not be that there is no key.
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
    // On busy machines it sometimes fails because a resource is busy.
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
fn without_options_there_is_one_result_line_for_any_console_user() {
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
fn the_current_user_is_among_all_users() {
    let output = Command::new(cargo_bin("wpj-state")).args(["--all-users", "--json"]).output().unwrap();
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap();
    let is_local_user_with_home = account.uid.as_raw() >= 500 && account.dir.starts_with("/Users");
    let is_listed = all.iter().any(|one| one["user"]["name"] == account.name.as_str());
    assert!(is_listed || !is_local_user_with_home, "{all:?}");
    assert_eq!(output.status.code(), Some(i32::from(all.iter().any(|one| one["state"].is_null()))));
}

#[test]
#[cfg_attr(not(target_os = "macos"), ignore = "only a Mac can show it")]
fn the_set_up_of_this_mac_is_read() {
    let output = Command::new(cargo_bin("wpj-state")).arg("--json").output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The set-up is read only if there is a user.
    assert!(json["set_up"]["asked"] == true || json["user"]["source"].is_null(), "{json}");
    let report = Command::new(cargo_bin("wpj-state")).arg("--explain").output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    let headline = json["state"].as_str().unwrap_or("Could not be determined: ");
    assert!(report.starts_with(headline), "{headline}: {report}");
}
