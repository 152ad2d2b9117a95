//! What an admin uploads to Jamf Pro, in `jamf/`, is made of the tool's own lists, the wrapper and the policy scripts'
//! common part.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` writes it anew.

pub mod extension_attributes;
mod policy_scripts;
mod profiles;
mod smart_groups;

use std::{collections::BTreeMap, env, fs, path::Path};

/// A folder has just these files with just this content.
fn keep_or_compare(folder: &str, files: &BTreeMap<String, String>) {
    if is_to_be_written() {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
    }
    keep_or_compare_files(folder, files);
    let mut kept: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    assert_eq!(kept, files.keys().cloned().collect::<Vec<_>>());
}

/// These files of a folder have just this content.
fn keep_or_compare_files(folder: &str, files: &BTreeMap<String, String>) {
    for (name, content) in files {
        let path = Path::new(folder).join(name);
        if is_to_be_written() {
            fs::write(&path, content).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(kept, *content, "{name}: write it anew with WPJ_STATE_UPDATE_FIXTURES=1");
        assert!(!content.contains('\r') && content.ends_with('\n'), "{name}");
    }
}

fn is_to_be_written() -> bool {
    env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some()
}
