//! Smart groups, as the Classic API expects them, and the Macs that would be in them.

use std::{collections::BTreeMap, fs};

use serde::{Deserialize, Serialize};
use wpj_state::{
    assess::{finding::Code, remedy::Remedy, state::RegistrationState},
    cli::attribute::Attribute,
    report::attribute::NOTHING_WRONG,
};

use super::extension_attributes::{display_name, values, xml};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "computer_group", deny_unknown_fields)]
struct Group {
    name: String,
    is_smart: bool,
    criteria: Criteria,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Criteria {
    criterion: Vec<Criterion>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Criterion {
    name: String,
    priority: usize,
    and_or: String,
    search_type: String,
    value: String,
    opening_paren: bool,
    closing_paren: bool,
}

/// The short text of the finding that the key belongs to an unexpected tenant.
const ANOTHER_TENANT: &str = "Registered with another tenant";

/// The number of days before a certificate expires in which an admin should act.
const DAYS: &str = "60";

/// A group of the Macs that meet all criteria, if they are joined by `and`, or any of them, if by `or`.
fn group(name: &str, join: &str, criteria: &[(Attribute, &str, &str)]) -> Group {
    let criterion = |(priority, (attribute, operator, value)): (usize, &(Attribute, &str, &str))| Criterion {
        name: display_name(*attribute).to_owned(),
        priority,
        and_or: if priority == 0 { "and" } else { join }.to_owned(),
        search_type: (*operator).to_owned(),
        value: (*value).to_owned(),
        opening_paren: false,
        closing_paren: false,
    };
    let criterion = criteria.iter().enumerate().map(criterion).collect();
    Group { name: format!("AAD Registration State - {name}"), is_smart: true, criteria: Criteria { criterion } }
}

fn groups() -> BTreeMap<String, Group> {
    let of_state = |file: &str, name: &str, state: RegistrationState| {
        (format!("{file}.xml"), group(name, "and", &[(Attribute::State, "is", state.as_str())]))
    };
    let other = |file: &str, name: &str, criteria: &[(Attribute, &str, &str)]| {
        (format!("{file}.xml"), group(name, "and", criteria))
    };
    let of_remedies = |file: &str, name: &str, remedies: &[Remedy]| {
        let criteria: Vec<_> = remedies.iter().map(|remedy| (Attribute::Remedy, "is", remedy.short_text())).collect();
        (format!("{file}.xml"), group(name, "or", &criteria))
    };
    BTreeMap::from([
        of_state("registered", "Registered", RegistrationState::Registered),
        of_state("plist-missing", "JamfAAD PLIST missing", RegistrationState::PlistMissing),
        of_state("aad-id-not-acquired", "AAD ID not acquired", RegistrationState::AadIdNotAcquired),
        of_state("not-registered", "Not Registered", RegistrationState::NotRegistered),
        other("no-answer", "No answer", &[(Attribute::State, "is", "")]),
        other(
            "certificate-expires-soon",
            "Certificate expires within 60 days",
            &[(Attribute::CertificateExpires, "in less than x days", DAYS)],
        ),
        // `is not` also matches a blank value, which means that nothing is known.
        other(
            "finding",
            "Finding is not OK",
            &[(Attribute::Finding, "is not", NOTHING_WRONG), (Attribute::Finding, "is not", "")],
        ),
        // The Macs on which the policy scripts act.
        of_remedies(
            "to-register",
            "User has to register",
            &[Remedy::RegisterInSelfService, Remedy::RegisterInMacos, Remedy::FinishInMacos, Remedy::DeployProfile],
        ),
        of_remedies("to-gather", "gatherAADInfo has to run", &[Remedy::GatherAadInfo]),
        other("another-tenant", ANOTHER_TENANT, &[(Attribute::Finding, "is", ANOTHER_TENANT)]),
    ])
}

#[test]
fn the_groups_match_this_file() {
    let groups = groups();
    let files = groups.iter().map(|(name, group)| (name.clone(), xml(group))).collect();
    super::keep_or_compare("jamf/smart-groups", &files);
    for (name, group) in &groups {
        let read: Group = quick_xml::de::from_str(&files[name]).unwrap();
        assert_eq!(read, *group);
    }
}

/// The groups in the files.
fn kept() -> Vec<Group> {
    let read = |entry: std::io::Result<fs::DirEntry>| {
        quick_xml::de::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap()
    };
    fs::read_dir("jamf/smart-groups").unwrap().map(read).collect()
}

/// Whether a Mac with these values is in a group, according to the operators in Jamf Pro's documentation ("Criteria
/// Operators"). An attribute that is not among the values is blank. A date is the number of days until then.
fn contains(group: &Group, values: &[(Attribute, &str)]) -> bool {
    let criteria = &group.criteria.criterion;
    let join = criteria.last().unwrap().and_or.as_str();
    let mut meets = criteria.iter().enumerate().map(|(priority, criterion)| {
        // Jamf Pro ignores how the first criterion is joined.
        assert!(priority == 0 || criterion.and_or == join, "{criterion:?}");
        assert!(!criterion.opening_paren && !criterion.closing_paren, "{criterion:?}");
        let value = values.iter().find(|(attribute, _)| display_name(*attribute) == criterion.name);
        let value = value.map_or("", |(_, value)| value);
        match criterion.search_type.as_str() {
            "is" => value == criterion.value,
            "is not" => value != criterion.value,
            "in less than x days" => {
                let days = |text: &str| text.parse::<i64>().ok();
                days(value).zip(days(&criterion.value)).is_some_and(|(left, limit)| (0..limit).contains(&left))
            }
            other => panic!("unexpected operator {other}"),
        }
    });
    if join == "or" { meets.any(|it| it) } else { meets.all(|it| it) }
}

fn names(values: &[(Attribute, &str)]) -> Vec<String> {
    let mut names: Vec<String> = kept().into_iter().filter(|group| contains(group, values)).map(|it| it.name).collect();
    names.sort();
    names
}

#[test]
fn each_state_and_a_blank_one_are_in_exactly_one_group() {
    let states = RegistrationState::ALL.map(RegistrationState::as_str);
    let mut all: Vec<String> = Vec::new();
    for state in states.into_iter().chain([""]) {
        let names = names(&[(Attribute::State, state), (Attribute::Finding, NOTHING_WRONG)]);
        assert_eq!(names.len(), 1, "{state}: {names:?}");
        all.extend(names);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5);
}

#[test]
fn a_mac_is_in_the_groups_that_its_values_belong_to() {
    let registered = (Attribute::State, RegistrationState::Registered.as_str());
    let ok = (Attribute::Finding, NOTHING_WRONG);
    let registered_group = "AAD Registration State - Registered";
    assert_eq!(names(&[registered, ok, (Attribute::CertificateExpires, "3000")]), [registered_group]);
    assert_eq!(names(&[registered]), [registered_group]);
    let soon = names(&[registered, ok, (Attribute::CertificateExpires, "59")]);
    assert_eq!(soon, ["AAD Registration State - Certificate expires within 60 days", registered_group]);
    let expired = names(&[registered, (Attribute::Finding, Code::CertificateExpired.short_text())]);
    assert_eq!(expired, ["AAD Registration State - Finding is not OK", registered_group]);
    let wrong_group = "AAD Registration State - Finding is not OK";
    let tenant_group = "AAD Registration State - Registered with another tenant";
    for value in values(Attribute::Finding).unwrap().into_iter().chain([ANOTHER_TENANT]) {
        let expected: &[&str] = match value {
            NOTHING_WRONG => &[registered_group],
            ANOTHER_TENANT => &[wrong_group, registered_group, tenant_group],
            _ => &[wrong_group, registered_group],
        };
        assert_eq!(names(&[registered, (Attribute::Finding, value)]), expected, "{value}");
    }
}

/// Each remedy on which a policy script acts has its group, and no other remedy is in one.
#[test]
fn the_policies_reach_every_mac_on_which_their_scripts_act() {
    let acts = |script: &str, remedy: &str| {
        let text = fs::read_to_string(script).unwrap();
        let (head, _) = text.split_once("set -u").unwrap();
        head.contains(&format!("#    {remedy}  ")) || head.contains(&format!("acts only on \"{remedy}\""))
    };
    let [register, gather] =
        ["User has to register", "gatherAADInfo has to run"].map(|name| format!("AAD Registration State - {name}"));
    for remedy in Remedy::ALL.map(Remedy::short_text) {
        let mut expected = Vec::new();
        if acts("jamf/prompt-registration.sh", remedy) && remedy != Remedy::GatherAadInfo.short_text() {
            expected.push(register.clone());
        }
        if acts("jamf/gather-aad-info.sh", remedy) {
            expected.push(gather.clone());
        }
        let found = names(&[(Attribute::State, "x"), (Attribute::Finding, NOTHING_WRONG), (Attribute::Remedy, remedy)]);
        assert_eq!(found, expected, "{remedy}");
    }
    assert!(acts("jamf/gather-aad-info.sh", Remedy::GatherAadInfo.short_text()));
}

#[test]
fn jamf_pro_knows_the_name_and_operator_of_each_criterion() {
    let operators = ["is", "is not", "in less than x days"];
    let attributes = Attribute::ALL.map(display_name);
    for criterion in kept().iter().flat_map(|group| &group.criteria.criterion) {
        assert!(attributes.contains(&criterion.name.as_str()), "{criterion:?}");
        assert!(operators.contains(&criterion.search_type.as_str()), "{criterion:?}");
    }
}
