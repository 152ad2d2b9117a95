//! Whether a file lies on the startup disk, told without asking any other disk: a file server that is gone may hold up
//! whoever asks for ever, and not even let him be ended.
//!
//! A folder is another disk's if something is mounted on it. A link may lead anywhere, so that what lies behind one counts
//! as elsewhere, too. Both can change between this and the question itself, but only by somebody who mounts something on
//! a folder of his own in just that moment.

use std::{
    io,
    path::{self, Component, Path, PathBuf},
};

use nix::errno::Errno;

use crate::collect::platform;

/// Where macOS mounts the part of the startup disk that can be written. It has the folders `/Users`, `/Library` and
/// others, which are the same ones by either path. As it is compared.
const DATA: &str = "/system/volumes/data";

/// Whether all of the way to a file lies on the startup disk; no, if that cannot be told for sure.
#[must_use]
pub fn has(path: &Path) -> bool {
    let mounts = || platform::mounts().map(|mounts| mounts.iter().map(|mount| folded(mount)).collect::<Vec<_>>());
    match (path::absolute(path), mounts()) {
        (Ok(path), Some(mounts)) => has_way(&path, &mounts, platform::leads_elsewhere),
        _ => false,
    }
}

/// `mounts` are the folders on which something is mounted, as they are compared; `leads_elsewhere` looks at a part of the
/// way on which nothing of this is.
fn has_way(path: &Path, mounts: &[String], leads_elsewhere: impl Fn(&Path) -> io::Result<bool>) -> bool {
    let others = || mounts.iter().filter(|mount| !mount.is_empty());
    // A name beyond ASCII can be written in more than one way.
    let is_sure = others().all(|mount| mount.is_ascii());
    let whole = folded(path);
    let leads_through = |mount: &String| {
        whole.strip_prefix(mount.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !is_sure || others().any(leads_through) {
        return false;
    }
    let mut way = PathBuf::new();
    for component in path.components() {
        way.push(component);
        match component {
            Component::RootDir => continue,
            Component::ParentDir => return false,
            Component::Prefix(_) | Component::CurDir | Component::Normal(_) => {}
        }
        match leads_elsewhere(&way) {
            Ok(false) => {}
            Ok(true) => return false,
            // The way ends before the file, or is closed, and has not left the disk.
            Err(error) => {
                let errno = error.raw_os_error().map(Errno::from_raw);
                return matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES));
            }
        }
    }
    true
}

/// The path by which a folder is compared, without a slash at its end: the startup disk does not tell upper from lower
/// case, and has some folders by two paths.
fn folded(path: &Path) -> String {
    let path: PathBuf = path.components().collect();
    // By way of the upper case, because some letters have two lower ones.
    let path = path.to_string_lossy().to_uppercase().to_lowercase();
    let path = path.strip_prefix(DATA).filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(&path);
    path.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: [&str; 9] = [
        "/",
        "/dev",
        "/System/Volumes/VM",
        "/System/Volumes/Preboot",
        "/System/Volumes/Data",
        "/System/Volumes/Data/home",
        "/Volumes/Server",
        "/Users/adele/Mounted",
        "/System/Volumes/Data/Users/ben/Library/Keychains",
    ];

    fn has(path: &str, mounts: &[&str]) -> bool {
        let mounts: Vec<String> = mounts.iter().map(|mount| folded(Path::new(mount))).collect();
        has_way(Path::new(path), &mounts, |way| {
            assert!(!way.ends_with("Server") && !way.ends_with("Mounted"), "{} was asked", way.display());
            let failed = |errno: Errno| Err(io::Error::from_raw_os_error(errno as i32));
            match way.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
                "link" => Ok(true),
                "missing" => failed(Errno::ENOENT),
                "file" => failed(Errno::ENOTDIR),
                "closed" => failed(Errno::EACCES),
                "forbidden" => failed(Errno::EPERM),
                "broken" => failed(Errno::EIO),
                _ => Ok(false),
            }
        })
    }

    #[test]
    fn homes_lie_on_the_startup_disk_unless_something_is_mounted_on_the_way() {
        for path in [
            "/",
            "/Users/adele/Library/Keychains/login.keychain-db",
            "/System/Volumes/Data/Users/adele",
            "/Users/ben/Library/Preferences",
            "/Users/adele/Mountedx",
            "/Users/José/Library",
        ] {
            assert!(has(path, &MOUNTS), "{path}");
        }
        for path in [
            "/Volumes/Server",
            "/Volumes/Server/adele",
            "/home/adele",
            "/System/Volumes/Data/home/adele",
            "/Users/adele/Mounted/x",
            "/System/Volumes/Data/users/Adele/mounted/x",
            "/Users/ben/Library/Keychains/login.keychain-db",
            "/USERS/BEN/LIBRARY/KEYCHAINS",
            "//Volumes/Server/adele",
            "/Volumes//./Server/adele",
            "/Volumes/\u{17F}erver",
        ] {
            assert!(!has(path, &MOUNTS), "{path}");
        }
    }

    #[test]
    fn a_link_may_lead_anywhere_and_a_way_that_ends_leads_nowhere() {
        for path in ["/Users/link", "/Users/link/Library", "/Users/x/../y", "/Users/broken/x", "/Users/forbidden/x"] {
            assert!(!has(path, &MOUNTS), "{path}");
        }
        for path in ["/Users/missing/Library/link", "/Users/file/x", "/Users/closed/link"] {
            assert!(has(path, &MOUNTS), "{path}");
        }
    }

    #[test]
    fn a_mount_whose_name_can_be_written_in_more_than_one_way_makes_everything_doubtful() {
        assert!(!has("/Users/adele", &["/", "/Users/Jose\u{301}"]));
        assert!(!has("/Users/adele", &["/", "/Volumes/Größe"]));
    }

    #[test]
    fn what_is_mounted_here_is_told_from_what_is_not() {
        // On a Mac that depends on who has mounted what.
        assert_eq!(super::has(Path::new("/no/such/file")), platform::mounts().is_some());
        assert!(!super::has(Path::new("/dev/null")));
        assert!(!super::has(Path::new("")));
    }
}
