//! Fuzzes the parser of Jamf's `getPSSOStatus`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wpj_state::parse::{
    certificate,
    platform_sso::{self, sso_status},
};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = platform_sso::live("Jamf Conditional Access", &text, &text, sso_status::parse);
    let _ = platform_sso::saved(&text, sso_status::parse);
    let Ok(found) = sso_status::parse(&text) else { return };
    if found.key.is_present() {
        assert!(found.device_id.is_some());
    }
    for id in [&found.device_id, &found.tenant_id].into_iter().flatten() {
        assert!(certificate::is_guid(id) && *id == id.to_ascii_lowercase(), "{id}");
    }
});
