//! Whose home? The choice among the named, the console, the last and the most recent user, as a function of what a Mac
//! tells about its users.
//!
//! macOS' record of the console (`State:/Users/ConsoleUser`) has a name that may be an alias and need not be an
//! account's, so that only its UID counts; name and home come from the account's own record. The other sessions of fast
//! user switching stand in it, too: the one that says to be on the console normally is the same user's.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use plist::{Dictionary, Value};

use crate::{
    cli::Who,
    evidence::{Cause, Console, Obstacle, Source, User},
};

/// macOS gives people's accounts this number or a higher one.
pub const FIRST_PERSON: u32 = 500;

/// An account's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The short name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The home directory.
    pub home: PathBuf,
}

/// What a Mac tells about its users.
pub trait Accounts {
    /// Who is at the console; `None` if there is no record of it.
    ///
    /// # Errors
    /// If that cannot be asked.
    fn console(&self) -> Result<Option<ConsoleRecord>, Obstacle>;

    /// The name that the login window remembers.
    ///
    /// # Errors
    /// If that cannot be read.
    fn last_user(&self) -> Result<Option<String>, Obstacle>;

    /// The account with this number.
    ///
    /// # Errors
    /// If accounts cannot be asked for.
    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Obstacle>;

    /// The account with this name.
    ///
    /// # Errors
    /// If accounts cannot be asked for.
    fn by_name(&self, name: &str) -> Result<Option<Account>, Obstacle>;

    /// Who owns the folders in which homes are kept.
    ///
    /// # Errors
    /// If these cannot be listed.
    fn home_owners(&self) -> Result<Vec<u32>, Obstacle>;

    /// Whether the account's home is a folder.
    ///
    /// # Errors
    /// If that cannot be told.
    fn has_home(&self, account: &Account) -> Result<bool, Obstacle>;

    /// When the account's login keychain was changed last; `None` if it has none.
    ///
    /// # Errors
    /// If that cannot be told.
    fn keychain_changed(&self, account: &Account) -> Result<Option<SystemTime>, Obstacle>;
}

/// macOS' record of the console, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleRecord {
    name: String,
    uid: Option<u32>,
    /// The number of the user whose session says to be on the console.
    session_uid: Option<u32>,
    /// The numbers of all users who have a session.
    sessions: Vec<u32>,
}

impl ConsoleRecord {
    /// Reads the record, a property list.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Cause> {
        let unusable = |words: &str| Cause::AccountsUnavailable(format!("the console's record {words}"));
        let record = Value::from_reader(std::io::Cursor::new(bytes)).map_err(|_| unusable("cannot be read"))?;
        let record = record.as_dictionary().ok_or_else(|| unusable("is no dictionary"))?;
        let sessions = record.get("SessionInfo").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let on_console = |session: &&Dictionary| {
            session
                .get("kCGSSessionOnConsoleKey")
                .is_some_and(|it| it.as_boolean() == Some(true) || it.as_signed_integer() == Some(1))
        };
        let sessions = || sessions.iter().filter_map(Value::as_dictionary);
        Ok(Self {
            name: record.get("Name").and_then(Value::as_string).unwrap_or_default().to_owned(),
            uid: number(record, "UID"),
            session_uid: sessions().find(on_console).and_then(|session| number(session, SESSION_UID)),
            sessions: sessions().filter_map(|session| number(session, SESSION_UID)).collect(),
        })
    }

    /// Whether a user has a session, at the console or behind it.
    fn has_session(&self, uid: u32) -> bool {
        self.sessions.contains(&uid) || self.person() == Ok(Some(uid))
    }

    /// The number of the person at the console; `None` if it is nobody or no person.
    fn person(&self) -> Result<Option<u32>, Cause> {
        if !is_person_s_name(&self.name) {
            return Ok(None);
        }
        let uid = self.uid.ok_or_else(|| Cause::AccountsUnavailable("the console's record has no UID".to_owned()))?;
        Ok(Some(uid).filter(|&uid| uid >= FIRST_PERSON))
    }
}

const SESSION_UID: &str = "kCGSSessionUserIDKey";

fn number(dictionary: &Dictionary, key: &str) -> Option<u32> {
    u32::try_from(dictionary.get(key)?.as_signed_integer()?).ok()
}

/// macOS' own accounts, which the login window and Setup Assistant use, are no persons'.
fn is_person_s_name(name: &str) -> bool {
    !name.is_empty() && name != "loginwindow" && name != "root" && !name.starts_with('_')
}

fn user_of(account: &Account, source: Source, console: Console, has_session: bool) -> User {
    User {
        name: Some(account.name.clone()),
        uid: Some(account.uid),
        home: Some(account.home.clone()),
        source: Some(source),
        console,
        has_session,
    }
}

/// A user, and the account to take the rights of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The user.
    pub user: User,
    /// The account; `None` if only a home was given, or if there is nobody.
    pub account: Option<Account>,
}

impl Choice {
    fn of(account: Account, source: Source, console: Console, has_session: bool) -> Self {
        Self { user: user_of(&account, source, console, has_session), account: Some(account) }
    }
}

/// Chooses whose home to look at.
///
/// # Errors
/// If the one who was asked for has no account, if it cannot be told who is at the console, or if the person there has
/// no account record. Another user's state would then be a wrong answer.
pub fn choose(who: &Who, accounts: &impl Accounts) -> Result<Choice, Obstacle> {
    match who {
        Who::Home(home) => Ok(home_option(home)),
        Who::User(name) => named(name, accounts),
        Who::Console => at_console(accounts),
    }
}

fn home_option(home: &Path) -> Choice {
    let user = User { home: Some(home.to_owned()), source: Some(Source::HomeOption), ..User::UNKNOWN };
    Choice { user, account: None }
}

fn named(name: &str, accounts: &impl Accounts) -> Result<Choice, Obstacle> {
    let found = match accounts.by_name(name)? {
        Some(account) => Some(account),
        None => name.parse().map_or(Ok(None), |uid| accounts.by_uid(uid))?,
    };
    let account = found.ok_or_else(|| Cause::NoSuchAccount(name.to_owned()))?;
    // The user is known without it; it only tells who is at the console, and whether the user has a session.
    let record = accounts.console().ok().map(Option::unwrap_or_default);
    let console = match record.as_ref().map(ConsoleRecord::person) {
        None | Some(Err(_)) => Console::NotAsked,
        Some(Ok(None)) => Console::Nobody,
        Some(Ok(Some(uid))) if uid == account.uid => Console::ThisUser,
        Some(Ok(Some(uid))) => Console::Another(uid),
    };
    let has_session = record.is_some_and(|record| record.has_session(account.uid));
    Ok(Choice::of(account, Source::UserOption, console, has_session))
}

fn at_console(accounts: &impl Accounts) -> Result<Choice, Obstacle> {
    let record = accounts.console()?.unwrap_or_default();
    let Some(uid) = record.person()? else { return nobody_at_console(&record, accounts) };
    let account = accounts.by_uid(uid)?.ok_or_else(|| Cause::NoSuchAccount(uid.to_string()))?;
    // macOS' own functions take the outer number for the console user, and so does this.
    let contradicts = record.session_uid.is_some_and(|session| session != uid);
    let console = if contradicts { Console::Contradictory } else { Console::ThisUser };
    Ok(Choice::of(account, Source::Console, console, true))
}

fn nobody_at_console(record: &ConsoleRecord, accounts: &impl Accounts) -> Result<Choice, Obstacle> {
    // At the login window of fast user switching, sessions go on behind it.
    let choice = |account: Account, source| {
        let has_session = record.has_session(account.uid);
        Choice::of(account, source, Console::Nobody, has_session)
    };
    if let Some(account) = last_user(accounts)? {
        return Ok(choice(account, Source::LastConsole));
    }
    if let Some(account) = most_recent(accounts)? {
        return Ok(choice(account, Source::MostRecent));
    }
    let user = User { source: Some(Source::None), console: Console::Nobody, ..User::UNKNOWN };
    Ok(Choice { user, account: None })
}

/// A person of this Mac, or somebody who may be one, and what is in the way of telling.
pub type Person = Result<Choice, Hidden>;

/// Somebody who cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// What is known of the user.
    pub user: User,
    /// What is in the way.
    pub obstacle: Obstacle,
}

/// The numbers of all who may be persons of this Mac, the lowest first: they own a folder where homes are, or have a
/// session.
///
/// # Errors
/// If it cannot be told who they are.
pub fn persons(accounts: &impl Accounts) -> Result<Vec<u32>, Obstacle> {
    let mut owners = accounts.home_owners()?;
    let record = sessions(accounts);
    owners.extend(record.person().ok().flatten());
    owners.extend(record.sessions);
    Ok(each_person(owners))
}

/// The person with this number; `None` if there is no account, or no home.
pub fn person(uid: u32, accounts: &impl Accounts) -> Option<Person> {
    let account = match accounts.by_uid(uid) {
        Ok(account) => account?,
        Err(obstacle) => {
            let user = User { uid: Some(uid), source: Some(Source::AllUsers), ..User::UNKNOWN };
            return Some(Err(Hidden { user, obstacle }));
        }
    };
    match accounts.has_home(&account) {
        Ok(false) => None,
        Ok(true) => {
            let has_session = sessions(accounts).has_session(uid);
            Some(Ok(Choice::of(account, Source::AllUsers, Console::NotAsked, has_session)))
        }
        Err(obstacle) => {
            let user = user_of(&account, Source::AllUsers, Console::NotAsked, false);
            Some(Err(Hidden { user, obstacle }))
        }
    }
}

/// The console's record. Without it no session is known of, which takes nothing from what the files show.
fn sessions(accounts: &impl Accounts) -> ConsoleRecord {
    accounts.console().ok().flatten().unwrap_or_default()
}

/// The persons among the owners of accounts, each once, the lowest number first.
fn each_person(mut uids: Vec<u32>) -> Vec<u32> {
    uids.retain(|&uid| uid >= FIRST_PERSON);
    uids.sort_unstable();
    uids.dedup();
    uids
}

/// The login window's memory may be stale, so that it counts only if there still are such a person and home.
fn last_user(accounts: &impl Accounts) -> Result<Option<Account>, Obstacle> {
    let Some(name) = accounts.last_user()?.filter(|name| is_person_s_name(name)) else { return Ok(None) };
    let Some(account) = accounts.by_name(&name)?.filter(|account| account.uid >= FIRST_PERSON) else {
        return Ok(None);
    };
    Ok(accounts.has_home(&account)?.then_some(account))
}

/// The person whose login keychain changed last; of several the one with the lowest number.
fn most_recent(accounts: &impl Accounts) -> Result<Option<Account>, Obstacle> {
    let mut found: Option<(SystemTime, Account)> = None;
    for uid in each_person(accounts.home_owners()?) {
        let Some(account) = accounts.by_uid(uid)? else { continue };
        if let Some(changed) = accounts.keychain_changed(&account)?
            && found.as_ref().is_none_or(|(latest, _)| *latest < changed)
        {
            found = Some((changed, account));
        }
    }
    Ok(found.map(|(_, account)| account))
}

#[cfg(test)]
mod tests;
