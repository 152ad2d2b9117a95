//! Runs the tool as a user, and as root for a user with an account.

/// A user and a group that own only the homes of these tests.
pub const USER: u32 = 61_234;
pub const GROUP: u32 = 61_235;

#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        os::unix::process::CommandExt,
        path::{Path, PathBuf},
        process::Command,
    };

    use assert_cmd::cargo::cargo_bin;

    use super::{GROUP, USER};
    use crate::{home::Home, outcome::Failed};

    /// A copy of the tool where every user can run it.
    pub fn tool(home: &Home) -> Result<PathBuf, Failed> {
        let copy = home.folder.path().join("wpj-state");
        // `cp` writes it: a program that is open for writing cannot be started, and a child that another thread forks
        // would keep it open.
        if !Command::new("cp").arg(cargo_bin("wpj-state")).arg(&copy).status()?.success() {
            return Err("the tool cannot be copied".into());
        }
        Ok(copy)
    }

    /// A command that runs the tool as root for Adele, the owner of this home.
    pub fn named(home: &Home) -> Result<Command, Failed> {
        let mut tool = Command::new(cargo_bin("wpj-state"));
        tool.args(["--user", "adele"]);
        with_adele(home, "", &tool)
    }

    /// A command for which Adele has an account, this home, and these groups in addition to her own. Her account exists
    /// only in the mount namespace of this command.
    pub fn with_adele(home: &Home, groups: &str, inner: &Command) -> Result<Command, Failed> {
        let [passwd, group] = ["passwd", "group"].map(|name| home.folder.path().join(name));
        let adele = format!("adele:x:{USER}:{GROUP}::{}:/bin/sh", home.path.display());
        fs::write(&passwd, format!("root:x:0:0::/root:/bin/sh\n{adele}\n"))?;
        fs::write(&group, format!("root:x:0:\nadele:x:{GROUP}:\n{groups}"))?;
        let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/group && shift 2 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "/bin/sh", "-c", script, "sh"]).args([&passwd, &group]);
        command.arg(inner.get_program()).args(inner.get_args());
        Ok(command)
    }

    /// The group with which the tool reads the home of a user without an account.
    pub const NOBODY: u32 = 65_534;

    /// A command that runs a program as the user, with the rights of the reader process.
    pub fn run(program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.uid(USER).gid(NOBODY).current_dir(Path::new("/")).args(arguments);
        command
    }
}
