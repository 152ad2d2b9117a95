//! Where a test can put what the tool is to look at by itself, without a worker.

use std::{env, path::PathBuf};

use wpj_state::collect::startup_disk;

/// A folder for temporary files on the startup disk, by a path without links.
pub fn folder() -> Option<PathBuf> {
    let folders = [env::temp_dir(), "/var/tmp".into(), env!("CARGO_TARGET_TMPDIR").into()];
    folders.iter().filter_map(|folder: &PathBuf| folder.canonicalize().ok()).find(|folder| startup_disk::has(folder))
}
