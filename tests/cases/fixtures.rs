//! Compares the tool's output for each folder in `fixtures/` with the output that is stored in that folder.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` stores the present output; read the difference before you commit it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use assert_cmd::cargo::cargo_bin;
use fixture_generator::{
    Entry, Situation, situations,
    situations::{APP_SSO, PSSO_STATUS, SYSTEM},
};
use libtest_mimic::{Failed, Trial};
use wpj_state::{
    assess::{finding::Code, remedy::Remedy},
    cli::attribute::Attribute,
};

pub fn trials() -> Vec<Trial> {
    let trials = situations().into_iter().flat_map(|situation| {
        let name = format!("fixtures: {}", situation.name);
        let trial = |what: &str, test: fn(&Situation) -> Result<(), Failed>| {
            let situation = situation.clone();
            Trial::test(format!("{name}: {what}"), move || test(&situation))
        };
        [
            trial("the folder is as generated", folder_is_as_generated),
            trial("the result line is as expected", result_line_is_as_expected),
            trial("the JSON is as expected", json_is_as_expected),
            trial("the report is as expected", report_is_as_expected),
            trial("the attributes match the JSON", attributes_match_the_json),
        ]
    });
    let all = Trial::test("fixtures: all folders are generated", all_folders_are_generated);
    let short = Trial::test("fixtures: the reports are short", reports_are_short);
    trials.chain([all, short]).collect()
}

fn folder_is_as_generated(situation: &Situation) -> Result<(), Failed> {
    let folder = Path::new("fixtures").join(&situation.name);
    let mut found = BTreeMap::new();
    collect(&folder, &folder, &mut found)?;
    let kept = ["expected.json", "expected.stderr", "expected.explain"].map(Path::new);
    found.retain(|path, _| !kept.contains(&path.as_path()));
    let generated: BTreeMap<PathBuf, Entry> =
        situation.all_entries().into_iter().map(|(path, entry)| (path.into(), entry)).collect();
    let paths = |entries: &BTreeMap<PathBuf, Entry>| entries.keys().cloned().collect::<Vec<_>>();
    equal(&paths(&found), &paths(&generated))?;
    for (path, entry) in &generated {
        if found[path] != *entry {
            return Err(format!("{} differs: run `cargo run -p fixture-generator`", path.display()).into());
        }
    }
    Ok(())
}

fn collect(top: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Entry>) -> Result<(), Failed> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(top, &path, found)?;
            continue;
        }
        let content = if kind.is_symlink() {
            Entry::Link(fs::read_link(&path)?.into_os_string().into_string().map_err(|_| "a link")?.leak())
        } else {
            Entry::File(fs::read(&path)?)
        };
        found.insert(path.strip_prefix(top)?.to_owned(), content);
    }
    Ok(())
}

fn all_folders_are_generated() -> Result<(), Failed> {
    let mut found = fs::read_dir("fixtures")?
        .map(|entry| Ok(entry?.file_name().into_string().map_err(|_| "a name")?))
        .collect::<Result<Vec<String>, Failed>>()?;
    found.retain(|name| name != "README.md");
    found.sort();
    let mut generated: Vec<String> = situations().into_iter().map(|situation| situation.name).collect();
    generated.sort();
    equal(&found, &generated)
}

fn result_line_is_as_expected(situation: &Situation) -> Result<(), Failed> {
    let output = run(situation, &[])?;
    let expected = format!("<result>{}</result>\n", situation.state.unwrap_or_default());
    equal(&text(&output.stdout), &expected)?;
    equal(&output.status.code(), &Some(if situation.state.is_some() { 0 } else { 1 }))?;
    expect_stderr(situation, &output)
}

fn json_is_as_expected(situation: &Situation) -> Result<(), Failed> {
    let output = run(situation, &["--json"])?;
    keep_or_compare(&path(situation, "expected.json"), &output.stdout)?;
    equal(&output.status.code(), &Some(if situation.state.is_some() { 0 } else { 1 }))?;
    expect_stderr(situation, &output)?;
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    equal(&json["state"].as_str(), &situation.state)
}

fn report_is_as_expected(situation: &Situation) -> Result<(), Failed> {
    let output = run(situation, &["--explain"])?;
    keep_or_compare(&path(situation, "expected.explain"), &output.stdout)?;
    equal(&output.status.code(), &Some(if situation.state.is_some() { 0 } else { 1 }))?;
    equal(&text(&output.stderr), "")?;
    let report = text(&output.stdout);
    let headline = report.lines().next().unwrap_or_default();
    if !headline.starts_with(situation.state.unwrap_or("Could not be determined: ")) {
        return Err(headline.into());
    }
    // A command that the reader copies must stay on one line.
    let is_pasted = |line: &str| line.starts_with("sudo ") || line.starts_with("/usr/local/");
    let is_wide = |line: &&str| line.chars().count() > 80 && !is_pasted(line);
    equal(&report.lines().find(is_wide), &None)?;
    // If something is wrong, the report must say what to do.
    let is_wrong = report.lines().any(|line| line.starts_with("[-]"));
    if is_wrong && report.contains("\nWhat to do\n    Nothing.") {
        return Err("something is wrong, but the report has no step".into());
    }
    Ok(())
}

/// A healthy report has at most 20 lines, and half of all have at most 22.
fn reports_are_short() -> Result<(), Failed> {
    let mut lengths = Vec::new();
    for situation in situations() {
        let report = text(&run(&situation, &["--explain"])?.stdout);
        let lines = report.lines().count();
        let is_healthy = report.ends_with("What to do\n    Nothing.\n");
        if is_healthy && lines > 20 {
            return Err(format!("{}: {lines} lines of a healthy report", situation.name).into());
        }
        if is_healthy && ["\n[-] ", "\n[?] "].iter().any(|mark| report.contains(mark)) {
            return Err(format!("{}: a row is wrong or unclear, and there is no step", situation.name).into());
        }
        if lines > 36 {
            return Err(format!("{}: {lines} lines", situation.name).into());
        }
        lengths.push(lines);
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    if median <= 22 { Ok(()) } else { Err(format!("a median of {median} lines").into()) }
}

fn attributes_match_the_json(situation: &Situation) -> Result<(), Failed> {
    let json: serde_json::Value = serde_json::from_slice(&run(situation, &["--json"])?.stdout)?;
    let workplace_join = &json["workplace_join"];
    let date = |value: &serde_json::Value| value.as_str().map(|at| at.replace('T', " ").replace('Z', ""));
    let words = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let storage = match (workplace_join["storage"].as_str(), json["state"].as_str()) {
        (Some("login-keychain"), _) => Some("Login Keychain".to_owned()),
        (Some(_), _) => Some("Secure Enclave".to_owned()),
        (None, state) => state.map(|_| "None".to_owned()),
    };
    let findings = json["findings"].as_array().ok_or("there are findings")?;
    let of_another_provider = findings.iter().any(|finding| finding["code"] == "another-provider");
    let worst = findings.iter().find(|finding| finding["severity"] != "info");
    let short_text = |finding: &serde_json::Value| {
        let code = Code::ALL.iter().find(|code| finding["code"] == code.as_str());
        code.map(|code| code.short_text().to_owned())
    };
    let of_state = |state: &str| if state == "Registered" { "OK".to_owned() } else { state.to_owned() };
    let finding = worst.map_or_else(|| json["state"].as_str().map(of_state), short_text);
    let remedy = Remedy::ALL.iter().find(|remedy| json["remedy"]["code"] == remedy.as_str());
    let remedy = remedy.filter(|remedy| **remedy != Remedy::MendEvidence).map(|remedy| remedy.short_text().to_owned());
    let state = words(&json["state"]);
    let users = words(&json["user"]["home"]).map(|home| format!("{home}: {}", state.as_deref().unwrap_or_default()));
    for attribute in Attribute::ALL {
        let expected = match attribute {
            Attribute::State => state.clone(),
            Attribute::User => words(&json["user"]["name"]),
            Attribute::DeviceId => words(&workplace_join["device_id"]),
            Attribute::TenantId => words(&workplace_join["tenant_id"]),
            Attribute::UserPrincipalName => words(&workplace_join["user_principal_name"]),
            Attribute::KeyStorage => storage.clone(),
            Attribute::CertificateExpires => date(&workplace_join["certificate"]["not_after"]),
            // The user of another provider's extension signs in for that provider.
            Attribute::SignInMethod if of_another_provider => None,
            Attribute::SignInMethod => words(&json["platform_sso"]["sign_in_method"]),
            Attribute::LastToken => date(&json["jamf_aad"]["last_token"]),
            Attribute::Finding => finding.clone(),
            Attribute::Remedy => remedy.clone(),
            Attribute::Users if situation.takes_saved_outputs() => continue,
            Attribute::Users => users.as_ref().map(|users| users.trim_end().to_owned()),
        };
        let output = run(situation, &["--attribute", attribute.name()])?;
        let expected_text = format!("<result>{}</result>\n", expected.as_deref().unwrap_or_default());
        equal(&text(&output.stdout), &expected_text)?;
        let is_known = match attribute {
            Attribute::Users => state.is_some(),
            Attribute::DeviceId
            | Attribute::TenantId
            | Attribute::UserPrincipalName
            | Attribute::CertificateExpires => expected.is_some() || state.as_deref() == Some("Not Registered"),
            Attribute::SignInMethod => {
                let platform_sso = &json["platform_sso"];
                let has_no_user = platform_sso["status"] == "found" && platform_sso["user_state"].is_null();
                expected.is_some() || has_no_user || of_another_provider
            }
            _ => expected.is_some(),
        };
        equal(&output.status.code(), &Some(if is_known { 0 } else { 1 }))?;
        let reasons = text(&output.stderr).lines().filter(|line| !line.starts_with("  ")).count();
        equal(&reasons, &usize::from(!is_known))?;
    }
    Ok(())
}

fn expect_stderr(situation: &Situation, output: &Output) -> Result<(), Failed> {
    if situation.state.is_some() {
        return equal(&text(&output.stderr), "");
    }
    // A reason that is longer goes on in a line that is indented.
    let stderr = text(&output.stderr);
    let is_too_long = |line: &&str| line.chars().count() > 200;
    equal(&stderr.lines().find(is_too_long), &None)?;
    equal(&stderr.lines().filter(|line| !line.starts_with("  ")).count(), &1)?;
    keep_or_compare(&path(situation, "expected.stderr"), &output.stderr)
}

fn run(situation: &Situation, options: &[&str]) -> Result<Output, Failed> {
    let mut tool = Command::new(cargo_bin("wpj-state"));
    Ok(tool.env("LC_ALL", "en_US.UTF-8").args(arguments(situation, options)).output()?)
}

fn arguments(situation: &Situation, options: &[&str]) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for (option, file) in [("--app-sso-state", APP_SSO), ("--psso-status", PSSO_STATUS), ("--system-root", SYSTEM)] {
        if situation.entries.iter().any(|(name, _)| Path::new(name).starts_with(file)) {
            arguments.extend([option.into(), path(situation, file).into()]);
        }
    }
    // A relative path, because the output must not depend on the project's folder.
    arguments.extend(["--home".into(), path(situation, "home").into()]);
    // On a Mac, macOS's reader may be able to read a keychain that is damaged on purpose.
    arguments.push("--second-opinion=never".into());
    arguments.extend(options.iter().map(OsString::from));
    arguments
}

fn path(situation: &Situation, file: &str) -> PathBuf {
    Path::new("fixtures").join(&situation.name).join(file)
}

fn keep_or_compare(path: &Path, printed: &[u8]) -> Result<(), Failed> {
    if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
        return Ok(fs::write(path, printed)?);
    }
    equal(&text(printed), &text(&fs::read(path)?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn equal<T: PartialEq<U> + std::fmt::Debug + ?Sized, U: std::fmt::Debug + ?Sized>(
    left: &T,
    right: &U,
) -> Result<(), Failed> {
    if left == right { Ok(()) } else { Err(format!("found {left:#?}\nexpected {right:#?}").into()) }
}
