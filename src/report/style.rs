//! Formats text for people: colours, marks, wrapped lines.

use std::{
    borrow::Cow,
    env,
    ffi::OsString,
    io::{IsTerminal, stdout},
};

use anstyle::{AnsiColor, Style as Ansi};
use textwrap::{Options, WordSplitter, core::display_width};

/// The width of reports, in columns.
pub(crate) const COLUMNS: usize = 80;

/// The width of a row's label, in columns.
const LABEL: usize = 20;

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub colour: bool,
    pub unicode: bool,
}

impl Style {
    /// What this process's standard output can show; for colours see <https://no-color.org>.
    pub fn of_this_terminal() -> Self {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb;
        Self { colour, unicode: is_utf8(|name| env::var_os(name)) }
    }
}

/// Whether the locale uses UTF-8. As in POSIX, the first variable that is set and not empty decides.
pub(crate) fn is_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let characters = locale.split('@').next().unwrap_or_default();
    characters.ends_with("utf-8") || characters.ends_with("utf8")
}

/// Escapes every character that could move the cursor, start a line, or change how other text is shown.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    // A combining mark needs a character before it.
    let mut has_base = false;
    for character in text.chars() {
        // It is drawn over the character before it.
        let is_mark = display_width(character.encode_utf8(&mut [0; 4])) == 0;
        if is_unsafe(character) || (is_mark && !has_base) {
            escaped.extend(character.escape_default());
            has_base = false;
        } else {
            escaped.push(character);
            has_base = is_mark || !character.is_whitespace();
        }
    }
    escaped
}

/// Whether a character could move the cursor, or change how other text is shown.
pub(super) fn is_unsafe(character: char) -> bool {
    character.is_control() || is_invisible(character)
}

/// Line and paragraph separators, and Unicode's format characters: marks and overrides of the direction, characters
/// without width, and those that change how others are drawn.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e01ef}')
}

/// The judgement in front of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Wrong,
    /// It cannot be determined.
    Unclear,
    /// Neither good nor wrong.
    Neutral,
}

impl Mark {
    const fn text(self, unicode: bool) -> &'static str {
        match self {
            Self::Good => "[+]",
            Self::Wrong => "[-]",
            Self::Unclear => "[?]",
            Self::Neutral if unicode => " · ",
            Self::Neutral => " . ",
        }
    }

    /// The colour of the mark, and of a headline with this judgement.
    pub(crate) const fn colour(self) -> Ansi {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Wrong => AnsiColor::Red.on_default(),
            Self::Unclear => AnsiColor::Yellow.on_default(),
            Self::Neutral => Ansi::new(),
        }
    }
}

/// A text whose lines fit a terminal, except for commands, which are not wrapped.
#[derive(Debug)]
pub(crate) struct Page {
    style: Style,
    text: String,
}

impl Page {
    pub const fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// One or more lines in a style.
    pub(crate) fn paragraph(&mut self, ansi: Ansi, text: &str) {
        for line in self.wrapped(text, "", 0) {
            self.line(&line, ansi, "");
        }
    }

    /// A heading after an empty line.
    pub(crate) fn heading(&mut self, text: &str) {
        self.gap();
        self.paragraph(Ansi::new().bold(), text);
    }

    /// A line with a mark, and a label if that is not empty.
    pub(crate) fn row(&mut self, mark: Mark, label: &str, text: &str) {
        let label = if label.is_empty() { String::new() } else { format!("{label:<LABEL$} ") };
        let sign = mark.text(self.style.unicode);
        for line in self.wrapped(text, &format!("{sign} {label}"), 4 + label.len()) {
            match line.strip_prefix(sign) {
                Some(rest) => self.line(sign, mark.colour(), rest),
                None => self.line("", Ansi::new(), &line),
            }
        }
    }

    /// One or more indented lines.
    pub(crate) fn indented(&mut self, indent: usize, text: &str) {
        for line in self.wrapped(text, &" ".repeat(indent), indent) {
            self.line("", Ansi::new(), &line);
        }
    }

    /// The first line of a table.
    pub(crate) fn table_head(&mut self, line: &str) {
        self.line(line, Ansi::new().bold(), "");
    }

    pub(crate) fn step(&mut self, number: usize, text: &str) {
        for line in self.wrapped(text, &format!("{number:>2}. "), 4) {
            self.line("", Ansi::new(), &line);
        }
    }

    /// A line that is not wrapped: a row of a table, or a command.
    pub(crate) fn as_is(&mut self, line: &str) {
        self.line("", Ansi::new(), &self.readable(line));
    }

    /// Wraps a text; the first line begins with `first`.
    fn wrapped(&self, text: &str, first: &str, indent: usize) -> Vec<String> {
        let text = self.readable(text);
        let indent = " ".repeat(indent);
        let options = Options::new(COLUMNS).initial_indent(first).subsequent_indent(&indent).break_words(false);
        // Hyphens are parts of names here, so lines do not break after them.
        let options = options.word_splitter(WordSplitter::NoHyphenation);
        textwrap::wrap(&text, options).into_iter().map(Cow::into_owned).flat_map(fitted).collect()
    }

    fn line(&mut self, coloured: &str, ansi: Ansi, plain: &str) {
        let line = if self.style.colour && ansi != Ansi::new() && !coloured.is_empty() {
            format!("{ansi}{coloured}{ansi:#}{plain}")
        } else {
            format!("{coloured}{plain}")
        };
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(crate) fn readable(&self, text: &str) -> String {
        readable(text, self.style)
    }
}

/// Fits a line that a long last word makes too wide. The word moves to a line of its own, as far left as necessary, and
/// is broken only if it is wider than a whole line.
fn fitted(line: String) -> Vec<String> {
    if display_width(&line) <= COLUMNS {
        return vec![line];
    }
    let (before, word) = line.rsplit_once(' ').unwrap_or(("", &line));
    let mut lines = Vec::new();
    if !before.trim().is_empty() {
        lines.push(before.trim_end().to_owned());
    }
    if display_width(word) <= COLUMNS {
        lines.push(format!("{}{word}", " ".repeat(COLUMNS - display_width(word))));
    } else {
        lines.extend(textwrap::wrap(word, COLUMNS).into_iter().map(Cow::into_owned));
    }
    lines
}

/// Escapes what could do harm on a terminal, and what the terminal cannot show.
pub(crate) fn readable(text: &str, style: Style) -> String {
    let text = escape(text);
    if style.unicode {
        return text;
    }
    text.chars().fold(String::new(), |mut ascii, character| {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            ascii.extend(character.escape_default());
        }
        ascii
    })
}

/// A text with spaces behind it, up to this many columns: some characters take two.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(display_width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_not_empty_tells_the_locale() {
        let is_utf8 = |variables: &[(&str, &str)]| {
            is_utf8(|name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).into()))
        };
        assert!(is_utf8(&[("LANG", "en_US.UTF-8")]));
        assert!(is_utf8(&[("LC_CTYPE", "UTF-8")]));
        assert!(is_utf8(&[("LANG", "de_DE.UTF-8@euro")]));
        assert!(is_utf8(&[("LC_ALL", ""), ("LANG", "de_DE.utf8")]));
        assert!(!is_utf8(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!is_utf8(&[("LANG", "de_DE.ISO8859-1")]));
        assert!(!is_utf8(&[]));
    }

    #[test]
    fn what_could_move_the_cursor_or_turn_text_around_is_escaped() {
        assert_eq!(escape("a\nb\u{1b}[2J\u{85}\u{202e}\u{200b}ü"), "a\\nb\\u{1b}[2J\\u{85}\\u{202e}\\u{200b}ü");
    }

    #[test]
    fn format_characters_and_marks_without_a_character_are_escaped() {
        for character in ['\u{180e}', '\u{600}', '\u{605}', '\u{13430}', '\u{e0001}', '\u{fe0f}'] {
            assert_eq!(escape(&character.to_string()), character.escape_default().to_string());
        }
        for mark in ['\u{301}', '\u{483}', '\u{5b0}', '\u{64b}', '\u{e31}', '\u{3099}', '\u{1e000}'] {
            assert_eq!(escape(&format!(" {mark}a{mark}")), format!(" {}a{mark}", mark.escape_default()));
        }
        assert_eq!(escape("\u{301}a e\u{301}\u{323} \u{301}"), "\\u{301}a e\u{301}\u{323} \\u{301}");
    }

    #[test]
    fn a_long_word_is_not_broken_if_it_fits_a_line_of_its_own() {
        let style = Style { colour: false, unicode: true };
        let path = format!("/{}", "p".repeat(69));
        let indent = " ".repeat(10);
        assert_eq!(row(style, "Label", &path), format!("[-] Label\n{indent}{path}\n ·  Label                x\n"));
        let longer = "p".repeat(81);
        let broken = format!("[-] Label\n{}\np\n ·  Label                x\n", "p".repeat(80));
        assert_eq!(row(style, "Label", &longer), broken);
    }

    fn row(style: Style, label: &str, text: &str) -> String {
        let mut page = Page::new(style);
        page.row(Mark::Wrong, label, text);
        page.row(Mark::Neutral, label, "x");
        page.into_text()
    }

    #[test]
    fn a_long_text_is_wrapped_behind_its_label() {
        let plain = row(Style { colour: false, unicode: true }, "Label", &"word ".repeat(20));
        let words = |count: usize| ["word"].repeat(count).join(" ");
        let indent = " ".repeat(25);
        let expected =
            format!("[-] Label                {}\n{indent}{}\n ·  Label                x\n", words(11), words(9));
        assert_eq!(plain, expected);
    }

    #[test]
    fn only_the_mark_is_coloured() {
        let coloured = row(Style { colour: true, unicode: true }, "", "text");
        assert_eq!(coloured, "\u{1b}[31m[-]\u{1b}[0m text\n ·  x\n");
    }

    #[test]
    fn without_unicode_there_is_nothing_but_ascii() {
        assert_eq!(row(Style::default(), "", "Jürgen\u{1b}"), "[-] J\\u{fc}rgen\\u{1b}\n .  x\n");
    }
}
