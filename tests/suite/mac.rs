//! A made-up Mac whose answers the tests set.

use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use fixture_generator::{Certificate, Keychain};
use serde::{Serialize, de::DeserializeOwned};
use tempfile::TempDir;
use wpj_state::{
    assess::{assess, finding::Code},
    cli::{Output, Request, Subject, UseMacosReader, UserChoice, attribute::Attribute},
    collect::{self, Account, Failure, Job, Printed, Rights, SecondReading, Trail},
    evidence::{Cause, Evidence, Obstacle},
    parse::{
        console::ConsoleRecord,
        login_keychain::OtherReading,
        records::{Records, compare},
        tenants::Tenants,
        timestamp::Timestamp,
    },
    report::{self, Report, style::Style},
};

pub const KEYCHAIN: &str = "Library/Keychains/login.keychain-db";
pub const PLIST: &str = "Library/Preferences/com.jamf.management.jamfAAD.plist";

/// A Mac with one home and, by default, nobody at the console.
pub struct Mac {
    pub folder: TempDir,
    /// The folder with the system's own files.
    pub system: TempDir,
    /// What macOS's own reader finds.
    pub opinion: Result<OtherReading, String>,
    /// The keychains that macOS's own reader got.
    pub keychains_read: RefCell<Vec<Vec<u8>>>,
    /// The console record, as a property list.
    pub console: Option<String>,
    /// The output of each installed program. A second entry for a program is the output of its second run.
    pub programs: Vec<(&'static str, Result<Vec<u8>, Failure>)>,
    /// The output of each program on standard error.
    pub stderr: &'static str,
    /// The major version of macOS.
    pub version: Option<u32>,
    /// The commands that were run, and the pauses between them.
    pub commands: RefCell<Vec<String>>,
    /// Whether commands can be run as a user.
    pub may_run: bool,
    /// Other users with a home: UID and name.
    pub others: Vec<(u32, &'static str)>,
    /// How many times a reader process answers before the disk hangs.
    pub reads: Cell<usize>,
}

pub const ADELE: u32 = 501;
/// The UID of a user whose account lookup fails.
pub const NO_RECORD: u32 = 666;
pub const APP_SSO: &str = "/usr/bin/app-sso";
pub const JAMF: &str = "/Library/Application Support/JAMF/Jamf.app/Contents/MacOS/Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access";

/// The file with the version of macOS.
pub const VERSION: &str = "System/Library/CoreServices/SystemVersion.plist";

impl Mac {
    pub fn new(keychain: &[u8]) -> Self {
        let mac = Self {
            folder: tempfile::tempdir().unwrap(),
            system: tempfile::tempdir().unwrap(),
            opinion: Err("macOS's reader timed out".to_owned()),
            keychains_read: RefCell::default(),
            console: None,
            programs: Vec::new(),
            stderr: "",
            version: None,
            commands: RefCell::default(),
            may_run: true,
            others: Vec::new(),
            reads: Cell::new(usize::MAX),
        };
        mac.set_up(VERSION, "<key>ProductVersion</key><string>26.1</string>");
        mac.write(KEYCHAIN, keychain);
        mac.write(PLIST, &fs::read(Path::new("fixtures/registered/home").join(PLIST)).unwrap());
        mac
    }

    pub fn write(&self, file: &str, content: &[u8]) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes one of the system's property lists, a dictionary.
    pub fn set_up(&self, file: &str, entries: &str) {
        let content = format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>");
        self.set_up_file(file, content.as_bytes());
    }

    /// Writes one of the system's files.
    pub fn set_up_file(&self, file: &str, content: &[u8]) {
        let path = self.system.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn request(&self, second_opinion: UseMacosReader, output: Output) -> Request {
        Request {
            subject: Subject::One(UserChoice::Home(self.folder.path().to_owned())),
            keychain: None,
            plist: None,
            app_sso_state: None,
            psso_status: None,
            system_root: None,
            tenants: Tenants::default(),
            remember_key_days: None,
            second_opinion,
            deadline: Duration::from_secs(10),
            output,
        }
    }

    pub fn gather(&self, second_opinion: UseMacosReader, output: Output) -> Evidence {
        self.evidence(&self.request(second_opinion, output))
    }

    /// The evidence about the only user.
    pub fn evidence(&self, request: &Request) -> Evidence {
        let mut evidence = collect::gather(request, self);
        assert_eq!(evidence.len(), 1, "{request:?}");
        evidence.remove(0)
    }

    /// The report on this request.
    pub fn report(&self, request: &Request) -> Report {
        let evidence = collect::gather(request, self);
        let assessments: Vec<_> = evidence.iter().map(|evidence| assess(evidence, Timestamp::now())).collect();
        report::report(request, &assessments, Style { colour: false, unicode: true })
    }

    /// The report about the console user.
    pub fn report_at_console(&self, output: Output) -> Report {
        self.report(&Request {
            subject: Subject::One(UserChoice::Console),
            ..self.request(UseMacosReader::IfDamaged, output)
        })
    }

    /// The state and the codes of the findings; the output for the state alone must give the same state.
    pub fn assess(&self, second_opinion: UseMacosReader) -> (Result<&'static str, String>, Vec<Code>) {
        let [plain, detailed] = [Output::Result(Attribute::State), Output::Json].map(|output| {
            let evidence = self.gather(second_opinion, output);
            let assessment = assess(&evidence, Timestamp::now());
            let state = assessment.state.as_ref().map(|state| state.as_str()).map_err(report::reason);
            (state, assessment.findings.iter().map(|finding| finding.code).collect::<Vec<_>>())
        });
        assert_eq!(plain.0, detailed.0);
        detailed
    }
}

impl collect::Mac for Mac {
    fn is_mac(&self) -> bool {
        true
    }

    /// Never root, because switching to a user needs a separate process.
    fn is_root(&self) -> bool {
        false
    }

    fn root(&self) -> &Path {
        self.system.path()
    }

    fn console(&self) -> Result<Option<ConsoleRecord>, Cause> {
        let record = self.console.as_ref().map(|record| ConsoleRecord::parse(record.as_bytes())).transpose();
        record.map_err(|words| Cause::AccountsUnavailable(words.to_owned()))
    }

    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Cause> {
        let account = |name: &str, home: PathBuf| Some(Account { name: name.to_owned(), uid, gid: 20, home });
        if uid == NO_RECORD {
            return Err(Cause::AccountsUnavailable("no answer".to_owned()));
        }
        if uid == ADELE {
            return Ok(account("adele", self.folder.path().to_owned()));
        }
        let other = self.others.iter().find(|(it, _)| *it == uid);
        Ok(other.and_then(|(_, name)| account(name, self.folder.path().join(name))))
    }

    fn by_name(&self, name: &str) -> Result<Option<Account>, Cause> {
        if name == "adele" { self.by_uid(ADELE) } else { Ok(None) }
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        Ok(self.console.as_ref().map(|_| "adele".to_owned()))
    }

    fn home_owners(&self) -> Result<Vec<u32>, Obstacle> {
        let first = [ADELE].into_iter().filter(|_| !self.others.is_empty());
        Ok(first.chain(self.others.iter().map(|(uid, _)| *uid)).collect())
    }

    /// Runs the jobs in this process, but passes their results through JSON, like a reader process does.
    fn read<T: Serialize + DeserializeOwned>(&self, jobs: Vec<Job<'_, T>>) -> Vec<Result<T, Obstacle>> {
        let left = self.reads.get();
        if left == 0 {
            return jobs.iter().map(|_| Err(Cause::DeadlinePassed(10).into())).collect();
        }
        self.reads.set(left - 1);
        let sent = |job: Job<'_, T>| serde_json::to_vec(&(job.read)(&Trail::SILENT)).unwrap();
        jobs.into_iter().map(|job| serde_json::from_slice(&sent(job)).unwrap()).collect()
    }

    fn is_installed(&self, program: &Path) -> Result<bool, Cause> {
        Ok(self.programs.iter().any(|(name, _)| Path::new(name) == program))
    }

    fn command_as(&self, uid: u32) -> Option<Vec<String>> {
        self.may_run.then(|| vec![format!("as {uid}")])
    }

    fn macos_version(&self) -> Option<u32> {
        self.version
    }

    fn run(&self, commands: Vec<Vec<String>>) -> Vec<Result<Printed, Failure>> {
        let answer = |command: Vec<String>| {
            // The words before the command run it as another user.
            let program = command.iter().find(|word| word.starts_with('/')).unwrap().clone();
            let command = (command.join("|"), program);
            let earlier = self.commands.borrow().iter().filter(|it| **it == command.0).count();
            self.commands.borrow_mut().push(command.0);
            let answers = || self.programs.iter().filter(|(name, _)| *name == command.1).map(|(_, answer)| answer);
            let answer = answers().nth(earlier).or_else(|| answers().next_back()).unwrap();
            answer.clone().map(|stdout| Printed { stdout, stderr: self.stderr.as_bytes().to_vec() })
        };
        commands.into_iter().map(answer).collect()
    }

    fn wait_before_retry(&self) {
        self.commands.borrow_mut().push("wait".to_owned());
    }

    fn second_reading(&self, keychain: &Path, rights: Rights, _: usize) -> Result<SecondReading, String> {
        assert_eq!(rights, Rights::Caller);
        let content = fs::read(keychain).unwrap();
        let ours = Records::read(content.as_slice()).ok();
        self.keychains_read.borrow_mut().push(content);
        let theirs = self.opinion.clone()?;
        Ok(SecondReading { judged: theirs.judged, comparison: ours.map(|ours| compare(&ours, &theirs.records)) })
    }
}

pub fn registered() -> Vec<u8> {
    let [joined, own] = both();
    let keychain = Keychain::new().certificate(&joined).workplace_join_key(&joined).certificate(&own);
    keychain.private_key(["Contoso", "\0"], &[own.public_key_hash()]).to_bytes()
}

pub fn damaged() -> Vec<u8> {
    let mut bytes = registered();
    bytes.pop();
    bytes
}

pub fn both() -> [Certificate; 2] {
    [Certificate::workplace_join(), Certificate::contoso()]
}

pub fn records(certificates: &[Certificate], keys: &[Certificate]) -> OtherReading {
    let labels = keys.iter().map(|key| Some(key.public_key_hash()));
    OtherReading::new(labels, certificates.iter().map(Certificate::der))
}

/// A Mac whose user is at the console and has no key in the login keychain.
pub fn with_session() -> Mac {
    let own = Certificate::contoso();
    let keychain = Keychain::new().certificate(&own).private_key(["Contoso", "\0"], &[own.public_key_hash()]);
    Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&keychain.to_bytes()) }
}

/// A console record in which one user has a session.
pub fn console(name: &str, uid: u32, session: u32) -> String {
    format!(
        "<plist version=\"1.0\"><dict><key>Name</key><string>{name}</string><key>UID</key><integer>{uid}</integer>\
         <key>SessionInfo</key><array><dict><key>kCGSSessionUserIDKey</key><integer>{session}</integer></dict></array>\
         </dict></plist>"
    )
}
