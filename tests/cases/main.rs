//! Tests whose cases are found at run time: the folders in `fixtures/`, and genuine files if there are any.

use libtest_mimic::Arguments;

mod fixtures;
mod genuine;

fn main() {
    let trials = fixtures::trials().into_iter().chain(genuine::trials());
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
