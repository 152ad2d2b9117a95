//! Which files lie on the startup disk, told without asking any other disk: a file server that is gone may hold up
//! whoever asks for ever, and not even let him be ended.
//!
//! A folder is another disk's if something is mounted on it. A link may lead anywhere, so that what lies behind one counts
//! as elsewhere, too. Both can change between this and the question itself, but only by somebody who mounts something on a
//! folder of his own in just that moment.

use std::{
    io,
    path::{self, Component, Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::platform;

/// Where macOS mounts the part of the startup disk that can be written. It has the folders `/Users`, `/Library` and others,
/// which are the same ones by either path. As it is compared.
const DATA: &str = "/system/volumes/data";

/// The startup disk, as the kernel knows it at one time.
#[derive(Debug)]
pub struct StartupDisk {
    /// The folders on which another disk is mounted, as they are compared; `None` if that cannot be told for sure.
    others: Option<Vec<String>>,
    /// A folder to which no link leads, so that it need not be looked for again.
    known: Mutex<PathBuf>,
}

impl StartupDisk {
    /// As it is now.
    #[must_use]
    pub fn now() -> Self {
        Self::among(platform::mounts())
    }

    fn among(mounts: Option<Vec<PathBuf>>) -> Self {
        let others = mounts.map(|mounts| {
            mounts.iter().map(|mount| folded(mount)).filter(|mount| !mount.is_empty()).collect::<Vec<String>>()
        });
        // A name beyond ASCII can be written in more than one way.
        let others = others.filter(|others| others.iter().all(|mount| mount.is_ascii()));
        Self { others, known: Mutex::default() }
    }

    /// Whether all of the way to a file lies on it; no, if that cannot be told for sure.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        path::absolute(path).is_ok_and(|path| self.has_way(&path, platform::leads_elsewhere))
    }

    /// `leads_elsewhere` looks at a part of the way to which no other disk belongs, as far as [`platform::mounts`] tells.
    fn has_way(&self, path: &Path, leads_elsewhere: impl Fn(&Path) -> io::Result<bool>) -> bool {
        let Some(others) = &self.others else { return false };
        let folded = folded(path);
        let leads_through = |mount: &String| {
            folded.strip_prefix(mount.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if others.iter().any(leads_through) {
            return false;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut way, rest) = match path.strip_prefix(&*known) {
            Ok(rest) => (known.clone(), rest),
            Err(_) => (PathBuf::new(), path),
        };
        for component in rest.components() {
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
                    let kind = error.kind();
                    return [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::PermissionDenied]
                        .contains(&kind);
                }
            }
        }
        if rest == path {
            *known = way;
        }
        true
    }
}

/// The path by which a folder is compared, without a slash at its end: the startup disk does not tell upper from lower
/// case, and has some folders by two paths.
fn folded(path: &Path) -> String {
    let path = path.to_string_lossy().to_lowercase();
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
        let disk = StartupDisk::among(Some(mounts.iter().map(PathBuf::from).collect()));
        disk.has_way(Path::new(path), |way| {
            assert!(!way.ends_with("Server") && !way.ends_with("Mounted"), "{} was asked", way.display());
            match way.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
                "link" => Ok(true),
                "missing" => Err(io::ErrorKind::NotFound.into()),
                "file" => Err(io::ErrorKind::NotADirectory.into()),
                "closed" => Err(io::ErrorKind::PermissionDenied.into()),
                "broken" => Err(io::Error::from_raw_os_error(5)),
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
        ] {
            assert!(!has(path, &MOUNTS), "{path}");
        }
    }

    #[test]
    fn a_link_may_lead_anywhere_and_a_way_that_ends_leads_nowhere() {
        for path in ["/Users/link", "/Users/link/Library", "/Users/x/../y", "/Users/broken/x"] {
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
        assert!(!StartupDisk::among(None).has_way(Path::new("/Users/adele"), |_| Ok(false)));
    }

    #[test]
    fn what_is_mounted_here_is_told_from_what_is_not() {
        let disk = StartupDisk::now();
        assert!(disk.has(Path::new("/no/such/file")));
        assert!(!disk.has(Path::new("/dev/null")), "{disk:?}");
        assert!(!disk.has(Path::new("")));
    }
}
