//! Renamed keychains share one size limit. A keychain that exceeds the rest of it is refused like a file that is too
//! large.

use std::fs::{self, File};

use assert_cmd::Command;
use fixture_generator::{Keychain, keychain::bulk};
use serde_json::Value;

const MIB: u64 = 1024 * 1024;

#[test]
fn at_most_64_mib_of_renamed_keychains_are_read() {
    let home = tempfile::tempdir().unwrap();
    let keychains = home.path().join("Library/Keychains");
    fs::create_dir_all(&keychains).unwrap();
    fs::write(keychains.join("login.keychain-db"), Keychain::new().to_bytes()).unwrap();
    let large = bulk(80_000).to_bytes();
    let size = large.len() as u64;
    assert!((32 * MIB..64 * MIB).contains(&size));
    let place = |number: u32| keychains.join(format!("login_renamed_{number}.keychain-db"));
    let findings = || {
        let output = Command::cargo_bin("wpj-state").unwrap().arg("--json").arg("--home").arg(home.path()).output();
        let json: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        assert_eq!(json["state"], "Not Registered");
        let findings = json["findings"].as_array().unwrap();
        findings.iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let reset = |number: u32| {
        format!(
            "The login keychain was reset: the Workplace Join identity is only in login_renamed_{number}.keychain-db."
        )
    };
    // The highest number is read first.
    fs::write(place(2), &large).unwrap();
    assert_eq!(findings(), [reset(2)]);
    fs::write(place(1), &large).unwrap();
    let left = 64 * MIB - size;
    let refused = format!(
        "login_renamed_1.keychain-db cannot be read: the file is too large ({size} bytes; the limit is {left})."
    );
    assert_eq!(findings(), [reset(2), refused]);
    // A refused keychain does not affect the ones after it.
    File::create(place(3)).unwrap().set_len(1 << 40).unwrap();
    assert!(findings().contains(&reset(2)));
}
