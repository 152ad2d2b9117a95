//! Fuzzes the parsers of JamfAAD's plist and of the system's property lists.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wpj_state::parse::{console::ConsoleRecord, jamf_aad, property_list, set_up};

fuzz_target!(|bytes: &[u8]| {
    let _ = jamf_aad::parse(bytes);
    let is_dictionary = property_list::dictionary(bytes).is_ok();
    let files = [bytes.to_vec()];
    assert_eq!(set_up::preferences(&files).is_ok(), is_dictionary);
    assert_eq!(set_up::agent(bytes).is_ok(), is_dictionary);
    assert_eq!(set_up::sso_profile(&files).is_ok(), is_dictionary);
    let _ = ConsoleRecord::parse(bytes);
});
