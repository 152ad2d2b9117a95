//! What an admin uploads to Jamf Pro, in `jamf/`, is made of the tool's own lists and the wrapper.
//!
//! `WPJ_STATE_UPDATE_FIXTURES=1` writes it anew.

pub mod extension_attributes;
mod profiles;
mod smart_groups;

use std::{collections::BTreeMap, env, fs, path::Path};

/// A folder has just these files with just this content.
fn keep_or_compare(folder: &str, files: &BTreeMap<String, String>) {
    let folder = Path::new(folder);
    if env::var_os("WPJ_STATE_UPDATE_FIXTURES").is_some() {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        files.iter().for_each(|(name, content)| fs::write(folder.join(name), content).unwrap());
    }
    let kept: BTreeMap<String, String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect();
    assert_eq!(kept.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (name, content) in files {
        assert_eq!(kept[name], *content, "{name}: write it anew with WPJ_STATE_UPDATE_FIXTURES=1");
        assert!(!content.contains('\r') && content.ends_with('\n'), "{name}");
    }
}
