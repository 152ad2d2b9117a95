//! Fuzzes the certificate parser: any bytes give an answer, and bytes after the certificate do not change it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wpj_state::parse::certificate::{self, Issuer};

fuzz_target!(|bytes: &[u8]| {
    let issuer = certificate::issuer(bytes, None);
    match issuer {
        Issuer::WorkplaceJoin => assert!(certificate::mentions_workplace_join(bytes)),
        Issuer::Another { readable } => assert!(readable),
        // If the X.509 crate can parse a certificate, our reader must find its issuer.
        Issuer::Unknown => assert!(!certificate::is_parsable(bytes)),
    }
    let description = certificate::describe(bytes);
    assert_eq!(description.is_some(), certificate::is_parsable(bytes));
    if let Some(description) = description {
        assert!(certificate::public_key_hash(bytes).is_some());
        assert_eq!(certificate::not_before(bytes), Some(description.not_before));
        assert_eq!(description.fields.sha1.len(), 40);
        for id in [&description.device_id, &description.tenant_id].into_iter().flatten() {
            assert!(certificate::is_guid(id) && *id == id.to_ascii_lowercase(), "{id}");
        }
        for text in [&description.fields.subject, &description.fields.issuer, &description.fields.serial] {
            assert!(text.chars().count() <= 255, "{text}");
        }
    }
    // The issuer in the certificate counts, not the stored one. And a stored issuer alone never proves a Workplace Join
    // certificate.
    let with_stored = certificate::issuer(bytes, Some(bytes));
    assert!(with_stored == issuer || (issuer, with_stored) == (Issuer::Unknown, Issuer::Another { readable: false }));
});
