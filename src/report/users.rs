//! The users of a Mac, a row each.

use anstyle::Style as Ansi;
use textwrap::core::display_width;

use super::{
    attribute::{NO_KEY, label},
    reason,
    style::{COLUMNS, Page, Style, padded},
};
use crate::state::{Assessment, RegistrationState, Storage, WorkplaceJoin};

/// Columns of the longest state, of the longest storage, and between columns.
const STATE: usize = 38;
const STORAGE: usize = 14;
const GAP: usize = 2;

/// A row's first line.
struct Row {
    name: String,
    uid: String,
    state: &'static str,
    storage: &'static str,
}

impl Row {
    fn of(assessment: &Assessment<'_>) -> Self {
        let user = &assessment.evidence.user;
        let storage = match (Storage::shown_by(assessment.evidence), &assessment.state) {
            (Some(storage), _) => storage.name(),
            (None, Ok(RegistrationState::NotRegistered)) => NO_KEY,
            (None, _) => "",
        };
        Self {
            name: label(assessment).unwrap_or_default(),
            uid: user.uid.map(|uid| uid.to_string()).unwrap_or_default(),
            state: assessment.state.as_ref().map_or("cannot be told", |state| state.as_str()),
            storage,
        }
    }
}

/// A table: below each user's name, number, state and key storage stands the device id, or why there is no state.
pub(super) fn table(assessments: &[Assessment<'_>], style: Style) -> String {
    let mut page = Page::new(style);
    if assessments.is_empty() {
        page.paragraph(Ansi::new(), "There is no local user with a home.");
        return page.into_text();
    }
    let rows: Vec<Row> = assessments.iter().map(Row::of).collect();
    let uid = rows.iter().map(|row| row.uid.len()).chain([3]).max().unwrap_or_default();
    let room = COLUMNS.saturating_sub(uid + STATE + STORAGE + 3 * GAP);
    let longest = rows.iter().map(|row| display_width(&page.readable(&row.name))).chain([4]).max();
    let name = longest.unwrap_or_default().min(room);
    let indent = name + GAP + uid + GAP;
    page.table_head(&format!("{:name$}  {:>uid$}  {:STATE$}  KEY STORAGE", "NAME", "UID", "STATE"));
    for (row, assessment) in rows.iter().zip(assessments) {
        let shown = page.readable(&row.name);
        let fits = display_width(&shown) <= name;
        // A name that is too long has the line for itself.
        let first = padded(if fits { &shown } else { "" }, name);
        if !fits {
            page.indented(0, &row.name);
        }
        page.as_is(&format!("{first}  {:>uid$}  {:STATE$}  {}", row.uid, row.state, row.storage));
        if let Some(device_id) = WorkplaceJoin::shown_by(assessment.evidence).and_then(|found| found.device_id) {
            page.indented(indent, &format!("device {device_id}"));
        }
        if let Err(undetermined) = &assessment.state {
            page.indented(indent, &reason(undetermined));
        }
    }
    page.into_text()
}
