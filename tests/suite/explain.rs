//! Tests the reports about what only a Mac shows: the user, the console, macOS's own keychain reader, single sign-on
//! and the set-up. The expected reports are in `tests/explain/`.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` stores the present reports; read the difference before you commit it.

use std::{collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use anstyle::{Color, RgbColor};
use anstyle_svg::Palette;
use fixture_generator::{
    Certificate, Keychain,
    sso::{PlatformSso, not_configured, sso_status},
};
use wpj_state::{
    assess::{assess, finding::Code, state::RegistrationState},
    cli::{Output, Request, Subject, UseMacosReader, UserChoice},
    collect::Failure,
    evidence::{Cause, Evidence, Obstacle, Probe, RememberedKey, SsoSetUp, User},
    parse::{tenants::Tenants, timestamp::Timestamp},
    report::{self, style::Style},
};

use crate::mac::{
    ADELE, APP_SSO, JAMF, KEYCHAIN, Mac, PLIST, both, console, damaged, records, registered, with_session,
};

const HOME: &str = "/Users/adele";
const JAMF_AGENT: &str = "Library/Preferences/com.jamfsoftware.jamf.plist";

/// A situation, and the request that is made in it.
struct Case {
    name: &'static str,
    evidence: Evidence,
    request: Request,
}

impl Case {
    fn asked_by_root(mut self) -> Self {
        self.evidence.as_root = true;
        self
    }
}

fn case(name: &'static str, mac: &Mac, who: UserChoice, second_opinion: UseMacosReader) -> Case {
    of_request(name, mac, Request { subject: Subject::One(who), ..mac.request(second_opinion, Output::Explain) })
}

/// The console user, chosen in another way.
fn with(name: &'static str, mac: &Mac, change: impl Fn(Request) -> Request) -> Case {
    let request = mac.request(UseMacosReader::IfDamaged, Output::Explain);
    of_request(name, mac, change(Request { subject: Subject::One(UserChoice::Console), ..request }))
}

fn of_request(name: &'static str, mac: &Mac, request: Request) -> Case {
    let mut evidence = mac.evidence(&request);
    // The folder of the made-up Mac is different each time.
    if evidence.user.home.is_some() {
        evidence.user.home = Some(HOME.into());
        evidence.login_keychain.path = Some(Path::new(HOME).join(KEYCHAIN));
        evidence.jamf_aad.path = Some(Path::new(HOME).join(PLIST));
    }
    if let SsoSetUp::By(path) = &mut evidence.sso_set_up {
        *path = Path::new("/").join(path.strip_prefix(mac.system.path()).unwrap());
    }
    let note = &mut evidence.remembered_key;
    note.path = note.path.as_ref().map(|path| Path::new("/").join(path.strip_prefix(mac.system.path()).unwrap()));
    if let Probe::Found(found) = &mut note.probe {
        found.noted = Timestamp::from_unix(Duration::from_secs(1_709_210_096)).unwrap();
    }
    Case { name, evidence, request }
}

fn remember(request: Request) -> Request {
    Request { remember_key_days: Some(90), ..request }
}

/// A Mac at the login window with a note of a key that was found just now, or with a damaged note.
fn remembering(damaged: Option<&[u8]>) -> Mac {
    let mac = Mac { console: Some(console("loginwindow", 0, 0)), ..with_session() };
    let team = "<key>TeamIdentifier</key><string>UBF8T346G9</string>";
    mac.set_up("Library/Managed Preferences/com.apple.extensiblesso.plist", team);
    let note = RememberedKey {
        uid: ADELE,
        home: mac.folder.path().to_owned(),
        device_id: Some(Certificate::workplace_join().subject.to_owned()),
        tenant_id: None,
        noted: Timestamp::now(),
    };
    let file = "private/var/db/wpj-state/501.json";
    mac.set_up_file(file, damaged.unwrap_or(&serde_json::to_vec(&note).unwrap()));
    let path = mac.system.path().join(file);
    fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    mac
}

/// A Mac with the registered user at the console.
fn at_console() -> Mac {
    let mac = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&registered()) };
    mac.set_up(JAMF_AGENT, "<key>microsoftCAEnabled</key><true/>");
    mac.set_up_file("Applications/Company Portal.app/Contents/Info.plist", b"");
    mac.set_up_file(JAMF.strip_prefix('/').unwrap(), b"");
    mac.set_up_file("usr/local/jamf/bin/jamfAAD", b"");
    mac
}

fn cases() -> Vec<Case> {
    let console_of = |mac: Mac, record: &str| Mac { console: Some(record.to_owned()), ..mac };
    let at = |name, mac: &Mac| case(name, mac, UserChoice::Console, UseMacosReader::IfDamaged);
    let not_acquired = at_console();
    not_acquired.write(PLIST, b"<plist version=\"1.0\"><dict><key>have_an_Azure_id</key><false/></dict></plist>");
    let without_link = at_console();
    without_link.write(PLIST, b"<plist version=\"1.0\"><dict><key>have_an_Azure_id</key><false/></dict></plist>");
    let plist_missing = at_console();
    fs::remove_file(plist_missing.path(PLIST)).unwrap();
    let set_up = at_console();
    set_up.set_up_file(&format!("private/var/root/{PLIST}"), b"");
    set_up.set_up(JAMF_AGENT, "");
    let without_session = Mac { may_run: false, ..with_session() };
    let microsoft = "<key>ExtensionIdentifier</key><string>com.microsoft.CompanyPortalMac.ssoextension</string>";
    without_session.set_up("Library/Managed Preferences/com.apple.extensiblesso.plist", microsoft);
    let old = Certificate { tenant_id: None, ..Certificate::workplace_join() };
    let old = Keychain::new().certificate(&old).workplace_join_key(&old).to_bytes();
    let without_tenant = Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&old) };
    let other_keychain = Ok(records(&[Certificate::contoso()], &both()));
    let always = |name, mac: &Mac| case(name, mac, UserChoice::Console, UseMacosReader::Always);
    let sso = |programs| Mac { programs, ..with_session() };
    let old_certificate =
        Certificate { subject: "a1b2c3d4-0001-4002-8003-000000000009", ..Certificate::workplace_join() };
    vec![
        at("registered", &at_console()),
        at("not-acquired", &not_acquired),
        at("not-acquired-without-link", &{
            fs::remove_file(without_link.system.path().join("usr/local/jamf/bin/jamfAAD")).unwrap();
            without_link
        }),
        Case { name: "not-acquired-as-root", ..at("", &not_acquired).asked_by_root() },
        at("plist-missing", &plist_missing),
        at("not-registered", &sso(vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, "")))])),
        at("not-registered-and-not-asked", &Mac { may_run: false, ..with_session() }),
        case("user-given", &not_acquired, UserChoice::User("adele".to_owned()), UseMacosReader::IfDamaged),
        at("last-user", &console_of(at_console(), &console("loginwindow", 0, 0))),
        case(
            "another-user-at-the-console",
            &console_of(at_console(), &console("ben", 502, 502)),
            UserChoice::User("adele".to_owned()),
            UseMacosReader::IfDamaged,
        ),
        at("console-contradictory", &console_of(at_console(), &on_console("adele", ADELE, 502))),
        at("nobody", &Mac::new(&registered())),
        always("second-opinion-agrees", &Mac { opinion: Ok(records(&both(), &both())), ..at_console() }),
        always("second-opinion-differs", &Mac { opinion: other_keychain, ..at_console() }),
        always("second-opinion-missing", &at_console()),
        at("second-opinion-used", &{
            let mac = Mac { opinion: Ok(records(&both(), &both())), ..at_console() };
            mac.write(KEYCHAIN, &damaged());
            mac
        }),
        at("secure-enclave", &sso(vec![(APP_SSO, Ok(PlatformSso::registered().json()))])),
        at("secure-enclave-by-jamf", &{
            let device = Certificate::workplace_join().subject;
            sso(vec![(APP_SSO, Ok(not_configured())), (JAMF, Ok(sso_status(0, device)))])
        }),
        at("single-sign-on-times-out", &sso(vec![(APP_SSO, Err(Failure::TimedOut))])),
        at("single-sign-on-not-asked", &without_session),
        at("set-up", &set_up),
        with("registered-with-another-tenant", &at_console(), |request| Request {
            tenants: Tenants::new(["11111111-1111-1111-1111-111111111111".to_owned()]),
            ..request
        }),
        at("setting-unusable", &{
            let mac = at_console();
            mac.set_up(
                "Library/Managed Preferences/wpj-state.plist",
                "<key>rememberKeyDays</key><integer>1000</integer>",
            );
            mac
        }),
        with("tenant-not-known", &without_tenant, |request| Request {
            tenants: Tenants::new(["11111111-1111-1111-1111-111111111111".to_owned()]),
            ..request
        }),
        with("key-remembered", &remembering(None), remember),
        with("remembered-key-unusable", &remembering(Some(b"{}")), remember),
        at("several-device-ids", &{
            let other = Certificate { device_id: Some([0x22; 16]), ..Certificate::workplace_join() };
            let output = PlatformSso { certificate: Some(other), ..PlatformSso::registered() }.json();
            let linked = "AltSecurityIdentities: PlatformSSO:adele.vance@contoso.com\n".into();
            Mac { programs: vec![(APP_SSO, Ok(output)), ("/usr/bin/dscl", Ok(linked))], ..at_console() }
        }),
        at("old-key-only", &{
            let old = Keychain::new().certificate(&old_certificate).to_bytes();
            Mac { console: Some(console("adele", ADELE, ADELE)), ..Mac::new(&old) }
        }),
        Case {
            name: "permission-denied",
            evidence: Evidence::none(
                User { home: Some(HOME.into()), ..User::default() },
                Obstacle { path: Some(HOME.into()), cause: Cause::PermissionDenied },
            ),
            request: Request {
                subject: Subject::One(UserChoice::User("Adele's".to_owned())),
                ..Mac::new(b"").request(UseMacosReader::Never, Output::Explain)
            },
        },
        Case {
            name: "not-permitted",
            evidence: Evidence::none(User::default(), Obstacle { path: Some(HOME.into()), cause: Cause::NotPermitted }),
            request: Mac::new(b"").request(UseMacosReader::Never, Output::Explain),
        },
        Case {
            name: "deadline",
            evidence: Evidence::none(
                User::default(),
                Obstacle { path: Some(HOME.into()), cause: Cause::DeadlinePassed(10) },
            ),
            request: Request {
                subject: Subject::One(UserChoice::Console),
                ..Mac::new(b"").request(UseMacosReader::IfDamaged, Output::Explain)
            },
        },
    ]
}

/// The console record in which the session at the console has this UID.
fn on_console(name: &str, uid: u32, session: u32) -> String {
    console(name, uid, session)
        .replace("</integer></dict></array>", "</integer><key>kCGSSessionOnConsoleKey</key><true/></dict></array>")
}

fn explained(case: &Case, style: Style) -> String {
    let assessment = assess(&case.evidence, Timestamp::now());
    report::report(&case.request, &[assessment], style).document
}

const PLAIN: Style = Style { colour: false, unicode: true };

#[test]
fn each_report_is_as_expected_and_fits_a_screen() {
    let mut names = BTreeSet::new();
    for case in cases() {
        let report = explained(&case, PLAIN);
        let path = Path::new("tests/explain").join(case.name).with_extension("txt");
        if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
            fs::write(&path, &report).unwrap();
        }
        assert_eq!(report, fs::read_to_string(&path).unwrap_or_default(), "{}", case.name);
        assert!(
            report
                .lines()
                .all(|line| line.chars().count() <= 80 || line.starts_with("sudo ") || line.starts_with("launchctl ")),
            "{}",
            case.name
        );
        assert!(report.lines().count() <= 36, "{}", case.name);
        let is_open = report.lines().any(|line| line.starts_with("[-]") || line.starts_with("[?]"));
        assert!(!is_open || !report.contains("What to do\n    Nothing."), "{}", case.name);
        names.insert(path.into_os_string());
    }
    let kept: BTreeSet<_> =
        fs::read_dir("tests/explain").unwrap().map(|it| it.unwrap().path().into_os_string()).collect();
    assert_eq!(kept, names);
}

#[test]
fn there_is_a_report_for_each_state_and_each_finding() {
    let mut states = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for case in cases() {
        let assessment = assess(&case.evidence, Timestamp::now());
        states.insert(assessment.state.as_ref().map_or("", |state| state.as_str()));
        codes.extend(assessment.findings.iter().map(|finding| finding.code.as_str().to_owned()));
    }
    for folder in fs::read_dir("fixtures").unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        assert!(folder.join("expected.explain").is_file(), "{}", folder.display());
        let json: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        codes.extend(json["findings"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned()));
    }
    let all: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(codes, all);
    let all = RegistrationState::ALL.map(RegistrationState::as_str).into_iter().chain([""]).collect();
    assert_eq!(states, all);
}

#[test]
fn the_command_for_gather_aad_info_is_what_a_shell_makes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = "#!/bin/sh\nprintf '%s|' \"$@\"\n";
    fs::write(folder.path().join("draft"), stand_in).unwrap();
    let sudo = folder.path().join("sudo");
    assert!(
        Command::new("install")
            .args(["-m", "755"])
            .arg(folder.path().join("draft"))
            .arg(&sudo)
            .status()
            .unwrap()
            .success()
    );
    let cases = cases();
    let run = |name: &str| {
        let report = explained(cases.iter().find(|case| case.name == name).unwrap(), PLAIN);
        let command = report.lines().find(|line| line.ends_with("gatherAADInfo")).unwrap().to_owned();
        let output = Command::new("/bin/sh").arg("-c").arg(command).env("PATH", folder.path()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let as_user = "launchctl|asuser|501|sudo|-u|#501";
    assert_eq!(run("not-acquired"), format!("{as_user}|/usr/local/jamf/bin/jamfAAD|gatherAADInfo|"));
    assert_eq!(run("not-acquired-without-link"), format!("{as_user}|{JAMF}|gatherAADInfo|"));
}

/// A user of Platform SSO whose AAD ID is missing has nothing to register.
#[test]
fn a_mac_that_has_only_to_run_gather_aad_info_needs_no_company_portal() {
    let mac = Mac { programs: vec![(APP_SSO, Ok(PlatformSso::registered().json()))], ..with_session() };
    fs::remove_file(mac.path(PLIST)).unwrap();
    let report = mac.report_at_console(Output::Explain).document;
    assert!(!report.contains("Company Portal"), "{report}");
    assert!(report.contains("Run gatherAADInfo as the logged-in user"), "{report}");
}

/// What to do, as one line without the commands.
fn to_do(report: &str) -> String {
    let (_, steps) = report.split_once("\nWhat to do\n").unwrap();
    let is_text = |line: &&str| line.starts_with(' ');
    steps.lines().filter(is_text).map(str::trim).collect::<Vec<_>>().join(" ")
}

const ALLOW: &str = "Ask the user to choose Always Allow if macOS says that an app \"wants to sign using key 'Microsoft \
    Workplace Join Key'\".";
const SEND: &str = "Run this after these steps, to send the new state to Jamf Pro:";

#[test]
fn the_steps_that_the_remedy_depends_on_come_first() {
    let gather = "Run gatherAADInfo as the logged-in user, never as root, because have_an_Azure_id is false, and \
        JamfAAD does not retry by itself:";
    let not_acquired = |mac: Mac| {
        mac.write(PLIST, b"<plist version=\"1.0\"><dict><key>have_an_Azure_id</key><false/></dict></plist>");
        to_do(&mac.report_at_console(Output::Explain).document)
    };
    let switching = Mac { console: Some(on_console("adele", ADELE, 502)), ..at_console() };
    let again = "Run this again when the users have finished switching, because macOS names two users.";
    assert_eq!(not_acquired(switching), format!("1. {again} 2. {ALLOW} 3. {gather} 4. {SEND}"));
    let at_login_window = Mac { console: Some(console("loginwindow", 0, 0)), ..at_console() };
    let log_in = "Ask the user to log in, because gatherAADInfo runs only in the user's session.";
    assert_eq!(not_acquired(at_login_window), format!("1. {ALLOW} 2. {log_in} 3. {gather} 4. {SEND}"));
}

/// A file that should be another one is handed over, and nobody is told to move the login keychain.
#[test]
fn a_file_of_another_kind_calls_for_the_administrator_or_another_option() {
    let mac = at_console();
    let folder = mac.path("Library");
    let request = mac.request(UseMacosReader::IfDamaged, Output::Explain);
    let given = Request { keychain: Some(folder), subject: Subject::One(UserChoice::Console), ..request };
    let words = "1. Give the right path with --keychain, because this is a folder, not a regular file.";
    assert_eq!(to_do(&mac.report(&given).document), words);
    let file = fs::File::options().write(true).open(mac.path(KEYCHAIN)).unwrap();
    file.set_len(300 << 20).unwrap();
    let words = "1. Escalate to the Jamf administrator, with this report: find out what happened to \
        login.keychain-db, and restore it, because the file is too large (314572800 bytes; the limit is 268435456). \
        Tell the user not to move or reset it: that loses the passwords in it.";
    assert_eq!(to_do(&mac.report_at_console(Output::Explain).document), words);
    let mac = at_console();
    mac.set_up("Library/Managed Preferences/wpj-state.plist", "<key>tenant</key><integer>1</integer>");
    let words = "1. Escalate to the Jamf administrator, with this report: correct the profile with wpj-state's \
        settings.";
    assert_eq!(to_do(&mac.report_at_console(Output::Explain).document), words);
}

/// A keychain from a backup would lack a key that was made before.
#[test]
fn a_damaged_keychain_is_restored_before_the_user_registers() {
    let key = Certificate::workplace_join();
    let opinion = Ok(records(std::slice::from_ref(&key), std::slice::from_ref(&key)));
    let mac = Mac { opinion, ..at_console() };
    mac.write(KEYCHAIN, &damaged());
    fs::remove_file(mac.path(PLIST)).unwrap();
    let steps = to_do(&mac.report_at_console(Output::Explain).document);
    let first = "1. Escalate to the Jamf administrator, with this report: restore the login keychain from a backup";
    assert!(steps.starts_with(first), "{steps}");
    assert!(steps.contains(" Ask the user to do this when the administrator has finished, because "), "{steps}");
}

/// More time or room would not show a key that macOS's own reader did not find.
#[test]
fn a_second_opinion_that_finds_no_key_calls_only_for_the_administrator() {
    let mac = Mac { opinion: Ok(records(&[], &[])), ..at_console() };
    mac.write(KEYCHAIN, &damaged());
    let words = "1. Escalate to the Jamf administrator, with this report: restore the login keychain from a backup. \
        Tell the user not to move or reset it: that loses the passwords in it.";
    assert_eq!(to_do(&mac.report_at_console(Output::Explain).document), words);
}

/// A remedy for the registration does not replace the step for a plist that cannot be read.
#[test]
fn a_plist_that_cannot_be_read_has_its_step_beside_a_repair() {
    let lost = PlatformSso { device: false, ..PlatformSso::registered() }.json();
    let device = Certificate::workplace_join().subject;
    let mac = Mac { programs: vec![(APP_SSO, Ok(lost)), (JAMF, Ok(sso_status(2, device)))], ..with_session() };
    fs::remove_file(mac.path(PLIST)).unwrap();
    fs::create_dir(mac.path(PLIST)).unwrap();
    let report = mac.report_at_console(Output::Explain).document;
    assert!(to_do(&report).contains(" Check what is at the path of JamfAAD's plist, and its permissions,"), "{report}");
    // What `app-sso` shows was set up, so no profile is missing.
    assert!(!report.contains("SSO profile"), "{report}");
}

#[test]
fn a_command_that_does_not_answer_is_run_again_before_somebody_is_called() {
    let mac = Mac { programs: vec![(APP_SSO, Err(Failure::TimedOut))], ..with_session() };
    mac.set_up(JAMF_AGENT, "<key>microsoftCAEnabled</key><true/>");
    let words = "1. Run the command below, because there was no answer. If there is none again, restart the Mac, and run \
        it once more. If that does not help, escalate to the Jamf administrator, with this report:";
    assert_eq!(to_do(&mac.report_at_console(Output::Explain).document), words);
}

#[test]
fn without_unicode_a_report_is_all_ascii() {
    for mut case in cases() {
        case.evidence.user.name = Some("jürgen\u{1b}[2J".to_owned());
        let report = explained(&case, Style { colour: false, unicode: false });
        assert!(report.is_ascii(), "{}", case.name);
        assert!(report.contains("j\\u{fc}rgen\\u{1b}[2J"), "{}", case.name);
        assert!(
            report.lines().all(|line| line.len() <= 80 || line.starts_with("sudo ") || line.starts_with("launchctl ")),
            "{}",
            case.name
        );
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    for case in cases() {
        let coloured = explained(&case, Style { colour: true, unicode: true });
        assert!(coloured.contains("\u{1b}["));
        let mut plain = String::new();
        for (number, piece) in coloured.split("\u{1b}[").enumerate() {
            plain.push_str(if number == 0 { piece } else { piece.split_once('m').unwrap().1 });
        }
        assert_eq!(plain, explained(&case, PLAIN), "{}", case.name);
    }
}

const BACKGROUND: Color = Color::Rgb(RgbColor(0x10, 0x10, 0x10));
const FOREGROUND: Color = Color::Rgb(RgbColor(0xE6, 0xE6, 0xE6));
const GREEN: RgbColor = RgbColor(0x4C, 0xD1, 0x64);
const RED: RgbColor = RgbColor(0xFF, 0x7B, 0x72);
const YELLOW: RgbColor = RgbColor(0xE3, 0xB3, 0x41);

/// The colours of the marks, with enough contrast on the background.
const PALETTE: Palette = {
    let mut colours = anstyle_svg::VGA.0;
    colours[1] = RED;
    colours[2] = GREEN;
    colours[3] = YELLOW;
    Palette(colours)
};

/// The contrast ratio of two colours, as WCAG 2 defines it.
fn contrast(one: RgbColor, other: RgbColor) -> f64 {
    let luminance = |RgbColor(red, green, blue): RgbColor| {
        let [red, green, blue] = [red, green, blue].map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn the_colours_of_the_picture_have_enough_contrast() {
    let Color::Rgb(background) = BACKGROUND else { panic!() };
    let Color::Rgb(foreground) = FOREGROUND else { panic!() };
    for colour in [foreground, GREEN, RED, YELLOW] {
        assert!(contrast(colour, background) >= 4.5, "{colour:?}");
    }
}

#[test]
fn the_picture_in_the_readme_is_a_report() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "not-acquired").unwrap();
    let report = explained(case, Style { colour: true, unicode: true });
    let terminal = anstyle_svg::Term::new().palette(PALETTE).fg_color(FOREGROUND).bg_color(BACKGROUND);
    let picture = terminal.render_svg(&format!("$ sudo /usr/local/wpj-state/wpj-state --explain\n{report}"));
    let path = ".github/explain.svg";
    if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
        fs::write(path, &picture).unwrap();
    }
    assert_eq!(picture, fs::read_to_string(path).unwrap_or_default());
    assert!(fs::read_to_string("README.md").unwrap().contains(&format!("]({path})")));
}
