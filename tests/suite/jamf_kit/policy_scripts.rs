//! Policy scripts: each is pasted into Jamf Pro by itself, so what they have in common is put into both.

use std::{collections::BTreeMap, fs};

const COMMON: &str = "packaging/policy-common.sh";

/// A script's own parts, before and after what both have in common.
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
fn the_policy_scripts_have_their_common_part_from_its_source() {
    let common = fs::read_to_string(COMMON).unwrap();
    let made = ["gather-aad-info.sh", "prompt-registration.sh"].map(|name| {
        let (before, after) = own_parts(&fs::read_to_string(format!("jamf/{name}")).unwrap());
        (name.to_owned(), before + &common + &after)
    });
    super::keep_or_compare_files("jamf", &BTreeMap::from(made));
}
