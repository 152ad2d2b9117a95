//! Several users at once. A worker of its own looks at each of them, and gets a fair share of the time that is left, so
//! that a home that hangs, or a file that makes a worker fail, takes nothing from the others.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{
    cause::{Cause, Obstacle},
    cli::{Part, Request, Subject, Who},
    evidence::Evidence,
    inspect::{inspect, inspect_person},
    progress::Progress,
    report::row::Row,
    state::assess,
    system::System,
    timestamp::Timestamp,
    user::{self, Source, User},
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

/// Has `ask` give what workers answer, each within a time, and makes rows of it.
///
/// # Errors
/// None in practice: there is nothing that JSON cannot express.
pub fn rows(
    request: &Request,
    mut ask: impl FnMut(Part, Duration) -> Result<Vec<u8>, Obstacle>,
) -> serde_json::Result<Vec<Row>> {
    let begun = Instant::now();
    let left = || request.deadline.saturating_sub(begun.elapsed());
    let mut ask = |part, limit| {
        let answer = ask(part, limit)?;
        serde_json::from_slice(&answer).map_err(|error| Cause::Crashed(format!("its answer is none: {error}")).into())
    };
    let parts: Vec<Part> = match &request.subject {
        Subject::Homes(homes) => (0..homes.len()).map(Part::Home).collect(),
        Subject::AllUsers | Subject::One(_) => match ask(Part::Persons, left()) {
            Ok(Answer::Persons(persons)) => persons.into_iter().map(Part::Person).collect(),
            Ok(Answer::Row(row)) => return Ok(vec![row]),
            Ok(Answer::Nobody) => Vec::new(),
            Err(obstacle) => return Ok(vec![row(&Evidence::none(User::UNKNOWN, obstacle), request)?]),
        },
    };
    let mut rows = Vec::new();
    let shares = (1..=u32::try_from(parts.len()).unwrap_or(u32::MAX)).rev();
    for (part, share) in parts.into_iter().zip(shares) {
        match ask(part, left() / share) {
            Ok(Answer::Row(row)) => rows.push(row),
            Ok(Answer::Persons(_) | Answer::Nobody) => {}
            Err(obstacle) => rows.push(row(&Evidence::none(about(part, request), obstacle), request)?),
        }
    }
    Ok(rows)
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
