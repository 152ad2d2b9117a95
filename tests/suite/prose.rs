//! Checks the length of sentences and lines in the documents.

use std::{fs, process::Command};

/// The Markdown files of the project.
pub(crate) fn markdown_files() -> Vec<String> {
    let listed =
        Command::new("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]).output();
    let listed = listed.unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<String> = names.split_terminator('\0').map(str::to_owned).collect();
    assert!(files.len() > 12, "{files:?}");
    files
}

/// Replaces code blocks, fenced and indented ones, by empty lines.
pub(crate) fn without_code(text: &str) -> String {
    let (mut is_fenced, mut is_in_list, mut may_begin, mut is_indented) = (false, false, true, false);
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_indented = line.starts_with("    ") && !is_in_list && (may_begin || is_indented);
        if !is_fenced && !is_fence && !line.trim().is_empty() && !line.starts_with(' ') {
            is_in_list = is_item(line);
        }
        may_begin = line.trim().is_empty();
        if !is_fenced && !is_fence && !is_indented {
            kept.push_str(line);
        }
        is_fenced ^= is_fence;
        kept.push('\n');
    }
    kept
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("- ") || line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}

/// A sentence. An item of a list and a cell of a table count as sentences, but a heading does not.
#[derive(Debug)]
struct Sentence {
    text: String,
    /// Whether it ends like a sentence. Fragments in tables are short, and would hide long sentences from the mean.
    is_whole: bool,
}

impl Sentence {
    fn words(&self) -> usize {
        self.text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
    }
}

/// The sentences of a document. A piece of code counts as one word; of a link, only its text counts.
fn sentences(text: &str) -> Vec<Sentence> {
    let mut blocks: Vec<String> = Vec::new();
    let mut continues = false;
    for line in without_code(text).lines() {
        let trimmed = line.trim();
        if trimmed.starts_with('|') {
            let is_rule = trimmed.starts_with("|---");
            let cells =
                code_as_words(trimmed).trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
            blocks.extend(if is_rule { Vec::<String>::new() } else { cells });
            continues = false;
        } else if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with("![") || is_definition(trimmed)
        {
            continues = false;
        } else if continues && !is_item(line) {
            let block = blocks.last_mut().unwrap();
            block.push(' ');
            block.push_str(trimmed);
        } else {
            blocks.push(trimmed.to_owned());
            continues = true;
        }
    }
    blocks.iter().flat_map(|block| split(&without_addresses(&code_as_words(block)))).collect()
}

fn is_definition(line: &str) -> bool {
    line.starts_with('[') && line.contains("]: ")
}

/// Replaces each piece of code between backquotes by one word.
fn code_as_words(text: &str) -> String {
    text.split('`').enumerate().map(|(number, piece)| if number % 2 == 0 { piece } else { "Code" }).collect()
}

/// Removes the addresses of links.
fn without_addresses(text: &str) -> String {
    let mut pieces = text.split("](");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once(')').map_or("", |(_, rest)| rest))
}

/// Splits a text after stops, question marks and exclamation marks, if another sentence begins there.
fn split(block: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut words = block.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
        let bare = word.trim_end_matches(['*', ')', '"', ']']);
        // The number of a step does not end a sentence.
        let ends = bare.ends_with(['.', '?', '!']) && !(text == bare && bare.parse::<f32>().is_ok());
        let begins = words.peek().is_none_or(|next| {
            next.trim_start_matches(['*', '(', '"', '['])
                .starts_with(|first: char| first.is_uppercase() || first.is_numeric())
        });
        if ends && begins {
            found.push(Sentence { text: std::mem::take(&mut text), is_whole: true });
        }
    }
    if !text.is_empty() {
        found.push(Sentence { is_whole: text.ends_with(':'), text });
    }
    found
}

#[test]
fn words_and_sentences_are_counted_without_code() {
    let text = "# Not counted.\n\nOne of\nsix words, `a b`. [Two](x.md#y-z) words\n\n- an item\n- Macs. 3 of 4.\n\n\
        1. A step:\n\n   ```sh\n   code. Code.\n   ```\n\n| A head | |\n|---|---|\n| cell | Two. Cells: `|` |\n\n    Indented.\n";
    let found = sentences(text);
    let found: Vec<(&str, usize, bool)> = found.iter().map(|it| (it.text.as_str(), it.words(), it.is_whole)).collect();
    let expected = [
        ("One of six words, Code.", 5, true),
        ("[Two words", 2, false),
        ("- an item", 2, false),
        ("- Macs.", 1, true),
        ("3 of 4.", 3, true),
        ("1. A step:", 3, true),
        ("A head", 2, false),
        ("cell", 1, false),
        ("Two.", 1, true),
        ("Cells: Code", 2, false),
    ];
    assert_eq!(found, expected);
}

#[test]
fn sentences_are_short() {
    let mut mistakes = Vec::new();
    for file in markdown_files() {
        let found = sentences(&fs::read_to_string(&file).unwrap());
        let long = found.iter().filter(|it| it.words() > 35);
        mistakes.extend(long.map(|it| format!("{file}: {} words: {}", it.words(), it.text)));
        let lengths: Vec<usize> = found.iter().filter(|it| it.is_whole).map(Sentence::words).collect();
        let total: usize = lengths.iter().sum();
        if total >= 17 * lengths.len().max(1) {
            mistakes.push(format!("{file}: {total} words in {} sentences, 17 or more in each", lengths.len()));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn the_readme_is_short() {
    let words = without_code(&fs::read_to_string("README.md").unwrap()).split_whitespace().count();
    assert!(words <= 900, "{words}");
}

#[test]
fn lines_of_prose_have_at_most_120_columns() {
    let mut mistakes = Vec::new();
    for file in markdown_files() {
        let text = without_code(&fs::read_to_string(&file).unwrap());
        let is_prose = |line: &&str| !line.trim_start().starts_with('|') && !is_definition(line);
        let long = text.lines().enumerate().filter(|(_, line)| is_prose(line) && line.chars().count() > 120);
        mistakes.extend(long.map(|(number, _)| format!("{file}:{}", number + 1)));
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}
