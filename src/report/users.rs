//! The table of users.

use anstyle::Style as Ansi;
use textwrap::core::display_width;

use super::{
    attribute::{key_storage, label},
    reason::reason,
    style::{COLUMNS, Page, Style, padded},
};
use crate::{
    assess::{Assessment, key::WorkplaceJoin},
    evidence::Obstacle,
};

/// The width of the longest state, and of the gap between columns.
const STATE: usize = 38;
const GAP: usize = 2;

/// A table of each user's name, UID, state and key storage, without empty columns. The line below a user shows the
/// device ID, or the reason why there is no state.
pub(super) fn table(assessments: &[Assessment<'_>], style: Style) -> String {
    let mut page = Page::new(style);
    if assessments.is_empty() {
        page.paragraph(Ansi::new(), "No local user with a home was found.");
        return page.into_text();
    }
    let label = |row: &Assessment<'_>| label(&row.evidence.user).unwrap_or_default();
    let number = |row: &Assessment<'_>| row.evidence.user.uid.map(|uid| uid.to_string()).unwrap_or_default();
    let storage = |row: &Assessment<'_>| key_storage(row).unwrap_or_default();
    let width = |head: &str, cells: Vec<usize>| {
        let longest = cells.into_iter().max().unwrap_or_default();
        if longest == 0 { 0 } else { longest.max(head.len()) + GAP }
    };
    let uid = width("UID", assessments.iter().map(|row| number(row).len()).collect());
    let key = width("KEY STORAGE", assessments.iter().map(|row| storage(row).len()).collect());
    let room = COLUMNS.saturating_sub(uid + STATE + key + GAP);
    let longest = assessments.iter().map(|row| display_width(&page.readable(&label(row)))).chain([4]).max();
    let name = longest.unwrap_or_default().min(room);
    let indent = name + GAP + uid;
    let line = |first: String, number: &str, state: &str, storage: &str| {
        let number = if uid == 0 { String::new() } else { format!("{number:>0$}{1}", uid - GAP, " ".repeat(GAP)) };
        format!("{first}{}{number}{state:STATE$}  {storage}", " ".repeat(GAP)).trim_end().to_owned()
    };
    page.table_head(&line(padded("NAME", name), "UID", "STATE", if key == 0 { "" } else { "KEY STORAGE" }));
    for row in assessments {
        let shown = page.readable(&label(row));
        let fits = display_width(&shown) <= name;
        // A name that is too long gets a line of its own.
        let first = padded(if fits { &shown } else { "" }, name);
        if !fits {
            page.indented(0, &label(row));
        }
        let state = row.state.as_ref().map_or("could not be determined", |state| state.as_str());
        page.as_is(&line(first, &number(row), state, storage(row)));
        if let Some(device_id) = WorkplaceJoin::shown_by(row.evidence).and_then(|found| found.device_id) {
            page.indented(indent, &format!("device {device_id}"));
        }
        if let Err(obstacle) = &row.state {
            // The name may be the path already.
            let path = obstacle.path.clone().filter(|path| path.as_os_str() != label(row).as_str());
            page.indented(indent, &reason(&Obstacle { path, cause: obstacle.cause.clone() }));
        }
    }
    page.into_text()
}
