//! The shells in which the scripts are tested.

use std::path::{Path, PathBuf};

use crate::outcome::{Outcome, all};

/// A program and its options.
pub type Shell = (&'static str, &'static [&'static str]);

/// The shell that runs the scripts on this system.
pub const SH: Shell = ("sh", &[]);

/// The scripts were not tested with bash 3.2, which is `/bin/sh` on macOS. They use only features that it should have.
const SHELLS: [Shell; 3] = [("dash", &[]), ("bash", &["--posix"]), ("zsh", &[])];

fn places((program, _): Shell) -> impl Iterator<Item = PathBuf> {
    ["/bin", "/usr/bin"].into_iter().map(move |folder| Path::new(folder).join(program))
}

pub fn path(shell: Shell) -> PathBuf {
    places(shell).find(|it| it.exists()).unwrap_or_else(|| panic!("{} is not installed", shell.0))
}

pub fn installed() -> Vec<Shell> {
    let installed: Vec<_> = SHELLS.into_iter().filter(|&shell| places(shell).any(|it| it.exists())).collect();
    assert!(!installed.is_empty(), "none of {SHELLS:?} is installed");
    installed
}

/// Runs a test for each row of a table, in each installed shell.
pub fn in_each_shell<T: Copy + Sync>(
    rows: &[T],
    name: impl Fn(T) -> String,
    test: impl Fn(Shell, T) -> Outcome + Sync,
) -> Outcome {
    let name = &name;
    let in_shell = |shell: Shell| rows.iter().map(move |&row| (format!("{}: {}", shell.0, name(row)), (shell, row)));
    let cases: Vec<_> = installed().into_iter().flat_map(in_shell).collect();
    all(&cases, |&(shell, row)| test(shell, row))
}

#[test]
#[ignore = "needs dash, bash and zsh; the scripts are tested in those that are installed"]
fn every_shell_is_installed() {
    assert_eq!(installed(), SHELLS);
}
