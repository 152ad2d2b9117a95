//! The home that is looked at, and with whose rights.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{self, Path, PathBuf},
};

use crate::{
    collect::{
        file, platform,
        progress::Progress,
        rights::{Identity, Rights},
        system::System,
        user::Choice,
    },
    evidence::Obstacle,
};

/// The home directory, if there is one, and with whose rights to look below it.
pub(super) struct Home {
    path: PathBuf,
    /// What tells it from any other folder, whatever path leads there.
    identity: (u64, u64),
    rights: Rights,
}

impl Home {
    pub(super) fn of(choice: &Choice, system: &impl System, progress: &Progress) -> Result<Self, Obstacle> {
        let Some(path) = choice.user.home.clone() else {
            return Ok(Self { path: PathBuf::new(), identity: (0, 0), rights: Rights::Own });
        };
        let check = |rights: &Rights| {
            let found = progress.asks(&path).and_then(|()| rights.with(|| file::check_home(&path)));
            found.map_err(|cause| Obstacle { path: Some(path.clone()), cause })
        };
        let rights = match &choice.account {
            Some(account) => system.rights_of(account.uid, || Ok(account.into()))?,
            // Only a home was given: it is its owner's.
            None => {
                let owner = check(&Rights::Own)?.uid();
                system.rights_of(owner, || identity_of(owner, system))?
            }
        };
        let found = check(&rights)?;
        let absolute = path::absolute(&path).unwrap_or_else(|_| path.clone());
        Ok(Self { path: absolute, identity: (found.dev(), found.ino()), rights })
    }

    /// With whose rights to open what is at `path`: whatever way leads there, what lies below the home is its user's.
    pub(super) fn rights_at(&self, path: &Path) -> &Rights {
        if self.rights == Rights::Own || self.is_elsewhere(path) == Some(true) { &Rights::Own } else { &self.rights }
    }

    /// Whether no folder on the way to `path` is the home or below it; `None` if that cannot be told.
    fn is_elsewhere(&self, path: &Path) -> Option<bool> {
        let path = path::absolute(path).ok()?;
        if path.starts_with(&self.path) {
            return Some(false);
        }
        for folder in path.ancestors().skip(1) {
            for folder in fs::canonicalize(folder).ok()?.ancestors() {
                let found = fs::metadata(folder).ok()?;
                if (found.dev(), found.ino()) == self.identity {
                    return Some(false);
                }
            }
        }
        Some(true)
    }
}

/// The rights of an account, or of a number that is none's: such a one is in no group that counts.
fn identity_of(uid: u32, system: &impl System) -> Result<Identity, Obstacle> {
    let account = system.by_uid(uid)?;
    let nobody = Identity { name: None, uid, gid: platform::NOBODY_GROUP };
    Ok(account.as_ref().map_or(nobody, Identity::from))
}
