//! With whose rights a user's files are opened.
//!
//! A home belongs to its user, who may put anything in it: links to what only root can read, or a folder that leads
//! elsewhere. Opened with the user's own rights, such a path leads to nothing that the user could not read anyway. The
//! real user stays root, so that the user cannot send this process signals or trace it meanwhile.
//!
//! Effective rights belong to the whole process, so only one thread may take them at a time.

use nix::unistd::{Gid, Uid, getegid, geteuid, setegid, seteuid};

use crate::{
    collect::{platform, user::Account},
    evidence::Cause,
};

/// Whose rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    /// Those that the process has.
    Own,
    /// A user's.
    Of(Identity),
}

/// Whom to become for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account's name, to find its groups; without it there is only the primary group.
    pub name: Option<String>,
    /// The account's number.
    pub uid: u32,
    /// The primary group's number.
    pub gid: u32,
}

impl From<&Account> for Identity {
    fn from(account: &Account) -> Self {
        Self { name: Some(account.name.clone()), uid: account.uid, gid: account.gid }
    }
}

impl Rights {
    /// The rights of an account's user, if this process runs as root; nobody else can take them.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        if Self::differ_from_those_of(account.uid) { Self::Of(account.into()) } else { Self::Own }
    }

    /// Whether this process runs as root, and that number is another user's.
    #[must_use]
    pub fn differ_from_those_of(uid: u32) -> bool {
        geteuid().is_root() && !Uid::from_raw(uid).is_root()
    }

    /// Does `work` with these rights, and gives them back afterwards.
    ///
    /// # Errors
    /// If the work fails; if the rights cannot be taken, in which case it is not done; or if they cannot be given back.
    pub fn with<T>(&self, work: impl FnOnce() -> Result<T, Cause>) -> Result<T, Cause> {
        let Self::Of(identity) = self else { return work() };
        let taken = Taken::take(identity)?;
        let done = work();
        taken.give_back()?;
        match done {
            Err(Cause::PermissionDenied) => Err(Cause::DeniedToUser),
            done => done,
        }
    }
}

/// Rights that were taken; given back when dropped, if not before.
struct Taken {
    uid: Uid,
    gid: Gid,
    groups: Vec<u32>,
    given_back: bool,
}

impl Taken {
    fn take(identity: &Identity) -> Result<Self, Cause> {
        let failed = |words: String| Cause::RightsNotTaken { uid: identity.uid, words };
        let groups = platform::groups().map_err(|error| failed(error.to_string()))?;
        // From here on, whatever fails, dropping this gives back what was taken until then.
        let taken = Self { uid: geteuid(), gid: getegid(), groups, given_back: false };
        platform::join_groups_of(identity).map_err(|error| failed(error.to_string()))?;
        setegid(Gid::from_raw(identity.gid)).map_err(|errno| failed(errno.desc().to_owned()))?;
        seteuid(Uid::from_raw(identity.uid)).map_err(|errno| failed(errno.desc().to_owned()))?;
        if geteuid().as_raw() != identity.uid || getegid().as_raw() != identity.gid {
            return Err(failed("the system did not change them".to_owned()));
        }
        Ok(taken)
    }

    fn give_back(mut self) -> Result<(), Cause> {
        self.given_back = true;
        self.restore()
    }

    fn restore(&self) -> Result<(), Cause> {
        // The user first: only root can change the others.
        seteuid(self.uid)
            .and_then(|()| setegid(self.gid))
            .map_err(|errno| errno.desc().to_owned())
            .and_then(|()| platform::set_groups(&self.groups).map_err(|error| error.to_string()))
            .map_err(Cause::RightsNotGivenBack)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.given_back {
            // Taking them has failed, or the work panicked, and that is what is told.
            let _ = self.restore();
        }
    }
}
