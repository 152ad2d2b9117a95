//! The error type of tests.

use std::{
    fmt,
    panic::Location,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A failed test: the reason, and the line in the test.
pub struct Failed {
    words: String,
    place: &'static Location<'static>,
}

pub type Outcome = Result<(), Failed>;

impl<T: ToString> From<T> for Failed {
    #[track_caller]
    fn from(words: T) -> Self {
        Self { words: words.to_string(), place: Location::caller() }
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.words)
    }
}

#[track_caller]
pub fn equal<T: PartialEq<U> + fmt::Debug + ?Sized, U: fmt::Debug + ?Sized>(found: &T, expected: &U) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("found {found:#?}\nexpected {expected:#?}").into()) }
}

/// Runs a test for all cases, some in parallel because most of them wait, and fails with the names of all that fail.
pub fn all<T: Sync>(cases: &[(String, T)], test: impl Fn(&T) -> Outcome + Sync) -> Outcome {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(failed) = test(case) {
                failures.lock().unwrap().push(format!("{name}: {failed:?}"));
            }
        }
    };
    thread::scope(|scope| (0..16).for_each(|_| drop(scope.spawn(work))));
    let failures = failures.into_inner().unwrap();
    match failures.len() {
        0 => Ok(()),
        count => Err(format!("{count} of {} fail:\n{}", cases.len(), failures.join("\n")).into()),
    }
}
