//! Checks the imports between the files in `src`: each place imports only allowed ones, and no imports are circular.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The places that each place may import, besides itself. `lib.rs` only declares them.
const ARROWS: [(&str, &[&str]); 10] = [
    ("main", &["output", "report", "assess", "collect", "evidence", "cli", "parse"]),
    ("lib", &[]),
    ("output", &["report"]),
    ("report", &["assess", "evidence", "parse", "cli"]),
    ("assess", &["evidence", "parse", "rows"]),
    ("collect", &["evidence", "parse", "cli"]),
    ("evidence", &["parse"]),
    ("cli", &["parse", "rows"]),
    ("rows", &[]),
    ("parse", &["rows"]),
];

/// The source of each module that is a file, for example `parse::keychain`.
type Sources = BTreeMap<String, String>;

/// The modules that each module imports.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn read_sources(folder: &Path, module: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        if path.is_dir() {
            read_sources(&path, &inner, sources);
        } else if name != "tests" && path.extension().is_some_and(|it| it == "rs") {
            sources.insert(inner, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The code without comments and tests. It relies on the layout of rustfmt.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        let Some(indentation) = line.strip_suffix("#[cfg(test)]") else {
            code.push_str(line);
            code.push('\n');
            continue;
        };
        // Skip one line, or all lines up to the closing brace with the same indentation.
        let end = format!("{indentation}}}");
        let is_attribute = |line: &&str| line.trim_start().starts_with("#[");
        if lines.by_ref().find(|line| !is_attribute(line)).is_some_and(|line| !line.ends_with(';')) {
            lines.by_ref().find(|line| *line == end);
        }
    }
    code
}

/// The tokens of code: names, `::`, and all other characters one by one.
fn words(code: &str) -> Vec<&str> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut words = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if is_name(first) => rest.find(|character| !is_name(character)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        words.push(&rest[..length]);
        rest = &rest[length..];
    }
    words.retain(|word| !word.trim().is_empty());
    words
}

/// Removes a path or a tree of paths from the start of `words`, and adds its paths to `found`: `a::{b, c::d}` gives
/// `a::b` and `a::c::d`.
fn paths<'a>(words: &mut &[&'a str], before: &[&'a str], found: &mut Vec<Vec<&'a str>>) {
    let mut path = before.to_vec();
    loop {
        match **words {
            ["{", ..] => {
                while let ["{" | ",", rest @ ..] = *words {
                    *words = rest;
                    if words.first() != Some(&"}") {
                        paths(words, &path, found);
                    }
                    // Skip `as name`, up to the next path.
                    let end = words.iter().position(|word| [",", "}"].contains(word)).unwrap_or(words.len());
                    *words = &words[end..];
                }
                *words = words.get(1..).unwrap_or_default();
                return;
            }
            [name, "::", ..] => {
                path.push(name);
                *words = &words[2..];
            }
            [name, ..] => {
                path.push(name);
                *words = &words[1..];
                break;
            }
            [] => break,
        }
    }
    found.push(path);
}

/// The module that a path in this module refers to, if it is another one.
fn target(module: &str, path: &[&str], sources: &Sources) -> Option<String> {
    let mut place: Vec<&str> =
        if ["main", "lib"].contains(&module) { Vec::new() } else { module.split("::").collect() };
    let mut rest = path;
    match path {
        ["crate" | "wpj_state", ..] => {
            place.clear();
            rest = &path[1..];
        }
        ["self", ..] => rest = &path[1..],
        _ => {}
    }
    while let ["super", after @ ..] = rest {
        place.pop();
        rest = after;
    }
    place.extend(rest);
    let modules = (1..=place.len()).rev().map(|length| place[..length].join("::"));
    modules.into_iter().find(|it| sources.contains_key(it)).filter(|it| it != module)
}

fn uses(sources: &Sources) -> Uses {
    let of_module = |(module, source): (&String, &String)| {
        let code = code(source);
        let words = words(&code);
        let is_root = ["main", "lib"].contains(&module.as_str());
        let is_child =
            |name: &str| sources.contains_key(&if is_root { name.to_owned() } else { format!("{module}::{name}") });
        let mut used = BTreeSet::new();
        for start in 0..words.len() {
            let [first, "::", ..] = words[start..] else { continue };
            let begins = start == 0 || !["::", "."].contains(&words[start - 1]);
            let is_ours = ["crate", "wpj_state", "self", "super"].contains(&first) || is_child(first);
            if begins && is_ours {
                let mut found = Vec::new();
                paths(&mut &words[start..], &[], &mut found);
                used.extend(found.iter().filter_map(|path| target(module, path, sources)));
            }
        }
        (module.clone(), used)
    };
    sources.iter().map(of_module).collect()
}

fn place_of(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn wrong_arrows(uses: &Uses) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, used) in uses {
        let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == place_of(from)).unwrap_or(&("", &[]));
        let is_wrong = |to: &&String| place_of(to) != place_of(from) && !allowed.contains(&place_of(to));
        wrong.extend(used.iter().filter(is_wrong).map(|to| format!("{from} -> {to}")));
    }
    wrong
}

/// The imports that are part of a circle.
fn circles(uses: &Uses) -> Vec<String> {
    let leads_to = |from: &str, to: &str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(uses[module].iter().map(String::as_str));
            }
        }
        seen.contains(to)
    };
    let arrows = uses.iter().flat_map(|(from, used)| used.iter().map(move |to| (from, to)));
    arrows.filter(|(from, to)| leads_to(to, from)).map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn each_place_imports_only_allowed_places_and_no_imports_are_circular() {
    let mut sources = Sources::new();
    read_sources(Path::new("src"), "", &mut sources);
    let places: BTreeSet<&str> = sources.keys().map(|module| place_of(module)).collect();
    assert_eq!(places, ARROWS.iter().map(|(name, _)| *name).collect());
    let uses = uses(&sources);
    assert_eq!((wrong_arrows(&uses), circles(&uses)), (vec![], vec![]));
}

fn uses_of(sources: &[(&str, &str)]) -> Uses {
    uses(&sources.iter().map(|(module, source)| (String::from(*module), String::from(*source))).collect())
}

#[test]
fn every_way_to_name_a_module_counts_as_an_import() {
    let uses = uses_of(&[
        ("main", "use wpj_state::{\n    cli::{self as line, option::{Kind, Value as V}},\n    report,\n};\nmod unix;"),
        ("unix", "use std::{fs, report::X};"),
        ("cli", "pub mod option;\n\npub fn f() { option::parse(); super::unix::f(); other::option::g() }"),
        ("cli::option", "use super::Line;\n// use crate::report;\nfn f(x: super::super::unix::X) {}"),
        (
            "report",
            "#[cfg(test)]\nmod tests;\n\nfn f() {\n    crate::cli::f()\n}\n\n#[cfg(test)]\n#[allow(x)]\nmod more {\n    use crate::unix;\n}\n",
        ),
    ]);
    let arrows: Vec<String> =
        uses.iter().flat_map(|(from, used)| used.iter().map(move |to| format!("{from} -> {to}"))).collect();
    let expected = [
        "cli -> cli::option",
        "cli -> unix",
        "cli::option -> cli",
        "cli::option -> unix",
        "main -> cli",
        "main -> cli::option",
        "main -> report",
        "report -> cli",
    ];
    assert_eq!(arrows, expected);
}

#[test]
fn a_forbidden_import_and_a_circle_are_found() {
    let uses = uses_of(&[
        ("assess", "use crate::collect::command;"),
        ("collect", "use crate::parse;"),
        ("collect::command", "use crate::evidence;"),
        ("evidence", "use crate::parse::{keychain, plist};"),
        ("parse", ""),
        ("parse::keychain", "use super::plist;"),
        ("parse::plist", "use crate::parse::text;"),
        ("parse::text", "fn f() {\n    super::keychain::f()\n}"),
    ]);
    assert_eq!(wrong_arrows(&uses), ["assess -> collect::command"]);
    let circle = ["parse::keychain -> parse::plist", "parse::plist -> parse::text", "parse::text -> parse::keychain"];
    assert_eq!(circles(&uses), circle);
}

/// Without `mod`, a file is not compiled, and nobody would notice that its tests do not run.
#[test]
fn every_file_of_the_tests_is_a_module_of_its_program() {
    for program in ["tests/suite", "tests/cases"] {
        let mut sources = Sources::new();
        read_sources(Path::new(program), "", &mut sources);
        for module in sources.keys() {
            let (parent, name) = module.rsplit_once("::").unwrap_or(("main", module));
            let declared = |source: &String| source.contains(&format!("mod {name};"));
            assert!(
                name == "main" || ["main", parent].iter().any(|it| sources.get(*it).is_some_and(declared)),
                "{module}"
            );
        }
    }
}
