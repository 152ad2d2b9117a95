//! How text for people is drawn: colours, marks, wrapped lines.

use std::{
    borrow::Cow,
    env,
    ffi::OsString,
    io::{IsTerminal, stdout},
};

use anstyle::{AnsiColor, Style as Ansi};
use textwrap::{Options, WordSplitter, core::display_width};

pub(crate) const COLUMNS: usize = 80;

const LABEL: usize = 20;

/// What may be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub colour: bool,
    pub unicode: bool,
}

impl Style {
    /// What may be printed to standard output; for colours see <https://no-color.org>.
    pub fn of_this_terminal() -> Self {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let colour = stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb;
        Self { colour, unicode: is_utf8(|name| env::var_os(name)) }
    }
}

/// Whether the locale's characters are UTF-8: by the first of the variables that is set and not empty, as POSIX has it.
pub(crate) fn is_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let characters = locale.split('@').next().unwrap_or_default();
    characters.ends_with("utf-8") || characters.ends_with("utf8")
}

/// Text that may come from anywhere, with every character escaped that could move the cursor, start a line, or show
/// other text in another order.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        if character.is_control() || is_invisible(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
        escaped
    })
}

/// Line and paragraph separators, marks and overrides of the direction, and characters without width.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What a line says about the registration.
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

    /// The colour in which to draw it, and what it is said about.
    pub(crate) const fn colour(self) -> Ansi {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Wrong => AnsiColor::Red.on_default(),
            Self::Unclear => AnsiColor::Yellow.on_default(),
            Self::Neutral => Ansi::new(),
        }
    }
}

/// A text of lines no longer than a terminal's, but for commands, which are printed as they are.
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

    /// A line, or several, in a style of its own.
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

    /// A line, or several, that begin further to the right.
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

    /// A line that is not wrapped: a row of a table, or something to paste into a shell.
    pub(crate) fn as_is(&mut self, line: &str) {
        self.line("", Ansi::new(), &self.readable(line));
    }

    /// The lines of a text, after the words that begin the first one.
    fn wrapped(&self, text: &str, first: &str, indent: usize) -> Vec<String> {
        let text = self.readable(text);
        let indent = " ".repeat(indent);
        let options = Options::new(COLUMNS).initial_indent(first).subsequent_indent(&indent);
        // A hyphen is part of a name here.
        let options = options.word_splitter(WordSplitter::NoHyphenation);
        textwrap::wrap(&text, options).into_iter().map(Cow::into_owned).collect()
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

/// A text without what could do harm on a terminal, and without what the terminal cannot show.
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
