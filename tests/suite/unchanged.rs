//! Checks that the tool changes nothing in a home.
//!
//! The access time is ignored, because it depends on the mount options whether reading a file changes it.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::PathBuf};

use wpj_state::cli::attribute::Attribute;

use crate::{
    home::{Home, answer},
    mac::{KEYCHAIN, damaged},
    outcome::{Failed, Outcome, equal},
};

/// Inode, mode, owner, group, links, size, times of the last changes of content and metadata, and the content.
type Kept = (u64, u32, u32, u32, u64, u64, [(i64, i64); 2], Option<Vec<u8>>);

fn everything_in(home: &Home) -> Result<BTreeMap<PathBuf, Kept>, Failed> {
    let mut found = BTreeMap::new();
    let mut paths = vec![home.path.clone()];
    while let Some(path) = paths.pop() {
        let it = fs::symlink_metadata(&path)?;
        if it.is_dir() {
            for entry in fs::read_dir(&path)? {
                paths.push(entry?.path());
            }
        }
        let content = it.is_file().then(|| fs::read(&path)).transpose()?;
        let times = [(it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec())];
        found.insert(path, (it.ino(), it.mode(), it.uid(), it.gid(), it.nlink(), it.size(), times, content));
    }
    Ok(found)
}

fn stays_the_same(home: &Home) -> Outcome {
    let before = everything_in(home)?;
    let attributes = Attribute::ALL.map(|attribute| vec!["--attribute", attribute.name()]);
    let others = [&[][..], &["--json"], &["--explain"], &["--all-users"], &["--all-users", "--json"]];
    for options in attributes.into_iter().chain(others.map(<[&str]>::to_vec)) {
        for when in ["never", "if-damaged", "always"] {
            answer(home.tool().args(&options).arg(format!("--second-opinion={when}")))?;
            equal(&everything_in(home)?, &before).map_err(|failed| format!("{options:?} {when}: {failed:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn a_home_stays_the_same() -> Outcome {
    stays_the_same(&Home::new()?)?;
    stays_the_same(&Home::with_keychain(&damaged())?)
}

#[test]
fn a_home_without_keychain_stays_the_same() -> Outcome {
    let home = Home::new()?;
    fs::rename(home.file(KEYCHAIN), home.file("Library/Keychains/login_renamed_1.keychain-db"))?;
    stays_the_same(&home)
}

mod root {
    use super::*;
    use crate::root::user::{GROUP, USER};

    #[test]
    #[ignore = "needs root"]
    fn the_home_of_another_user_stays_the_same() -> Outcome {
        stays_the_same(&Home::new()?.belonging_to(USER, GROUP)?)?;
        stays_the_same(&Home::with_keychain(&damaged())?.belonging_to(USER, GROUP)?)
    }
}
