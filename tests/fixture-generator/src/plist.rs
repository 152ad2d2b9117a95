//! Writes property lists, XML and binary.

/// A value in a property list.
#[derive(Debug, Clone)]
pub enum Value {
    /// `<true/>` or `<false/>`.
    Boolean(bool),
    /// `<integer>`.
    Integer(i64),
    /// `<real>`.
    Real(f64),
    /// `<string>`.
    String(&'static str),
    /// `<date>`: seconds since 2001, and the same time in the format of XML.
    Date(f64, &'static str),
    /// `<data>`, as base64.
    Data(&'static [u8], &'static str),
    /// `<array>`.
    Array(Vec<Value>),
    /// `<dict>`.
    Dictionary(Vec<(&'static str, Value)>),
}

/// The property list in XML.
pub fn xml(value: &Value) -> Vec<u8> {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n",
    );
    write_xml(value, &mut text);
    text.push_str("</plist>\n");
    text.into_bytes()
}

fn write_xml(value: &Value, text: &mut String) {
    match value {
        Value::Boolean(value) => text.push_str(if *value { "<true/>\n" } else { "<false/>\n" }),
        Value::Integer(value) => text.push_str(&format!("<integer>{value}</integer>\n")),
        Value::Real(value) => text.push_str(&format!("<real>{value}</real>\n")),
        Value::String(value) => text.push_str(&format!("<string>{value}</string>\n")),
        Value::Date(_, value) => text.push_str(&format!("<date>{value}</date>\n")),
        Value::Data(_, base64) => text.push_str(&format!("<data>{base64}</data>\n")),
        Value::Array(values) => {
            text.push_str("<array>\n");
            values.iter().for_each(|value| write_xml(value, text));
            text.push_str("</array>\n");
        }
        Value::Dictionary(entries) => {
            text.push_str("<dict>\n");
            for (key, value) in entries {
                text.push_str(&format!("<key>{key}</key>\n"));
                write_xml(value, text);
            }
            text.push_str("</dict>\n");
        }
    }
}

/// The property list in binary (`bplist00`), with references of one byte and offsets of two.
pub fn binary(value: &Value) -> Vec<u8> {
    let mut objects = Vec::new();
    add_object(value, &mut objects);
    let mut bytes = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for object in &objects {
        offsets.extend(u16::try_from(bytes.len()).expect("a small plist").to_be_bytes());
        bytes.extend(object);
    }
    let table = bytes.len() as u64;
    bytes.extend(offsets);
    bytes.extend([0, 0, 0, 0, 0, 0, 2, 1]);
    for number in [objects.len() as u64, 0, table] {
        bytes.extend(number.to_be_bytes());
    }
    bytes
}

/// Adds a value and all values in it, and returns its number.
fn add_object(value: &Value, objects: &mut Vec<Vec<u8>>) -> u8 {
    let number = objects.len();
    objects.push(Vec::new());
    let object = match value {
        Value::Boolean(value) => vec![if *value { 9 } else { 8 }],
        Value::Integer(value) => [&[0x13], &value.to_be_bytes()[..]].concat(),
        Value::Real(value) => [&[0x23], &value.to_be_bytes()[..]].concat(),
        Value::Date(seconds, _) => [&[0x33], &seconds.to_be_bytes()[..]].concat(),
        Value::String(text) if text.is_ascii() => [marker(0x50, text.len()), text.as_bytes().to_vec()].concat(),
        Value::String(text) => {
            let units: Vec<u16> = text.encode_utf16().collect();
            let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
            [marker(0x60, units.len()), bytes].concat()
        }
        Value::Data(bytes, _) => [marker(0x40, bytes.len()), bytes.to_vec()].concat(),
        Value::Array(values) => {
            let references: Vec<u8> = values.iter().map(|value| add_object(value, objects)).collect();
            [marker(0xA0, references.len()), references].concat()
        }
        Value::Dictionary(entries) => {
            let keys: Vec<u8> = entries.iter().map(|(key, _)| add_object(&Value::String(key), objects)).collect();
            let values: Vec<u8> = entries.iter().map(|(_, value)| add_object(value, objects)).collect();
            [marker(0xD0, entries.len()), keys, values].concat()
        }
    };
    objects[number] = object;
    u8::try_from(number).expect("a small plist")
}

fn marker(kind: u8, count: usize) -> Vec<u8> {
    let count = u8::try_from(count).expect("a small plist");
    if count < 15 { vec![kind | count] } else { vec![kind | 15, 0x10, count] }
}
