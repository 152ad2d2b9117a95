//! Limits the length of text that comes from a file or a command's output.

/// The limit in characters; real names and identifiers are far shorter.
const MAX_CHARACTERS: usize = 255;

/// The text, cut to the limit.
pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

/// The text, or `None` if it exceeds the limit, because a part of an identifier would be a wrong identifier.
pub(super) fn whole(text: &str) -> Option<String> {
    text.chars().nth(MAX_CHARACTERS).is_none().then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_255_characters_of_any_width() {
        for character in ["x", "é", "✓"] {
            let longest = character.repeat(255);
            assert_eq!(cut(longest.clone()), longest);
            assert_eq!(cut(character.repeat(256)), longest);
            assert_eq!(whole(&longest), Some(longest));
            assert_eq!(whole(&character.repeat(256)), None);
        }
    }
}
