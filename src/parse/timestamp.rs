//! Points in time, in the form in which this crate compares and prints them.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use x509_cert::der::DateTime;

/// A point in time between 1970 and 9999, in whole seconds; displayed in UTC in the format of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Timestamp(DateTime);

/// The seconds since 1970.
impl From<Timestamp> for u64 {
    fn from(time: Timestamp) -> Self {
        time.0.unix_duration().as_secs()
    }
}

impl TryFrom<u64> for Timestamp {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        Self::from_unix(Duration::from_secs(seconds)).ok_or("a time after the year 9999")
    }
}

impl Timestamp {
    /// The time that is this long after 1970-01-01T00:00:00Z; `None` after the year 9999.
    pub fn from_unix(since_1970: Duration) -> Option<Self> {
        DateTime::from_unix_duration(Duration::from_secs(since_1970.as_secs())).ok().map(Self)
    }

    /// The present time; if the system's clock is outside 1970 to 9999, the nearer end.
    pub fn now() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::from_unix(since_1970.unwrap_or_default()).unwrap_or(Self(DateTime::INFINITY))
    }
}

impl From<DateTime> for Timestamp {
    fn from(time: DateTime) -> Self {
        Self(time)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Option<String> {
        Timestamp::from_unix(Duration::from_secs(seconds)).map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_displayed_in_the_format_of_rfc_3339() {
        assert_eq!(at(0).unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(at(1_709_210_096).unwrap(), "2024-02-29T12:34:56Z");
        assert_eq!(at(253_402_300_799).unwrap(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn a_time_after_the_year_9999_is_refused() {
        assert_eq!(at(253_402_300_800), None);
        assert_eq!(at(u64::MAX), None);
    }

    #[test]
    fn fractions_of_a_second_do_not_count() {
        let fraction = Timestamp::from_unix(Duration::from_millis(1999)).unwrap();
        assert_eq!(fraction, Timestamp::from_unix(Duration::from_secs(1)).unwrap());
    }
}
