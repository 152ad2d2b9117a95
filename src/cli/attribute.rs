//! The values that extension attributes can have, one at a time.

use clap::{ValueEnum, builder::PossibleValue};

/// What an extension attribute says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    State,
    User,
    /// The device's id in Microsoft Entra.
    DeviceId,
    /// The tenant's id in Microsoft Entra.
    TenantId,
    /// The name with which the user registered.
    UserPrincipalName,
    KeyStorage,
    CertificateExpires,
    /// When JamfAAD last obtained a token.
    LastToken,
    /// What is wrong, if anything is.
    Finding,
    Users,
}

/// What Jamf Pro calls the type of an attribute's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    String,
    /// A date and time in UTC, `YYYY-MM-DD hh:mm:ss`.
    Date,
}

impl DataType {
    /// The name that Jamf Pro shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Date => "Date",
        }
    }
}

impl Attribute {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 10] = [
        Self::State,
        Self::User,
        Self::DeviceId,
        Self::TenantId,
        Self::UserPrincipalName,
        Self::KeyStorage,
        Self::CertificateExpires,
        Self::LastToken,
        Self::Finding,
        Self::Users,
    ];

    /// Name on the command line, type, and what it says.
    const fn row(self) -> (&'static str, DataType, &'static str) {
        use DataType::{Date, String};
        match self {
            Self::State => ("state", String, "how far the registration got"),
            Self::User => ("user", String, "short name of the user whose state it is"),
            Self::DeviceId => ("device-id", String, "the device's id in Microsoft Entra"),
            Self::TenantId => ("tenant-id", String, "the tenant's id in Microsoft Entra"),
            Self::UserPrincipalName => ("user-principal-name", String, "the name that the user registered with"),
            Self::KeyStorage => ("key-storage", String, "Login Keychain, Secure Enclave, or None"),
            Self::CertificateExpires => ("certificate-expires", Date, "when the WPJ certificate expires (UTC)"),
            Self::LastToken => ("last-token", Date, "when JamfAAD last obtained a token (UTC)"),
            Self::Finding => ("finding", String, "the most severe error or warning, or OK"),
            Self::Users => ("users", String, "the state of each local user, a line each"),
        }
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The type that the extension attribute has to have in Jamf Pro.
    pub const fn data_type(self) -> DataType {
        self.row().1
    }

    /// What it says.
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

/// What `--list-attributes` prints: a line for each, with name, type and meaning.
pub fn list() -> String {
    let line = |attribute: &Attribute| {
        format!("{:<21}{:<8}{}\n", attribute.name(), attribute.data_type().as_str(), attribute.meaning())
    };
    Attribute::ALL.iter().map(line).collect()
}
