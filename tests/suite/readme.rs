//! What the README promises is what the tool has.

use std::fs;

use assert_cmd::Command;
use wpj_state::{
    assess::state::RegistrationState,
    cli::{self, attribute::Attribute},
};

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The cells of each row whose first cell is code, in the section with this heading.
fn rows(readme: &str, heading: &str) -> Vec<Vec<String>> {
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| row.replacen("` | ", " | ", 1).split(" | ").map(str::to_owned).collect()).collect()
}

#[test]
fn the_first_table_lists_the_four_results() {
    let listed: Vec<String> = rows(&readme(), "# wpj-state").into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(listed, RegistrationState::ALL.map(RegistrationState::as_str));
}

#[test]
fn every_key_of_the_json_is_listed_in_order() {
    let output =
        Command::cargo_bin("wpj-state").unwrap().args(["--json", "--home", "fixtures/registered/home"]).output();
    let json = String::from_utf8(output.unwrap().stdout).unwrap();
    let keys: Vec<&str> = json.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
    let listed: Vec<String> = rows(&readme(), "JSON").into_iter().map(|row| row[0].clone()).collect();
    let listed: Vec<&String> = listed.iter().take(keys.len() + 1).filter(|&key| key != "certificate").collect();
    assert_eq!(listed, keys);
}

#[test]
fn every_attribute_and_its_type_is_listed_in_order() {
    let listed = rows(&readme(), "Attributes");
    let listed: Vec<_> = listed.iter().map(|row| &row[..2]).collect();
    let attributes = Attribute::ALL.map(|attribute| [attribute.name(), attribute.data_type().as_str()]);
    assert_eq!(listed, attributes);
}

#[test]
fn every_option_is_listed() {
    let listed: Vec<String> = rows(&readme(), "Command line").into_iter().map(|row| row[0].clone()).collect();
    for argument in cli::definition().get_arguments() {
        let option = format!("--{}", argument.get_long().unwrap());
        assert!(listed.iter().any(|row| row.split([' ', '`', ',']).any(|word| word == option)), "{option}");
    }
}

#[test]
fn every_link_to_a_file_of_the_project_leads_to_one() {
    let mut links = 0;
    for (folder, name) in [
        ("", "README.md"),
        ("", "SECURITY.md"),
        ("", "CHANGELOG.md"),
        ("docs/", "remedies.md"),
        ("fixtures/", "README.md"),
        ("docs/", "verification.md"),
        ("jamf/", "README.md"),
    ] {
        let text = fs::read_to_string(format!("{folder}{name}")).unwrap();
        for link in text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()) {
            if !link.is_empty() && !link.contains("://") {
                assert!(fs::exists(format!("{folder}{link}")).unwrap(), "{folder}{name}: {link}");
                links += 1;
            }
        }
    }
    assert!(links > 5, "{links}");
}

#[test]
fn both_readmes_of_the_kit_name_everything_in_it() {
    let own = fs::read_to_string("jamf/README.md").unwrap();
    let whole = readme();
    let section = whole.split("\n### ").find(|section| section.starts_with("What is in the kit")).unwrap();
    for entry in fs::read_dir("jamf").unwrap().map(Result::unwrap) {
        let slash = if entry.file_type().unwrap().is_dir() { "/" } else { "" };
        let name = format!("`{}{slash}`", entry.file_name().to_str().unwrap());
        assert!(section.contains(&format!("\n| {name} |")), "{name}");
        assert!(name == "`README.md`" || own.contains(&format!("\n| {name} |")), "{name}");
    }
}

/// sudo keeps the user's PATH, on which a program of the user's own may have this name.
#[test]
fn nothing_has_a_person_run_the_tool_as_root_but_by_its_path() {
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let mut with_path = 0;
    for name in String::from_utf8(listed.stdout).unwrap().split_terminator('\0') {
        let content = fs::read(name).unwrap_or_default();
        for command in String::from_utf8_lossy(&content).split("sudo ").skip(1) {
            let mut words = command.split([' ', '\n', '`', '"', '\'']).filter(|word| !word.contains('='));
            let program = words.next().unwrap_or_default();
            assert_ne!(program, "wpj-state", "{name}: sudo {}", command.lines().next().unwrap_or_default());
            with_path += usize::from(program == "/usr/local/wpj-state/wpj-state");
        }
    }
    assert!(with_path > 30, "{with_path}");
}

#[test]
fn the_steps_promise_as_many_uploads_as_there_are_files() {
    let count = |folder: &str, extension: &str| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|it| it == extension)).count()
    };
    let files = count("jamf/extension-attributes", "json") + count("jamf/smart-groups", "xml");
    let readme = readme();
    for words in ["would be created", "created"] {
        assert!(readme.contains(&format!("{files} lines `{words}`")), "{files}");
    }
}
