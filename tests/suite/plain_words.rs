//! Checks all tracked files for phrases that have a plainer form, and comments for their length.

use std::{fs, process::Command};

/// Phrases that have a plainer form, in lower case. They are found in comments, texts, names and documents.
const PHRASES: [&str; 23] = [
    "whoever",
    "whomever",
    "whatever",
    "such as cannot",
    "of the user's",
    "can be told",
    "cannot be told",
    "could not be told",
    "tells about",
    "look at",
    "looks at",
    "looked at",
    "somebody else's",
    "anybody's",
    "nobody's",
    "so that",
    "stands",
    "lies",
    "persons",
    "at hand",
    "in place of",
    "had better",
    "goes first",
];

/// The longest comment line, in characters.
const MAX_COLUMNS: usize = 120;

/// This file, and files whose text this project does not write.
const NOT_CHECKED: [&str; 4] = ["tests/suite/plain_words.rs", "Cargo.lock", "fuzz/Cargo.lock", "LICENSE"];

/// A file's text as one line without comment signs, because a phrase may continue on the next line.
fn one_line(text: &str) -> String {
    let content = |line: &str| line.trim_start().trim_start_matches(['/', '!', '#', '*']).to_owned();
    let line = text.lines().map(content).collect::<Vec<_>>().join(" ");
    line.split_whitespace().filter(|word| *word != "\\").collect::<Vec<_>>().join(" ")
}

/// Whether a character can be part of a word.
fn is_letter(character: Option<char>) -> bool {
    character.is_some_and(|it| it.is_alphanumeric() || it == '\'')
}

/// The text before and after each occurrence of a phrase as whole words.
fn occurrences<'a>(text: &'a str, phrase: &str) -> Vec<(&'a str, &'a str)> {
    let around = |(start, _): (usize, &str)| (&text[..start], &text[start + phrase.len()..]);
    let is_whole =
        |(before, after): &(&str, &str)| !is_letter(before.chars().next_back()) && !is_letter(after.chars().next());
    text.match_indices(phrase).map(around).filter(is_whole).collect()
}

/// The end of the text before a phrase, the phrase, and the start of the text after it.
fn excerpt(before: &str, phrase: &str, after: &str) -> String {
    let start: String = before.chars().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect();
    format!("...{start}{phrase}{}...", after.chars().take(20).collect::<String>())
}

/// The breaches of the rules in a file's text.
fn breaches(text: &str) -> Vec<String> {
    let line = one_line(text);
    let words = line.to_lowercase().replace('_', " ");
    let mut found = Vec::new();
    for phrase in PHRASES {
        found.extend(occurrences(&words, phrase).iter().map(|(before, after)| excerpt(before, phrase, after)));
    }
    // "There is none" and "is no longer" are plain.
    let follows_there = |before: &str| before.trim_end_matches([' ', '_']).ends_with("there");
    for phrase in ["is no", "are no", "are none"] {
        for (before, after) in occurrences(&words, phrase) {
            let is_plain = follows_there(before) || after.starts_with(" longer");
            found.extend((!is_plain).then(|| excerpt(before, phrase, after)));
        }
    }
    // Rust's own `is_none` follows a dot or a colon.
    let with_spaces = line.to_lowercase().replace("_is_none", " is none");
    for (before, after) in occurrences(&with_spaces, "is none") {
        found.extend((!follows_there(before)).then(|| excerpt(before, "is none", after)));
    }
    // At the end of a line, the apostrophe may end a quotation.
    for line in text.lines() {
        let is_possessive = |after: &str| after.starts_with(' ') && is_letter(after.chars().nth(1));
        let found_here = occurrences(line, "macOS'").into_iter().filter(|(_, after)| is_possessive(after));
        found.extend(found_here.map(|(before, after)| excerpt(before, "macOS'", after)));
    }
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let names = line.split(|character| !is_name(character)).filter(|name| name.contains("_s_"));
    found.extend(names.map(str::to_owned));
    found
}

/// The comment lines that are too long, in a file with this name.
fn long_comments(name: &str, text: &str) -> Vec<String> {
    let sign = if [".rs", ".mjs", ".c"].iter().any(|it| name.ends_with(it)) { "//" } else { "#" };
    let signs = [sign, "/*", "\"\"\""];
    let is_comment = |line: &&str| signs.iter().any(|sign| line.trim_start().starts_with(sign));
    text.lines().filter(is_comment).filter(|line| line.chars().count() > MAX_COLUMNS).map(str::to_owned).collect()
}

/// Whether a file's text is checked. What is in the fixtures' homes and system folders is data.
fn is_checked(name: &str) -> bool {
    let is_data = name.starts_with("fixtures/") && name.split('/').count() > 3;
    !is_data && !NOT_CHECKED.contains(&name)
}

#[test]
fn all_files_are_in_plain_words() {
    let listed = Command::new("git").args(["ls-files", "-z"]).output().unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let mut found = Vec::new();
    let mut checked = 0;
    let names = String::from_utf8(listed.stdout).unwrap();
    for name in names.split_terminator('\0').filter(|name| is_checked(name)) {
        let text = fs::read_to_string(name).unwrap();
        let of_file = breaches(&text).into_iter().chain(long_comments(name, &text));
        found.extend(of_file.map(|breach| format!("{name}: {breach}")));
        checked += 1;
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(checked > 100, "{checked}");
}

#[test]
fn each_rule_finds_a_breach() {
    for text in [
        "/// Whoever runs it.",
        "/// It cannot be\n/// told.",
        "let text = \"This \\\n    lies here\";",
        "fn nobody_s_file() {}",
        "fn a_closed_pipe_is_no_error() {}",
        "fn a_time_is_none() {}",
        "# It is no link.",
        "# Its signature is none.",
        "// macOS' own reader",
        "// the folder of the user's.",
    ] {
        assert_eq!(breaches(text).len(), 1, "{text}: {:?}", breaches(text));
    }
    for text in [
        "/// There is no file, and\n/// there is none. It is no longer valid.",
        "fn there_is_none() { value.is_none() }",
        "let read = Option::is_none_or;",
        "// macOS's own reader relies on it; a stand-in understands it.",
        "echo 'a model of macOS'",
    ] {
        assert_eq!(breaches(text), Vec::<String>::new(), "{text}");
    }
    let long = format!("    // {}", "é".repeat(113));
    assert_eq!(
        long_comments("a.rs", &format!("{long}\n{long}é\n{long}e\nlet a = \"{long}\";")),
        [format!("{long}é"), format!("{long}e")]
    );
    assert_eq!(long_comments("a.sh", &format!("# {}", "x".repeat(119))).len(), 1);
    assert_eq!(long_comments("a.py", &format!("\"\"\"{}", "x".repeat(118))).len(), 1);
}
