//! The reason why a state cannot be determined, as one line.

use super::style::escape;
use crate::evidence::Obstacle;

/// The reason why a state cannot be determined, as one line: the file, if there is one, the cause, and what to do.
/// Control and format characters are escaped.
pub fn reason(undetermined: &Obstacle) -> String {
    let Obstacle { path, cause } = undetermined;
    let place = path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default();
    escape(&format!("{place}{cause}; {}", cause.remedy()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::evidence::Cause;

    #[test]
    fn a_reason_is_one_line_for_any_file_name() {
        let path = PathBuf::from("/Users/a\nb\u{1b}[2J\u{85}ü/x");
        let line = reason(&Obstacle { path: Some(path), cause: Cause::PermissionDenied });
        assert_eq!(line, "/Users/a\\nb\\u{1b}[2J\\u{85}ü/x: permission denied; run it with sudo");
    }
}
