//! The files in `jamf/` that admins upload to Jamf Pro match the tool's own lists, the wrapper and the policy scripts'
//! common part.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` writes them again.

pub mod extension_attributes;
mod policy_scripts;
mod profiles;
mod smart_groups;

use std::{collections::BTreeMap, env, fs, path::Path};

/// Checks that a folder contains exactly these files with exactly this content.
fn keep_or_compare(folder: &str, files: &BTreeMap<String, String>) {
    if updates_files() {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
    }
    keep_or_compare_files(folder, files);
    let mut kept: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    assert_eq!(kept, files.keys().cloned().collect::<Vec<_>>());
}

/// Checks that these files of a folder have exactly this content.
fn keep_or_compare_files(folder: &str, files: &BTreeMap<String, String>) {
    for (name, content) in files {
        let path = Path::new(folder).join(name);
        if updates_files() {
            fs::write(&path, content).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(kept, *content, "{name}: write it again with WPJ_STATE_UPDATE_FIXTURES=1");
        assert!(!content.contains('\r') && content.ends_with('\n'), "{name}");
    }
}

fn updates_files() -> bool {
    env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some()
}
