//! Certificates: whatever they are, there is an answer, and it does not depend on what stands behind them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wpj_state::parse::certificate::{self, Issuer};

fuzz_target!(|bytes: &[u8]| {
    let issuer = certificate::issuer(bytes, None);
    let hash = certificate::public_key_hash(bytes);
    match &issuer {
        Issuer::WorkplaceJoin(Some(description)) => {
            assert!(hash.is_some());
            assert_eq!(description.fields.sha1.len(), 40);
            for id in [&description.device_id, &description.tenant_id].into_iter().flatten() {
                assert!(certificate::is_guid(id) && *id == id.to_ascii_lowercase(), "{id}");
            }
            assert!(certificate::mentions_workplace_join(bytes));
        }
        Issuer::WorkplaceJoin(None) => assert!(hash.is_none() && certificate::mentions_workplace_join(bytes)),
        Issuer::Another { parsable } => assert_eq!(*parsable, hash.is_some()),
        Issuer::Unknown => assert!(hash.is_none()),
    }
    // What can be parsed is believed, whatever the keychain has stored beside it.
    if hash.is_some() {
        assert_eq!(certificate::issuer(bytes, Some(bytes)), issuer);
    }
});
