//! Whose home? The choice among the named, the console, the last and the most recent user, as a function of what a Mac
//! says about its users.
//!
//! Of the console's record only the UID counts; name and home come from the account's own record.

use super::mac::{Account, Mac};
use crate::{
    evidence::{Cause, Console, Obstacle, Source, User},
    parse::console::{ConsoleRecord, is_name_of_person, is_person},
};

fn person_of(record: &ConsoleRecord) -> Result<Option<u32>, Cause> {
    record.person().map_err(|words| Cause::AccountsUnavailable(words.to_owned()))
}

/// A user, and the account whose rights to take; `None` if there is nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) user: User,
    pub(super) account: Option<Account>,
}

impl Choice {
    fn of(account: Account, source: Source, console: Console, has_session: Option<bool>) -> Self {
        let user = User {
            name: Some(account.name.clone()),
            uid: Some(account.uid),
            home: Some(account.home.clone()),
            source: Some(source),
            console,
            has_session,
        };
        Self { user, account: Some(account) }
    }
}

/// Chooses the user: the one with this name or UID, or the one at the console or, if nobody is, who was there last.
/// Fails if the one who was asked for has no account, if it cannot be told who is at the console, or if the person
/// there has no account record. Another user's state would then be a wrong answer.
pub(super) fn choose(name: Option<&str>, mac: &impl Mac) -> Result<Choice, Obstacle> {
    name.map_or_else(|| at_console(mac), |name| named(name, mac))
}

fn named(name: &str, mac: &impl Mac) -> Result<Choice, Obstacle> {
    let found = match mac.by_name(name)? {
        Some(account) => Some(account),
        None => name.parse().map_or(Ok(None), |uid| mac.by_uid(uid))?,
    };
    let account = found.ok_or_else(|| Cause::NoSuchAccount(name.to_owned()))?;
    // The user is known without it; it only tells who is at the console, and whether the user has a session.
    let record = mac.console().ok().map(Option::unwrap_or_default);
    let console = match record.as_ref().map(ConsoleRecord::person) {
        None | Some(Err(_)) => Console::NotAsked,
        Some(Ok(None)) => Console::Nobody,
        Some(Ok(Some(uid))) if uid == account.uid => Console::ThisUser,
        Some(Ok(Some(uid))) => Console::Another(uid),
    };
    let has_session = record.map(|record| record.has_session(account.uid));
    Ok(Choice::of(account, Source::UserOption, console, has_session))
}

fn at_console(mac: &impl Mac) -> Result<Choice, Obstacle> {
    let record = mac.console()?.unwrap_or_default();
    let Some(uid) = person_of(&record)? else { return nobody_at_console(&record, mac) };
    let account = mac.by_uid(uid)?.ok_or_else(|| Cause::NoSuchAccount(uid.to_string()))?;
    // macOS' own functions take the outer number for the console user, and so does this.
    let contradicts = record.session_uid.is_some_and(|session| session != uid);
    let console = if contradicts { Console::Contradictory } else { Console::ThisUser };
    let has_session = Some(record.has_session(account.uid));
    Ok(Choice::of(account, Source::Console, console, has_session))
}

fn nobody_at_console(record: &ConsoleRecord, mac: &impl Mac) -> Result<Choice, Obstacle> {
    // At the login window of fast user switching, sessions go on behind it.
    let choice = |account: Account, source| {
        let has_session = Some(record.has_session(account.uid));
        Choice::of(account, source, Console::Nobody, has_session)
    };
    if let Some(account) = last_user(mac)? {
        return Ok(choice(account, Source::LastConsole));
    }
    if let Some(account) = most_recent(mac)? {
        return Ok(choice(account, Source::MostRecent));
    }
    let user = User { source: Some(Source::None), console: Console::Nobody, ..User::default() };
    Ok(Choice { user, account: None })
}

/// A person of this Mac; or what is known of one who cannot be looked up, and why.
pub(super) type Person = Result<Choice, Box<(User, Obstacle)>>;

/// All who may be persons of this Mac, by UID: they own a folder where homes are, or have a session. One who cannot be
/// looked up hides no other. Nor is one left out whom the directory does not know: it may only not answer.
/// Fails if it cannot be determined who they are.
pub(super) fn everybody(mac: &impl Mac) -> Result<Vec<Person>, Obstacle> {
    let mut uids = mac.home_owners()?;
    // Without the console's record it is not known who has a session, which takes nothing from what the files show.
    let record = mac.console().ok().map(Option::unwrap_or_default);
    uids.extend(record.iter().filter_map(|record| record.person().ok().flatten()));
    uids.extend(record.iter().flat_map(|record| &record.sessions));
    let person = |uid: u32| {
        let user = || User { uid: Some(uid), source: Some(Source::AllUsers), ..User::default() };
        let found = mac.by_uid(uid).and_then(|account| account.ok_or_else(|| Cause::NoSuchAccount(uid.to_string())));
        let account = found.map_err(|cause| Box::new((user(), cause.into())))?;
        let has_session = record.as_ref().map(|record| record.has_session(uid));
        Ok(Choice::of(account, Source::AllUsers, Console::NotAsked, has_session))
    };
    Ok(each_person(uids).into_iter().map(person).collect())
}

/// A directory that does not answer looks like one that knows no account. If it knows nobody, that is no answer.
fn nobody_resolves() -> Obstacle {
    Cause::AccountsUnavailable("none of the owners of homes has an account".to_owned()).into()
}

/// The persons among the owners of accounts, each once, the lowest number first.
fn each_person(mut uids: Vec<u32>) -> Vec<u32> {
    uids.retain(|&uid| is_person(uid));
    uids.sort_unstable();
    uids.dedup();
    uids
}

/// The login window's memory may be stale, so that it counts only if there still is such a home.
/// Fails if there is no such account: the directory may only not answer, as on a bound Mac outside its network.
fn last_user(mac: &impl Mac) -> Result<Option<Account>, Obstacle> {
    let Some(name) = mac.last_user()?.filter(|name| is_name_of_person(name)) else { return Ok(None) };
    let account = mac.by_name(&name)?.ok_or(Cause::NoSuchAccount(name))?;
    Ok((is_person(account.uid) && mac.has_home(&account)?).then_some(account))
}

/// The person whose login keychain changed last; of several the one with the lowest number.
fn most_recent(mac: &impl Mac) -> Result<Option<Account>, Obstacle> {
    let mut found: Option<(u64, Account)> = None;
    let owners = each_person(mac.home_owners()?);
    let mut resolves = owners.is_empty();
    for uid in owners {
        let Some(account) = mac.by_uid(uid)? else { continue };
        resolves = true;
        if let Some(changed) = mac.keychain_changed(&account)?
            && found.as_ref().is_none_or(|(latest, _)| *latest < changed)
        {
            found = Some((changed, account));
        }
    }
    if resolves { Ok(found.map(|(_, account)| account)) } else { Err(nobody_resolves()) }
}

#[cfg(test)]
mod tests;
