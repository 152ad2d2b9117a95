use std::time::Duration;

use super::*;
use crate::{
    parse::records::Counts,
    parse::{
        certificate::Fields,
        keychain::{self, ErrorKind},
    },
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(seconds)).unwrap()
}

fn described(finding: Option<Finding>) -> Option<(&'static str, String)> {
    finding.map(|finding| (finding.code.as_str(), finding.message))
}

#[test]
fn both_ends_of_the_validity_belong_to_it() {
    let text = String::new;
    let fields = Fields { subject: text(), issuer: text(), serial: text(), sha1: text() };
    let certificate =
        Description { fields, device_id: None, tenant_id: None, not_before: at(1000), not_after: at(2000) };
    let found = |now| described(validity(&certificate, at(now)));
    assert_eq!(found(1000), None);
    assert_eq!(found(2000), None);
    let not_yet = "The Workplace Join certificate is not valid until 1970-01-01T00:16:40Z.".to_owned();
    assert_eq!(found(999), Some(("certificate-not-yet-valid", not_yet)));
    let expired = "The Workplace Join certificate expired at 1970-01-01T00:33:20Z.".to_owned();
    assert_eq!(found(2001), Some(("certificate-expired", expired)));
}

#[test]
fn an_answer_about_another_user_than_the_console_user_has_a_finding() {
    let finding = |name: Option<&str>, source, at_console| {
        let user = User { name: name.map(str::to_owned), source: Some(source), console: at_console, ..User::default() };
        described(console(&user))
    };
    let not_at_console = |message: &str| Some(("not-at-the-console", message.to_owned()));
    let adele = Some("adele");
    assert_eq!(finding(adele, Source::Console, Console::ThisUser), None);
    assert_eq!(finding(adele, Source::UserOption, Console::ThisUser), None);
    assert_eq!(finding(None, Source::HomeOption, Console::NotChecked), None);
    assert_eq!(
        finding(adele, Source::LastConsole, Console::Nobody),
        not_at_console("Nobody is at the console; this is about adele, who was there last.")
    );
    assert_eq!(
        finding(adele, Source::MostRecent, Console::Nobody),
        not_at_console("Nobody is at the console; this is about adele, whose login keychain changed last.")
    );
    assert_eq!(
        finding(None, Source::None, Console::Nobody),
        not_at_console("Nobody is at the console, and no user has a login keychain.")
    );
    assert_eq!(
        finding(adele, Source::UserOption, Console::Nobody),
        not_at_console("Nobody is at the console; this is about adele.")
    );
    assert_eq!(
        finding(adele, Source::UserOption, Console::Another(502)),
        not_at_console("User 502 is at the console; this is about adele.")
    );
    let contradictory =
        "macOS names adele as the console user, but the session at the console belongs to another user.";
    assert_eq!(
        finding(adele, Source::Console, Console::Contradictory),
        Some(("console-contradictory", contradictory.to_owned()))
    );
}

#[test]
fn each_outcome_of_the_second_opinion_has_its_finding() {
    let finding = |opinion| described(second_opinion(&opinion));
    let counts = |certificates, private_keys| Counts { certificates, private_keys };
    assert_eq!(finding(SecondOpinion::NotChecked), None);
    assert_eq!(
        finding(SecondOpinion::Missing("it is away".to_owned())),
        Some(("second-opinion-missing", "No second opinion: it is away.".to_owned()))
    );
    let error = keychain::Error { kind: ErrorKind::Truncated, offset: 20 };
    let used = "This tool could not read the login keychain (damaged keychain: the file is cut short). \
        The result relies on macOS's own reader.";
    let no_key =
        "No second opinion: macOS's reader found no Workplace Join key that counts, but it skips damaged tables.";
    assert_eq!(finding(SecondOpinion::NoKey), Some(("second-opinion-missing", no_key.to_owned())));
    assert_eq!(finding(SecondOpinion::Used(error)), Some(("second-opinion-used", used.to_owned())));
    let agrees = "macOS's own reader finds the same certificates (2) and private keys (1).";
    assert_eq!(finding(SecondOpinion::Agrees(counts(2, 1))), Some(("second-opinion-agrees", agrees.to_owned())));
    let differs = "macOS's reader and this tool disagree. Only this tool found certificates (1) and private keys (0); \
        only macOS's found certificates (0) and private keys (3).";
    let opinion = SecondOpinion::Differs { only_here: counts(1, 0), only_there: counts(0, 3) };
    assert_eq!(finding(opinion), Some(("second-opinion-differs", differs.to_owned())));
}
