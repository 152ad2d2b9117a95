//! Fuzzes everything from the bytes of a keychain and a plist to every kind of output. The state must follow from what
//! an independent reader finds.
//!
//! The first four bytes are the length of the keychain, big-endian. The keychain and then the plist follow.

#![no_main]

use std::path::PathBuf;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use oracle::{Theirs, has_several_values};
use wpj_state::{
    assess::{assess, state::RegistrationState},
    cli::{Output, Request, Subject, UseMacosReader, UserChoice, attribute::Attribute},
    evidence::{Cause, Evidence, Probe, User, Witness},
    parse::{
        jamf_aad::{self, HaveAnAzureId, JamfAad},
        login_keychain::{self, Depth},
        tenants::Tenants,
        timestamp::Timestamp,
    },
    report::{self, style::Style},
};

fn request(output: Output) -> Request {
    Request {
        subject: Subject::One(UserChoice::Home(PathBuf::from("/Users/adele"))),
        keychain: None,
        plist: None,
        app_sso_state: None,
        psso_status: None,
        system_root: None,
        tenants: Tenants::default(),
        remember_key_days: None,
        second_opinion: UseMacosReader::Never,
        deadline: Duration::MAX,
        output,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
    let (keychain, plist) = rest.split_at(length);
    let found = login_keychain::read(keychain, Depth::Details);
    let is_readable = found.is_ok();
    let mut evidence = Evidence::none(User::default(), Cause::NotRead.into());
    evidence.obstacle = None;
    evidence.login_keychain = Witness {
        path: None,
        probe: found.map_or_else(|error| Probe::Unreadable(Cause::Keychain(error)), Probe::Found),
    };
    let plist = jamf_aad::parse(plist);
    evidence.jamf_aad = Witness { path: None, probe: Probe::Found(plist.clone()) };
    let assessment = assess(&evidence, Timestamp::now());
    let is_acquired = matches!(plist, JamfAad::Parsed { have_an_azure_id: HaveAnAzureId::True, .. });
    if let Ok(state) = &assessment.state
        && is_readable
        && !has_several_values(keychain)
        && let Some(has_key) = Theirs::read(keychain).and_then(|theirs| theirs.has_key())
    {
        let expected = match (has_key, is_acquired) {
            (false, _) => RegistrationState::NotRegistered,
            (true, true) => RegistrationState::Registered,
            (true, false) => RegistrationState::AadIdNotAcquired,
        };
        assert_eq!(*state, expected);
    }
    let outputs = Attribute::ALL.map(Output::Result).into_iter().chain([Output::Json, Output::Explain]);
    for output in outputs {
        let style = Style { colour: false, unicode: false };
        let report = report::report(&request(output), std::slice::from_ref(&assessment), style);
        if matches!(output, Output::Result(_)) {
            let value = report.document.strip_prefix("<result>").and_then(|it| it.strip_suffix("</result>\n"));
            let value = value.expect("one pair of tags");
            assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b"<>&".contains(&byte)), "{value}");
        }
        if matches!(output, Output::Explain) {
            assert!(report.document.is_ascii());
        }
    }
});
