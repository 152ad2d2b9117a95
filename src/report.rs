//! The assessments as text.

pub mod attribute;
mod explain;
mod json;
pub mod style;
mod users;

use crate::{
    attribute::Attribute,
    cli::{Output, Request},
    state::{Assessment, Undetermined},
};
use style::{Style, escape};

/// What to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// On standard output.
    pub document: String,
    /// On standard error, a line each: why something cannot be told.
    pub reasons: Vec<String>,
}

/// Draws what was asked for.
///
/// # Errors
/// None in practice: there is nothing that JSON cannot express.
pub fn report(request: &Request, assessments: &[Assessment<'_>], style: Style) -> serde_json::Result<Report> {
    let is_several = request.subject.is_several();
    let mut reasons = reasons(assessments, is_several);
    let document = match (request.output, assessments) {
        (Output::Result(Attribute::Users), _) => {
            let users = attribute::users(assessments);
            if assessments.is_empty() {
                reasons.push("this Mac has no local user with a home; see --home".to_owned());
            }
            attribute::result(&users)
        }
        (Output::Result(attribute), [assessment, ..]) => match attribute::value(attribute, assessment) {
            Ok(value) => {
                reasons.clear();
                attribute::result(&value)
            }
            Err(reason) => {
                reasons = vec![reason];
                attribute::result("")
            }
        },
        (Output::Result(_), []) => attribute::result(""),
        (Output::Json, [assessment]) if !is_several => json::one(assessment)? + "\n",
        (Output::Json, _) => json::several(assessments)? + "\n",
        (Output::Explain, [assessment]) if !is_several => explain::explain(assessment, request, style),
        (Output::Explain, _) => users::table(assessments, style),
    };
    let readable = |reason: String| style::readable(&reason, style);
    Ok(Report { document, reasons: reasons.into_iter().map(readable).collect() })
}

fn reasons(assessments: &[Assessment<'_>], is_several: bool) -> Vec<String> {
    let reason = |assessment: &Assessment<'_>| {
        let reason = assessment.state.as_ref().err().map(reason)?;
        match attribute::label(assessment).filter(|_| is_several) {
            Some(name) => Some(format!("{}: {reason}", escape(&name))),
            None => Some(reason),
        }
    };
    assessments.iter().filter_map(reason).collect()
}

/// Why the state cannot be told, in one line: the file, if it is one, the cause, and what to do. What names can hold
/// beside text is escaped.
#[must_use]
pub fn reason(undetermined: &Undetermined<'_>) -> String {
    let Undetermined { path, cause } = undetermined;
    let place = path.map(|path| format!("{}: ", path.display())).unwrap_or_default();
    escape(&format!("{place}{cause}; {}", cause.remedy()))
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
