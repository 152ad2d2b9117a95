//! The assessments as text.

pub mod attribute;
mod explain;
mod json;
pub mod reason;
pub mod row;
pub mod style;
mod users;

use crate::{
    assess::Assessment,
    cli::{Output, Request},
};
pub use reason::reason;
use row::Row;
use style::{Style, readable};

/// What to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// On standard output.
    pub document: String,
    /// On standard error, a line each: why something cannot be told.
    pub reasons: Vec<String>,
}

/// Draws what was asked for about one user.
///
/// # Errors
/// None in practice: there is nothing that JSON cannot express.
pub fn report(request: &Request, assessment: &Assessment<'_>, style: Style) -> serde_json::Result<Report> {
    let mut reason = assessment.state.as_ref().err().map(reason);
    let document = match request.output {
        Output::Result(attribute) => {
            let value = attribute::value(attribute, assessment);
            reason = value.as_ref().err().cloned();
            attribute::result(&value.unwrap_or_default())
        }
        Output::Json => json::object(assessment)? + "\n",
        Output::Explain => explain::explain(assessment, request, style),
    };
    Ok(Report { document, reasons: reason.iter().map(|reason| readable(reason, style)).collect() })
}

/// Draws what was asked for about several users.
#[must_use]
pub fn list(request: &Request, rows: &[Row], style: Style) -> Report {
    let mut reasons: Vec<String> = rows.iter().filter_map(reason_with_name).collect();
    let document = match request.output {
        Output::Result(_) => {
            if rows.is_empty() {
                reasons.push("this Mac has no local user with a home; see --home".to_owned());
            }
            attribute::result(&attribute::users(rows))
        }
        Output::Json => json::array(rows),
        Output::Explain => users::table(rows, style),
    };
    Report { document, reasons: reasons.iter().map(|reason| readable(reason, style)).collect() }
}

fn reason_with_name(row: &Row) -> Option<String> {
    let reason = row.reason.as_ref()?;
    Some(row.label().map_or_else(|| reason.clone(), |name| format!("{name}: {reason}")))
}
