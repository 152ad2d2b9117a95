use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::*;
use crate::collect::{Failure, Job, Printed, Rights, SecondReading};
use crate::parse::console::ConsoleRecord;

const ADELE: u32 = 501;
const BEN: u32 = 502;

/// A Mac whose answers the tests set.
#[derive(Default)]
struct FakeMac {
    console: Option<ConsoleRecord>,
    last_user: Option<&'static str>,
    accounts: Vec<Account>,
    aliases: BTreeMap<&'static str, u32>,
    owners: Vec<u32>,
    /// For each UID that has a home, when its keychain changed, if it has one.
    homes: BTreeMap<u32, Option<u64>>,
    broken: Option<Broken>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Console,
    Accounts,
    LastUser,
    Homes,
    Keychains,
}

fn broken() -> Obstacle {
    Cause::AccountsUnavailable("broken".to_owned()).into()
}

impl FakeMac {
    /// A Mac on which Adele and Ben have accounts, homes and keychains. Ben's keychain changed last.
    fn of_two() -> Self {
        let account = |name: &str, uid| Account { name: name.to_owned(), uid, gid: 20, home: home_of(name) };
        Self {
            accounts: vec![account("adele", ADELE), account("ben", BEN), account("root", 0)],
            owners: vec![0, BEN, ADELE, ADELE],
            homes: BTreeMap::from([(ADELE, Some(10)), (BEN, Some(20))]),
            ..Self::default()
        }
    }

    fn console(self, name: &str, uid: u32) -> Self {
        self.sessions(name, uid, Some(uid))
    }

    fn sessions(mut self, name: &str, uid: u32, session_uid: Option<u32>) -> Self {
        let sessions = session_uid.into_iter().collect();
        let name = name.to_owned();
        self.console = Some(ConsoleRecord { name, uid: Some(uid), session_uid, sessions, ..ConsoleRecord::default() });
        self
    }

    fn last_user(mut self, name: &'static str) -> Self {
        self.last_user = Some(name);
        self
    }

    fn broken(mut self, what: Broken) -> Self {
        self.broken = Some(what);
        self
    }

    fn check(&self, what: Broken) -> Result<(), Obstacle> {
        if self.broken == Some(what) { Err(broken()) } else { Ok(()) }
    }

    fn without(mut self, uid: u32) -> Self {
        self.accounts.retain(|account| account.uid != uid);
        self
    }

    /// Name, source and console of the chosen user, if no option names one.
    fn chosen(&self) -> Result<(Option<String>, Source, Console), Obstacle> {
        let choice = choose(None, self)?;
        assert_eq!(choice.account.as_ref().map(|account| &account.home), choice.user.home.as_ref());
        Ok((choice.user.name, choice.user.source.unwrap(), choice.user.console))
    }
}

fn home_of(name: &str) -> PathBuf {
    PathBuf::from("/Users").join(name)
}

fn chosen(name: &str, source: Source, console: Console) -> Result<(Option<String>, Source, Console), Obstacle> {
    Ok((Some(name.to_owned()), source, console))
}

impl Mac for FakeMac {
    fn console(&self) -> Result<Option<ConsoleRecord>, Cause> {
        self.check(Broken::Console).map_err(|obstacle| obstacle.cause)?;
        Ok(self.console.clone())
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        self.check(Broken::LastUser)?;
        Ok(self.last_user.map(str::to_owned))
    }

    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Cause> {
        self.check(Broken::Accounts).map_err(|obstacle| obstacle.cause)?;
        Ok(self.accounts.iter().find(|account| account.uid == uid).cloned())
    }

    fn by_name(&self, name: &str) -> Result<Option<Account>, Cause> {
        self.check(Broken::Accounts).map_err(|obstacle| obstacle.cause)?;
        let alias = self.aliases.get(name).copied();
        Ok(self.accounts.iter().find(|account| account.name == name || Some(account.uid) == alias).cloned())
    }

    fn home_owners(&self) -> Result<Vec<u32>, Obstacle> {
        self.check(Broken::Homes)?;
        Ok(self.owners.clone())
    }

    fn has_home(&self, account: &Account) -> Result<bool, Obstacle> {
        Ok(self.homes.contains_key(&account.uid))
    }

    fn keychain_changed(&self, account: &Account) -> Result<Option<u64>, Obstacle> {
        self.check(Broken::Keychains)?;
        Ok(self.homes.get(&account.uid).copied().flatten())
    }

    fn is_mac(&self) -> bool {
        true
    }

    fn is_root(&self) -> bool {
        true
    }

    fn root(&self) -> &Path {
        panic!("no file is read to choose a user")
    }

    fn read<T: Serialize + DeserializeOwned>(&self, _: Vec<Job<'_, T>>) -> Vec<Result<T, Obstacle>> {
        panic!("no file is read to choose a user")
    }

    fn is_installed(&self, _: &Path) -> Result<bool, Cause> {
        panic!("no command is run to choose a user")
    }

    fn command_as(&self, _: u32) -> Option<Vec<String>> {
        panic!("no command is run to choose a user")
    }

    fn macos_version(&self) -> Option<u32> {
        panic!("no command is run to choose a user")
    }

    fn run(&self, _: Vec<Vec<String>>) -> Vec<Result<Printed, Failure>> {
        panic!("no command is run to choose a user")
    }

    fn wait_before_retry(&self) {
        panic!("no command is run to choose a user")
    }

    fn second_reading(&self, _: &Path, _: Rights, _: usize) -> Result<SecondReading, String> {
        panic!("no keychain is read to choose a user")
    }
}

#[test]
fn the_console_user_is_found_by_uid() {
    let mac = FakeMac::of_two().console("adele", ADELE);
    assert_eq!(mac.chosen(), chosen("adele", Source::Console, Console::ThisUser));
}

#[test]
fn an_alias_as_console_name_does_not_mislead() {
    let mac = FakeMac::of_two().console("ben@contoso.com", ADELE);
    assert_eq!(mac.chosen(), chosen("adele", Source::Console, Console::ThisUser));
    // Even if it is the name of another account.
    let mac = FakeMac::of_two().console("ben", ADELE);
    assert_eq!(mac.chosen(), chosen("adele", Source::Console, Console::ThisUser));
}

#[test]
fn the_home_is_the_one_in_the_account() {
    for home in ["/Volumes/Data/adele", "/Users/Adele Vance", "/Users/adèle 李", "/"] {
        let mut mac = FakeMac::of_two().console("adele", ADELE);
        mac.accounts[0].home = home.into();
        let choice = choose(None, &mac).unwrap();
        assert_eq!(choice.user.home, Some(home.into()));
        assert_eq!(choice.account.unwrap().home, PathBuf::from(home));
    }
}

#[test]
fn after_fast_user_switching_the_user_in_front_counts() {
    let mac = FakeMac::of_two().sessions("ben", BEN, Some(BEN)).last_user("adele");
    assert_eq!(mac.chosen(), chosen("ben", Source::Console, Console::ThisUser));
}

#[test]
fn if_the_session_on_the_console_has_another_uid_the_outer_uid_counts_and_a_finding_says_so() {
    let mac = FakeMac::of_two().sessions("ben", BEN, Some(ADELE));
    assert_eq!(mac.chosen(), chosen("ben", Source::Console, Console::Contradictory));
    let mac = FakeMac::of_two().sessions("ben", BEN, None);
    assert_eq!(mac.chosen(), chosen("ben", Source::Console, Console::ThisUser));
}

#[test]
fn a_locked_screen_changes_nothing() {
    // macOS only adds a key to the session.
    let record = record(
        "<key>Name</key><string>adele</string><key>UID</key><integer>501</integer><key>GID</key><integer>20</integer>\
         <key>SessionInfo</key><array><dict><key>kCGSSessionUserIDKey</key><integer>501</integer>\
         <key>kCGSSessionOnConsoleKey</key><true/><key>CGSSessionScreenIsLocked</key><true/></dict></array>",
    );
    let mac = FakeMac { console: Some(record), ..FakeMac::of_two() };
    assert_eq!(mac.chosen(), chosen("adele", Source::Console, Console::ThisUser));
}

#[test]
fn if_nobody_is_at_the_console_the_last_user_counts() {
    let nobody = [
        ("", 0),
        ("", ADELE),
        ("loginwindow", 0),
        ("loginwindow", ADELE),
        ("root", 0),
        ("root", ADELE),
        ("_mbsetupuser", 248),
        ("_mbsetupuser", ADELE),
        ("_windowserver", 88),
        ("daemon", 1),
        ("adele", 499),
    ];
    for (name, uid) in nobody {
        let mac = FakeMac::of_two().console(name, uid).last_user("adele");
        assert_eq!(mac.chosen(), chosen("adele", Source::LastConsole, Console::Nobody), "{name} {uid}");
    }
    let absent = FakeMac::of_two().last_user("adele");
    assert_eq!(absent.chosen(), chosen("adele", Source::LastConsole, Console::Nobody));
}

#[test]
fn uids_of_local_users_start_at_500() {
    let mut mac = FakeMac::of_two().console("adele", 500);
    mac.accounts[0].uid = 500;
    assert_eq!(mac.chosen(), chosen("adele", Source::Console, Console::ThisUser));
}

#[test]
fn the_last_user_may_be_an_alias() {
    let mut mac = FakeMac::of_two().last_user("adele@contoso.com");
    mac.aliases.insert("adele@contoso.com", ADELE);
    assert_eq!(mac.chosen(), chosen("adele", Source::LastConsole, Console::Nobody));
}

#[test]
fn a_stale_last_user_is_replaced_by_the_user_whose_keychain_changed_last() {
    let mut without_home = FakeMac::of_two().last_user("adele");
    without_home.homes.remove(&ADELE);
    let stale = [
        FakeMac::of_two(),
        FakeMac::of_two().last_user(""),
        FakeMac::of_two().last_user("root"),
        FakeMac::of_two().last_user("_mbsetupuser"),
        without_home,
    ];
    for mac in stale {
        assert_eq!(mac.chosen(), chosen("ben", Source::MostRecent, Console::Nobody));
    }
}

#[test]
fn a_last_user_without_an_account_is_an_error() {
    // The directory of a bound Mac may be unreachable.
    let mac = FakeMac::of_two().last_user("adele").without(ADELE);
    assert_eq!(mac.chosen(), Err(Cause::NoSuchAccount("adele".to_owned()).into()));
}

#[test]
fn homes_whose_owners_have_no_accounts_are_an_error() {
    let mac = FakeMac::of_two().without(ADELE).without(BEN);
    let none = Cause::AccountsUnavailable("no owner of a folder in /Users has an account".to_owned());
    assert_eq!(mac.chosen(), Err(none.into()));
}

#[test]
fn all_users_include_those_without_an_account() {
    let unknown = |uid: u32| {
        let user = User { uid: Some(uid), source: Some(Source::AllUsers), ..User::default() };
        Err(Box::new((user, Cause::NoSuchAccount(uid.to_string()).into())))
    };
    let mac = FakeMac::of_two().without(ADELE).without(BEN);
    assert_eq!(local_users(&mac), Ok(vec![unknown(ADELE), unknown(BEN)]));
    let found = local_users(&FakeMac::of_two().without(BEN)).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].as_ref().unwrap().user.name.as_deref(), Some("adele"));
    assert_eq!(found[1], unknown(BEN));
}

#[test]
fn a_user_who_is_still_logging_in_has_no_session() {
    let record =
        ConsoleRecord { logging_in: vec![ADELE], ..FakeMac::of_two().console("adele", ADELE).console.unwrap() };
    let record = ConsoleRecord { sessions: Vec::new(), ..record };
    let mac = FakeMac { console: Some(record), ..FakeMac::of_two() };
    assert_eq!(choose(None, &mac).unwrap().user.has_session, Some(false));
}

#[test]
fn only_owners_of_homes_with_a_local_account_and_a_keychain_count() {
    let mac = FakeMac::of_two().without(BEN);
    assert_eq!(mac.chosen(), chosen("adele", Source::MostRecent, Console::Nobody));
    let mut mac = FakeMac::of_two();
    mac.homes.insert(BEN, None);
    mac.homes.insert(0, Some(1000));
    assert_eq!(mac.chosen(), chosen("adele", Source::MostRecent, Console::Nobody));
    let mut mac = FakeMac::of_two();
    mac.owners = vec![ADELE];
    assert_eq!(mac.chosen(), chosen("adele", Source::MostRecent, Console::Nobody));
}

#[test]
fn of_two_keychains_that_changed_at_the_same_time_the_lower_uid_counts() {
    let mut mac = FakeMac::of_two();
    mac.homes.insert(ADELE, Some(20));
    assert_eq!(mac.chosen(), chosen("adele", Source::MostRecent, Console::Nobody));
}

#[test]
fn on_a_new_mac_there_is_no_user() {
    let mac = FakeMac { console: Some(ConsoleRecord::default()), ..FakeMac::default() };
    for mac in [mac, FakeMac::default()] {
        let choice = choose(None, &mac).unwrap();
        let nobody = User { source: Some(Source::None), console: Console::Nobody, ..User::default() };
        assert_eq!(choice, Choice { user: nobody, account: None });
    }
}

#[test]
fn a_console_user_without_an_account_is_not_replaced_by_another_user() {
    let mac = FakeMac::of_two().console("adele", ADELE).last_user("ben").without(ADELE);
    assert_eq!(mac.chosen(), Err(Cause::NoSuchAccount("501".to_owned()).into()));
}

#[test]
fn a_console_record_without_a_uid_is_an_error() {
    let mac = FakeMac { console: Some(record("<key>Name</key><string>adele</string>")), ..FakeMac::of_two() };
    assert_eq!(mac.chosen(), Err(Cause::AccountsUnavailable("the console record has no UID".to_owned()).into()));
}

#[test]
fn failed_lookups_are_errors() {
    for what in [Broken::Console, Broken::Accounts] {
        assert_eq!(FakeMac::of_two().console("adele", ADELE).broken(what).chosen(), Err(broken()));
    }
    for what in [Broken::LastUser, Broken::Homes, Broken::Keychains, Broken::Accounts] {
        assert_eq!(FakeMac::of_two().broken(what).chosen(), Err(broken()));
    }
}

#[test]
fn a_user_may_be_given_by_name_or_uid() {
    let mac = FakeMac::of_two().console("adele", ADELE);
    let named = |name: &str| {
        let choice = choose(Some(name), &mac)?;
        Ok((choice.user.name, choice.user.source.unwrap(), choice.user.console))
    };
    assert_eq!(named("ben"), chosen("ben", Source::UserOption, Console::Another(ADELE)));
    assert_eq!(named("502"), chosen("ben", Source::UserOption, Console::Another(ADELE)));
    assert_eq!(named("adele"), chosen("adele", Source::UserOption, Console::ThisUser));
    assert_eq!(named("root"), chosen("root", Source::UserOption, Console::Another(ADELE)));
    for nobody in ["clara", "503", "-1", "4294967296", ""] {
        assert_eq!(named(nobody), Err(Cause::NoSuchAccount(nobody.to_owned()).into()));
    }
}

#[test]
fn a_user_given_by_name_needs_no_console_record() {
    let console = |mac: &FakeMac| choose(Some("ben"), mac).unwrap().user.console;
    assert_eq!(console(&FakeMac::of_two().console("loginwindow", 0)), Console::Nobody);
    assert_eq!(console(&FakeMac::of_two().broken(Broken::Console)), Console::NotChecked);
    let without_number =
        FakeMac { console: Some(record("<key>Name</key><string>adele</string>")), ..FakeMac::of_two() };
    assert_eq!(console(&without_number), Console::NotChecked);
}

fn record(entries: &str) -> ConsoleRecord {
    ConsoleRecord::parse(format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").as_bytes()).unwrap()
}

#[test]
fn sessions_at_the_console_and_behind_it_are_known() {
    let has_session = |mac: &FakeMac, subject: Option<&str>| choose(subject, mac).unwrap().user.has_session.unwrap();
    let record = |name: &str, uid, sessions: &[u32]| {
        let (name, sessions) = (name.to_owned(), sessions.to_vec());
        let console = ConsoleRecord { name, uid: Some(uid), sessions, ..ConsoleRecord::default() };
        FakeMac { console: Some(console), ..FakeMac::of_two() }
    };
    // Adele is in front, and Ben is switched out.
    let switched = record("adele", ADELE, &[ADELE, BEN]);
    assert!(has_session(&switched, None));
    assert!(has_session(&switched, Some("ben")));
    assert!(!has_session(&record("adele", ADELE, &[ADELE]), Some("ben")));
    assert!(has_session(&record("adele", ADELE, &[]), None));
    // Behind the login window, Ben still has a session.
    let window = record("loginwindow", 0, &[0, BEN]).last_user("ben");
    assert!(has_session(&window, None));
    assert!(!has_session(&record("loginwindow", 0, &[0]).last_user("ben"), None));
    assert!(!has_session(&FakeMac::of_two(), None));
    let unknown = choose(Some("ben"), &FakeMac::of_two().broken(Broken::Console)).unwrap();
    assert_eq!(unknown.user.has_session, None);
}
