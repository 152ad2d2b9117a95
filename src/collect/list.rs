//! Several users at once. A worker of its own looks at each of them, several at a time, so that a home that hangs, or a
//! file that makes a worker fail, takes nothing from the others.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{
    assess::assess,
    cli::{Part, Request, Subject, Who},
    collect::{
        inspect::{inspect, inspect_person},
        progress::Progress,
        system::System,
        user,
    },
    evidence::{Cause, Evidence, Obstacle, Source, User},
    parse::timestamp::Timestamp,
    report::row::Row,
};

/// What a worker answers about its part.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// The numbers of those who may be persons.
    Persons(Vec<u32>),
    /// About one of them, or about a home.
    Row(Row),
    /// That number is no person's.
    Nobody,
}

/// Does a part of the work, as a worker.
///
/// # Errors
/// None in practice: there is nothing that JSON cannot express.
pub fn work(request: &Request, part: Part, system: &impl System, progress: &Progress) -> serde_json::Result<Vec<u8>> {
    let row = |evidence: &Evidence| row(evidence, request).map(Answer::Row);
    let answer = match (part, &request.subject) {
        (Part::Persons, _) => match user::persons(system) {
            Ok(persons) => Answer::Persons(persons),
            Err(obstacle) => row(&Evidence::none(User::UNKNOWN, obstacle))?,
        },
        (Part::Person(uid), _) => match inspect_person(request, uid, system, progress) {
            Some(evidence) => row(&evidence)?,
            None => Answer::Nobody,
        },
        (Part::Home(number), Subject::Homes(homes)) => match homes.get(number) {
            Some(home) => row(&inspect(request, &Who::Home(home.clone()), system, progress))?,
            None => Answer::Nobody,
        },
        (Part::Home(_) | Part::Whole, _) => Answer::Nobody,
    };
    serde_json::to_vec(&answer)
}

fn row(evidence: &Evidence, request: &Request) -> serde_json::Result<Row> {
    Row::of(&assess(evidence, Timestamp::now()), request.output)
}

/// How many workers are at it at once.
const AT_ONCE: usize = 16;

/// Has `ask` give what workers answer about some parts at once, each within a time, and makes rows of it.
///
/// # Errors
/// None in practice: there is nothing that JSON cannot express.
pub fn rows(
    request: &Request,
    mut ask: impl FnMut(&[Part], Duration) -> Vec<Result<Vec<u8>, Obstacle>>,
) -> serde_json::Result<Vec<Row>> {
    let begun = Instant::now();
    let left = || request.deadline.saturating_sub(begun.elapsed());
    let failed = |part, obstacle| row(&Evidence::none(about(part, request), obstacle), request);
    let misplaced = || Cause::Crashed("its answer is another part's".to_owned()).into();
    let mut ask = |parts: &[Part], limit| ask(parts, limit).into_iter().map(parsed).collect::<Vec<_>>();
    let parts: Vec<Part> = match &request.subject {
        Subject::Homes(homes) => (0..homes.len()).map(Part::Home).collect(),
        Subject::AllUsers | Subject::One(_) => match ask(&[Part::Persons], left()).pop() {
            Some(Ok(Answer::Persons(persons))) => persons.into_iter().map(Part::Person).collect(),
            Some(Ok(Answer::Row(row))) => return Ok(vec![row]),
            Some(Err(obstacle)) => return Ok(vec![failed(Part::Persons, obstacle)?]),
            // That nobody is here must be told by a list that is empty, by nothing else.
            Some(Ok(Answer::Nobody)) | None => return Ok(vec![failed(Part::Persons, misplaced())?]),
        },
    };
    let mut rows = Vec::new();
    let groups: Vec<&[Part]> = parts.chunks(AT_ONCE).collect();
    let shares = (1..=u32::try_from(groups.len()).unwrap_or(u32::MAX)).rev();
    for (group, share) in groups.into_iter().zip(shares) {
        for (part, answer) in group.iter().zip(ask(group, left() / share)) {
            match (answer, part) {
                (Ok(Answer::Row(row)), _) => rows.push(row),
                (Ok(Answer::Nobody), Part::Person(_)) => {}
                (Ok(Answer::Nobody | Answer::Persons(_)), _) => rows.push(failed(*part, misplaced())?),
                (Err(obstacle), _) => rows.push(failed(*part, obstacle)?),
            }
        }
    }
    Ok(rows)
}

fn parsed(answer: Result<Vec<u8>, Obstacle>) -> Result<Answer, Obstacle> {
    serde_json::from_slice(&answer?).map_err(|error| Cause::Crashed(format!("its answer is none: {error}")).into())
}

/// What is known of whom a part is about.
fn about(part: Part, request: &Request) -> User {
    match (part, &request.subject) {
        (Part::Person(uid), _) => User { uid: Some(uid), source: Some(Source::AllUsers), ..User::UNKNOWN },
        (Part::Home(number), Subject::Homes(homes)) => {
            User { home: homes.get(number).cloned(), source: Some(Source::HomeOption), ..User::UNKNOWN }
        }
        (Part::Home(_) | Part::Persons | Part::Whole, _) => User::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, parse};

    #[test]
    fn an_answer_that_is_another_parts_does_not_make_a_list_empty() {
        let Command::Answer(mut request) = parse(&["wpj-state", "--home", "/home"].map(Into::into)).unwrap() else {
            panic!("no request");
        };
        request.subject = Subject::AllUsers;
        let answer = |answer: &'static str| rows(&request, |_, _| vec![Ok(answer.into())]).unwrap();
        assert_eq!(answer(r#"{"Persons":[]}"#), []);
        let obstacle = Cause::Crashed("its answer is another part's".to_owned()).into();
        assert_eq!(answer(r#""Nobody""#), [row(&Evidence::none(User::UNKNOWN, obstacle), &request).unwrap()]);
    }
}
