//! Checks the remedies for all combinations of evidence, and generates `docs/remedies.md`.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` rewrites the page; read the difference before you commit it.

use std::{env, fmt::Write, fs};

use wpj_state::{
    assess::{
        Assessment, assess,
        finding::{Code, Mend, Severity},
        remedy::Remedy,
        state::RegistrationState,
    },
    cli::{Output, UseMacosReader, attribute::Attribute},
    evidence::{Cause, Evidence, Probe, SsoSetUp, Witness},
    parse::{
        jamf_aad::{HaveAnAzureId, JamfAad, LastToken},
        platform_sso::{Absence, Key, Unclear, UnderWay, app_sso::PlatformSso, sso_status::SsoStatus},
        set_up::{Service, SsoProfile},
        timestamp::Timestamp,
    },
    report::reason,
};

use crate::mac::{Mac, registered};

const DOCUMENT: &str = "docs/remedies.md";

/// The answer of a source: its name in the page, and the evidence.
type Answer<T> = (&'static str, Probe<T>);

fn unclear<T>(unclear: Unclear) -> Probe<T> {
    Probe::Unreadable(Cause::Unclear(unclear))
}

fn app_sso() -> Vec<Answer<PlatformSso>> {
    let found = |key| {
        Probe::Found(PlatformSso {
            registration_completed: None,
            extension: None,
            certificate: None,
            user_state: None,
            user_principal_name: None,
            sign_in_method: None,
            token_received: None,
            token_expires: None,
            key,
        })
    };
    let absent = |absence| found(Key::Absent(absence));
    vec![
        ("not run", Probe::NotChecked),
        ("nothing set up", absent(Absence::NotConfigured)),
        ("another provider", absent(Absence::AnotherProvider)),
        ("device not registered", absent(Absence::DeviceNotRegistered)),
        ("device `(null)`, user present", absent(Absence::DeviceLost)),
        ("user `(null)`", absent(Absence::UserNotRegistered)),
        ("Normal (0)", found(Key::Present)),
        ("NeedsNewKeys (1)", found(Key::NeedsNewKeys)),
        ("NeedsRegistration (2, 3)", absent(Absence::NeedsRegistration)),
        ("UserKeyInvalid (5)", absent(Absence::UserKeyInvalid)),
        ("NewPasswordUser, NewSmartCardUser (4, 6, 7)", found(Key::UnderWay(UnderWay::NewUser))),
        ("NeedsBinding", found(Key::UnderWay(UnderWay::NeedsBinding))),
        ("timeout", unclear(Unclear::TimedOut)),
        ("an unknown state, garbage", unclear(Unclear::Unintelligible("the user is in an unknown state".into()))),
    ]
}

fn jamf() -> Vec<Answer<SsoStatus>> {
    let found = |status, device_id: Option<&str>, key| {
        let device_id = device_id.map(str::to_owned);
        Probe::Found(SsoStatus { status, device_id, tenant_id: None, user_principal_name: None, key })
    };
    let id = Some("0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21");
    vec![
        ("not run", Probe::NotChecked),
        ("0, no device ID", found(0, None, Key::Absent(Absence::NotConfigured))),
        ("1, no device ID", found(1, None, Key::Absent(Absence::DeviceNotRegistered))),
        ("3", found(3, None, Key::Absent(Absence::NeedsRepair))),
        ("0, device ID", found(0, id, Key::Present)),
        ("1 or 2, device ID", found(2, id, Key::Present)),
        ("no answer", unclear(Unclear::TimedOut)),
        ("garbage", unclear(Unclear::Unintelligible("the status is missing".into()))),
    ]
}

fn plists() -> Vec<Answer<JamfAad>> {
    let parsed = |have_an_azure_id, last_token| Probe::Found(JamfAad::Parsed { have_an_azure_id, last_token });
    let token = LastToken::At(Timestamp::now());
    vec![
        ("AAD ID acquired", parsed(HaveAnAzureId::True, token)),
        ("AAD ID acquired, but no token ever", parsed(HaveAnAzureId::True, LastToken::Never)),
        ("AAD ID not acquired", parsed(HaveAnAzureId::False, LastToken::Never)),
        ("missing", Probe::Absent),
    ]
}

fn profiles() -> Vec<Answer<SsoProfile>> {
    vec![
        ("present", Probe::Found(SsoProfile::OfMicrosoft(Service::ByPrefix))),
        ("missing", Probe::Absent),
        ("unknown", Probe::NotChecked),
    ]
}

fn with(
    keychain: &Evidence,
    app_sso: &Probe<PlatformSso>,
    jamf: &Probe<SsoStatus>,
    plist: &Probe<JamfAad>,
    profile: &Probe<SsoProfile>,
) -> Evidence {
    let mut evidence = keychain.clone();
    evidence.platform_sso = Witness { path: Some("/usr/bin/app-sso".into()), probe: app_sso.clone() };
    evidence.sso_extension = Witness { path: Some("/Jamf Conditional Access".into()), probe: jamf.clone() };
    evidence.jamf_aad.probe = plist.clone();
    evidence.set_up.sso_profile = profile.clone();
    // The profile is checked only if no command can be run, or if Jamf's tool does not answer.
    let is_checked = matches!((app_sso, jamf), (Probe::NotChecked, Probe::NotChecked) | (_, Probe::Unreadable(_)));
    evidence.sso_set_up = match profile {
        _ if !is_checked => SsoSetUp::NotChecked,
        Probe::Found(_) => SsoSetUp::By("/com.apple.extensiblesso.plist".into()),
        _ => SsoSetUp::Nothing,
    };
    evidence
}

fn keychains() -> [Evidence; 2] {
    let of = |bytes: &[u8]| Mac::new(bytes).gather(UseMacosReader::Never, Output::Result(Attribute::State));
    let empty = fixture_generator::Keychain::new().to_bytes();
    [of(&empty), of(&registered())]
}

/// Runs a check on the assessment of each combination.
fn each(mut check: impl FnMut(&Assessment<'_>, &Evidence, &str)) {
    for (keychain, has_key) in keychains().iter().zip([false, true]) {
        for (by_app_sso, app_sso) in &app_sso() {
            for (by_jamf, jamf) in &jamf() {
                for (in_plist, plist) in &plists() {
                    for (in_profile, profile) in &profiles() {
                        let evidence = with(keychain, app_sso, jamf, plist, profile);
                        let assessment = assess(&evidence, Timestamp::now());
                        let name = format!("{has_key}, {by_app_sso}, {by_jamf}, {in_plist}, {in_profile}");
                        check(&assessment, &evidence, &name);
                    }
                }
            }
        }
    }
}

/// Whether the user must register or repair in macOS's own dialogs.
fn wants_macos(evidence: &Evidence) -> bool {
    let keys = [
        evidence.platform_sso.probe.found_in_tests().map(|found| found.key),
        evidence.sso_extension.probe.found_in_tests().map(|found| found.key),
    ];
    let is_of_another = keys[0] == Some(Key::Absent(Absence::AnotherProvider));
    let is_unregistered = |key| key == Key::Absent(Absence::DeviceNotRegistered);
    keys.into_iter().flatten().filter(|key| !is_of_another || !is_unregistered(*key)).any(|key| {
        matches!(
            key,
            Key::Absent(
                Absence::DeviceNotRegistered
                    | Absence::DeviceLost
                    | Absence::UserNotRegistered
                    | Absence::NeedsRegistration
                    | Absence::UserKeyInvalid
                    | Absence::NeedsRepair
            ) | Key::UnderWay(_)
        )
    })
}

/// Access to the found value, which the library does not publish.
trait Found<T> {
    fn found_in_tests(&self) -> Option<&T>;
}

impl<T> Found<T> for Probe<T> {
    fn found_in_tests(&self) -> Option<&T> {
        if let Self::Found(found) = self { Some(found) } else { None }
    }
}

#[test]
fn users_who_must_register_in_macos_are_not_sent_to_self_service() {
    each(|assessment, evidence, name| {
        if wants_macos(evidence) {
            let in_self_service = [Remedy::RegisterInSelfService, Remedy::DeployProfile];
            assert!(!in_self_service.contains(&assessment.remedy), "{name}: {:?}", assessment.remedy);
        }
    });
}

#[test]
fn a_missing_plist_with_a_platform_sso_key_leads_to_gather_aad_info() {
    let mut seen = 0;
    each(|assessment, evidence, name| {
        let by_app_sso = evidence.platform_sso.probe.found_in_tests();
        let is_sound = by_app_sso.is_some_and(|found| matches!(found.key, Key::Present | Key::NeedsNewKeys));
        let is_of_platform_sso =
            is_sound || evidence.sso_extension.probe.found_in_tests().is_some_and(|found| found.status == 2);
        let is_missing = assessment.state == Ok(RegistrationState::PlistMissing);
        if is_missing && is_of_platform_sso && !wants_macos(evidence) {
            assert_eq!(assessment.remedy, Remedy::GatherAadInfo, "{name}");
            seen += 1;
        }
    });
    assert!(seen > 20);
}

#[test]
fn only_a_sound_registration_needs_no_remedy() {
    each(|assessment, _, name| {
        let is_registered = assessment.state == Ok(RegistrationState::Registered);
        assert!(assessment.remedy != Remedy::Nothing || is_registered, "{name}");
        let gravest = assessment.findings.first().map(|finding| finding.code.severity());
        assert!(!is_registered || gravest != Some(Severity::Error) || assessment.remedy != Remedy::Nothing, "{name}");
    });
}

#[test]
fn a_finding_with_a_remedy_never_leaves_the_remedy_empty() {
    each(|assessment, _, name| {
        let mended = assessment.findings.iter().any(|finding| matches!(finding.code.mend(), Mend::By(_)));
        assert!(!mended || assessment.remedy != Remedy::Nothing, "{name}: {:?}", assessment.findings);
    });
}

#[test]
fn only_reasons_that_may_disappear_advise_to_run_it_again() {
    each(|assessment, _, name| {
        let Err(obstacle) = &assessment.state else { return };
        let may_change = matches!(&obstacle.cause, Cause::Unclear(Unclear::TimedOut | Unclear::NoAnswer));
        assert_eq!(reason(obstacle).contains("again"), may_change, "{name}: {}", reason(obstacle));
        // If the findings have a better remedy, it is used.
        assert_eq!(assessment.remedy != Remedy::MendEvidence, is_known_without_state(assessment), "{name}");
    });
    let again = |text: &str| text.contains("again");
    assert!(!Remedy::ALL.iter().any(|remedy| again(&remedy.for_admin().replace("try again by itself", ""))));
    assert!(!Remedy::ALL.iter().any(|remedy| again(remedy.for_user())));
}

fn is_known_without_state(assessment: &Assessment<'_>) -> bool {
    let Err(obstacle) = &assessment.state else { return false };
    let in_macos = [Remedy::RegisterInMacos, Remedy::FinishInMacos].map(Mend::By);
    obstacle.cause == Cause::NoSession
        || assessment.findings.iter().any(|finding| in_macos.contains(&finding.code.mend()))
}

#[test]
fn the_plist_matters_only_with_a_key_and_the_profile_only_without_one() {
    let mut seen: Vec<(String, Remedy)> = Vec::new();
    each(|assessment, _, name| {
        let parts: Vec<&str> = name.split(", ").collect();
        let (profile, plist) = (parts[parts.len() - 1], parts[parts.len() - 2]);
        let rest = parts[..parts.len() - 2].join(", ");
        let group = match &assessment.state {
            Err(_) => rest,
            Ok(RegistrationState::NotRegistered) => format!("{rest}, {profile}"),
            Ok(_) => format!("{rest}, {plist}"),
        };
        let group = format!("{group} {}", assessment.state.is_ok());
        match seen.iter().find(|(it, _)| *it == group) {
            Some((_, remedy)) => assert_eq!(assessment.remedy, *remedy, "{name}"),
            None => seen.push((group, assessment.remedy)),
        }
    });
}

#[test]
fn every_remedy_but_two_has_a_source_and_no_two_have_the_same_text() {
    let mut texts: Vec<&str> = Remedy::ALL.iter().map(|remedy| remedy.short_text()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), Remedy::ALL.len());
    let without: Vec<_> = Remedy::ALL.into_iter().filter(|remedy| remedy.source().is_empty()).collect();
    assert_eq!(without, [Remedy::Nothing, Remedy::MendEvidence]);
}

#[test]
fn the_page_matches_the_tool() {
    let written = document();
    if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
        fs::write(DOCUMENT, &written).unwrap();
    }
    assert_eq!(fs::read_to_string(DOCUMENT).unwrap(), written, "{DOCUMENT}");
}

const HEAD: &str = "# Remedies

Each run names one remedy for the user. A report can name another than the attribute, because it runs the commands in
any case. `--explain` shows the remedy's steps, the attribute `remedy` its short text, and the JSON all of it. The
policy scripts act on it. [The helpdesk's page](helpdesk.md#findings) explains each finding.

This page is generated from the code. The tables of evidence are for a login keychain that can be read, without a
remembered key or expected tenants.

";

fn document() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("## The remedies\n\n| `remedy` | The user | The administrator | Source |\n|---|---|---|---|\n");
    for remedy in Remedy::ALL {
        let (text, user, admin) = (remedy.short_text(), remedy.for_user(), remedy.for_admin());
        writeln!(page, "| {text} | {user} | {admin} | {} |", remedy.source()).unwrap();
    }
    page.push_str(
        "\nFor the last of them, the attribute is blank and the reason is on standard error. `None` says nothing about how the\n\
         Mac is set up; the findings do.\n\n\
         ## Without a key in the login keychain\n\n\
         In this table, the plist says that the AAD ID was acquired, and a profile configures the SSO extension. `?` means\n\
         that the state could not be determined. The tool runs neither command while the user is not logged in. If both are\n\
         missing, the remedy is `See the reason`. \"Not run\" beside an answer is a command that is missing or lacks the\n\
         verb.\n\n\
         | `app-sso` prints | Jamf's `getPSSOStatus` prints | State | Finding | Remedy |\n|---|---|---|---|---|\n",
    );
    let [without_key, with_key] = keychains();
    let (plist, profile) = (plists().remove(0).1, profiles().remove(0).1);
    for (by_app_sso, app_sso) in app_sso() {
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for (by_jamf, jamf) in jamf() {
            let cells = cells(&assess(&with(&without_key, &app_sso, &jamf, &plist, &profile), Timestamp::now()));
            match rows.iter_mut().find(|(it, _)| *it == cells) {
                Some((_, names)) => names.push(by_jamf),
                None => rows.push((cells, vec![by_jamf])),
            }
        }
        for (cells, names) in rows {
            writeln!(page, "| {by_app_sso} | {} | {cells} |", names.join("; ")).unwrap();
        }
    }
    page.push_str(
        "\nThere is one exception, before macOS 27. If Jamf's tool gives no answer, `app-sso` says that nothing is set up,\n\
         and no profile configures anything either, the state is Not Registered.\n\n## By the plist and the profile\n\n\
         Here, the commands show no fault. With a key, the profile does not matter.\n\n\
         | Key | Plist | SSO extension's profile | State | Finding | Remedy |\n|---|---|---|---|---|---|\n",
    );
    let nothing = || app_sso().remove(1).1;
    let no_id = || jamf().remove(1).1;
    let kinds = [
        ("in the login keychain", &with_key, nothing(), no_id()),
        ("of Platform SSO", &without_key, app_sso().remove(6).1, jamf().remove(5).1),
        ("of the SSO extension alone", &without_key, nothing(), jamf().remove(4).1),
        ("none", &without_key, nothing(), no_id()),
    ];
    for (kind, keychain, app_sso, jamf) in kinds {
        let has_key = kind != "none";
        let plists = plists().into_iter().filter(|(name, _)| has_key || *name == "missing");
        for (in_plist, plist) in plists {
            // With a key, the profile does not matter, so one row is enough.
            for (in_profile, profile) in profiles().into_iter().take(if has_key { 1 } else { usize::MAX }) {
                let evidence = with(keychain, &app_sso, &jamf, &plist, &profile);
                let assessment = assess(&evidence, Timestamp::now());
                let (in_plist, in_profile) = if has_key { (in_plist, "any") } else { ("any", in_profile) };
                writeln!(page, "| {kind} | {in_plist} | {in_profile} | {} |", cells(&assessment)).unwrap();
            }
        }
    }
    page.push_str("\n## Findings\n\n| Finding | Severity | What to do |\n|---|---|---|\n");
    for code in Code::ALL {
        let words = match code.mend() {
            Mend::By(remedy) => format!("Remedy: {}.", remedy.short_text()),
            Mend::Step(words) | Mend::Nothing(words) => words.to_owned(),
        };
        writeln!(page, "| {} (`{}`) | {} | {words} |", code.short_text(), code.as_str(), code.severity().as_str())
            .unwrap();
    }
    page
}

/// The table cells with state, finding and remedy.
fn cells(assessment: &Assessment<'_>) -> String {
    let state = assessment.state.as_ref().map_or("?", |state| state.as_str());
    let finding = assessment.findings.iter().find(|it| it.code.severity() != Severity::Info);
    let finding = finding.map_or("", |finding| finding.code.short_text());
    [state, finding, assessment.remedy.short_text()].join(" | ")
}
