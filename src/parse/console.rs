//! macOS's console record (`State:/Users/ConsoleUser`): the console user, and all sessions.
//!
//! The name may be an alias, so only the UID is used. With fast user switching there are several sessions. The one that
//! is marked as being on the console normally belongs to the console user.

use plist::{Dictionary, Value};

/// Whether macOS gives this UID to people. The last two, -2 and -1 as macOS writes them, mean `nobody` and no user.
pub(crate) const fn is_local_user(uid: u32) -> bool {
    500 <= uid && uid <= u32::MAX - 2
}

/// macOS's console record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleRecord {
    /// The short name, or an alias.
    pub(crate) name: String,
    pub(crate) uid: Option<u32>,
    /// The UID of the session that is marked as being on the console.
    pub(crate) session_uid: Option<u32>,
    /// The UIDs of all users who have a session and have finished logging in.
    pub(crate) sessions: Vec<u32>,
    /// The UIDs of the users who are still logging in.
    pub(crate) logging_in: Vec<u32>,
}

impl ConsoleRecord {
    /// Parses the record, a property list.
    /// Fails if it is not a property list with a dictionary.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let record =
            Value::from_reader(std::io::Cursor::new(bytes)).map_err(|_| "the console record cannot be read")?;
        let record = record.as_dictionary().ok_or("the console record is not a dictionary")?;
        let sessions = record.get("SessionInfo").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let flag = |session: &Dictionary, key| {
            let value = session.get(key)?;
            value.as_boolean().or_else(|| value.as_signed_integer().map(|number| number == 1))
        };
        let on_console = |session: &&Dictionary| flag(session, "kCGSSessionOnConsoleKey") == Some(true);
        let is_logging_in = |session: &Dictionary| flag(session, "kCGSessionLoginDoneKey") == Some(false);
        let sessions = || sessions.iter().filter_map(Value::as_dictionary);
        let uids = |logging_in: bool| {
            sessions()
                .filter(|session| is_logging_in(session) == logging_in)
                .filter_map(|session| number(session, SESSION_UID))
                .collect()
        };
        Ok(Self {
            name: record.get("Name").and_then(Value::as_string).unwrap_or_default().to_owned(),
            uid: number(record, "UID"),
            session_uid: sessions().find(on_console).and_then(|session| number(session, SESSION_UID)),
            sessions: uids(false),
            logging_in: uids(true),
        })
    }

    /// Whether a user has a session, at the console or behind it, and has finished logging in.
    pub(crate) fn has_session(&self, uid: u32) -> bool {
        self.sessions.contains(&uid) || (self.console_user() == Ok(Some(uid)) && !self.logging_in.contains(&uid))
    }

    /// The UID of the console user; `None` if nobody is logged in, or a system account.
    /// Fails if the record has no UID.
    pub(crate) fn console_user(&self) -> Result<Option<u32>, &'static str> {
        if !is_local_user_name(&self.name) {
            return Ok(None);
        }
        let uid = self.uid.ok_or("the console record has no UID")?;
        Ok(Some(uid).filter(|&uid| is_local_user(uid)))
    }
}

const SESSION_UID: &str = "kCGSSessionUserIDKey";

/// A UID; macOS stores it as a signed number of 32 bits.
fn number(dictionary: &Dictionary, key: &str) -> Option<u32> {
    let number = dictionary.get(key)?.as_signed_integer()?;
    i32::try_from(number).map(i32::cast_unsigned).or_else(|_| u32::try_from(number)).ok()
}

/// Whether a name can belong to a person; the accounts that the login window and Setup Assistant use do not.
pub(crate) fn is_local_user_name(name: &str) -> bool {
    !name.is_empty() && name != "loginwindow" && name != "root" && !name.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(entries: &str) -> ConsoleRecord {
        ConsoleRecord::parse(format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").as_bytes()).unwrap()
    }

    #[test]
    fn the_console_record_has_the_name_the_uid_and_the_sessions() {
        let session = |uid: u32, on_console: &str| {
            format!(
                "<dict><key>kCGSSessionUserIDKey</key><integer>{uid}</integer>\
                 <key>kCGSSessionUserNameKey</key><string>x</string>{on_console}</dict>"
            )
        };
        let on_console =
            ["<key>kCGSSessionOnConsoleKey</key><true/>", "<key>kCGSSessionOnConsoleKey</key><integer>1</integer>"];
        for on_console in on_console {
            let sessions = session(501, "<key>kCGSSessionOnConsoleKey</key><false/>") + &session(502, on_console);
            let entries = format!(
                "<key>Name</key><string>ben@contoso.com</string><key>UID</key><integer>502</integer>\
                 <key>GID</key><integer>20</integer><key>SessionInfo</key><array>{sessions}</array>"
            );
            let expected = ConsoleRecord {
                name: "ben@contoso.com".to_owned(),
                uid: Some(502),
                session_uid: Some(502),
                sessions: vec![501, 502],
                logging_in: Vec::new(),
            };
            assert_eq!(record(&entries), expected);
        }
    }

    #[test]
    fn a_session_counts_after_its_login_is_done() {
        let session = |uid: u32, done: &str| {
            format!("<dict><key>kCGSSessionUserIDKey</key><integer>{uid}</integer>{done}</dict>")
        };
        let done = |value: &str| format!("<key>kCGSessionLoginDoneKey</key>{value}");
        let sessions = session(501, &done("<true/>"))
            + &session(502, &done("<false/>"))
            + &session(503, &done("<integer>0</integer>"))
            + &session(504, "");
        let entries = format!(
            "<key>Name</key><string>ben</string><key>UID</key><integer>502</integer>\
             <key>SessionInfo</key><array>{sessions}</array>"
        );
        let record = record(&entries);
        assert_eq!([501, 502, 503, 504, 505].map(|uid| record.has_session(uid)), [true, false, false, true, false]);
        assert_eq!(record.console_user(), Ok(Some(502)));
    }

    #[test]
    fn a_record_without_sessions_still_names_the_console_user() {
        let record = record("<key>Name</key><string>ben</string><key>UID</key><integer>502</integer>");
        assert!(record.has_session(502));
    }

    #[test]
    fn the_last_two_uids_do_not_belong_to_people() {
        let console_user = |uid: i64| {
            record(&format!("<key>Name</key><string>ben</string><key>UID</key><integer>{uid}</integer>")).console_user()
        };
        assert_eq!([-1, -2, 0, 499].map(console_user), [const { Ok(None) }; 4]);
        assert_eq!([500, -3].map(console_user), [Ok(Some(500)), Ok(Some(4_294_967_293))]);
    }

    #[test]
    fn missing_entries_and_entries_of_another_type_are_unknown() {
        let strange = "<key>Name</key><integer>1</integer><key>UID</key><string>501</string>\
            <key>SessionInfo</key><array><string>x</string><dict/></array>";
        assert_eq!(record(strange), ConsoleRecord::default());
        assert_eq!(record("<key>UID</key><integer>-2147483649</integer>"), ConsoleRecord::default());
        assert_eq!(record("<key>UID</key><integer>4294967296</integer>"), ConsoleRecord::default());
        assert_eq!(record(""), ConsoleRecord::default());
    }

    #[test]
    fn a_uid_above_two_billion_is_negative_in_the_record() {
        let uid = |number: &str| record(&format!("<key>UID</key><integer>{number}</integer>")).uid;
        assert_eq!(uid("-2147483648"), Some(2_147_483_648));
        assert_eq!(uid("-2"), Some(4_294_967_294));
        assert_eq!(uid("2147483648"), Some(2_147_483_648));
    }

    #[test]
    fn a_console_record_that_is_not_a_dictionary_is_refused() {
        assert_eq!(ConsoleRecord::parse(b"?"), Err("the console record cannot be read"));
        let array = b"<plist version=\"1.0\"><array/></plist>";
        assert_eq!(ConsoleRecord::parse(array), Err("the console record is not a dictionary"));
    }
}
