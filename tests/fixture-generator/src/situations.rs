//! The situations in the fixtures: one folder for each, with the state that the tool must determine.

use crate::{
    certificate::{Certificate, Issuer},
    keychain::{GenericPassword, Keychain, Relation},
    plist::{self, Value},
    sso::{self, PlatformSso},
};

const REGISTERED: Option<&str> = Some("Registered");
const PLIST_MISSING: Option<&str> = Some("WPJ Key present, JamfAAD PLIST missing");
const NOT_ACQUIRED: Option<&str> = Some("WPJ Key present, AAD ID not acquired");
const NOT_REGISTERED: Option<&str> = Some("Not Registered");
const UNDETERMINED: Option<&str> = None;

/// Where macOS keeps the login keychain.
pub const LOGIN_KEYCHAIN: &str = "home/Library/Keychains/login.keychain-db";
const OLD_LOGIN_KEYCHAIN: &str = "home/Library/Keychains/login.keychain";
const RENAMED_KEYCHAIN: &str = "home/Library/Keychains/login_renamed_1.keychain-db";
const PLIST: &str = "home/Library/Preferences/com.jamf.management.jamfAAD.plist";
/// A saved output of `app-sso platform -s`, which the tests pass to the tool.
pub const APP_SSO: &str = "app-sso.txt";
/// A saved output of Jamf's `getPSSOStatus`, which the tests pass to the tool.
pub const PSSO_STATUS: &str = "psso-status.txt";
/// Copies of the system's files, which the tests pass to the tool.
pub const SYSTEM: &str = "system";
const JAMF_AAD_PREFERENCES: &str = "system/Library/Managed Preferences/com.jamf.management.jamfAAD.plist";
const SSO_PREFERENCES: &str = "system/Library/Managed Preferences/com.apple.extensiblesso.plist";
const SYSTEM_VERSION: &str = "system/System/Library/CoreServices/SystemVersion.plist";
const JAMF_AGENT: &str = "system/Library/Preferences/com.jamfsoftware.jamf.plist";
const PLIST_OF_ROOT: &str = "system/var/root/Library/Preferences/com.jamf.management.jamfAAD.plist";
const COMPANY_PORTAL: &str = "system/Applications/Company Portal.app/Contents/Info.plist";
const JAMF_TOOL: &str = "system/Library/Application Support/JAMF/Jamf.app/Contents/MacOS/Jamf Conditional Access.app/Contents/MacOS/Jamf Conditional Access";
const OLD_JAMF_TOOL: &str =
    "system/Library/Application Support/JAMF/Jamf.app/Contents/MacOS/JamfAAD.app/Contents/MacOS/JamfAAD";
/// A file in each home, because Git cannot store an empty folder.
const ANY_FILE: &str = "home/.CFUserTextEncoding";

/// A folder in `fixtures/`.
#[derive(Debug, Clone)]
pub struct Situation {
    /// The folder's name.
    pub name: String,
    /// The correct state, or `None` if it cannot be determined.
    pub state: Option<&'static str>,
    /// The well-formed keychains, by their paths in the folder.
    pub keychains: Vec<(&'static str, Keychain)>,
    /// All other files and links.
    pub entries: Vec<(&'static str, Entry)>,
}

/// The file or link at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file with this content.
    File(Vec<u8>),
    /// A symbolic link to this target.
    Link(&'static str),
}

impl Situation {
    /// All files and links of the folder by path, without the outputs that the tests store in it.
    pub fn all_entries(&self) -> Vec<(&'static str, Entry)> {
        let keychains = self.keychains.iter().map(|(path, keychain)| (*path, Entry::File(keychain.to_bytes())));
        let result = format!("<result>{}</result>\n", self.state.unwrap_or_default());
        let expected = ("expected.result", Entry::File(result.into_bytes()));
        keychains.chain(self.entries.clone()).chain([expected]).collect()
    }

    /// Whether there are saved outputs of commands, which belong to one user.
    pub fn takes_saved_outputs(&self) -> bool {
        self.entries.iter().any(|(path, _)| [APP_SSO, PSSO_STATUS].contains(path))
    }

    fn new(name: impl Into<String>, state: Option<&'static str>) -> Self {
        Self { name: name.into(), state, keychains: Vec::new(), entries: Vec::new() }
    }

    fn keychain(self, keychain: Keychain) -> Self {
        self.keychain_at(LOGIN_KEYCHAIN, keychain)
    }

    fn keychain_at(mut self, path: &'static str, keychain: Keychain) -> Self {
        self.keychains.push((path, keychain));
        self
    }

    fn file(mut self, path: &'static str, content: Vec<u8>) -> Self {
        self.entries.push((path, Entry::File(content)));
        self
    }

    fn link(mut self, path: &'static str, target: &'static str) -> Self {
        self.entries.push((path, Entry::Link(target)));
        self
    }

    /// Adds a login keychain that is damaged or not a keychain.
    fn damaged(self, bytes: Vec<u8>) -> Self {
        self.file(LOGIN_KEYCHAIN, bytes)
    }

    fn xml(self, value: &Value) -> Self {
        self.file(PLIST, plist::xml(value))
    }

    fn binary(self, value: &Value) -> Self {
        self.file(PLIST, plist::binary(value))
    }

    fn app_sso(self, output: Vec<u8>) -> Self {
        self.file(APP_SSO, output)
    }

    fn psso_status(self, output: Vec<u8>) -> Self {
        self.file(PSSO_STATUS, output)
    }

    fn acquired(self) -> Self {
        self.xml(&have_an_azure_id(Value::Boolean(true)))
    }
}

/// All situations.
pub fn situations() -> Vec<Situation> {
    [
        states(),
        plist_values(),
        plist_findings(),
        keychain_findings(),
        issuers(),
        layouts(),
        platform_sso(),
        sso_extension(),
        undetermined(),
        set_up(),
    ]
    .concat()
}

fn states() -> Vec<Situation> {
    let registered = have_an_azure_id(Value::Boolean(true));
    let not_acquired = have_an_azure_id(Value::Boolean(false));
    vec![
        Situation::new("registered", REGISTERED).keychain(workplace_joined()).xml(&registered),
        Situation::new("registered-binary-plist", REGISTERED).keychain(workplace_joined()).binary(&registered),
        Situation::new("plist-missing", PLIST_MISSING).keychain(workplace_joined()),
        Situation::new("aad-id-not-acquired", NOT_ACQUIRED).keychain(workplace_joined()).xml(&not_acquired),
        Situation::new("aad-id-not-acquired-binary-plist", NOT_ACQUIRED)
            .keychain(workplace_joined())
            .binary(&not_acquired),
        Situation::new("not-registered", NOT_REGISTERED).keychain(own_identity()),
        Situation::new("not-registered-plist-says-acquired", NOT_REGISTERED).keychain(own_identity()).acquired(),
        Situation::new("not-registered-binary-plist", NOT_REGISTERED).keychain(own_identity()).binary(&not_acquired),
        Situation::new("not-registered-no-certificate-table", NOT_REGISTERED)
            .keychain(Keychain::new().generic_password(&GenericPassword::wifi())),
        Situation::new("not-registered-no-keychain", NOT_REGISTERED).acquired(),
        Situation::new("not-registered-empty-library", NOT_REGISTERED)
            .file("home/Library/Preferences/.GlobalPreferences.plist", Vec::new()),
    ]
}

fn plist_values() -> Vec<Situation> {
    let rows = [
        ("integer-1", REGISTERED, Value::Integer(1)),
        ("real-1", REGISTERED, Value::Real(1.0)),
        ("string-1", REGISTERED, Value::String("1")),
        ("string-true", REGISTERED, Value::String("TRUE")),
        ("string-yes", REGISTERED, Value::String("Yes")),
        ("integer-0", NOT_ACQUIRED, Value::Integer(0)),
        ("integer-2", NOT_ACQUIRED, Value::Integer(2)),
        ("integer-negative", NOT_ACQUIRED, Value::Integer(-1)),
        ("real-0", NOT_ACQUIRED, Value::Real(0.0)),
        ("real-one-and-a-half", NOT_ACQUIRED, Value::Real(1.5)),
        ("string-false", NOT_ACQUIRED, Value::String("false")),
        ("string-empty", NOT_ACQUIRED, Value::String("")),
        ("string-with-spaces", NOT_ACQUIRED, Value::String(" true ")),
        ("string-not-ascii", NOT_ACQUIRED, Value::String("wahr ✓")),
        ("date", NOT_ACQUIRED, Value::Date(730_902_896.0, "2024-02-29T12:34:56Z")),
        ("data", NOT_ACQUIRED, Value::Data(&[1], "AQ==")),
        ("array", NOT_ACQUIRED, Value::Array(vec![Value::Boolean(true)])),
        ("dictionary", NOT_ACQUIRED, Value::Dictionary(vec![("have_an_Azure_id", Value::Boolean(true))])),
    ];
    let both = rows.into_iter().flat_map(|(name, state, value)| {
        let value = have_an_azure_id(value);
        let joined =
            |format| Situation::new(format!("have-an-azure-id-{name}{format}"), state).keychain(workplace_joined());
        [joined("").xml(&value), joined("-binary").binary(&value)]
    });
    both.collect()
}

fn plist_findings() -> Vec<Situation> {
    let joined = |name: &str, state| Situation::new(name, state).keychain(workplace_joined());
    vec![
        joined("have-an-azure-id-missing", NOT_ACQUIRED).xml(&Value::Dictionary(vec![LAST_TOKEN_REAL])),
        joined("have-an-azure-id-missing-binary", NOT_ACQUIRED).binary(&Value::Dictionary(vec![LAST_TOKEN_REAL])),
        joined("last-token-never", REGISTERED).xml(&Value::Dictionary(vec![
            ("have_an_Azure_id", Value::Boolean(true)),
            ("last_aad_token_timestamp", Value::String("0")),
        ])),
        joined("last-token-integer", REGISTERED).binary(&Value::Dictionary(vec![
            ("last_aad_token_timestamp", Value::Integer(1_709_210_096)),
            ("have_an_Azure_id", Value::Boolean(true)),
        ])),
        joined("plist-empty", NOT_ACQUIRED).file(PLIST, Vec::new()),
        joined("plist-not-a-plist", NOT_ACQUIRED).file(PLIST, b"{ \"have_an_Azure_id\": true }".to_vec()),
        joined("plist-not-a-dictionary", NOT_ACQUIRED).xml(&Value::Array(vec![Value::Boolean(true)])),
        joined("plist-cut-short", NOT_ACQUIRED)
            .file(PLIST, cut(plist::xml(&have_an_azure_id(Value::Boolean(true))), 40)),
        joined("plist-cut-short-binary", NOT_ACQUIRED)
            .file(PLIST, cut(plist::binary(&have_an_azure_id(Value::Boolean(true))), 8)),
        Situation::new("plist-unreadable", NOT_REGISTERED)
            .keychain(own_identity())
            .file("home/Library/Preferences/com.jamf.management.jamfAAD.plist/a-directory", Vec::new()),
    ]
}

fn keychain_findings() -> Vec<Situation> {
    let joined = Certificate::workplace_join();
    let earlier = Certificate {
        serial: vec![0x11, 0x22],
        not_before: "20230115080000Z",
        device_id: None,
        subject: "A1B2C3D4-0001-4002-8003-000000000001",
        key: 2,
        ..joined.clone()
    };
    let later = Certificate { key: 3, not_before: "20250601080000Z", ..earlier.clone() };
    let not_yet = Certificate { not_before: "20700101000000Z", not_after: "20800101000000Z", ..joined.clone() };
    let identity = |certificate: &Certificate| Keychain::new().certificate(certificate).workplace_join_key(certificate);
    let both = |first: &Certificate, second: &Certificate| {
        Keychain::new().certificate(first).workplace_join_key(first).certificate(second).workplace_join_key(second)
    };
    vec![
        Situation::new("certificate-without-private-key", NOT_REGISTERED)
            .keychain(own_identity().certificate(&joined))
            .acquired(),
        Situation::new("certificate-without-private-key-beside-identity", REGISTERED)
            .keychain(identity(&joined).certificate(&later))
            .acquired(),
        Situation::new("private-key-without-certificate", NOT_REGISTERED)
            .keychain(own_identity().workplace_join_key(&joined))
            .acquired(),
        Situation::new("session-transport-key-only", NOT_REGISTERED)
            .keychain(Keychain::new().certificate(&joined).private_key(
                ["Microsoft Session Transport Key", "com.microsoft.workplacejoin.stk.privatekey\0"],
                &[earlier.public_key_hash()],
            ))
            .acquired(),
        Situation::new("several-workplace-join-identities", REGISTERED).keychain(both(&later, &earlier)).acquired(),
        Situation::new("several-workplace-join-identities-latest-last", REGISTERED)
            .keychain(both(&earlier, &later))
            .acquired(),
        Situation::new("certificate-expired", REGISTERED).keychain(identity(&expired())).acquired(),
        Situation::new("certificate-not-yet-valid", REGISTERED).keychain(identity(&not_yet)).acquired(),
        Situation::new("login-keychain-reset", NOT_REGISTERED)
            .keychain(Keychain::new())
            .keychain_at(RENAMED_KEYCHAIN, workplace_joined())
            .acquired(),
        Situation::new("login-keychain-reset-and-gone", NOT_REGISTERED)
            .keychain_at(RENAMED_KEYCHAIN, workplace_joined()),
        Situation::new("login-keychain-renamed-and-registered-again", REGISTERED)
            .keychain(workplace_joined())
            .keychain_at(RENAMED_KEYCHAIN, workplace_joined())
            .acquired(),
        Situation::new("renamed-keychain-unreadable", NOT_REGISTERED)
            .keychain(Keychain::new())
            .file(RENAMED_KEYCHAIN, cut(workplace_joined().to_bytes(), 100)),
        Situation::new("issuer-name-outside-certificates", NOT_REGISTERED)
            .keychain(own_identity().generic_password(&GenericPassword::identity_preference()))
            .acquired(),
        Situation::new("identity-preference-beside-identity", REGISTERED)
            .keychain(workplace_joined().generic_password(&GenericPassword::identity_preference()))
            .acquired(),
        Situation::new("certificate-unparsable", REGISTERED)
            .keychain(Keychain::new().certificate_record(&joined, cut(joined.der(), 10)).workplace_join_key(&joined))
            .acquired(),
        Situation::new("certificate-unparsable-of-another-issuer", NOT_REGISTERED)
            .keychain(own_identity().certificate_record(&Certificate::contoso(), b"not a certificate".to_vec())),
        Situation::new("other-records-unreadable", REGISTERED)
            .damaged(with_damaged_password(workplace_joined()))
            .acquired(),
        Situation::new("user-principal-name-behind-damage", REGISTERED)
            .damaged(with_damaged_password(
                identity(&joined)
                    .generic_password(&GenericPassword::user_principal_name("a.vance@contoso.com", "20240101000000Z"))
                    .generic_password(&GenericPassword::wifi()),
            ))
            .acquired(),
        Situation::new("user-principal-name-changed", REGISTERED)
            .keychain(
                identity(&joined)
                    .generic_password(&GenericPassword::user_principal_name(
                        "adele.vance@contoso.com",
                        "20250101000000Z",
                    ))
                    .generic_password(&GenericPassword::user_principal_name("a.vance@contoso.com", "20240101000000Z")),
            )
            .acquired(),
        Situation::new("old-registration-without-tenant-id", REGISTERED)
            .keychain(identity(&Certificate { tenant_id: None, device_id: None, ..joined }))
            .acquired(),
    ]
}

fn issuers() -> Vec<Situation> {
    let rows = [
        ("issuer-utf8", REGISTERED, Issuer::WorkplaceJoinUtf8),
        ("issuer-lower-case", REGISTERED, Issuer::WorkplaceJoinLowerCase),
        ("issuer-bmp", REGISTERED, Issuer::WorkplaceJoinBmp),
        ("issuer-universal", REGISTERED, Issuer::WorkplaceJoinUniversal),
        ("issuer-second-common-name", REGISTERED, Issuer::WorkplaceJoinSecondCommonName),
        ("issuer-octets", NOT_REGISTERED, Issuer::WorkplaceJoinOctets),
        ("issuer-peer-to-peer", NOT_REGISTERED, Issuer::PeerToPeer),
        ("issuer-name-in-another-attribute", NOT_REGISTERED, Issuer::WorkplaceJoinAsUnit),
    ];
    let situation = |(name, state, issuer)| {
        let certificate = Certificate { issuer, ..Certificate::workplace_join() };
        let keychain = Keychain::new().certificate(&certificate).workplace_join_key(&certificate);
        Situation::new(name, state).keychain(keychain).acquired()
    };
    let lying = {
        let certificate = Certificate::contoso();
        let stored = Issuer::WorkplaceJoin.normalised();
        let der = certificate.der();
        let keychain = Keychain::new().certificate_record_with_issuer(&certificate, der, stored);
        Situation::new("issuer-stored-differs", NOT_REGISTERED)
            .keychain(keychain.workplace_join_key(&certificate))
            .acquired()
    };
    // The part after the issuer is missing.
    let damaged = {
        let certificate = Certificate::workplace_join();
        let (der, stored) = (cut(certificate.der(), 100), Issuer::Contoso.normalised());
        let keychain = Keychain::new().certificate_record_with_issuer(&certificate, der, stored);
        Situation::new("issuer-stored-differs-from-damaged-certificate", REGISTERED)
            .keychain(keychain.workplace_join_key(&certificate))
            .acquired()
    };
    let stored_only = {
        let certificate = Certificate::workplace_join();
        let keychain = Keychain::new().certificate_record(&certificate, b"not a certificate".to_vec());
        Situation::new("issuer-only-stored", UNDETERMINED)
            .keychain(keychain.workplace_join_key(&certificate))
            .acquired()
    };
    rows.into_iter().map(situation).chain([lying, damaged, stored_only]).collect()
}

/// Keychains that are well-formed in unusual ways.
fn layouts() -> Vec<Situation> {
    let joined = Certificate::workplace_join();
    let own = Certificate::contoso();
    let names = ["Microsoft Workplace Join Key", "com.microsoft.workplacejoin.privatekey\0"];
    vec![
        Situation::new("layout-free-slots", REGISTERED)
            .keychain(
                Keychain::new()
                    .free(Relation::Certificate)
                    .free(Relation::Certificate)
                    .certificate(&joined)
                    .free(Relation::Certificate)
                    .free(Relation::PrivateKey)
                    .workplace_join_key(&joined),
            )
            .acquired(),
        Situation::new("layout-all-slots-free", NOT_REGISTERED)
            .keychain(Keychain::new().free(Relation::Certificate).free(Relation::PrivateKey))
            .acquired(),
        Situation::new("layout-records-out-of-order", REGISTERED)
            .keychain(
                Keychain::new()
                    .certificate(&own)
                    .certificate(&joined)
                    .private_key(["Contoso", "\0"], &[own.public_key_hash()])
                    .workplace_join_key(&joined)
                    .reversed(Relation::Certificate)
                    .reversed(Relation::PrivateKey),
            )
            .acquired(),
        Situation::new("layout-tables-reversed", REGISTERED)
            .keychain(workplace_joined().with_tables_reversed())
            .acquired(),
        Situation::new("layout-two-aliases", REGISTERED)
            .keychain(Keychain::new().certificate(&joined).with_two_aliases().workplace_join_key(&joined))
            .acquired(),
        Situation::new("layout-two-labels", REGISTERED)
            .keychain(
                Keychain::new()
                    .certificate(&joined)
                    .private_key(names, &[own.public_key_hash(), joined.public_key_hash()]),
            )
            .acquired(),
        Situation::new("layout-empty-label", NOT_REGISTERED)
            .keychain(
                Keychain::new()
                    .certificate(&joined)
                    .with_public_key_hashes(&[Vec::new()])
                    .private_key(names, &[Vec::new()]),
            )
            .acquired(),
        Situation::new("layout-no-label", NOT_REGISTERED)
            .keychain(Keychain::new().certificate(&joined).private_key(names, &[]))
            .acquired(),
        Situation::new("layout-old-name", REGISTERED).keychain_at(OLD_LOGIN_KEYCHAIN, workplace_joined()).acquired(),
        Situation::new("layout-new-name-preferred", NOT_REGISTERED)
            .keychain(own_identity())
            .keychain_at(OLD_LOGIN_KEYCHAIN, workplace_joined())
            .acquired(),
    ]
}

fn platform_sso() -> Vec<Situation> {
    let registered = PlatformSso::registered;
    let new = |name: &str, state| Situation::new(format!("platform-sso-{name}"), state).keychain(own_identity());
    let joined = Certificate::workplace_join();
    let in_state = |state: &'static str| PlatformSso { user_state: Some(state), ..registered() };
    let with = |name: &str, state, platform_sso: PlatformSso| new(name, state).acquired().app_sso(platform_sso.json());
    let another = Certificate { device_id: None, subject: "a1b2c3d4-0001-4002-8003-000000000001", ..expired() };
    vec![
        with("registered", REGISTERED, registered()),
        new("plist-missing", PLIST_MISSING).app_sso(registered().json()),
        new("aad-id-not-acquired", NOT_ACQUIRED)
            .app_sso(registered().json())
            .xml(&have_an_azure_id(Value::Boolean(false))),
        new("old-style", REGISTERED).acquired().app_sso(registered().old_style()),
        with("certificate-expired", REGISTERED, PlatformSso { certificate: Some(expired()), ..registered() }),
        with(
            "needs-new-keys",
            REGISTERED,
            PlatformSso { user_state: Some("POUserStateNeedsNewKeys (1)"), ..registered() },
        ),
        with(
            "needs-registration",
            NOT_REGISTERED,
            PlatformSso { user_state: Some("POUserStateNeedsRegistration (2)"), ..registered() },
        ),
        with("user-not-registered", NOT_REGISTERED, PlatformSso { user_state: None, ..registered() }),
        with(
            "another-provider",
            NOT_REGISTERED,
            PlatformSso { extension: "com.okta.mobile.auth-service-extension", certificate: None, ..registered() },
        ),
        with(
            "device-not-registered",
            NOT_REGISTERED,
            PlatformSso { registration_completed: false, certificate: None, user_state: None, ..registered() },
        ),
        with(
            "certificate-of-another-issuer",
            NOT_REGISTERED,
            PlatformSso { certificate: Some(Certificate::contoso()), ..registered() },
        ),
        with("smart-card", REGISTERED, PlatformSso { login_type: "POLoginTypeSmartCard (3)", ..registered() }),
        with("access-key", REGISTERED, PlatformSso { login_type: "POLoginTypeAccessKey (4)", ..registered() }),
        new("token-expired", REGISTERED).acquired().app_sso(with_expired_token(&registered())),
        with("user-key-invalid", NOT_REGISTERED, in_state("POUserStateUserKeyInvalid (5)")),
        with("user-key-invalid-by-number", NOT_REGISTERED, in_state("(null) (5)")),
        with("registration-failed-by-number", NOT_REGISTERED, in_state("(null) (3)")),
        with("new-password-user", UNDETERMINED, in_state("POUserStateNewPasswordUser (4)")),
        with("new-smart-card-user", UNDETERMINED, in_state("POUserStateNewSmartCardUser (6)")),
        with("needs-binding", UNDETERMINED, in_state("POUserStateNeedsBinding (7)")),
        with("registering-by-number", UNDETERMINED, in_state("(null) (6)")),
        with("unheard-of-state", UNDETERMINED, in_state("POUserStateOfTomorrow (42)")),
        with("name-and-number-disagree", UNDETERMINED, in_state("POUserStateNormal (2)")),
        with("device-lost", UNDETERMINED, PlatformSso { device: false, ..registered() }),
        new("device-lost-with-error", UNDETERMINED).acquired().app_sso(with_error(&registered())),
        new("taken-as-root-not-configured", NOT_REGISTERED)
            .acquired()
            .app_sso(PlatformSso { device: false, ..registered() }.as_root()),
        new("taken-as-root", UNDETERMINED).acquired().app_sso(registered().as_root()),
        new("through-echo", REGISTERED).acquired().app_sso(registered().through_echo()),
        new("refused-by-sudo", UNDETERMINED)
            .acquired()
            .app_sso(b"sudo: PAM account management error: permission denied\nsudo: a password is required\n".to_vec()),
        new("is-output-of-jamfs-tool", UNDETERMINED).acquired().app_sso(sso::sso_status(2, joined.subject)),
        with(
            "two-tickets",
            REGISTERED,
            PlatformSso {
                tickets: vec![
                    ["tgt_ad", "AD.CONTOSO.COM", "avance@ad.contoso.com"],
                    ["tgt_cloud", "KERBEROS.MICROSOFTONLINE.COM", "adele.vance@contoso.com"],
                ],
                ..registered()
            },
        ),
        with(
            "without-cloud-ticket",
            REGISTERED,
            PlatformSso {
                tickets: vec![["tgt_ad", "AD.CONTOSO.COM", "avance@ad.contoso.com"]],
                login_user_name: "adele.vance@contoso.com",
                login_type: "POLoginTypePassword (1)",
                ..registered()
            },
        ),
        Situation::new("platform-sso-needs-registration-beside-login-keychain", REGISTERED)
            .keychain(workplace_joined())
            .acquired()
            .app_sso(in_state("POUserStateNeedsRegistration (2)").json()),
        new("not-configured", NOT_REGISTERED).acquired().app_sso(sso::not_configured()),
        new("unintelligible", UNDETERMINED).acquired().app_sso(b"Killed: 9\n".to_vec()),
        Situation::new("platform-sso-without-keychain", REGISTERED).acquired().app_sso(registered().json()),
        Situation::new("platform-sso-unintelligible-without-keychain", UNDETERMINED)
            .acquired()
            .app_sso(b"Killed: 9\n".to_vec()),
        Situation::new("platform-sso-beside-damaged-keychain", REGISTERED)
            .damaged(cut(workplace_joined().to_bytes(), 1))
            .acquired()
            .app_sso(registered().json()),
        Situation::new("platform-sso-user-not-registered-beside-damaged-keychain", UNDETERMINED)
            .damaged(cut(workplace_joined().to_bytes(), 1))
            .acquired()
            .app_sso(PlatformSso { user_state: None, ..registered() }.json()),
        Situation::new("platform-sso-beside-login-keychain", REGISTERED)
            .keychain(workplace_joined())
            .acquired()
            .app_sso(registered().json()),
        Situation::new("platform-sso-of-another-device-beside-login-keychain", REGISTERED)
            .keychain(workplace_joined())
            .acquired()
            .app_sso(PlatformSso { certificate: Some(another), ..registered() }.json()),
        Situation::new("platform-sso-unintelligible-beside-login-keychain", REGISTERED)
            .keychain(workplace_joined())
            .acquired()
            .app_sso(b"Killed: 9\n".to_vec()),
    ]
}

fn sso_extension() -> Vec<Situation> {
    let new = |name: &str, state| Situation::new(format!("sso-extension-{name}"), state).keychain(own_identity());
    let device = Certificate::workplace_join().subject;
    let with = |name: &str, state, output: Vec<u8>| new(name, state).acquired().psso_status(output);
    vec![
        with("registered", REGISTERED, sso::sso_status(0, device)),
        with("registered-and-platform-sso-enabled", REGISTERED, sso::sso_status(1, device)),
        with("registered-with-platform-sso", REGISTERED, sso::sso_status(2, device)),
        with("needs-repair", NOT_REGISTERED, sso::sso_status(3, device)),
        with("not-configured", NOT_REGISTERED, sso::sso_status(0, "")),
        with("not-registered", NOT_REGISTERED, sso::sso_status(1, "")),
        with("empty-list", NOT_REGISTERED, b"0\nextraDeviceInformation [:]\n".to_vec()),
        with("timed-out", UNDETERMINED, b"1\nWarning:Timedout\n".to_vec()),
        with("unintelligible", UNDETERMINED, b"Segmentation fault\n".to_vec()),
        with("is-output-of-app-sso", UNDETERMINED, PlatformSso::registered().json()),
        with("without-list", UNDETERMINED, b"0\n".to_vec()),
        with("without-list-where-nothing-is-set-up", NOT_REGISTERED, b"0\n".to_vec())
            .app_sso(sso::not_configured())
            .file("system/Library/Managed Preferences/com.contoso.plist", Vec::new()),
        with("timed-out-where-nothing-is-set-up", NOT_REGISTERED, b"Warning:Timedout\n".to_vec())
            .app_sso(sso::not_configured())
            .file("system/Library/Managed Preferences/com.contoso.plist", Vec::new()),
        with("timed-out-where-a-profile-sets-it-up", UNDETERMINED, b"Warning:Timedout\n".to_vec())
            .app_sso(sso::not_configured())
            .file(SSO_PREFERENCES, plist::xml(&of_microsoft_by_team())),
        with("timed-out-where-a-declaration-may-set-it-up", UNDETERMINED, b"Warning:Timedout\n".to_vec())
            .app_sso(sso::not_configured())
            .file("system/Library/Managed Preferences/com.contoso.plist", Vec::new())
            .file(SYSTEM_VERSION, plist::xml(&Value::Dictionary(vec![("ProductVersion", Value::String("27.0"))]))),
        with("proves-key-beside-invalid-user-key", REGISTERED, sso::sso_status(2, device)).app_sso(
            PlatformSso { user_state: Some("POUserStateUserKeyInvalid (5)"), ..PlatformSso::registered() }.json(),
        ),
        with("proves-key-of-new-user", REGISTERED, sso::sso_status(1, device)).app_sso(
            PlatformSso { user_state: Some("POUserStateNewPasswordUser (4)"), ..PlatformSso::registered() }.json(),
        ),
        with("of-lost-device", NOT_REGISTERED, sso::sso_status(0, ""))
            .app_sso(PlatformSso { device: false, ..PlatformSso::registered() }.json()),
        with("timed-out-beside-lost-device", UNDETERMINED, b"Warning:Timedout\n".to_vec())
            .app_sso(PlatformSso { device: false, ..PlatformSso::registered() }.json()),
        new("platform-sso-plist-missing", PLIST_MISSING).psso_status(sso::sso_status(2, device)),
        new("plist-missing", PLIST_MISSING).psso_status(sso::sso_status(0, device)),
        with("does-not-settle-unintelligible-platform-sso", UNDETERMINED, sso::sso_status(0, ""))
            .app_sso(b"Killed: 9\n".to_vec()),
        with("proves-what-platform-sso-does-not", REGISTERED, sso::sso_status(0, device))
            .app_sso(sso::not_configured()),
        with("timed-out-beside-platform-sso", REGISTERED, b"Warning:Timedout\n".to_vec())
            .app_sso(PlatformSso::registered().json()),
        with("timed-out-and-platform-sso-not-configured", UNDETERMINED, b"Warning:Timedout\n".to_vec())
            .app_sso(sso::not_configured()),
        with("beside-expired-platform-sso", REGISTERED, sso::sso_status(0, device)).app_sso(
            PlatformSso {
                certificate: Some(expired()),
                user_state: Some("POUserStateNeedsRegistration (2)"),
                ..PlatformSso::registered()
            }
            .json(),
        ),
        with("of-another-device", REGISTERED, sso::sso_status(2, "a1b2c3d4-0001-4002-8003-000000000001"))
            .app_sso(PlatformSso::registered().json()),
    ]
}

/// Managed preferences that name only Microsoft's team, at some depth.
fn of_microsoft_by_team() -> Value {
    let payload = Value::Dictionary(vec![("TeamIdentifier", Value::String("UBF8T346G9"))]);
    let kerberos =
        Value::Dictionary(vec![("ExtensionIdentifier", Value::String("com.apple.AppSSOKerberos.KerberosExtension"))]);
    Value::Dictionary(vec![("Payloads", Value::Array(vec![kerberos, payload]))])
}

/// The output of `app-sso` when the SSO token has expired.
fn with_expired_token(platform_sso: &PlatformSso) -> Vec<u8> {
    let text = String::from_utf8(platform_sso.json()).expect("it is text");
    text.replace("(Not Expired)", "(Expired)").into_bytes()
}

/// The output of `app-sso` if it cannot read the device's section.
fn with_error(platform_sso: &PlatformSso) -> Vec<u8> {
    let text = String::from_utf8(PlatformSso { device: false, ..platform_sso.clone() }.json()).expect("it is text");
    let error = "Device Configuration:\n Error Domain=com.apple.PlatformSSO Code=-1001 \"Cannot read it.\"\n";
    text.replacen("Device Configuration:\n", error, 1).into_bytes()
}

/// A Workplace Join certificate that has expired.
fn expired() -> Certificate {
    Certificate { not_before: "20100101000000Z", not_after: "20200101000000Z", ..Certificate::workplace_join() }
}

fn undetermined() -> Vec<Situation> {
    let new = |name: &str| Situation::new(name, UNDETERMINED);
    let joined = Certificate::workplace_join();
    let whole = workplace_joined().to_bytes();
    let replaced = |offset: usize, bytes: &[u8]| {
        let mut damaged = whole.clone();
        damaged[offset..offset + bytes.len()].copy_from_slice(bytes);
        damaged
    };
    // The certificate has a private key, but neither the certificate nor the stored issuer shows who issued it.
    let unknown_issuer = Keychain::new()
        .certificate_record_with_issuer(&joined, joined.der()[..60].to_vec(), b"MS-ORGANIZATION-ACCESS".to_vec())
        .workplace_join_key(&joined);
    vec![
        new("home-without-library").file(ANY_FILE, b"0x0:0x0".to_vec()),
        new("home-missing").file("nothing-else-here", Vec::new()),
        new("home-is-a-file").file("home", b"a file".to_vec()),
        new("library-link-to-nothing").link("home/Library", "nothing").file(ANY_FILE, Vec::new()),
        new("keychains-link-to-nothing").link("home/Library/Keychains", "nothing").acquired(),
        new("preferences-link-to-nothing").keychain(workplace_joined()).link("home/Library/Preferences", "nothing"),
        new("library-is-a-file").file("home/Library", b"a file".to_vec()),
        new("keychain-empty").damaged(Vec::new()).acquired(),
        new("keychain-cut-short").damaged(cut(whole.clone(), 1)).acquired(),
        new("keychain-cut-in-header").damaged(whole[..10].to_vec()).acquired(),
        new("keychain-with-more-behind-it").damaged([&whole[..], &[0; 4]].concat()).acquired(),
        new("keychain-not-a-keychain").damaged(b"-----BEGIN CERTIFICATE-----\n".to_vec()).acquired(),
        new("keychain-sqlite").damaged([&b"SQLite format 3\0"[..], &[0; 84]].concat()).acquired(),
        new("keychain-unknown-version").damaged(replaced(4, &[0, 2, 0, 0])).acquired(),
        new("keychain-damaged-directory").damaged(replaced(24, &[0, 0, 0, 200])).acquired(),
        new("keychain-damaged-certificates")
            .damaged(replaced(place_of(&whole, &joined.der()) - 4, &[0xFF; 4]))
            .acquired(),
        new("keychain-damaged-private-keys")
            .damaged(replaced(place_of(&whole, b"Microsoft Workplace Join Key") - 4, &[0, 0, 4, 0]))
            .acquired(),
        new("keychain-unknown-issuer").keychain(unknown_issuer).acquired(),
        new("keychain-issuer-erased").damaged(erased(&whole, &[joined.der(), joined.issuer.normalised()])).acquired(),
        new("keychain-cut-short-beside-renamed")
            .damaged(cut(whole.clone(), 1))
            .keychain_at(RENAMED_KEYCHAIN, workplace_joined()),
        new("keychain-link")
            .keychain_at("home/Library/Keychains/elsewhere.keychain-db", workplace_joined())
            .link(LOGIN_KEYCHAIN, "elsewhere.keychain-db")
            .acquired(),
        new("keychain-link-to-nothing").link(LOGIN_KEYCHAIN, "nothing.keychain-db").acquired(),
        new("keychain-directory").file("home/Library/Keychains/login.keychain-db/a-directory", Vec::new()).acquired(),
        new("plist-link")
            .keychain(workplace_joined())
            .file("home/Library/Preferences/elsewhere.plist", plist::xml(&have_an_azure_id(Value::Boolean(true))))
            .link(PLIST, "elsewhere.plist"),
        new("plist-directory")
            .keychain(workplace_joined())
            .file("home/Library/Preferences/com.jamf.management.jamfAAD.plist/a-directory", Vec::new()),
    ]
}

const LAST_TOKEN_REAL: (&str, Value) = ("last_aad_token_timestamp", Value::Real(1_709_210_096.5));

/// Situations that differ in how the Mac is set up for JamfAAD, which never changes the state.
fn set_up() -> Vec<Situation> {
    let sso_data = |data: Vec<(&'static str, Value)>| {
        plist::xml(&Value::Dictionary(vec![
            ("ExtensionIdentifier", Value::String("com.microsoft.CompanyPortalMac.ssoextension")),
            ("TeamIdentifier", Value::String("UBF8T346G9")),
            ("Type", Value::String("Redirect")),
            ("ExtensionData", Value::Dictionary(data)),
        ]))
    };
    let sso = |list: Value| sso_data(vec![("AppPrefixAllowList", list)]);
    let conditional_access = |value| plist::binary(&Value::Dictionary(vec![("microsoftCAEnabled", value)]));
    let preferences = |entries| plist::xml(&Value::Dictionary(entries));
    let joined = |name: &str, state| Situation::new(name, state).keychain(workplace_joined());
    let not_acquired = have_an_azure_id(Value::Boolean(false));
    let installed = |situation: Situation| situation.file(COMPANY_PORTAL, Vec::new()).file(JAMF_TOOL, Vec::new());
    vec![
        installed(joined("set-up-complete", REGISTERED).acquired())
            .file(SSO_PREFERENCES, sso(Value::String("com.microsoft.,com.apple.,com.jamf.,com.jamfsoftware.")))
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true)))
            .file(
                JAMF_AAD_PREFERENCES,
                preferences(vec![
                    ("useWKWebView", Value::Boolean(true)),
                    ("tokenRetryCount", Value::Integer(3)),
                    ("tokenRetryWaitTime", Value::Integer(42)),
                ]),
            ),
        installed(joined("set-up-complete-not-acquired", NOT_ACQUIRED).xml(&not_acquired))
            .file(SSO_PREFERENCES, sso(Value::String("com.microsoft.,com.apple.,com.jamf.,com.jamfsoftware.")))
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true))),
        joined("set-up-wrong", NOT_ACQUIRED)
            .xml(&not_acquired)
            .file(SSO_PREFERENCES, sso(Value::String("com.microsoft.,com.apple.")))
            .file(JAMF_AGENT, conditional_access(Value::Boolean(false)))
            .file(PLIST_OF_ROOT, plist::xml(&not_acquired))
            .file(OLD_JAMF_TOOL, Vec::new())
            .file(
                JAMF_AAD_PREFERENCES,
                preferences(vec![("useWKWebView", Value::Boolean(false)), ("tokenRetryCount", Value::String("three"))]),
            ),
        joined("set-up-of-wrong-types", NOT_ACQUIRED)
            .xml(&not_acquired)
            .file(SSO_PREFERENCES, sso(Value::Array(vec![Value::String("com.jamf.")])))
            .file(JAMF_AGENT, conditional_access(Value::Array(Vec::new())))
            .file(JAMF_AAD_PREFERENCES, preferences(vec![("useWKWebView", Value::Array(Vec::new()))])),
        Situation::new("set-up-missing", NOT_REGISTERED)
            .keychain(own_identity())
            .file("system/Applications/.localized", Vec::new())
            .file("system/Library/Application Support/JAMF/JAMF.keychain", Vec::new())
            .file("system/Library/Managed Preferences/com.contoso.plist", Vec::new())
            .file("system/Library/Preferences/com.contoso.plist", Vec::new())
            .file("system/var/root/.CFUserTextEncoding", Vec::new()),
        Situation::new("set-up-not-copied", NOT_REGISTERED).keychain(own_identity()).file("system/.keep", Vec::new()),
        joined("set-up-of-the-user", REGISTERED)
            .acquired()
            .file(
                "system/Library/Managed Preferences/home/com.jamf.management.jamfAAD.plist",
                preferences(vec![("useWKWebView", Value::Boolean(true))]),
            )
            .file(
                JAMF_AAD_PREFERENCES,
                preferences(vec![("useWKWebView", Value::Boolean(false)), ("tokenRetryCount", Value::Integer(5))]),
            ),
        joined("set-up-of-another-provider", REGISTERED).acquired().file(
            SSO_PREFERENCES,
            preferences(vec![
                ("ExtensionIdentifier", Value::String("com.contoso.ssoextension")),
                ("PlatformSSO", Value::Dictionary(Vec::new())),
            ]),
        ),
        joined("set-up-allows-some", NOT_ACQUIRED)
            .xml(&not_acquired)
            .file(SSO_PREFERENCES, sso(Value::String("com.microsoft.,com.jamf.management.jamfAAD"))),
        Situation::new("certificate-expired-and-not-acquired", NOT_ACQUIRED)
            .keychain(Keychain::new().certificate(&expired()).workplace_join_key(&expired()))
            .xml(&not_acquired),
        Situation::new("set-up-conditional-access-not-set", NOT_REGISTERED)
            .keychain(own_identity())
            .file(JAMF_AGENT, preferences(Vec::new()))
            .file(
                SSO_PREFERENCES,
                preferences(vec![(
                    "ExtensionIdentifier",
                    Value::String("com.microsoft.CompanyPortalMac.ssoextension"),
                )]),
            ),
        installed(Situation::new("set-up-without-sso-profile", NOT_REGISTERED).keychain(own_identity()))
            .file("system/Library/Managed Preferences/com.contoso.plist", Vec::new())
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true))),
        installed(Situation::new("set-up-by-team-only", NOT_REGISTERED).keychain(own_identity()))
            .file(SSO_PREFERENCES, plist::xml(&of_microsoft_by_team()))
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true))),
        installed(joined("set-up-blocks-jamf", REGISTERED).acquired())
            .file(
                SSO_PREFERENCES,
                sso_data(vec![
                    ("AppPrefixAllowList", Value::String("com.microsoft.,com.jamf.")),
                    ("AppBlockList", Value::String("com.contoso.app,com.jamf.management.Jamf")),
                ]),
            )
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true))),
        installed(joined("set-up-allows-by-name", REGISTERED).acquired())
            .file(
                SSO_PREFERENCES,
                sso_data(vec![
                    ("AppPrefixAllowList", Value::String("com.microsoft.,com.apple.")),
                    ("AppAllowList", Value::String("com.contoso.app,com.jamf.management.Jamf")),
                ]),
            )
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true))),
        installed(joined("set-up-allows-all-managed-apps", REGISTERED).acquired())
            .file(SSO_PREFERENCES, sso_data(vec![("Enable_SSO_On_All_ManagedApps", Value::Integer(1))]))
            .file(JAMF_AGENT, conditional_access(Value::Boolean(true))),
        joined("set-up-of-old-connector", REGISTERED).acquired().file(
            JAMF_AGENT,
            preferences(vec![
                ("microsoftCAEnabled", Value::Boolean(true)),
                ("microsoftCANativeClientAppId", Value::String("0a1b2c3d-4e5f-4a6b-8c7d-8e9fa0b1c2d3")),
            ]),
        ),
        joined("set-up-unreadable", REGISTERED)
            .acquired()
            .file(SSO_PREFERENCES, b"no property list".to_vec())
            .file(JAMF_AGENT, plist::xml(&Value::Array(Vec::new())))
            .file(JAMF_AAD_PREFERENCES, Vec::new()),
    ]
}

fn have_an_azure_id(value: Value) -> Value {
    Value::Dictionary(vec![("have_an_Azure_id", value), LAST_TOKEN_REAL])
}

/// A login keychain after a registration, which also has a company's own identity and a password.
fn workplace_joined() -> Keychain {
    let certificate = Certificate::workplace_join();
    own_identity()
        .certificate(&certificate)
        .workplace_join_key(&certificate)
        .generic_password(&GenericPassword::user_principal_name("adele.vance@contoso.com", "20240229123456Z"))
}

/// A login keychain with an identity that Microsoft did not issue.
fn own_identity() -> Keychain {
    let certificate = Certificate::contoso();
    Keychain::new()
        .certificate(&certificate)
        .private_key(["Contoso", "\0"], &[certificate.public_key_hash()])
        .generic_password(&GenericPassword::wifi())
}

/// Overwrites all occurrences of values with zeros.
fn erased(bytes: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for value in values {
        while let Some(place) = bytes.windows(value.len()).position(|window| window == value) {
            bytes[place..place + value.len()].fill(0);
        }
    }
    bytes
}

/// Damages the size of the last generic password's record.
fn with_damaged_password(keychain: Keychain) -> Vec<u8> {
    let mut bytes = keychain.to_bytes();
    let data = bytes.windows(4).rposition(|window| window == b"ssgp").expect("it was just written");
    // The record's header and its sixteen attribute offsets precede the data.
    let record = data - (24 + 4 * 16);
    bytes[record..record + 4].copy_from_slice(&[0; 4]);
    bytes
}

fn place_of(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("it was just written")
}

fn cut(mut bytes: Vec<u8>, from_the_end: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - from_the_end);
    bytes
}
