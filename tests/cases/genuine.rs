//! Tests with keychains, certificates and outputs that macOS and Microsoft created. The environment variable
//! `WPJ_STATE_GENUINE` is the path of their folder. Without it, these tests are ignored, because the files belong to
//! other projects.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use wpj_state::parse::{
    certificate::{self, Issuer},
    keychain::Keychain,
    platform_sso::{Absence, Key, app_sso},
};

const VARIABLE: &str = "WPJ_STATE_GENUINE";

pub fn trials() -> Vec<Trial> {
    match env::var_os(VARIABLE).map(PathBuf::from) {
        Some(folder) => {
            keychains(&folder).into_iter().chain(certificates(&folder)).chain(app_sso_outputs(&folder)).collect()
        }
        None => vec![
            Trial::test(format!("genuine: all files (ignored: {VARIABLE} is not set)"), || Ok(()))
                .with_ignored_flag(true),
        ],
    }
}

fn keychains(folder: &Path) -> Vec<Trial> {
    let folder = folder.join("keychains");
    let expected = fs::read(folder.join("expected.json")).expect("the folder has keychains/expected.json");
    let expected: Value = serde_json::from_slice(&expected).expect("keychains/expected.json is JSON");
    let expected = expected.as_object().expect("keychains/expected.json is an object").clone();
    assert!(!expected.is_empty(), "keychains/expected.json names keychains");
    expected
        .into_iter()
        .flat_map(|(name, expected)| {
            let path = folder.join(&name);
            let readable = expected["readable"] == true;
            let (reader_path, reader_expected) = (path.clone(), expected.clone());
            [
                Trial::test(format!("genuine: {name}: the reader finds every certificate and key"), move || {
                    reader_agrees(&reader_path, &reader_expected)
                }),
                Trial::test(format!("genuine: {name}: the tool counts them"), move || {
                    tool_agrees(&path, &expected, readable)
                }),
            ]
        })
        .collect()
}

fn reader_agrees(path: &Path, expected: &Value) -> Result<(), Failed> {
    let bytes = fs::read(path)?;
    let opened = Keychain::open(bytes.as_slice());
    if expected["readable"] != true {
        return match opened {
            Err(error) if error.offset < bytes.len() as u64 => Ok(()),
            other => Err(format!("a damaged keychain gave {other:?}").into()),
        };
    }
    let keychain = opened?;
    let mut labels = Vec::new();
    keychain.private_keys(|key| {
        let name = key.names().next().unwrap_or_default();
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        labels.extend(key.labels().map(|label| (hexadecimal(label), String::from_utf8_lossy(name).into_owned())));
    })?;
    let mut certificates = Vec::new();
    keychain.certificates(|certificate| {
        let hash = certificate.public_key_hashes().map(hexadecimal).next().unwrap_or_default();
        let has_key = labels.iter().any(|(label, _)| *label == hash);
        certificates.push((sha1_smol::Sha1::from(certificate.der()).digest().to_string(), hash, has_key));
    })?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut expected_certificates: Vec<_> = list(expected, "certificate_list")
        .iter()
        .map(|it| (text(&it["sha1"]), text(&it["public_key_hash"]), it["has_private_key"] == true))
        .collect();
    certificates.sort();
    expected_certificates.sort();
    equal(&certificates, &expected_certificates)?;
    let expected_labels: BTreeSet<_> = list(expected, "private_key_list")
        .iter()
        .map(|it| (text(&it["label"]), text(&it["print_name"]).trim_end_matches('\0').to_owned()))
        .collect();
    equal(&labels.into_iter().collect(), &expected_labels)
}

fn tool_agrees(path: &Path, expected: &Value, readable: bool) -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    fs::create_dir(home.path().join("Library"))?;
    let tool = || -> Result<Command, Failed> {
        let mut tool = Command::cargo_bin("wpj-state")?;
        tool.arg("--home").arg(home.path()).arg("--keychain").arg(path).arg("--second-opinion=never");
        Ok(tool)
    };
    let plain = tool()?.output()?;
    let state = if readable { "Not Registered" } else { "" };
    equal(&String::from_utf8_lossy(&plain.stdout).into_owned(), &format!("<result>{state}</result>\n"))?;
    equal(&plain.status.code(), &Some(i32::from(!readable)))?;
    let json: Value = serde_json::from_slice(&tool()?.arg("--json").output()?.stdout)?;
    equal(&json["keychain"]["status"], &Value::from(if readable { "found" } else { "damaged" }))?;
    for count in ["certificates", "private_keys", "identities"] {
        equal(&json["keychain"][count], if readable { &expected[count] } else { &Value::Null })?;
    }
    Ok(())
}

fn list<'a>(expected: &'a Value, name: &str) -> &'a [Value] {
    expected[name].as_array().map_or(&[], Vec::as_slice)
}

fn certificates(folder: &Path) -> Vec<Trial> {
    let rows = [
        (
            "msal-dummyEccCertificate.der",
            "e60ac3a3-e09b-4ff6-ba51-94f1b63ec821",
            "f645ad92-e38d-4d1a-b510-d1b09a74a8ca",
        ),
        (
            "platform-sso-device-signing.der",
            "34b1ba9a-3b2d-4c6c-ab4b-615f4b143eab",
            "afb714de-f42c-41f2-802f-65b2911dd346",
        ),
    ];
    rows.map(|(name, device_id, tenant_id)| {
        let path = folder.join("certificates").join(name);
        Trial::test(format!("genuine: {name}: device and tenant ID are read"), move || {
            let der = fs::read(&path)?;
            equal(&certificate::issuer(&der, None), &Issuer::WorkplaceJoin)?;
            let description = certificate::describe(&der).ok_or("it cannot be parsed")?;
            equal(&description.device_id.as_deref(), &Some(device_id))?;
            equal(&description.tenant_id.as_deref(), &Some(tenant_id))
        })
    })
    .into()
}

fn app_sso_outputs(folder: &Path) -> Vec<Trial> {
    let rows = [
        (
            "registered.txt",
            Key::Present,
            Some("34b1ba9a-3b2d-4c6c-ab4b-615f4b143eab"),
            Some("foobar@contoso.onmicrosoft.com"),
        ),
        ("configured-not-registered.txt", Key::Absent(Absence::DeviceNotRegistered), None, None),
        ("nothing-configured.txt", Key::Absent(Absence::NotConfigured), None, None),
    ];
    let trial = |(name, key, device_id, user_principal_name): (&'static str, Key, Option<&str>, Option<&str>)| {
        let path = folder.join("app-sso").join(name);
        let (device_id, user_principal_name) = (device_id.map(str::to_owned), user_principal_name.map(str::to_owned));
        Trial::test(format!("genuine: {name}: it is understood"), move || {
            let found = app_sso::parse(&fs::read_to_string(&path)?)?;
            equal(&found.key, &key)?;
            equal(&found.certificate.and_then(|certificate| certificate.device_id), &device_id)?;
            equal(&found.user_principal_name, &user_principal_name)
        })
    };
    rows.map(trial).into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn equal<T: PartialEq + std::fmt::Debug>(left: &T, right: &T) -> Result<(), Failed> {
    if left == right { Ok(()) } else { Err(format!("found {left:#?}\nexpected {right:#?}").into()) }
}
