//! The part of DER that certificates need.

/// Tags of the types of string in a name, and of octets, which are not a string.
pub mod string {
    /// Any bytes.
    pub const OCTETS: u8 = 0x04;
    /// UTF-8.
    pub const UTF8: u8 = 0x0C;
    /// A subset of ASCII.
    pub const PRINTABLE: u8 = 0x13;
    /// ASCII.
    pub const IA5: u8 = 0x16;
    /// Four bytes for each character.
    pub const UNIVERSAL: u8 = 0x1C;
    /// Two bytes for each character.
    pub const BMP: u8 = 0x1E;
}

/// An element: a tag, the length in its shortest form, and the content.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|&byte| byte == 0).collect();
    let mut bytes = vec![tag];
    match significant.as_slice() {
        [] => bytes.push(0),
        &[short] if short < 0x80 => bytes.push(short),
        long => {
            bytes.push(0x80 | u8::try_from(long.len()).expect("a length of at most eight bytes"));
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
}

/// A SEQUENCE.
pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// A SET OF, in the order that DER requires.
pub fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    element(0x31, &parts.concat())
}

/// An OBJECT IDENTIFIER with these numbers.
pub fn object_identifier(numbers: &[u32]) -> Vec<u8> {
    let (head, tail) = numbers.split_at(2);
    let mut content = vec![u8::try_from(head[0] * 40 + head[1]).expect("a first byte")];
    for &number in tail {
        let groups: Vec<u8> = (0..5).rev().map(|group| (number >> (7 * group) & 0x7F) as u8).collect();
        let first = groups.iter().position(|&group| group != 0).unwrap_or(4);
        let (last, leading) = groups[first..].split_last().expect("at least one group");
        content.extend(leading.iter().map(|group| group | 0x80));
        content.push(*last);
    }
    element(6, &content)
}

/// A BIT STRING of whole bytes.
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    element(3, &[&[0], bytes].concat())
}

/// A string of ASCII text in the given type.
pub fn text(tag: u8, text: &str) -> Vec<u8> {
    let width = match tag {
        string::BMP => 2,
        string::UNIVERSAL => 4,
        _ => 1,
    };
    let content: Vec<u8> = text.bytes().flat_map(|byte| [0, 0, 0, byte].into_iter().skip(4 - width)).collect();
    element(tag, &content)
}
