//! Gathering the evidence on a Mac that answers as told: what the files alone do not show.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fixture_generator::{Certificate, Keychain};
use tempfile::TempDir;
use wpj_state::{
    cause::Obstacle,
    cli::{AskMacos, Output, Request, Subject},
    evidence::Evidence,
    inspect::inspect,
    progress::Progress,
    report,
    second_opinion::Records,
    state::{Code, assess},
    system::System,
    timestamp::Timestamp,
    user::{Account, Accounts, ConsoleRecord},
};

const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// A Mac with one home and nobody at the console.
struct Mac {
    folder: TempDir,
    /// Where private folders are made.
    private: TempDir,
    /// What macOS' own reader finds.
    opinion: Result<Records, String>,
    /// What macOS' own reader was given.
    asked_about: RefCell<Vec<Vec<u8>>>,
    /// What happens to the keychain while the tool waits.
    meanwhile: Option<Vec<u8>>,
    pauses: RefCell<Vec<Duration>>,
}

impl Mac {
    fn new(keychain: &[u8]) -> Self {
        let mac = Self {
            folder: tempfile::tempdir().unwrap(),
            private: tempfile::tempdir().unwrap(),
            opinion: Err("nobody asked".to_owned()),
            asked_about: RefCell::default(),
            meanwhile: None,
            pauses: RefCell::default(),
        };
        mac.write(KEYCHAIN, keychain);
        mac.write(PLIST, &fs::read(Path::new("fixtures/registered/home").join(PLIST)).unwrap());
        mac
    }

    fn write(&self, file: &str, content: &[u8]) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn progress(&self) -> Progress {
        Progress::silent(&self.private.path().join("private"))
    }

    fn gather(&self, second_opinion: AskMacos, output: Output) -> Evidence {
        let request = Request {
            subject: Subject::Home(self.folder.path().to_owned()),
            keychain: None,
            plist: None,
            second_opinion,
            deadline: Duration::MAX,
            output,
            worker: None,
        };
        inspect(&request, self, &self.progress())
    }

    /// The state and the codes of the findings; the state alone has to be the same.
    fn assess(&self, second_opinion: AskMacos) -> (Result<&'static str, String>, Vec<Code>) {
        let [plain, detailed] = [Output::Result, Output::Json].map(|output| {
            let evidence = self.gather(second_opinion, output);
            let assessment = assess(&evidence, Timestamp::now());
            let state = assessment.state.as_ref().map(|state| state.as_str()).map_err(report::reason);
            (state, assessment.findings.iter().map(|finding| finding.code).collect::<Vec<_>>())
        });
        assert_eq!(plain.0, detailed.0);
        detailed
    }
}

impl Accounts for Mac {
    fn console(&self) -> Result<Option<ConsoleRecord>, Obstacle> {
        Ok(None)
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        Ok(None)
    }

    fn by_uid(&self, _: u32) -> Result<Option<Account>, Obstacle> {
        Ok(None)
    }

    fn by_name(&self, _: &str) -> Result<Option<Account>, Obstacle> {
        Ok(None)
    }

    fn home_owners(&self) -> Result<Vec<u32>, Obstacle> {
        Ok(Vec::new())
    }

    fn has_home(&self, _: &Account) -> Result<bool, Obstacle> {
        Ok(false)
    }

    fn keychain_changed(&self, _: &Account) -> Result<Option<SystemTime>, Obstacle> {
        Ok(None)
    }
}

impl System for Mac {
    fn pause(&self, time: Duration) {
        self.pauses.borrow_mut().push(time);
        if let Some(content) = &self.meanwhile {
            fs::write(self.path(KEYCHAIN), content).unwrap();
        }
    }

    fn has_keychain_reader(&self) -> bool {
        true
    }

    fn read_keychain(&self, copy: &Path) -> Result<Records, String> {
        assert!(!copy.starts_with(self.folder.path()), "the live keychain was opened");
        self.asked_about.borrow_mut().push(fs::read(copy).unwrap());
        self.opinion.clone()
    }
}

fn registered() -> Vec<u8> {
    let [joined, own] = both();
    let keychain = Keychain::new().certificate(&joined).workplace_join_key(&joined).certificate(&own);
    keychain.private_key(["Contoso", "\0"], &[own.public_key_hash()]).to_bytes()
}

fn damaged() -> Vec<u8> {
    let mut bytes = registered();
    bytes.pop();
    bytes
}

fn records(certificates: &[Certificate], keys: &[Certificate]) -> Records {
    Records {
        certificates: certificates.iter().map(Certificate::der).collect(),
        key_labels: keys.iter().map(Certificate::public_key_hash).collect::<BTreeSet<_>>(),
    }
}

fn both() -> [Certificate; 2] {
    [Certificate::workplace_join(), Certificate::contoso()]
}

#[test]
fn a_keychain_that_is_being_created_is_read_once_it_is_there() {
    let mac = Mac { meanwhile: Some(registered()), ..Mac::new(b"") };
    let evidence = mac.gather(AskMacos::IfDamaged, Output::Result);
    assert_eq!(report::result_line(&assess(&evidence, Timestamp::now())), "<result>Registered</result>");
    assert_eq!(*mac.pauses.borrow(), [Duration::from_millis(200)]);
}

#[test]
fn a_keychain_that_stays_empty_is_waited_for_once_and_macos_is_not_asked() {
    let mac = Mac::new(b"");
    let (state, findings) = mac.assess(AskMacos::IfDamaged);
    let path = mac.path(KEYCHAIN);
    let reason =
        format!("{}: the file is empty (at offset 0); run it again when the user has logged in", path.display());
    assert_eq!((state, findings), (Err(reason), vec![]));
    assert_eq!(mac.pauses.borrow().len(), 2);
    assert!(mac.asked_about.borrow().is_empty());
}

#[test]
fn a_readable_keychain_needs_no_second_opinion() {
    let mac = Mac::new(&registered());
    assert_eq!(mac.assess(AskMacos::IfDamaged), (Ok("Registered"), vec![]));
    assert!(mac.asked_about.borrow().is_empty());
}

#[test]
fn a_damaged_keychain_is_judged_by_what_macos_finds() {
    let with_key = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&damaged()) };
    assert_eq!(with_key.assess(AskMacos::IfDamaged), (Ok("Registered"), vec![Code::SecondOpinionUsed]));
    assert_eq!(*with_key.asked_about.borrow(), [damaged(), damaged()]);
    assert_eq!(fs::read_dir(with_key.private.path()).unwrap().count(), 0);
}

#[test]
fn where_macos_does_not_help_a_damaged_keychain_stays_without_an_answer() {
    let without_key = records(&both(), &[Certificate::contoso()]);
    for opinion in [Err("it fails".to_owned()), Ok(Records::default()), Ok(without_key)] {
        let mac = Mac { opinion, ..Mac::new(&damaged()) };
        let (state, findings) = mac.assess(AskMacos::IfDamaged);
        let reason = format!(
            "{}: the file is cut short (at offset 20); restore it from a backup, or reset the login keychain and register \
             again",
            mac.path(KEYCHAIN).display()
        );
        assert_eq!((state, findings), (Err(reason), vec![Code::SecondOpinionMissing]));
    }
}

#[test]
fn macos_is_not_asked_if_that_is_forbidden() {
    let mac = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&damaged()) };
    let (state, findings) = mac.assess(AskMacos::Never);
    assert!(state.is_err());
    assert_eq!(findings, vec![]);
    assert!(mac.asked_about.borrow().is_empty());
}

#[test]
fn a_second_opinion_that_was_asked_for_is_compared_and_changes_nothing() {
    let agrees = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&registered()) };
    assert_eq!(agrees.assess(AskMacos::Always), (Ok("Registered"), vec![Code::SecondOpinionAgrees]));
    assert_eq!(*agrees.asked_about.borrow(), [registered(), registered()]);
    let differs = Mac { opinion: Ok(records(&[], &both())), ..Mac::new(&registered()) };
    assert_eq!(differs.assess(AskMacos::Always), (Ok("Registered"), vec![Code::SecondOpinionDiffers]));
    let missing = Mac { opinion: Err("it fails".to_owned()), ..Mac::new(&registered()) };
    assert_eq!(missing.assess(AskMacos::Always), (Ok("Registered"), vec![Code::SecondOpinionMissing]));
    let used = Mac { opinion: Ok(records(&both(), &both())), ..Mac::new(&damaged()) };
    assert_eq!(used.assess(AskMacos::Always), (Ok("Registered"), vec![Code::SecondOpinionUsed]));
}

#[test]
fn a_second_opinion_on_a_keychain_that_is_not_there_is_missing() {
    let mac = Mac::new(&registered());
    fs::remove_file(mac.path(KEYCHAIN)).unwrap();
    assert_eq!(mac.assess(AskMacos::Always), (Ok("Not Registered"), vec![Code::SecondOpinionMissing]));
    fs::create_dir(mac.path(KEYCHAIN)).unwrap();
    let (state, findings) = mac.assess(AskMacos::Always);
    assert!(state.is_err());
    assert_eq!(findings, vec![Code::SecondOpinionMissing]);
    assert!(mac.asked_about.borrow().is_empty());
}

#[test]
fn on_a_mac_that_nobody_has_used_nobody_is_registered() {
    let mac = Mac::new(&registered());
    let request = Request {
        subject: Subject::Console,
        keychain: None,
        plist: None,
        second_opinion: AskMacos::IfDamaged,
        deadline: Duration::MAX,
        output: Output::Json,
        worker: None,
    };
    let evidence = inspect(&request, &mac, &mac.progress());
    let json: serde_json::Value =
        serde_json::from_str(&report::json(&assess(&evidence, Timestamp::now())).unwrap()).unwrap();
    let expected = serde_json::json!({
        "schema": 1,
        "state": "Not Registered",
        "undetermined": null,
        "user": { "name": null, "uid": null, "home": null, "source": "none" },
        "workplace_join": null,
        "keychain": {
            "path": null,
            "status": "absent",
            "certificates": null,
            "private_keys": null,
            "identities": null,
            "workplace_join_certificates": null,
        },
        "jamf_aad": { "path": null, "status": "absent", "have_an_azure_id": null, "last_token": null },
        "findings": [{
            "code": "not-at-the-console",
            "severity": "info",
            "message": "Nobody is at the console, and there is no user whose login keychain could be looked at.",
            "remedy": "None needed; ask about somebody else with --user.",
        }],
    });
    assert_eq!(json, expected);
}

#[test]
fn the_latest_renamed_keychains_are_looked_at_and_not_more_than_sixteen() {
    let mac = Mac::new(&Keychain::new().to_bytes());
    let renamed = |number: u32| format!("Library/Keychains/login_renamed_{number}.keychain-db");
    for number in 1..=17 {
        mac.write(&renamed(number), &Keychain::new().to_bytes());
    }
    mac.write(&renamed(1), &registered());
    assert_eq!(mac.assess(AskMacos::Never), (Ok("Not Registered"), vec![]));
    mac.write(&renamed(2), &registered());
    assert_eq!(mac.assess(AskMacos::Never), (Ok("Not Registered"), vec![Code::LoginKeychainReset]));
}
