//! Policy scripts: an admin pastes each one into Jamf Pro by itself, so both contain their common part.

use std::{collections::BTreeMap, fs};

const COMMON: &str = "packaging/policy-common.sh";

/// A script's own parts, before and after the common part.
fn own_parts(script: &str) -> (String, String) {
    let common = fs::read_to_string(COMMON).unwrap();
    let (first, last) = (common.lines().next().unwrap(), common.lines().last().unwrap());
    let between = |text: &str, line: &str| {
        let (before, after) = text.split_once(&format!("\n{line}\n")).unwrap();
        (format!("{before}\n"), after.to_owned())
    };
    let (before, rest) = between(script, first);
    (before, between(&rest, last).1)
}

#[test]
fn both_policy_scripts_contain_the_common_part() {
    let common = fs::read_to_string(COMMON).unwrap();
    let made = ["gather-aad-info.sh", "prompt-registration.sh"].map(|name| {
        let (before, after) = own_parts(&fs::read_to_string(format!("jamf/{name}")).unwrap());
        (name.to_owned(), before + &common + &after)
    });
    super::keep_or_compare_files("jamf", &BTreeMap::from(made));
}
