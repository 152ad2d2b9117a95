//! The identifiers of relations and attributes.

use std::fmt;

use serde::{Deserialize, Serialize};
/// The identifier of a relation, which is a kind of record with its own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationId(pub u32);

impl RelationId {
    /// The attributes of all relations. Only this relation's own attributes must be known beforehand.
    pub(crate) const SCHEMA_ATTRIBUTES: Self = Self(2);
    pub const PRIVATE_KEY: Self = Self(0x10);
    /// Generic passwords, which include identity preferences.
    pub(crate) const GENERIC_PASSWORD: Self = Self(0x8000_0000);
    pub(crate) const CERTIFICATE: Self = Self(0x8000_1000);

    /// The keychain's own encrypted keys, in one record without attributes; no schema row declares this relation.
    pub(super) const METADATA: Self = Self(0x8000_8000);
    /// The four relations that describe the others and are in every keychain.
    pub(super) const SCHEMA: [Self; 4] = [Self(0), Self(1), Self::SCHEMA_ATTRIBUTES, Self(3)];

    pub(super) fn is_schema(self) -> bool {
        Self::SCHEMA.contains(&self)
    }
}

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// An attribute: a four-character code, or a small number in key relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttributeId(pub u32);

impl AttributeId {
    /// Keys: the name that Keychain Access shows.
    pub(crate) const KEY_PRINT_NAME: Self = Self(1);
    /// Keys: the public key hash of the certificate that belongs to the key.
    pub(crate) const KEY_LABEL: Self = Self(6);
    /// Keys: what the application that made the key calls it.
    pub(crate) const KEY_APPLICATION_TAG: Self = Self(7);
    /// Certificates: the issuer as macOS normalised it.
    pub(crate) const ISSUER: Self = Self::code(*b"issu");
    /// Certificates: SHA-1 of the public key's bits.
    pub(crate) const PUBLIC_KEY_HASH: Self = Self::code(*b"hpky");
    pub(crate) const ACCOUNT: Self = Self::code(*b"acct");
    pub(crate) const SERVICE: Self = Self::code(*b"svce");
    pub(crate) const MODIFIED: Self = Self::code(*b"mdat");

    const fn code(letters: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(letters))
    }
}

impl fmt::Display for AttributeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.to_be_bytes();
        match str::from_utf8(&letters) {
            Ok(code) if letters.iter().all(u8::is_ascii_graphic) => f.write_str(code),
            _ => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_shown_by_their_code_or_their_number() {
        assert_eq!(AttributeId::PUBLIC_KEY_HASH.to_string(), "hpky");
        assert_eq!(AttributeId::KEY_LABEL.to_string(), "6");
        assert_eq!(RelationId::CERTIFICATE.to_string(), "0x80001000");
    }
}
