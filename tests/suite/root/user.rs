//! The tool run by a user, and by root for a user who has an account.

/// A user and a group that own nothing but the homes of these tests.
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
        // A program that this process itself writes cannot be run while another thread starts something.
        if !Command::new("cp").arg(cargo_bin("wpj-state")).arg(&copy).status()?.success() {
            return Err("the tool cannot be copied".into());
        }
        Ok(copy)
    }

    /// The tool run by root for Adele, whose home this is. Her account is made up, in a mount namespace of the tool's own.
    pub fn named(home: &Home) -> Result<Command, Failed> {
        let adele = format!("adele:x:{USER}:{GROUP}::{}:/bin/sh\n", home.path.display());
        with_accounts(home, &adele, &format!("adele:x:{GROUP}:\n"), &["--user", "adele"])
    }

    /// The tool run by root where there are these accounts and groups.
    pub fn with_accounts(home: &Home, accounts: &str, groups: &str, options: &[&str]) -> Result<Command, Failed> {
        let [passwd, group] = ["passwd", "group"].map(|name| home.folder.path().join(name));
        fs::write(&passwd, format!("root:x:0:0::/root:/bin/sh\n{accounts}"))?;
        fs::write(&group, format!("root:x:0:\n{groups}"))?;
        let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/group && shift 2 && exec \"$@\"";
        let mut tool = Command::new("unshare");
        tool.args(["-m", "/bin/sh", "-c", script, "sh"]).args([&passwd, &group]);
        tool.arg(cargo_bin("wpj-state")).args(options);
        Ok(tool)
    }

    /// The group with which the home of a user without an account is read.
    pub const NOBODY: u32 = 65_534;

    /// A program that the user runs, with all the rights of the reader process.
    pub fn run(program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.uid(USER).gid(NOBODY).current_dir(Path::new("/")).args(arguments);
        command
    }
}
