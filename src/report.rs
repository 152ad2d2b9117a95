//! Prints assessments: attributes, JSON, reports and tables.

pub mod attribute;
mod explain;
mod json;
pub(crate) mod reason;
pub mod style;
mod users;

use crate::{
    assess::Assessment,
    cli::{Output, Request},
};
pub use reason::reason;
use style::{Style, readable};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub document: String,
    /// Why something could not be determined; each is for one line on standard error.
    pub reasons: Vec<String>,
    /// Whether every requested value was determined.
    pub is_complete: bool,
}

pub fn report(request: &Request, assessments: &[Assessment<'_>], style: Style) -> Report {
    let mut report = match assessments {
        [assessment] if !request.subject.is_several() => about_one(request, assessment, style),
        assessments => about_several(request, assessments, style),
    };
    report.reasons.iter_mut().for_each(|reason| *reason = readable(reason, style));
    report
}

fn about_one(request: &Request, assessment: &Assessment<'_>, style: Style) -> Report {
    let mut reason = assessment.state.as_ref().err().map(reason);
    let document = match request.output {
        Output::Result(attribute) => {
            let value = attribute::value(attribute, assessment);
            reason = value.as_ref().err().cloned();
            attribute::result(&value.unwrap_or_default())
        }
        Output::Json => json::object(assessment),
        Output::Explain => explain::explain(assessment, request, style),
    };
    let is_complete = reason.is_none();
    // The report shows the reason in its first line.
    let reason = reason.filter(|_| request.output != Output::Explain);
    Report { document, reasons: reason.into_iter().collect(), is_complete }
}

fn about_several(request: &Request, assessments: &[Assessment<'_>], style: Style) -> Report {
    let mut reasons: Vec<String> = assessments.iter().filter_map(reason_with_name).collect();
    let document = match request.output {
        Output::Result(_) => {
            if assessments.is_empty() {
                reasons.push("no local user with a home was found; name a home with --home".to_owned());
            }
            attribute::result(&attribute::users(assessments))
        }
        Output::Json => json::array(assessments),
        Output::Explain => users::table(assessments, style),
    };
    let is_complete = reasons.is_empty();
    // The table shows each reason.
    reasons.retain(|_| request.output != Output::Explain);
    Report { document, reasons, is_complete }
}

fn reason_with_name(assessment: &Assessment<'_>) -> Option<String> {
    let reason = reason(assessment.state.as_ref().err()?);
    // The reason may begin with the home's path already.
    let label = attribute::label(&assessment.evidence.user).filter(|label| !reason.starts_with(label.as_str()));
    Some(label.map_or_else(|| reason.clone(), |name| format!("{name}: {reason}")))
}
