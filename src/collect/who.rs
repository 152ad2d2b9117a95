//! Whose home? The choice among the named, the console, the last and the most recent user, as a function of what a Mac
//! tells about its users.
//!
//! Of the console's record only the UID counts; name and home come from the account's own record.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};

use super::{
    home,
    mac::{Account, Mac, read_one},
    reader::Trail,
};
use crate::{
    evidence::{Cause, Console, Obstacle, Source, User},
    parse::console::{ConsoleRecord, FIRST_PERSON, is_name_of_person},
};

/// What is asked about a Mac's users.
pub(super) trait Accounts {
    /// Who is at the console; `None` if there is no record of it.
    /// Fails if that cannot be asked.
    fn console(&self) -> Result<Option<ConsoleRecord>, Obstacle>;

    /// The name that the login window remembers.
    /// Fails if that cannot be read.
    fn last_user(&self) -> Result<Option<String>, Obstacle>;

    /// The account with this number.
    /// Fails if accounts cannot be asked for.
    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Obstacle>;

    /// The account with this name.
    /// Fails if accounts cannot be asked for.
    fn by_name(&self, name: &str) -> Result<Option<Account>, Obstacle>;

    /// Who owns the folders in which homes are kept.
    /// Fails if these cannot be listed.
    fn home_owners(&self) -> Result<Vec<u32>, Obstacle>;

    /// Whether the account's home is a folder.
    /// Fails if that cannot be told.
    fn has_home(&self, account: &Account) -> Result<bool, Obstacle>;

    /// When the account's login keychain was changed last, in microseconds since 1970; `None` if it has none.
    /// Fails if that cannot be told.
    fn keychain_changed(&self, account: &Account) -> Result<Option<u64>, Obstacle>;
}

/// A Mac, and with whose rights to look at what.
pub(super) struct Asked<'a, M>(pub(super) &'a M);

impl<M: Mac> Asked<'_, M> {
    /// Reads something of an account's home, as that user.
    fn read_home<T: Serialize + DeserializeOwned>(
        &self,
        account: &Account,
        read: impl FnOnce(&Path, &Trail) -> Result<T, Cause>,
    ) -> Result<T, Obstacle> {
        let home = &account.home;
        read_one(self.0, self.0.rights_of(account.uid, account.gid), |trail| {
            read(home, trail).map_err(|cause| Obstacle { path: Some(home.clone()), cause })
        })
    }
}

impl<M: Mac> Accounts for Asked<'_, M> {
    fn console(&self) -> Result<Option<ConsoleRecord>, Obstacle> {
        Ok(self.0.console()?)
    }

    fn last_user(&self) -> Result<Option<String>, Obstacle> {
        self.0.last_user()
    }

    fn by_uid(&self, uid: u32) -> Result<Option<Account>, Obstacle> {
        Ok(self.0.by_uid(uid)?)
    }

    fn by_name(&self, name: &str) -> Result<Option<Account>, Obstacle> {
        Ok(self.0.by_name(name)?)
    }

    fn home_owners(&self) -> Result<Vec<u32>, Obstacle> {
        self.0.home_owners()
    }

    fn has_home(&self, account: &Account) -> Result<bool, Obstacle> {
        self.read_home(account, home::is_there)
    }

    fn keychain_changed(&self, account: &Account) -> Result<Option<u64>, Obstacle> {
        self.read_home(account, home::keychain_changed)
    }
}

/// The person at the console.
fn person_of(record: &ConsoleRecord) -> Result<Option<u32>, Cause> {
    record.person().map_err(|words| Cause::AccountsUnavailable(words.to_owned()))
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
pub(super) struct Choice {
    /// The user.
    pub(super) user: User,
    /// The account; `None` if there is nobody.
    pub(super) account: Option<Account>,
}

impl Choice {
    fn of(account: Account, source: Source, console: Console, has_session: bool) -> Self {
        Self { user: user_of(&account, source, console, has_session), account: Some(account) }
    }
}

/// Chooses the user: the one with this name or UID, or the one at the console or, if nobody is, who was there last.
/// Fails if the one who was asked for has no account, if it cannot be told who is at the console, or if the person there has
/// no account record. Another user's state would then be a wrong answer.
pub(super) fn choose(name: Option<&str>, accounts: &impl Accounts) -> Result<Choice, Obstacle> {
    name.map_or_else(|| at_console(accounts), |name| named(name, accounts))
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
    let Some(uid) = person_of(&record)? else { return nobody_at_console(&record, accounts) };
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

/// A person of this Mac; or what is known of one who cannot be looked up, and why.
pub(super) type Person = Result<Choice, (User, Obstacle)>;

/// All who may be persons of this Mac, by UID: they own a folder where homes are, or have a session. One who cannot be
/// looked up hides no other.
/// Fails if it cannot be determined who they are.
pub(super) fn everybody(accounts: &impl Accounts) -> Result<Vec<Person>, Obstacle> {
    let mut uids = accounts.home_owners()?;
    // Without the console's record no session is known of, which takes nothing from what the files show.
    let record = accounts.console().ok().flatten().unwrap_or_default();
    uids.extend(record.person().ok().flatten());
    uids.extend(&record.sessions);
    let person = |uid| match accounts.by_uid(uid) {
        Ok(account) => Some(Ok(Choice::of(account?, Source::AllUsers, Console::NotAsked, record.has_session(uid)))),
        Err(obstacle) => {
            Some(Err((User { uid: Some(uid), source: Some(Source::AllUsers), ..User::UNKNOWN }, obstacle)))
        }
    };
    Ok(each_person(uids).into_iter().filter_map(person).collect())
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
    let Some(name) = accounts.last_user()?.filter(|name| is_name_of_person(name)) else { return Ok(None) };
    let Some(account) = accounts.by_name(&name)?.filter(|account| account.uid >= FIRST_PERSON) else {
        return Ok(None);
    };
    Ok(accounts.has_home(&account)?.then_some(account))
}

/// The person whose login keychain changed last; of several the one with the lowest number.
fn most_recent(accounts: &impl Accounts) -> Result<Option<Account>, Obstacle> {
    let mut found: Option<(u64, Account)> = None;
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
