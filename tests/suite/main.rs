//! All tests except those whose cases are found at run time, which are in `tests/cases/`.
//!
//! A test that needs root is in a module `root`, one that needs strace in a module `strace`. Both are ignored unless
//! they are requested, like in `.ci/run`. A test that works on only one system is compiled only for that system.

mod architecture;
mod command_line;
mod compare_device_ids;
mod damage;
mod ea_wrapper;
mod evidence;
mod explain;
mod faults;
mod home;
mod inspect;
mod jamf_api;
mod jamf_kit;
mod limits;
mod mac;
mod macos;
mod outcome;
mod packaging;
mod plain_words;
mod policy_scripts;
mod properties;
mod prose;
mod reading;
mod readme;
mod remedies;
mod remembered;
mod renamed;
mod secrets;
mod shells;
mod supply_chain;
mod tenants;
mod torn;
mod unchanged;
mod upload;
mod users;

mod root {
    #[cfg(target_os = "linux")]
    mod deadline;
    #[cfg(target_os = "linux")]
    pub mod held_up;
    #[cfg(target_os = "linux")]
    mod installation;
    #[cfg(target_os = "linux")]
    mod reader;
    mod rights;
    #[cfg(target_os = "linux")]
    mod second_opinion;
    #[cfg(target_os = "linux")]
    mod signals;
    pub mod user;
}

#[cfg(target_os = "linux")]
mod strace {
    mod cost;
}
