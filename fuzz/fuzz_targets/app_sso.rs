//! Fuzzes the parser of `app-sso platform -s`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wpj_state::parse::{certificate, platform_sso::app_sso};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let Ok(found) = app_sso::parse(&text) else { return };
    // A key needs a completed registration with Microsoft, and a certificate that Microsoft issued.
    if found.key.is_present() {
        assert_eq!(found.registration_completed, Some(true));
        assert!(found.extension.as_deref().is_some_and(wpj_state::parse::platform_sso::is_microsoft_extension));
        assert!(found.user_state.is_some());
    }
    for id in found.certificate.iter().flat_map(|it| [&it.device_id, &it.tenant_id]).flatten() {
        assert!(certificate::is_guid(id), "{id}");
    }
});
