//! Tests of which each case is made at run time: the folders of `fixtures/`, and genuine files where there are some.

use libtest_mimic::Arguments;

mod fixtures;
mod genuine;

fn main() {
    let trials = fixtures::trials().into_iter().chain(genuine::trials());
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
