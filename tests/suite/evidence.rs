//! Evidence survives the pipe between a reader process and its parent unchanged.

use std::{
    ffi::OsString,
    fmt::Debug,
    fs::{self, File},
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    time::Duration,
};

use proptest::{
    arbitrary::any,
    collection::vec,
    option,
    prelude::{Just, Strategy, prop_assert_eq, proptest},
    prop_oneof,
    sample::select,
    test_runner::TestCaseResult,
};
use serde::{Serialize, de::DeserializeOwned};
use wpj_state::{
    evidence::{
        Cause, Console, Evidence, FileKind, Obstacle, Probe, SecondOpinion, SetUp, Source, SsoSetUp, User, Witness,
    },
    parse::{
        certificate::{Description, Fields},
        jamf_aad,
        keychain::{AttributeId, Error, ErrorKind, RelationId},
        login_keychain::{self, Depth},
        platform_sso::{
            Absence, Key, Unclear, UnderWay,
            app_sso::{PlatformSso, SignInMethod},
            sso_status::SsoStatus,
        },
        records::Counts,
        set_up::{Agent, JamfTool, Preferences, Service, Setting, SsoProfile},
        timestamp::Timestamp,
    },
};

use crate::mac::{KEYCHAIN, PLIST};

/// Any bytes except NUL, which a path cannot contain.
fn path() -> impl Strategy<Value = PathBuf> {
    vec(1..=u8::MAX, 0..20).prop_map(|bytes| OsString::from_vec(bytes).into())
}

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

fn maybe_text() -> impl Strategy<Value = Option<String>> {
    any::<Option<String>>()
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..253_402_300_800_u64).prop_map(|seconds| Timestamp::from_unix(Duration::from_secs(seconds)).unwrap())
}

fn keychain_error() -> impl Strategy<Value = Error> {
    let kind = prop_oneof![
        select(vec![ErrorKind::Empty, ErrorKind::Sqlite, ErrorKind::Truncated, ErrorKind::MissingValue]),
        any::<u32>().prop_map(ErrorKind::UnknownVersion),
        any::<u32>().prop_map(|id| ErrorKind::DuplicateTable(RelationId(id))),
        any::<u32>().prop_map(|id| ErrorKind::MissingAttribute(AttributeId(id))),
        any::<Option<i32>>().prop_map(ErrorKind::Read),
    ];
    (kind, any::<u64>()).prop_map(|(kind, offset)| Error { kind, offset })
}

fn unclear() -> impl Strategy<Value = Unclear> {
    prop_oneof![
        Just(Unclear::TimedOut),
        text().prop_map(Unclear::Failed),
        text().prop_map(|words| Unclear::Unintelligible(words.into())),
    ]
}

fn cause() -> impl Strategy<Value = Cause> {
    let kinds = [FileKind::Directory, FileKind::Fifo, FileKind::Device, FileKind::Socket];
    prop_oneof![
        select(vec![Cause::HomeMissing, Cause::NotAHome, Cause::SharedFolder, Cause::Changing, Cause::NotRead]),
        text().prop_map(Cause::AccountsUnavailable),
        (any::<u32>(), text()).prop_map(|(uid, words)| Cause::RightsNotTaken { uid, words }),
        any::<u64>().prop_map(Cause::DeadlinePassed),
        text().prop_map(Cause::ReaderFailed),
        path().prop_map(Cause::LinkToNowhere),
        select(kinds.to_vec()).prop_map(Cause::NotAFile),
        (any::<u64>(), any::<u64>()).prop_map(|(size, limit)| Cause::TooLarge { size, limit }),
        unclear().prop_map(Cause::Unclear),
        keychain_error().prop_map(Cause::Keychain),
        any::<u64>().prop_map(Cause::UnknownIssuer),
    ]
}

fn probe<T: Clone + Debug>(found: impl Strategy<Value = T>) -> impl Strategy<Value = Probe<T>> {
    prop_oneof![
        found.prop_map(Probe::Found),
        Just(Probe::Absent),
        cause().prop_map(Probe::Unreadable),
        Just(Probe::NotChecked),
    ]
}

fn witness<T: Clone + Debug>(found: impl Strategy<Value = T>) -> impl Strategy<Value = Witness<T>> {
    (option::of(path()), probe(found)).prop_map(|(path, probe)| Witness { path, probe })
}

fn description() -> impl Strategy<Value = Description> {
    let fields = (text(), text(), text(), text()).prop_map(|(subject, issuer, serial, sha1)| Fields {
        subject,
        issuer,
        serial,
        sha1,
    });
    (fields, maybe_text(), maybe_text(), time(), time()).prop_map(
        |(fields, device_id, tenant_id, not_before, not_after)| Description {
            fields,
            device_id,
            tenant_id,
            not_before,
            not_after,
        },
    )
}

fn key() -> impl Strategy<Value = Key> {
    let under_way = Key::UnderWay(UnderWay::NeedsBinding);
    select(vec![Key::Present, Key::NeedsNewKeys, Key::Absent(Absence::NeedsRepair), under_way])
}

fn platform_sso() -> impl Strategy<Value = PlatformSso> {
    let texts = (maybe_text(), maybe_text(), maybe_text());
    let sign_in_method = option::of(select(SignInMethod::ALL.to_vec()));
    (any::<Option<bool>>(), texts, option::of(description()), sign_in_method, option::of(time()), key()).prop_map(
        |(registration_completed, texts, certificate, sign_in_method, token_expires, key)| {
            let (extension, user_state, user_principal_name) = texts;
            PlatformSso {
                registration_completed,
                extension,
                certificate,
                user_state,
                user_principal_name,
                sign_in_method,
                token_received: token_expires,
                token_expires,
                key,
            }
        },
    )
}

fn sso_extension() -> impl Strategy<Value = SsoStatus> {
    (any::<u8>(), maybe_text(), maybe_text(), maybe_text(), key()).prop_map(
        |(status, device_id, tenant_id, user_principal_name, key)| SsoStatus {
            status,
            device_id,
            tenant_id,
            user_principal_name,
            key,
        },
    )
}

fn set_up() -> impl Strategy<Value = SetUp> {
    let number = || prop_oneof![Just(Setting::NotSet), any::<u64>().prop_map(Setting::Is), Just(Setting::WrongType)];
    let preferences =
        (any::<bool>(), number(), number()).prop_map(|(web_view, token_retry_count, token_retry_wait_time)| {
            Preferences { use_wk_web_view: Setting::Is(web_view), token_retry_count, token_retry_wait_time }
        });
    let tools = vec![JamfTool::ConditionalAccess, JamfTool::JamfAad];
    (
        probe(preferences),
        probe(select(vec![SsoProfile::OfMicrosoft(Service::SomeByPrefix), SsoProfile::PlatformSso])),
        probe(
            any::<bool>().prop_map(|is_on| Agent { conditional_access: Setting::Is(is_on), has_old_connector: !is_on }),
        ),
        probe(Just(())),
        probe(select(tools)),
    )
        .prop_map(|(preferences, sso_profile, agent, company_portal, jamf_tool)| SetUp {
            preferences,
            sso_profile,
            agent,
            plist_of_root: company_portal.clone(),
            jamf_link: company_portal.clone(),
            company_portal,
            jamf_tool,
        })
}

fn second_opinion() -> impl Strategy<Value = SecondOpinion> {
    let counts = || {
        (any::<usize>(), any::<usize>()).prop_map(|(certificates, private_keys)| Counts { certificates, private_keys })
    };
    prop_oneof![
        Just(SecondOpinion::NotChecked),
        Just(SecondOpinion::NoKey),
        text().prop_map(SecondOpinion::Missing),
        counts().prop_map(SecondOpinion::Agrees),
        (counts(), counts()).prop_map(|(only_here, only_there)| SecondOpinion::Differs { only_here, only_there }),
        keychain_error().prop_map(SecondOpinion::Used),
    ]
}

fn user() -> impl Strategy<Value = User> {
    let consoles =
        [Console::ThisUser, Console::Contradictory, Console::Nobody, Console::Another(7), Console::NotChecked];
    (
        maybe_text(),
        any::<Option<u32>>(),
        option::of(path()),
        any::<bool>(),
        select(consoles.to_vec()),
        any::<Option<bool>>(),
    )
        .prop_map(|(name, uid, home, is_last, console, has_session)| {
            let source = is_last.then_some(Source::LastConsole);
            User { name, uid, home, source, console, has_session }
        })
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(sent: &T) -> TestCaseResult {
    let received: T = serde_json::from_slice(&serde_json::to_vec(sent).unwrap()).unwrap();
    prop_assert_eq!(&received, sent);
    Ok(())
}

/// Uses fixtures, because only the parsers can create evidence about keychains and JamfAAD's plist.
#[test]
fn the_evidence_of_each_fixture_survives_the_pipe() {
    let mut keychains = 0;
    for fixture in fs::read_dir("fixtures").unwrap() {
        let home = fixture.unwrap().path().join("home");
        for depth in [Depth::State, Depth::Details] {
            let keychain = File::open(home.join(KEYCHAIN)).ok();
            if let Some(found) = keychain.and_then(|file| login_keychain::read(&file, depth).ok()) {
                comes_back(&found).unwrap();
                keychains += 1;
            }
        }
        if let Ok(plist) = fs::read(home.join(PLIST)) {
            comes_back(&jamf_aad::parse(&plist)).unwrap();
        }
    }
    assert!(keychains > 100, "{keychains}");
}

proptest! {
    #[test]
    fn any_evidence_survives_the_pipe(
        user in user(),
        obstacle in option::of((option::of(path()), cause())),
        second_opinion in second_opinion(),
        platform_sso in witness(platform_sso()),
        sso_extension in witness(sso_extension()),
        path in option::of(path()),
        is_declared: bool,
        set_up in set_up(),
        can_check_sso: bool,
    ) {
        let obstacle = obstacle.map(|(path, cause)| Obstacle { path, cause });
        let login_keychain = Witness::not_checked(path.clone());
        let without_file = if is_declared { SsoSetUp::MayBeDeclared } else { SsoSetUp::Nothing };
        let sso_set_up = path.map_or(without_file, SsoSetUp::By);
        comes_back(&Evidence {
            obstacle,
            login_keychain,
            second_opinion,
            platform_sso,
            sso_extension,
            can_check_sso,
            sso_set_up,
            set_up,
            user, ..Evidence::default()
        })?;
    }
}
