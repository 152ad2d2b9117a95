//! Turns bytes into facts, without files, processes or the clock.

pub mod certificate;
pub mod console;
mod cut;
pub mod jamf_aad;
pub mod keychain;
mod label;
pub mod login_keychain;
pub mod platform_sso;
pub mod property_list;
pub mod records;
pub mod set_up;
pub mod settings;
pub mod tenants;
pub mod timestamp;
