//! What the README promises is what the tool has.

use std::fs;

use assert_cmd::Command;
use wpj_state::state::{Code, RegistrationState};

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The first two cells of each row whose first cell is code, in the section with this heading.
fn rows(readme: &str, heading: &str) -> Vec<(String, String)> {
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    cells.map(|(first, rest)| (first.to_owned(), rest.split(" |").next().unwrap().to_owned())).collect()
}

#[test]
fn the_first_table_lists_the_four_results() {
    let listed: Vec<String> = rows(&readme(), "# wpj-state").into_iter().map(|(result, _)| result).collect();
    assert_eq!(listed, RegistrationState::ALL.map(RegistrationState::as_str));
}

#[test]
fn every_finding_s_code_and_severity_is_listed_in_order() {
    let listed = rows(&readme(), "JSON");
    let codes: Vec<_> =
        Code::ALL.iter().map(|code| (code.as_str().to_owned(), code.severity().as_str().to_owned())).collect();
    assert_eq!(listed[listed.len() - codes.len()..], codes);
}

#[test]
fn every_key_of_the_json_is_listed_in_order() {
    let output =
        Command::cargo_bin("wpj-state").unwrap().args(["--json", "--home", "fixtures/registered/home"]).output();
    let json = String::from_utf8(output.unwrap().stdout).unwrap();
    let keys: Vec<&str> = json.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
    let listed: Vec<String> = rows(&readme(), "JSON").into_iter().map(|(key, _)| key).collect();
    let listed: Vec<&String> = listed.iter().take(keys.len() + 1).filter(|&key| key != "certificate").collect();
    assert_eq!(listed, keys);
}
