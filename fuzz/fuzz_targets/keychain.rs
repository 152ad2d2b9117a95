//! Fuzzes the keychain reader: an independent reader must find the same in every file that it accepts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oracle::{Theirs, Watched, has_several_values};
use wpj_state::parse::{
    login_keychain::{self, Depth},
    records::Records,
};

fuzz_target!(|bytes: &[u8]| {
    let [state, details] = [Depth::State, Depth::Details].map(|depth| {
        let watched = Watched::new(bytes);
        let found = login_keychain::read(&watched, depth);
        watched.check(&found);
        found
    });
    let key = |found: &login_keychain::LoginKeychain| found.workplace_join_identity().is_some();
    let answer =
        |found: &login_keychain::LoginKeychain| (found.workplace_join_identity().cloned(), found.unknown_issuer);
    assert_eq!(state.as_ref().map(answer), details.as_ref().map(answer));
    let Ok(found) = details else { return };
    let ours = Records::read(bytes).expect("what was read can be read again");
    if has_several_values(bytes) {
        return;
    }
    if let Some(theirs) = Theirs::read(bytes) {
        assert!(theirs.agrees(&ours), "the readers differ");
        if found.unknown_issuer.is_none() {
            assert!(theirs.has_key().is_none_or(|theirs| theirs == key(&found)), "the readers judge differently");
        }
    }
});
