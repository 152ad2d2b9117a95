//! Runs the package's scripts as root in a separate root folder, with folders of other users in their paths.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::outcome::{Failed, Outcome, equal};

/// A user who is not root, like the owner of Homebrew's folders.
const USER: u32 = 4_000_001;

const LINKS: [(&str, &str); 5] = [
    ("/usr/local/bin/wpj-state", "/usr/local/wpj-state/wpj-state"),
    ("/usr/local/share/man/man1/wpj-state.1", "/usr/local/wpj-state/wpj-state.1"),
    ("/usr/local/share/zsh/site-functions/_wpj-state", "/usr/local/wpj-state/_wpj-state"),
    ("/usr/local/share/bash-completion/completions/wpj-state", "/usr/local/wpj-state/wpj-state.bash"),
    ("/usr/local/share/fish/vendor_completions.d/wpj-state.fish", "/usr/local/wpj-state/wpj-state.fish"),
];

const COUNTS: &str = "/Library/Application Support/wpj-state";

/// A root folder with this machine's programs, and with its own `/usr/local`, in which the tool is installed.
struct Mac {
    folder: TempDir,
}

impl Mac {
    fn new() -> Result<Self, Failed> {
        let mac = Self { folder: tempfile::tempdir()? };
        for folder in ["root", "local"] {
            mac.make_folder(mac.folder.path().join(folder))?;
        }
        for folder in ["/etc/ssh/ssh_config.d", "/usr/local/wpj-state", "/Volumes", "/sbin", COUNTS] {
            mac.make(folder)?;
        }
        fs::write(mac.path("/usr/local/wpj-state/wpj-state"), "")?;
        fs::write(mac.path(COUNTS).join("deferrals-501"), "1\n")?;
        fs::write(mac.path("/sbin/pkgutil"), "#!/bin/sh\necho \"pkgutil $*\"\n")?;
        fs::set_permissions(mac.path("/sbin/pkgutil"), fs::Permissions::from_mode(0o755))?;
        Ok(mac)
    }

    /// The path, outside of the root folder, of something in it.
    fn path(&self, path: &str) -> PathBuf {
        match path.strip_prefix("/usr/local/") {
            Some(rest) => self.folder.path().join("local").join(rest),
            None => self.folder.path().join("root").join(path.trim_start_matches('/')),
        }
    }

    fn make_folder(&self, path: PathBuf) -> Outcome {
        fs::create_dir(&path)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
    }

    /// Creates a folder and those above it, private to root.
    fn make(&self, path: &str) -> Outcome {
        let path = self.path(path);
        let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
        missing.into_iter().rev().try_for_each(|folder| self.make_folder(folder.to_owned()))
    }

    /// Changes the owner of a folder to another user.
    fn give_to_user(&self, path: &str) -> Outcome {
        self.make(path)?;
        Ok(chown(self.path(path), Some(USER), None)?)
    }

    fn run(&self, words: &[&str]) -> Result<Output, Failed> {
        let script = "set -e
            for folder in usr bin lib lib64 dev; do
                [ -e \"/$folder\" ] || continue
                mkdir -p \"$1/root/$folder\"
                mount --rbind \"/$folder\" \"$1/root/$folder\"
            done
            mount --bind \"$1/local\" \"$1/root/usr/local\"
            mkdir -p \"$1/root/packaging\"
            mount --bind packaging \"$1/root/packaging\"
            root=$1/root
            shift
            exec chroot \"$root\" \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "/bin/sh", "-c", script, "sh"]).arg(self.folder.path()).args(words);
        Ok(command.output()?)
    }

    fn installs(&self, stdout: &str) -> Outcome {
        gives(&self.run(&["/packaging/postinstall", "a.pkg", "/usr/local/wpj-state", "/", "/"])?, stdout, "", 0)
    }

    fn uninstalls(&self) -> Outcome {
        self.uninstalls_all_but(&[], "")
    }

    /// Uninstalls, and checks that only these links are reported as left, because this folder is not private to root.
    fn uninstalls_all_but(&self, left: &[(&str, &str)], folder: &str) -> Outcome {
        let forgotten = "pkgutil --forget wpj-state\n";
        let line = |(place, _): &(&str, &str)| {
            format!("{place}: not removed, because {folder} is not private to root; remove this link yourself\n")
        };
        gives(&self.run(&["/packaging/uninstall.sh"])?, forgotten, &left.iter().map(line).collect::<String>(), 0)?;
        for path in ["/usr/local/wpj-state", COUNTS] {
            equal(&self.path(path).exists(), &false)?;
        }
        Ok(())
    }

    /// All links that exist.
    fn links(&self) -> Result<Vec<(&str, &str)>, Failed> {
        let is_there =
            |(place, target): &(&str, &str)| fs::read_link(self.path(place)).is_ok_and(|it| it == Path::new(target));
        Ok(LINKS.into_iter().filter(is_there).collect())
    }
}

fn gives(output: &Output, stdout: &str, stderr: &str, status: i32) -> Outcome {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    equal(&(text(&output.stdout).as_str(), text(&output.stderr).as_str()), &(stdout, stderr))?;
    equal(&output.status.code(), &Some(status))
}

/// The messages of the installation about links that it does not create.
fn not_created(links: &[(&str, &str)], because: &str) -> String {
    let line = |(place, target): &(&str, &str)| {
        format!("{place}: not created, because {because} is not private to root; use {target} directly\n")
    };
    links.iter().map(line).collect()
}

#[test]
#[ignore = "needs root"]
fn the_installation_creates_links_and_the_uninstaller_removes_them() -> Outcome {
    let mac = Mac::new()?;
    // A second installation, like with a new version, finds the links of the first one.
    for _ in 0..2 {
        mac.installs("")?;
        equal(&mac.links()?, &LINKS.to_vec())?;
    }
    let mode = |path| Ok::<_, Failed>(fs::metadata(mac.path(path))?.permissions().mode() & 0o7777);
    equal(&mode("/usr/local/share/man/man1")?, &0o755)?;
    mac.uninstalls()?;
    for (place, _) in LINKS {
        equal(&mac.path(place).is_symlink(), &false)?;
        equal(&mac.path(place).parent().is_some_and(Path::is_dir), &true)?;
    }
    mac.uninstalls()
}

#[test]
#[ignore = "needs root"]
fn another_volume_gets_its_own_links() -> Outcome {
    let mac = Mac::new()?;
    mac.make("/Volumes/A Mac")?;
    let install = ["/packaging/postinstall", "a.pkg", "/Volumes/A Mac/usr/local/wpj-state", "/Volumes/A Mac/", "/"];
    gives(&mac.run(&install)?, "", "", 0)?;
    equal(&mac.links()?, &vec![])?;
    for (place, target) in LINKS {
        equal(&fs::read_link(mac.path(&format!("/Volumes/A Mac{place}")))?.as_path(), &Path::new(target))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_link_that_leads_to_a_folder_is_replaced() -> Outcome {
    let mac = Mac::new()?;
    mac.make("/usr/local/bin")?;
    mac.make("/usr/local/wpj-state/old")?;
    symlink("/usr/local/wpj-state/old", mac.path(LINKS[0].0))?;
    mac.installs("")?;
    equal(&mac.links()?, &LINKS.to_vec())
}

#[test]
#[ignore = "needs root"]
fn other_files_and_links_are_left_alone() -> Outcome {
    let mac = Mac::new()?;
    mac.make("/usr/local/bin")?;
    let (place, target) = LINKS[0];
    let said = format!("{place}: left alone, because this package did not create it; use {target} directly\n");
    fs::write(mac.path(place), "another file")?;
    mac.installs(&said)?;
    mac.uninstalls()?;
    equal(&fs::read_to_string(mac.path(place))?.as_str(), &"another file")?;
    fs::remove_file(mac.path(place))?;
    symlink("/opt/wpj-state", mac.path(place))?;
    mac.installs(&said)?;
    mac.uninstalls()?;
    equal(&fs::read_link(mac.path(place))?.as_path(), &Path::new("/opt/wpj-state"))
}

/// A layout, the links that are not created in it, and the folder in the message.
type Layout = (fn(&Mac) -> Outcome, &'static [(&'static str, &'static str)], &'static str);

const LAYOUTS: [Layout; 6] = [
    (|mac| mac.give_to_user("/usr/local/bin"), &[LINKS[0]], "/usr/local/bin"),
    (|mac| mac.give_to_user("/usr/local/share"), &[LINKS[1], LINKS[2], LINKS[3], LINKS[4]], "/usr/local/share"),
    (|mac| mac.give_to_user("/usr/local/share/man"), &[LINKS[1]], "/usr/local/share/man"),
    (
        // A link that belongs to root may lead to a folder that does not.
        |mac| {
            mac.give_to_user("/usr/local/others")?;
            Ok(symlink("/usr/local/others", mac.path("/usr/local/bin"))?)
        },
        &[LINKS[0]],
        "/usr/local/bin",
    ),
    (
        // ssh would read a file of root in this folder, and refuse to start.
        |mac| {
            mac.give_to_user("/usr/local/share")?;
            mac.give_to_user("/usr/local/share/bash-completion")?;
            Ok(symlink("/etc/ssh/ssh_config.d", mac.path("/usr/local/share/bash-completion/completions"))?)
        },
        &[LINKS[1], LINKS[2], LINKS[3], LINKS[4]],
        "/usr/local/share",
    ),
    (|mac| Ok(symlink("/nowhere", mac.path("/usr/local/bin"))?), &[LINKS[0]], "/usr/local/bin"),
];

#[test]
#[ignore = "needs root"]
fn nothing_is_created_in_or_through_a_folder_that_is_not_private_to_root() -> Outcome {
    for (arrange, missing, named) in LAYOUTS {
        let mac = Mac::new()?;
        arrange(&mac)?;
        mac.installs(&not_created(missing, named))?;
        let made: Vec<_> = LINKS.into_iter().filter(|link| !missing.contains(link)).collect();
        equal(&mac.links()?, &made)?;
        for folder in ["/etc/ssh/ssh_config.d", "/usr/local/others"] {
            equal(&fs::read_dir(mac.path(folder)).map_or(0, Iterator::count), &0)?;
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn nothing_is_removed_in_or_through_a_folder_that_is_not_private_to_root() -> Outcome {
    for folder in ["/usr/local/bin", "/usr/local/share", "/usr/local/share/fish/vendor_completions.d"] {
        let mac = Mac::new()?;
        mac.installs("")?;
        mac.give_to_user(folder)?;
        let left: Vec<_> = LINKS.into_iter().filter(|(place, _)| place.starts_with(folder)).collect();
        mac.uninstalls_all_but(&left, folder)?;
        equal(&mac.links()?, &left)?;
    }
    let mac = Mac::new()?;
    mac.make("/etc/others")?;
    symlink(LINKS[0].1, mac.path("/etc/others/wpj-state"))?;
    symlink("/etc/others", mac.path("/usr/local/bin"))?;
    mac.uninstalls_all_but(&LINKS[..1], "/usr/local/bin")?;
    equal(&mac.path("/etc/others/wpj-state").is_symlink(), &true)
}

#[test]
#[ignore = "needs root"]
fn the_tool_is_not_removed_from_a_folder_that_is_not_private_to_root() -> Outcome {
    let mac = Mac::new()?;
    chown(mac.path("/usr/local/"), Some(USER), None)?;
    let stderr = "/usr/local/wpj-state: not removed, because /usr/local is not private to root; \
                  check it, and remove it yourself\n";
    gives(&mac.run(&["/packaging/uninstall.sh"])?, "", stderr, 1)?;
    equal(&mac.path("/usr/local/wpj-state/wpj-state").exists(), &true)?;
    equal(&mac.path(COUNTS).exists(), &false)
}

#[test]
#[ignore = "needs root"]
fn without_root_nothing_is_removed() -> Outcome {
    let mac = Mac::new()?;
    fs::set_permissions(mac.folder.path(), fs::Permissions::from_mode(0o755))?;
    let output = mac.run(&["/usr/bin/setpriv", "--reuid", "4000001", "/packaging/uninstall.sh"])?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("rm: ")).collect();
    let expected = ["/usr/local/wpj-state", COUNTS].map(|it| format!("{it}: could not be removed; run this as root"));
    equal(&ours, &expected.iter().map(String::as_str).collect::<Vec<_>>())?;
    equal(&output.status.code(), &Some(1))?;
    equal(&mac.path("/usr/local/wpj-state/wpj-state").exists(), &true)
}

/// A change that makes the installation unsafe, and the folder in the message.
type Refused = (fn(&Mac) -> Outcome, &'static str);

const REFUSED: [Refused; 5] = [
    (|mac| Ok(chown(mac.path("/usr/local/"), Some(USER), None)?), "/usr/local"),
    (|mac| Ok(fs::set_permissions(mac.path("/usr/local/"), fs::Permissions::from_mode(0o1777))?), "/usr/local"),
    (|mac| Ok(fs::set_permissions(mac.path("/"), fs::Permissions::from_mode(0o775))?), "/"),
    (|mac| mac.give_to_user("/usr/local/wpj-state"), "/usr/local/wpj-state"),
    (
        |mac| {
            fs::remove_dir_all(mac.path("/usr/local/wpj-state"))?;
            Ok(symlink("/etc/ssh/ssh_config.d", mac.path("/usr/local/wpj-state"))?)
        },
        "/usr/local/wpj-state",
    ),
];

#[test]
#[ignore = "needs root"]
fn nothing_is_installed_if_another_user_could_replace_the_tool() -> Outcome {
    let install = ["/packaging/preinstall", "a.pkg", "/usr/local/wpj-state", "/", "/"];
    gives(&Mac::new()?.run(&install)?, "", "", 0)?;
    for (make, folder) in REFUSED {
        let mac = Mac::new()?;
        make(&mac)?;
        let words = "not private to root, so another user could replace the tool; run chown root and chmod go-w on it, then \
                     install again";
        gives(&mac.run(&install)?, "", &format!("{folder}: {words}\n"), 1)?;
    }
    Ok(())
}
