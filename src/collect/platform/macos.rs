//! Calls to Apple's libraries. Decisions that do not need them are made elsewhere.
//!
//! The live login keychain is never opened here. [`read_keychain`] gets only a private copy, and reads certificates and
//! attributes of keys. That does not need an unlocked keychain, and with user interaction disabled nothing can prompt.

use std::{io, mem::MaybeUninit, path::Path};

use core_foundation::{
    base::{CFType, TCFType, ToVoid},
    data::CFData,
    dictionary::CFDictionary,
    propertylist::{self, kCFPropertyListBinaryFormat_v1_0},
    string::CFString,
};
use nix::{libc, unistd::Pid};
use security_framework::{
    base::Result as SecResult,
    item::{ItemClass, ItemSearchOptions, KeyClass, Limit, Reference, SearchResult},
    os::macos::keychain::SecKeychain,
};
use system_configuration::dynamic_store::SCDynamicStoreBuilder;

use crate::parse::login_keychain::OtherReading;

/// Whether this system is macOS, so it has a console user and a keychain reader of its own.
pub(crate) const IS_MACOS: bool = true;

/// The group of a user without an account: -2 (nobody).
pub(crate) const NOBODY_GROUP: u32 = 0xFFFF_FFFE;

/// Where private folders are created. Not in `TMPDIR`, which the caller could set to another user's folder.
pub(crate) const TEMPORARY: &str = "/private/tmp";

/// The key of the console user in the dynamic store.
const CONSOLE_USER: &str = "State:/Users/ConsoleUser";

/// `kSCStatusNoKey`: the dynamic store has no such entry.
const NO_KEY: libc::c_int = 1004;

/// `errSecItemNotFound`: the result of a search that finds nothing.
const ITEM_NOT_FOUND: i32 = -25300;

/// The attribute of a key that holds its certificate's public key hash: `kSecAttrApplicationLabel`.
const APPLICATION_LABEL: &str = "klbl";

unsafe extern "C" {
    /// The error of this thread's last call to SystemConfiguration.
    safe fn SCError() -> libc::c_int;
}

/// macOS's record of the console user, as a property list; `None` if nobody is logged in.
/// Fails if the dynamic store does not answer.
pub(crate) fn console_record() -> Result<Option<Vec<u8>>, String> {
    let unanswered = || format!("macOS's dynamic store did not answer (error {})", SCError());
    let store = SCDynamicStoreBuilder::new("wpj-state").build().ok_or_else(unanswered)?;
    let Some(record) = store.get(CONSOLE_USER) else {
        return if SCError() == NO_KEY { Ok(None) } else { Err(unanswered()) };
    };
    let bytes = propertylist::create_data(record.as_CFTypeRef(), kCFPropertyListBinaryFormat_v1_0)
        .map_err(|error| format!("cannot convert the console record: {error}"))?;
    Ok(Some(bytes.bytes().to_vec()))
}

/// What macOS's own reader finds in a keychain. It silently skips records and tables that it cannot read.
/// Fails with the reader's error.
pub(crate) fn read_keychain(copy: &Path) -> Result<OtherReading, String> {
    without_dialogs(|| search(copy))?
}

/// Runs `work` while keychain dialogs of this process are disabled.
/// Fails if they cannot be disabled.
fn without_dialogs<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // Bound to a name: `_` would drop the guard at once.
    let _no_dialogs = SecKeychain::disable_user_interaction().map_err(|error| error.to_string())?;
    Ok(work())
}

fn search(copy: &Path) -> Result<OtherReading, String> {
    let keychain = SecKeychain::open(copy).map_err(|error| error.to_string())?;
    let all = |options: &mut ItemSearchOptions| {
        found(options.keychains(std::slice::from_ref(&keychain)).limit(Limit::All).search())
    };
    let certificates = all(ItemSearchOptions::new().class(ItemClass::certificate()).load_refs(true))?;
    // Without references to the keys: reading attributes from a reference exports the key, which unlocks and prompts.
    let keys = all(ItemSearchOptions::new().key_class(KeyClass::private()).load_attributes(true))?;
    let certificates = certificates.iter().map(der).collect::<Result<Vec<_>, _>>()?;
    Ok(OtherReading::new(keys.iter().map(label), certificates))
}

/// The results of a search; macOS reports an empty search as an error.
fn found(results: SecResult<Vec<SearchResult>>) -> Result<Vec<SearchResult>, String> {
    match results {
        Err(error) if error.code() == ITEM_NOT_FOUND => Ok(Vec::new()),
        results => results.map_err(|error| error.to_string()),
    }
}

fn der(result: &SearchResult) -> Result<Vec<u8>, String> {
    match result {
        SearchResult::Ref(Reference::Certificate(certificate)) => Ok(certificate.to_der()),
        other => Err(format!("macOS's reader returned {other:?} instead of a certificate")),
    }
}

fn label(result: &SearchResult) -> Option<Vec<u8>> {
    match result {
        SearchResult::Dict(attributes) => bytes_of(attributes, APPLICATION_LABEL),
        _ => None,
    }
}

/// The value of an attribute. macOS returns a label of 36 bytes as a string, because it could be a UUID.
fn bytes_of(attributes: &CFDictionary, attribute: &str) -> Option<Vec<u8>> {
    let key = CFString::new(attribute);
    let value = attributes.find(key.to_void())?;
    // SAFETY: the dictionary keeps its values alive, and every value that Security.framework puts there is an object.
    let value = unsafe { CFType::wrap_under_get_rule(*value) };
    match value.downcast::<CFData>() {
        Some(bytes) => Some(bytes.bytes().to_vec()),
        None => value.downcast::<CFString>().map(|text| text.to_string().into_bytes()),
    }
}

/// Sets the supplementary groups of this process.
/// Fails if the system refuses.
pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    let count = libc::c_int::try_from(groups.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the array has `count` elements.
    checked(unsafe { libc::setgroups(count, groups.as_ptr()) }).map(drop)
}

/// Whether a child of this process has ended, without waiting for it.
pub(crate) fn has_ended(child: Pid) -> bool {
    let mut ended = MaybeUninit::<libc::siginfo_t>::zeroed();
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `ended` has the size of the structure that is written.
    let result = unsafe { libc::waitid(libc::P_PID, child.as_raw().cast_unsigned(), ended.as_mut_ptr(), flags) };
    // SAFETY: zeros are valid in this structure, and macOS leaves them if the child is still running.
    (result, unsafe { ended.assume_init() }.si_pid) != (0, 0)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_prompt_while_macos_reads_a_keychain() {
        let is_allowed = || SecKeychain::user_interaction_allowed().unwrap();
        assert!(!without_dialogs(is_allowed).unwrap());
        assert!(is_allowed());
    }
}
