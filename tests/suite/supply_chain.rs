//! The documentation names the crates in the binary, and their licences are allowed.

use std::{collections::BTreeSet, fs, process::Command};

/// Name and licence of each crate that is in a Mac's binary or used by its build.
fn crates() -> BTreeSet<(String, String)> {
    let mut names = BTreeSet::new();
    for target in ["aarch64-apple-darwin", "x86_64-apple-darwin"] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["tree", "--locked", "--package", "wpj-state", "--edges", "normal,build", "--prefix", "none"]);
        let output = cargo.args(["--target", target, "--format", "{p}|{l}"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let (package, licence) = line.split_once('|').unwrap();
            let name = package.split(' ').next().unwrap().to_owned();
            names.insert((name, licence.trim_end_matches(" (*)").to_owned()));
        }
    }
    names.retain(|(name, _)| name != "wpj-state");
    names
}

#[test]
fn the_documentation_names_every_crate_in_the_binary_and_no_other() {
    let document = fs::read_to_string("docs/verification.md").unwrap();
    let section = document.split("\n## ").find(|section| section.starts_with("Supply chain")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.flat_map(|row| row.split('|').enumerate().filter(|(number, _)| [1, 3].contains(number)));
    let named: BTreeSet<String> =
        cells.flat_map(|(_, cell)| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    let there: BTreeSet<String> = crates().into_iter().map(|(name, _)| name).collect();
    assert_eq!(named, there);
}

#[test]
fn every_licence_is_allowed() {
    let rules = fs::read_to_string("deny.toml").unwrap();
    let allowed = rules.split_once("\nallow = [").unwrap().1.split_once(']').unwrap().0;
    let allowed: BTreeSet<&str> = allowed.split('"').skip(1).step_by(2).collect();
    for (name, licence) in crates() {
        let words = licence.replace(['(', ')'], "").replace('/', " OR ");
        // All licences that are joined by AND must be allowed, but only one of those that are joined by OR.
        let is_allowed = words.split(" AND ").all(|part| part.split(" OR ").any(|it| allowed.contains(it.trim())));
        assert!(is_allowed, "{name}: {licence}");
    }
}
