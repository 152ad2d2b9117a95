//! macOS's record of the console (`State:/Users/ConsoleUser`): who is there, and who else has a session.
//!
//! Its name may be an alias and need not be an account's, so only the UID counts. The other sessions of fast user
//! switching are in it, too: the one that says to be on the console normally is the same user's.

use plist::{Dictionary, Value};

/// macOS gives people's accounts this number or a higher one.
pub const FIRST_PERSON: u32 = 500;

/// macOS's record of the console, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleRecord {
    /// The short name, or an alias.
    pub(crate) name: String,
    pub(crate) uid: Option<u32>,
    /// The number of the user whose session says to be on the console.
    pub(crate) session_uid: Option<u32>,
    /// The numbers of all users who have a session.
    pub(crate) sessions: Vec<u32>,
}

impl ConsoleRecord {
    /// Reads the record, a property list.
    /// Fails if it is not one.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let record =
            Value::from_reader(std::io::Cursor::new(bytes)).map_err(|_| "the console's record cannot be read")?;
        let record = record.as_dictionary().ok_or("the console's record is not a dictionary")?;
        let sessions = record.get("SessionInfo").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let on_console = |session: &&Dictionary| {
            session
                .get("kCGSSessionOnConsoleKey")
                .is_some_and(|it| it.as_boolean() == Some(true) || it.as_signed_integer() == Some(1))
        };
        let sessions = || sessions.iter().filter_map(Value::as_dictionary);
        Ok(Self {
            name: record.get("Name").and_then(Value::as_string).unwrap_or_default().to_owned(),
            uid: number(record, "UID"),
            session_uid: sessions().find(on_console).and_then(|session| number(session, SESSION_UID)),
            sessions: sessions().filter_map(|session| number(session, SESSION_UID)).collect(),
        })
    }

    /// Whether a user has a session, at the console or behind it.
    pub(crate) fn has_session(&self, uid: u32) -> bool {
        self.sessions.contains(&uid) || self.person() == Ok(Some(uid))
    }

    /// The number of the person at the console; `None` if it is nobody or no person.
    /// Fails if the record does not say.
    pub(crate) fn person(&self) -> Result<Option<u32>, &'static str> {
        if !is_name_of_person(&self.name) {
            return Ok(None);
        }
        let uid = self.uid.ok_or("the console's record has no UID")?;
        Ok(Some(uid).filter(|&uid| uid >= FIRST_PERSON))
    }
}

const SESSION_UID: &str = "kCGSSessionUserIDKey";

/// macOS keeps UIDs in signed 32 bits.
fn number(dictionary: &Dictionary, key: &str) -> Option<u32> {
    let number = dictionary.get(key)?.as_signed_integer()?;
    i32::try_from(number).map(i32::cast_unsigned).or_else(|_| u32::try_from(number)).ok()
}

/// Whether a name may be a person's: macOS's own accounts, which the login window and Setup Assistant use, are not.
pub(crate) fn is_name_of_person(name: &str) -> bool {
    !name.is_empty() && name != "loginwindow" && name != "root" && !name.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(entries: &str) -> ConsoleRecord {
        ConsoleRecord::parse(format!("<plist version=\"1.0\"><dict>{entries}</dict></plist>").as_bytes()).unwrap()
    }

    #[test]
    fn the_console_record_has_name_number_and_the_session_on_the_console() {
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
            };
            assert_eq!(record(&entries), expected);
        }
    }

    #[test]
    fn what_the_console_record_lacks_or_has_in_another_type_is_unknown() {
        let strange = "<key>Name</key><integer>1</integer><key>UID</key><string>501</string>\
            <key>SessionInfo</key><array><string>x</string><dict/></array>";
        assert_eq!(record(strange), ConsoleRecord::default());
        assert_eq!(record("<key>UID</key><integer>-2147483649</integer>"), ConsoleRecord::default());
        assert_eq!(record("<key>UID</key><integer>4294967296</integer>"), ConsoleRecord::default());
        assert_eq!(record(""), ConsoleRecord::default());
    }

    #[test]
    fn a_uid_above_two_billion_is_negative_there() {
        let uid = |number: &str| record(&format!("<key>UID</key><integer>{number}</integer>")).uid;
        assert_eq!(uid("-2147483648"), Some(2_147_483_648));
        assert_eq!(uid("-2"), Some(4_294_967_294));
        assert_eq!(uid("2147483648"), Some(2_147_483_648));
    }

    #[test]
    fn a_console_record_that_is_not_a_dictionary_is_refused() {
        assert_eq!(ConsoleRecord::parse(b"?"), Err("the console's record cannot be read"));
        let array = b"<plist version=\"1.0\"><array/></plist>";
        assert_eq!(ConsoleRecord::parse(array), Err("the console's record is not a dictionary"));
    }
}
