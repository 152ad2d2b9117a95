//! The users of a Mac, a row each.

use anstyle::Style as Ansi;
use textwrap::core::display_width;

use super::{
    row::Row,
    style::{COLUMNS, Page, Style, padded},
};

/// Columns of the longest state, of the longest storage, and between columns.
const STATE: usize = 38;
const STORAGE: usize = 14;
const GAP: usize = 2;

/// A table: below each user's name, number, state and key storage stands the device id, or why there is no state.
pub(super) fn table(rows: &[Row], style: Style) -> String {
    let mut page = Page::new(style);
    if rows.is_empty() {
        page.paragraph(Ansi::new(), "There is no local user with a home.");
        return page.into_text();
    }
    let label = |row: &Row| row.label().unwrap_or_default();
    let number = |row: &Row| row.uid.map(|uid| uid.to_string()).unwrap_or_default();
    let uid = rows.iter().map(|row| number(row).len()).chain([3]).max().unwrap_or_default();
    let room = COLUMNS.saturating_sub(uid + STATE + STORAGE + 3 * GAP);
    let longest = rows.iter().map(|row| display_width(&page.readable(&label(row)))).chain([4]).max();
    let name = longest.unwrap_or_default().min(room);
    let indent = name + GAP + uid + GAP;
    page.table_head(&format!("{:name$}  {:>uid$}  {:STATE$}  KEY STORAGE", "NAME", "UID", "STATE"));
    for row in rows {
        let shown = page.readable(&label(row));
        let fits = display_width(&shown) <= name;
        // A name that is too long has the line for itself.
        let first = padded(if fits { &shown } else { "" }, name);
        if !fits {
            page.indented(0, &label(row));
        }
        let state = row.state.as_deref().unwrap_or("cannot be told");
        let storage = row.storage.as_deref().unwrap_or_default();
        page.as_is(&format!("{first}  {:>uid$}  {state:STATE$}  {storage}", number(row)));
        if let Some(device_id) = &row.device_id {
            page.indented(indent, &format!("device {device_id}"));
        }
        if let Some(reason) = &row.reason {
            page.indented(indent, reason);
        }
    }
    page.into_text()
}
