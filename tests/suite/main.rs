//! All tests but those that are made at run time, which are in `tests/cases/`.
//!
//! A test that needs root is in a module `root`, one that needs strace in a module `strace`; both are ignored unless they
//! are asked for, as `.ci/run` does. What only one system can show is compiled for that system alone.

mod architecture;
mod command_line;
mod damage;
mod ea_wrapper;
mod evidence;
mod explain;
mod home;
mod inspect;
mod jamf_kit;
mod mac;
mod macos;
mod outcome;
mod packaging;
mod policy_scripts;
mod properties;
mod reading;
mod readme;
mod renamed;
mod shells;
mod supply_chain;
mod torn;
mod upload;
mod users;

#[cfg(target_os = "linux")]
mod root {
    mod deadline;
    mod held_up;
    mod installation;
    mod reader;
    mod second_opinion;
    mod signals;
    mod user;
}
