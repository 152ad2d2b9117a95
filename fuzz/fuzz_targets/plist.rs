//! The JamfAAD plist, and the system's property lists.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wpj_state::{
    collect::user::ConsoleRecord,
    parse::{
        jamf_aad::{self, JamfAad},
        platform_sso, property_list, set_up,
    },
};

fuzz_target!(|bytes: &[u8]| {
    match jamf_aad::parse(bytes) {
        JamfAad::Unparsable(reason) => assert!(!reason.is_empty() && reason.chars().count() <= 100, "{reason}"),
        JamfAad::Parsed { .. } => {}
    }
    let is_dictionary = property_list::dictionary(bytes).is_ok();
    assert!(is_dictionary || platform_sso::is_configured_by(bytes));
    let files = [bytes.to_vec()];
    assert_eq!(set_up::preferences(&files).is_ok(), is_dictionary);
    assert_eq!(set_up::conditional_access(bytes).is_ok(), is_dictionary);
    assert_eq!(set_up::allow_list(&files).is_ok(), is_dictionary);
    let _ = ConsoleRecord::parse(bytes);
});
