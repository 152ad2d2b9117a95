//! The users of a Mac, a row each.

use anstyle::Style as Ansi;
use textwrap::core::display_width;

use super::{
    attribute::{key_storage, label},
    reason::reason,
    style::{COLUMNS, Page, Style, padded},
};
use crate::assess::{Assessment, key::WorkplaceJoin};

/// Columns of the longest state, of the longest storage, and between columns.
const STATE: usize = 38;
const STORAGE: usize = 14;
const GAP: usize = 2;

/// A table: each user's name, UID, state and key storage; in the line below, the device id, or why there is no state.
pub(super) fn table(assessments: &[Assessment<'_>], style: Style) -> String {
    let mut page = Page::new(style);
    if assessments.is_empty() {
        page.paragraph(Ansi::new(), "There is no local user with a home.");
        return page.into_text();
    }
    let label = |row: &Assessment<'_>| label(&row.evidence.user).unwrap_or_default();
    let number = |row: &Assessment<'_>| row.evidence.user.uid.map(|uid| uid.to_string()).unwrap_or_default();
    let uid = assessments.iter().map(|row| number(row).len()).chain([3]).max().unwrap_or_default();
    let room = COLUMNS.saturating_sub(uid + STATE + STORAGE + 3 * GAP);
    let longest = assessments.iter().map(|row| display_width(&page.readable(&label(row)))).chain([4]).max();
    let name = longest.unwrap_or_default().min(room);
    let indent = name + GAP + uid + GAP;
    page.table_head(&format!("{:name$}  {:>uid$}  {:STATE$}  KEY STORAGE", "NAME", "UID", "STATE"));
    for row in assessments {
        let shown = page.readable(&label(row));
        let fits = display_width(&shown) <= name;
        // A name that is too long has the line for itself.
        let first = padded(if fits { &shown } else { "" }, name);
        if !fits {
            page.indented(0, &label(row));
        }
        let state = row.state.as_ref().map_or("cannot be told", |state| state.as_str());
        let storage = key_storage(row).unwrap_or_default();
        page.as_is(&format!("{first}  {:>uid$}  {state:STATE$}  {storage}", number(row)));
        if let Some(device_id) = WorkplaceJoin::shown_by(row.evidence).and_then(|found| found.device_id) {
            page.indented(indent, &format!("device {device_id}"));
        }
        if let Err(obstacle) = &row.state {
            page.indented(indent, &reason(obstacle));
        }
    }
    page.into_text()
}
