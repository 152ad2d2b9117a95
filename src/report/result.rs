//! The line that Jamf stores, and the line that says why it is blank.

use crate::state::{Assessment, Undetermined};

/// The extension attribute: `<result>STATE</result>`, blank if the state cannot be told.
#[must_use]
pub fn result_line(assessment: &Assessment<'_>) -> String {
    let state = assessment.state.as_ref().map_or("", |state| state.as_str());
    format!("<result>{state}</result>")
}

/// Why the state cannot be told, in one line: the file, if it is one, the cause, and what to do. Control characters,
/// which names can hold, are escaped.
#[must_use]
pub fn reason(undetermined: &Undetermined<'_>) -> String {
    let Undetermined { path, cause } = undetermined;
    let place = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
    let line = format!("{place}{cause}; {}", cause.remedy());
    let escape = |character: char| -> String {
        if character.is_control() { character.escape_default().collect() } else { character.into() }
    };
    line.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cause::Cause;

    #[test]
    fn a_reason_is_one_line_whatever_the_file_is_called() {
        let path = Path::new("/Users/a\nb\u{1b}[2J\u{85}ü/x");
        let line = reason(&Undetermined { path: Some(path), cause: &Cause::PermissionDenied });
        assert_eq!(line, "/Users/a\\nb\\u{1b}[2J\\u{85}ü/x: permission denied; run it with sudo");
    }
}
