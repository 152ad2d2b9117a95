//! Rewrites the fixtures: `cargo run -p fixture-generator`.

use std::{fs, io, os::unix::fs::symlink, path::Path};

use fixture_generator::{Entry, situations, situations::SYSTEM};

fn main() -> io::Result<()> {
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures"));
    for situation in situations() {
        let folder = fixtures.join(&situation.name);
        for old in ["home", SYSTEM].map(|name| folder.join(name)).into_iter().filter(|old| old.is_dir()) {
            fs::remove_dir_all(old)?;
        }
        for (path, entry) in situation.all_entries() {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            match entry {
                Entry::File(content) => fs::write(path, content)?,
                Entry::Link(target) => symlink(target, path)?,
            }
        }
    }
    Ok(())
}
