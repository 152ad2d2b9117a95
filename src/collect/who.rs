//! Decides which users to check: the user that an option names, the console user, the last user at the login window,
//! the user whose login keychain changed last, or all local users.
//!
//! Only the UID of the console record is used; name and home come from the account.

use super::mac::{Account, Mac};
use crate::{
    evidence::{Cause, Console, Obstacle, Source, User},
    parse::console::{ConsoleRecord, is_local_user, is_local_user_name},
};

fn console_user_of(record: &ConsoleRecord) -> Result<Option<u32>, Cause> {
    record.console_user().map_err(|words| Cause::AccountsUnavailable(words.to_owned()))
}

/// A user, and the account with whose rights to read; no account if there is no user.
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

/// Chooses the user: the one with this name or UID or, without a name, the console user or the last user.
/// Fails if the user has no account, or if the console user cannot be determined. Another user's state would be a wrong
/// answer.
pub(super) fn choose(name: Option<&str>, mac: &impl Mac) -> Result<Choice, Obstacle> {
    name.map_or_else(|| at_console(mac), |name| named(name, mac))
}

fn named(name: &str, mac: &impl Mac) -> Result<Choice, Obstacle> {
    let found = match mac.by_name(name)? {
        Some(account) => Some(account),
        None => name.parse().map_or(Ok(None), |uid| mac.by_uid(uid))?,
    };
    let account = found.ok_or_else(|| Cause::NoSuchAccount(name.to_owned()))?;
    // The console record may be missing here: it only shows the console user, and whether this user has a session.
    let record = mac.console().ok().map(Option::unwrap_or_default);
    let console = match record.as_ref().map(ConsoleRecord::console_user) {
        None | Some(Err(_)) => Console::NotChecked,
        Some(Ok(None)) => Console::Nobody,
        Some(Ok(Some(uid))) if uid == account.uid => Console::ThisUser,
        Some(Ok(Some(uid))) => Console::Another(uid),
    };
    let has_session = record.map(|record| record.has_session(account.uid));
    Ok(Choice::of(account, Source::UserOption, console, has_session))
}

fn at_console(mac: &impl Mac) -> Result<Choice, Obstacle> {
    let record = mac.console()?.unwrap_or_default();
    let Some(uid) = console_user_of(&record)? else { return nobody_at_console(&record, mac) };
    let account = mac.by_uid(uid)?.ok_or_else(|| Cause::NoSuchAccount(uid.to_string()))?;
    // If the UIDs disagree, the outer one counts, because macOS's own functions use it.
    let contradicts = record.session_uid.is_some_and(|session| session != uid);
    let console = if contradicts { Console::Contradictory } else { Console::ThisUser };
    let has_session = Some(record.has_session(account.uid));
    Ok(Choice::of(account, Source::Console, console, has_session))
}

fn nobody_at_console(record: &ConsoleRecord, mac: &impl Mac) -> Result<Choice, Obstacle> {
    // At the login window of fast user switching, users can still have sessions.
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

/// A local user, or what is known about one who cannot be looked up, and why.
pub(super) type LocalUser = Result<Choice, Box<(User, Obstacle)>>;

/// All local users, by UID: they own a folder in `/Users`, or have a session. A user who cannot be looked up does not
/// affect the others. A UID without an account is kept, because the directory may be unreachable.
/// Fails if the folders in `/Users` cannot be listed.
pub(super) fn local_users(mac: &impl Mac) -> Result<Vec<LocalUser>, Obstacle> {
    let mut uids = mac.home_owners()?;
    // Without the console record no sessions are known, which does not affect what the files show.
    let record = mac.console().ok().map(Option::unwrap_or_default);
    uids.extend(record.iter().filter_map(|record| record.console_user().ok().flatten()));
    uids.extend(record.iter().flat_map(|record| &record.sessions));
    let local_user = |uid: u32| {
        let user = || User { uid: Some(uid), source: Some(Source::AllUsers), ..User::default() };
        let found = mac.by_uid(uid).and_then(|account| account.ok_or_else(|| Cause::NoSuchAccount(uid.to_string())));
        let account = found.map_err(|cause| Box::new((user(), cause.into())))?;
        let has_session = record.as_ref().map(|record| record.has_session(uid));
        Ok(Choice::of(account, Source::AllUsers, Console::NotChecked, has_session))
    };
    Ok(local_uids(uids).into_iter().map(local_user).collect())
}

/// The error that no UID has an account. An unreachable directory looks the same, so this is not an answer.
fn no_account_found() -> Obstacle {
    Cause::AccountsUnavailable("no owner of a folder in /Users has an account".to_owned()).into()
}

/// The UIDs of people, without duplicates, the lowest first.
fn local_uids(mut uids: Vec<u32>) -> Vec<u32> {
    uids.retain(|&uid| is_local_user(uid));
    uids.sort_unstable();
    uids.dedup();
    uids
}

/// The last user at the login window. The record may be stale, so it counts only if the home still exists.
/// Fails if the account is not found: the directory may be unreachable, for example on a bound Mac outside its network.
fn last_user(mac: &impl Mac) -> Result<Option<Account>, Obstacle> {
    let Some(name) = mac.last_user()?.filter(|name| is_local_user_name(name)) else { return Ok(None) };
    let account = mac.by_name(&name)?.ok_or(Cause::NoSuchAccount(name))?;
    Ok((is_local_user(account.uid) && mac.has_home(&account)?).then_some(account))
}

/// The local user whose login keychain changed last; the lowest UID if several changed at the same time.
fn most_recent(mac: &impl Mac) -> Result<Option<Account>, Obstacle> {
    let mut found: Option<(u64, Account)> = None;
    let owners = local_uids(mac.home_owners()?);
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
    if resolves { Ok(found.map(|(_, account)| account)) } else { Err(no_account_found()) }
}

#[cfg(test)]
mod tests;
