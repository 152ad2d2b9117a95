//! The values for extension attributes.

use clap::{ValueEnum, builder::PossibleValue};

use crate::rows::rows;

/// The data type of an extension attribute, as Jamf Pro calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    String,
    /// A date and time in UTC, `YYYY-MM-DD hh:mm:ss`.
    Date,
}

impl DataType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Date => "Date",
        }
    }
}

rows! {
    /// A value for an extension attribute, with its name on the command line, its type and its meaning.
    pub enum Attribute(&'static str, DataType, &'static str) {
        State => ("state", DataType::String, "how far the registration has got"),
        User => ("user", DataType::String, "short name of the user reported on"),
        DeviceId => ("device-id", DataType::String, "the device ID in Microsoft Entra; empty if none"),
        TenantId => ("tenant-id", DataType::String, "the tenant ID in Microsoft Entra; empty if none"),
        UserPrincipalName => ("user-principal-name", DataType::String, "the name that the user registered with; empty if none"),
        KeyStorage => ("key-storage", DataType::String, "Login Keychain, Secure Enclave, or None"),
        CertificateExpires => ("certificate-expires", DataType::Date, "when the WPJ certificate expires (UTC); empty if none"),
        SignInMethod => ("sign-in-method", DataType::String, "how the user of Platform SSO signs in; empty if none"),
        LastToken => ("last-token", DataType::Date, "when JamfAAD last obtained a token (UTC)"),
        Finding => ("finding", DataType::String, "the most severe error or warning, else OK or the state"),
        Remedy => ("remedy", DataType::String, "what to do for this user, or None"),
        Users => ("users", DataType::String, "the state of each local user, a line each"),
    }
}

impl Attribute {
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The data type to choose in Jamf Pro.
    pub const fn data_type(self) -> DataType {
        self.row().1
    }

    pub const fn meaning(self) -> &'static str {
        self.row().2
    }
}

impl ValueEnum for Attribute {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.meaning()))
    }
}

/// The output of `--list-attributes`: one line for each attribute, with name, type and meaning.
pub fn list() -> String {
    let line = |attribute: &Attribute| {
        format!("{:<21}{:<8}{}\n", attribute.name(), attribute.data_type().as_str(), attribute.meaning())
    };
    Attribute::ALL.iter().map(line).collect()
}
