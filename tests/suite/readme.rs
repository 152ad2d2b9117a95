//! Checks the documents' tables, commands and links against the tool. `prose` checks their language.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` stores the present output of the README's commands; read the difference before you
//! commit it.

use std::{collections::BTreeSet, env, fs, iter, path::Path};

use assert_cmd::Command;
use wpj_state::{
    assess::{finding::Code, state::RegistrationState},
    cli::{self, attribute::Attribute},
    evidence::{Cause, FileKind, NoteProblem, Obstacle},
    parse::{
        keychain::{Error, ErrorKind},
        platform_sso::{Unclear, UnderWay},
        property_list::Problem,
        settings,
    },
    report::reason,
};

use crate::prose::{markdown_files, without_code};

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The section of a document with this heading, up to the next heading of its level or above.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = format!("\n{heading}\n");
    let (_, rest) = document.split_once(&start).unwrap_or_else(|| panic!("{heading}"));
    let level = heading.chars().take_while(|&character| character == '#').count();
    let ends = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level))));
    &rest[..ends.min().unwrap_or(rest.len())]
}

/// The cells of each row of the tables in a text, without the heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_head = |number: usize| lines.get(number + 1).is_some_and(|line| line.starts_with("|---"));
    let rows = lines
        .iter()
        .enumerate()
        .filter(|(number, line)| line.starts_with("| ") && !is_head(*number) && !line.starts_with("|---"));
    rows.map(|(_, row)| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The first cells of the tables in a text that are code, without the backquotes.
fn codes(text: &str) -> Vec<String> {
    rows(text).iter().filter_map(|row| Some(row[0].strip_prefix('`')?.strip_suffix('`')?.to_owned())).collect()
}

#[test]
fn the_first_table_lists_the_four_results_and_the_blank_one() {
    let readme = read("README.md");
    let table = rows(readme.split("\n## ").next().unwrap());
    let listed: Vec<&str> = table.iter().map(|row| row[0].trim_matches('`')).collect();
    let states = RegistrationState::ALL.map(RegistrationState::as_str);
    assert_eq!(listed, [states.as_slice(), &["*(blank)*"]].concat());
}

#[test]
fn every_command_in_the_readme_prints_what_the_readme_says() {
    let path = "README.md";
    let readme = read(path);
    let mut written = String::new();
    let mut commands = 0;
    let mut is_output = false;
    for line in readme.split_inclusive('\n') {
        match line.trim_end().strip_prefix("$ wpj-state ") {
            Some(arguments) => {
                let mut tool = Command::cargo_bin("wpj-state").unwrap();
                let output = tool.args(arguments.split(' ')).env("LC_ALL", "C.UTF-8").output().unwrap();
                written.push_str(line);
                written.push_str(str::from_utf8(&output.stdout).unwrap());
                written.push_str(str::from_utf8(&output.stderr).unwrap());
                commands += 1;
                is_output = true;
            }
            None => {
                is_output &= !line.starts_with("```");
                written.push_str(if is_output { "" } else { line });
            }
        }
    }
    if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
        fs::write(path, &written).unwrap();
    }
    assert_eq!(read(path), written);
    assert_eq!(commands, 5);
}

#[test]
fn the_gate_runs_the_readmes_commands_for_developers() {
    let readme = read("README.md");
    let commands: Vec<&str> = section(&readme, "## For developers")
        .lines()
        .filter(|line| line.starts_with("cargo "))
        .map(|line| line.split(" #").next().unwrap().trim_end())
        .collect();
    assert_eq!(commands.len(), 2);
    let gate = read(".ci/run");
    assert!(gate.contains(&format!("[ \"$({})\" = '<result>Registered</result>' ]", commands[0])));
    assert!(gate.lines().any(|line| line == commands[1]));
}

#[test]
fn every_key_of_the_json_is_listed_in_order() {
    let output =
        Command::cargo_bin("wpj-state").unwrap().args(["--json", "--home", "fixtures/registered/home"]).output();
    let json = String::from_utf8(output.unwrap().stdout).unwrap();
    let keys: Vec<&str> = json.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
    assert_eq!(codes(&read("docs/json.md")), keys);
}

/// Checks that each key of an object is in the row of its own key, or in the list below the table.
#[test]
fn every_key_within_the_json_is_explained() {
    let document = read("docs/json.md");
    let output = Command::cargo_bin("wpj-state")
        .unwrap()
        .args(["--json", "--home", "fixtures/certificate-expired/home"])
        .output();
    let json = String::from_utf8(output.unwrap().stdout).unwrap();
    for line in json.lines() {
        if let Some(key) = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once("\": ")) {
            assert!(document.contains(&format!("`{}`", key.0)), "{}", key.0);
        }
    }
}

#[test]
fn every_attribute_and_its_type_is_listed_in_order() {
    let reference = read("docs/reference.md");
    let listed = rows(section(&reference, "## Attributes"));
    let listed: Vec<[&str; 2]> = listed.iter().map(|row| [row[0].trim_matches('`'), row[1]]).collect();
    let attributes = Attribute::ALL.map(|attribute| [attribute.name(), attribute.data_type().as_str()]);
    assert_eq!(listed, attributes);
}

#[test]
fn every_option_is_listed() {
    let reference = read("docs/reference.md");
    let listed = codes(section(&reference, "## Command line")).join(" ");
    for argument in cli::definition().get_arguments() {
        let option = format!("--{}", argument.get_long().unwrap());
        assert!(listed.split([' ', '`', ',']).any(|word| word == option), "{option}");
    }
}

#[test]
fn the_names_in_jamf_pro_are_those_of_the_kit() {
    let text = read("docs/jamf.md");
    let listed = rows(section(&text, "## Upload attributes and groups"));
    let attributes: BTreeSet<(String, String)> =
        listed.iter().filter(|row| row.len() == 3).map(|row| (unmarked(row[0]), unmarked(row[1]))).collect();
    let kit = fs::read_dir("jamf/extension-attributes").unwrap().map(|entry| entry.unwrap().path());
    let kit = kit.filter(|path| path.extension().is_some_and(|it| it == "json")).map(|path| {
        let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (json["name"].as_str().unwrap().to_owned(), path.file_stem().unwrap().to_str().unwrap().to_owned())
    });
    assert_eq!(attributes, kit.collect());

    let groups: BTreeSet<String> = listed
        .iter()
        .filter(|row| row.len() == 2)
        .flat_map(|row| row[0].split(", `"))
        .map(|name| format!("AAD Registration State - {}", unmarked(name)))
        .collect();
    let kit =
        fs::read_dir("jamf/smart-groups").unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let kit = kit.map(|xml| xml.split_once("<name>").unwrap().1.split_once('<').unwrap().0.to_owned());
    assert_eq!(groups, kit.collect());
}

fn unmarked(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

#[test]
fn the_steps_promise_as_many_uploads_as_there_are_files() {
    let count = |folder: &str, extension: &str| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|it| it == extension)).count()
    };
    let files = count("jamf/extension-attributes", "json") + count("jamf/smart-groups", "xml");
    let steps = read("docs/jamf.md");
    for words in ["would be created", "created"] {
        assert!(steps.contains(&format!("{files} lines `{words}`")), "{files}");
    }
}

#[test]
fn the_readme_of_the_kit_names_everything_in_it() {
    let listed = read("jamf/README.md");
    for entry in fs::read_dir("jamf").unwrap().map(Result::unwrap) {
        let slash = if entry.file_type().unwrap().is_dir() { "/" } else { "" };
        let name = format!("`{}{slash}`", entry.file_name().to_str().unwrap());
        assert!(name == "`README.md`" || listed.contains(&format!("\n| {name} |")), "{name}");
    }
    let steps = read("docs/jamf.md");
    let mut profiles = codes(section(&steps, "## Profiles"));
    profiles.sort();
    let mut kit: Vec<String> =
        fs::read_dir("jamf/profiles").unwrap().map(|entry| entry.unwrap().path()).filter_map(stem).collect();
    kit.sort();
    assert_eq!(profiles, kit);
}

fn stem(path: impl AsRef<Path>) -> Option<String> {
    let path = path.as_ref();
    path.extension().is_some_and(|it| it == "plist").then(|| path.file_stem().unwrap().to_str().unwrap().to_owned())
}

#[test]
fn the_helpdesk_has_every_state_and_finding_in_order() {
    let helpdesk = read("docs/helpdesk.md");
    let states = section(&helpdesk, "## States");
    let headings: Vec<&str> = states.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let expected = RegistrationState::ALL.map(RegistrationState::as_str);
    assert_eq!(headings, [expected.as_slice(), &["Blank result"]].concat());
    let listed = rows(section(&helpdesk, "## Findings"));
    let listed: Vec<&str> = listed.iter().map(|row| row[0]).collect();
    assert_eq!(listed, Code::ALL.map(Code::short_text));
}

/// The next cause after this one. A new cause does not compile until it has its place here.
fn after(cause: &Cause) -> Option<Cause> {
    use Cause::*;
    let words = || "words".to_owned();
    let error = |kind| Keychain(Error { kind, offset: 4 });
    Some(match cause {
        HomeMissing => HomeNotADirectory,
        HomeNotADirectory => NotAHome,
        NotAHome => SharedFolder,
        SharedFolder => Changing,
        Changing => FileMissing,
        FileMissing => FolderMissing,
        FolderMissing => AccountsUnavailable(words()),
        AccountsUnavailable(_) => NoSuchAccount(words()),
        NoSuchAccount(_) => RightsNotTaken { uid: 501, words: words() },
        RightsNotTaken { .. } => DeadlinePassed(10),
        DeadlinePassed(_) => Crashed(words()),
        Crashed(_) => ReaderFailed(words()),
        ReaderFailed(_) => PermissionDenied,
        PermissionDenied => DeniedToUser,
        DeniedToUser => NotPermitted,
        NotPermitted => SymbolicLink,
        SymbolicLink => LinkToNowhere("/folder".into()),
        LinkToNowhere(_) => NotAFolder,
        NotAFolder => NotAFile(FileKind::Fifo),
        NotAFile(_) => TooLarge { size: 3, limit: 2 },
        TooLarge { .. } => Unclear(unclear_after(None)?),
        Unclear(unclear) => unclear_after(Some(unclear)).map_or(NoSession, Unclear),
        NoSession => MayBeDeclared,
        MayBeDeclared => CommandsMissing,
        CommandsMissing => UnderWay(self::UnderWay::NeedsBinding),
        UnderWay(self::UnderWay::NeedsBinding) => UnderWay(self::UnderWay::NewUser),
        UnderWay(self::UnderWay::NewUser) => DeviceLost,
        DeviceLost => Settings(settings::Problem::Tenant),
        Settings(_) => Note(NoteProblem::Damaged),
        Note(_) => NotAPlist(Problem::Empty),
        NotAPlist(_) => Failed(words()),
        Failed(_) => error(ErrorKind::Empty),
        Keychain(Error { kind: ErrorKind::Empty, .. }) => error(ErrorKind::NotAKeychain),
        Keychain(Error { kind: ErrorKind::NotAKeychain, .. }) => error(ErrorKind::UnknownVersion(1)),
        Keychain(Error { kind: ErrorKind::UnknownVersion(_), .. }) => error(ErrorKind::Truncated),
        Keychain(_) => UnknownIssuer(4),
        UnknownIssuer(_) => NotRead,
        NotRead => return None,
    })
}

fn unclear_after(unclear: Option<&Unclear>) -> Option<Unclear> {
    Some(match unclear {
        None => Unclear::TimedOut,
        Some(Unclear::TimedOut) => Unclear::NoAnswer,
        Some(Unclear::NoAnswer) => Unclear::OnlyWords("words".to_owned()),
        Some(Unclear::OnlyWords(_)) => Unclear::Ended("words".to_owned()),
        Some(Unclear::Ended(_)) => Unclear::Failed("words".to_owned()),
        Some(Unclear::Failed(_)) => Unclear::Refused("sudo: words".to_owned()),
        Some(Unclear::Refused(_)) => Unclear::TakenAsRoot,
        Some(Unclear::TakenAsRoot) => Unclear::JamfToolOutput,
        Some(Unclear::JamfToolOutput) => Unclear::AppSsoOutput,
        Some(Unclear::AppSsoOutput) => Unclear::Unintelligible("words".into()),
        Some(Unclear::Unintelligible(_)) => return None,
    })
}

#[test]
fn the_helpdesk_has_every_reason_and_no_other() {
    let helpdesk = read("docs/helpdesk.md");
    let mut listed: BTreeSet<String> = codes(section(&helpdesk, "## Reasons")).into_iter().collect();
    let all = listed.clone();
    for cause in iter::successors(Some(Cause::HomeMissing), after) {
        let reason = reason(&Obstacle { path: None, cause });
        let found: Vec<&String> = all.iter().filter(|words| reason.contains(words.as_str())).collect();
        assert!(!found.is_empty(), "no row of the helpdesk's reasons has words of: {reason}");
        listed.retain(|words| !found.contains(&words));
    }
    assert_eq!(listed, BTreeSet::new(), "no reason has these words");
}

#[test]
fn every_link_to_a_file_of_the_project_leads_to_one() {
    let mut links = 0;
    for file in markdown_files() {
        let text = without_code(&read(&file));
        let inline = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        let defined = text.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split_once("]: "));
        // A link that leads out of the project is to its pages on GitHub, such as its releases.
        let is_local = |link: &&str| !link.contains("://") && !link.starts_with("../../");
        for link in inline.chain(defined.map(|(_, link)| link)).filter(is_local) {
            let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
            let folder = Path::new(&file).parent().unwrap();
            let target = if path.is_empty() { file.clone().into() } else { folder.join(path) };
            assert!(target.exists(), "{file}: {link}");
            if let Some(heading) = heading {
                let headings = anchors(&fs::read_to_string(target).unwrap());
                assert!(headings.iter().any(|anchor| anchor == heading), "{file}: {link}: {headings:?}");
            }
            links += 1;
        }
    }
    assert!(links > 80, "{links}");
}

/// The anchors of a document's headings, as GitHub generates them.
fn anchors(text: &str) -> Vec<String> {
    let text = without_code(text);
    let headings = text.lines().filter_map(|line| line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' '));
    let is_kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// sudo keeps the user's PATH, so it could run another program with this name.
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
