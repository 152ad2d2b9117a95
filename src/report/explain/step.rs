//! A step, and how steps for one reader are merged.

/// A step, and the commands to paste into a shell, one on each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) commands: Vec<String>,
}

impl Step {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), commands: Vec::new() }
    }

    pub(super) fn with(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }
}

const TO_JAMF: &str = "Escalate to the Jamf administrator, with this report: ";
/// What the administrator has to do, if it is more than one thing.
const TO_JAMF_SEVERAL: &str =
    "Escalate to the Jamf administrator, with this report. The administrator has to do all of this: ";

pub(super) fn to_jamf(words: &str) -> Step {
    Step::new(format!("{TO_JAMF}{words}"))
}

/// Drops repeated steps, and merges those for the Jamf administrator into the first of them.
pub(super) fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::new();
    let mut seen = Vec::new();
    for step in steps {
        if seen.contains(&step) {
            continue;
        }
        seen.push(step.clone());
        let is_to_jamf = |step: &&mut Step| step.text.starts_with(TO_JAMF) || step.text.starts_with(TO_JAMF_SEVERAL);
        let first = merged.iter_mut().find(is_to_jamf);
        match (step.text.strip_prefix(TO_JAMF), first) {
            (Some(words), Some(first)) => {
                if let Some(earlier) = first.text.strip_prefix(TO_JAMF) {
                    first.text = format!("{TO_JAMF_SEVERAL}{}", sentence(earlier));
                }
                first.text = format!("{} {}", first.text, sentence(words));
                first.commands.extend(step.commands);
            }
            _ => merged.push(step),
        }
    }
    merged
}

pub(super) fn has_escalation(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.text.starts_with(TO_JAMF))
}

pub(super) fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    let end = if words.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.map(String::from).unwrap_or_default(), characters.as_str())
}
