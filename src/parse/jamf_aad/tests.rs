use super::*;

fn xml(content: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><plist version=\"1.0\">{content}</plist>")
}

fn dictionary(entries: &str) -> JamfAad {
    parse(xml(&format!("<dict>{entries}</dict>")).as_bytes())
}

fn have_an_azure_id(value: &str) -> HaveAnAzureId {
    match dictionary(&format!("<key>have_an_Azure_id</key>{value}")) {
        JamfAad::Parsed { have_an_azure_id, .. } => have_an_azure_id,
        JamfAad::Unparsable(reason) => panic!("{reason}"),
    }
}

fn last_token(value: &str) -> Option<String> {
    match dictionary(&format!("<key>last_aad_token_timestamp</key>{value}")) {
        JamfAad::Parsed { last_token, .. } => last_token.map(|time| time.to_string()),
        JamfAad::Unparsable(reason) => panic!("{reason}"),
    }
}

#[test]
fn true_may_be_a_boolean_a_number_or_a_word() {
    for value in [
        "<true/>",
        "<integer>1</integer>",
        "<real>1</real>",
        "<string>1</string>",
        "<string>TRUE</string>",
        "<string>Yes</string>",
    ] {
        assert_eq!(have_an_azure_id(value), HaveAnAzureId::True, "{value}");
    }
}

#[test]
fn false_may_be_a_boolean_a_number_or_a_word() {
    for value in ["<false/>", "<integer>0</integer>", "<real>0.0</real>", "<string>No</string>"] {
        assert_eq!(have_an_azure_id(value), HaveAnAzureId::False, "{value}");
    }
}

#[test]
fn every_other_value_is_unexpected_and_named() {
    for (value, name) in [
        ("<integer>2</integer>", "the number 2"),
        ("<integer>-1</integer>", "the number -1"),
        ("<real>1.5</real>", "the number 1.5"),
        ("<real>nan</real>", "the number NaN"),
        ("<string></string>", "the text \"\""),
        ("<string> true</string>", "the text \" true\""),
        ("<string>maybe\n</string>", "the text \"maybe\\n\""),
        ("<data>AQ==</data>", "data"),
        ("<date>2024-02-29T12:34:56Z</date>", "the text \"2024-02-29T12:34:56Z\""),
        ("<array><true/></array>", "an array"),
        ("<dict><key>have_an_Azure_id</key><true/></dict>", "a dictionary"),
    ] {
        assert_eq!(have_an_azure_id(value), HaveAnAzureId::Unexpected(name.to_owned()), "{value}");
    }
    let long = format!("<string>{}</string>", "x".repeat(65));
    assert_eq!(have_an_azure_id(&long), HaveAnAzureId::Unexpected("a long string".to_owned()));
}

#[test]
fn a_key_that_is_not_there_is_missing_whatever_else_is() {
    let nested = dictionary("<key>other</key><dict><key>have_an_Azure_id</key><true/></dict>");
    let missing = JamfAad::Parsed { have_an_azure_id: HaveAnAzureId::Missing, last_token: None };
    assert_eq!(nested, missing);
    assert_eq!(dictionary(""), missing);
}

#[test]
fn the_last_token_may_be_a_real_an_integer_or_a_string() {
    for value in ["<real>1709210096.75</real>", "<integer>1709210096</integer>", "<string>1709210096.2</string>"] {
        assert_eq!(last_token(value).unwrap(), "2024-02-29T12:34:56Z", "{value}");
    }
}

#[test]
fn a_last_token_that_is_zero_or_no_time_is_none() {
    for value in [
        "<real>0</real>",
        "<integer>0</integer>",
        "<string>0</string>",
        "<integer>-5</integer>",
        "<real>nan</real>",
        "<real>1e300</real>",
        "<integer>18446744073709551615</integer>",
        "<string>yesterday</string>",
        "<true/>",
        "<array/>",
    ] {
        assert_eq!(last_token(value), None, "{value}");
    }
}

#[test]
fn what_is_no_plist_says_why() {
    let reason = |bytes: &[u8]| match parse(bytes) {
        JamfAad::Unparsable(reason) => reason,
        parsed @ JamfAad::Parsed { .. } => panic!("{parsed:?}"),
    };
    assert_eq!(reason(b""), "the file is empty");
    assert_eq!(reason(xml("<array/>").as_bytes()), "invalid type: sequence, expected a dictionary");
    assert_eq!(reason(xml("<dict>").as_bytes()), "InvalidXmlSyntax (offset 73)");
    let cdata = xml("<dict><key>have_an_Azure_id</key><string><![CDATA[true]]></string></dict>");
    assert_eq!(reason(cdata.as_bytes()), "it has a CDATA section");
    let whole = xml("<dict><key>have_an_Azure_id</key><true/></dict>");
    let cut = whole.strip_suffix("</plist>").unwrap();
    assert_eq!(reason(cut.as_bytes()), "it is cut short: </plist> is missing");
    assert_eq!(reason(&[&b"bplist00"[..], &[0; 40]].concat()), "InvalidTrailerObjectOffsetSize (offset 16)");
    let twice = "<key>have_an_Azure_id</key><true/>".repeat(2);
    let doubled = xml(&format!("<dict>{twice}</dict>"));
    assert_eq!(reason(doubled.as_bytes()), "the key have_an_Azure_id stands there twice");
    let long = format!("<string>{}</string>", "x".repeat(1000));
    assert_eq!(reason(xml(&long).as_bytes()).len(), MAX_REASON);
}

#[test]
fn a_plist_that_is_nested_too_deep_is_unparsable() {
    let nested = |depth| format!("<key>a</key>{}{}", "<array>".repeat(depth), "</array>".repeat(depth));
    assert!(matches!(dictionary(&nested(64)), JamfAad::Parsed { .. }));
    let too_deep = JamfAad::Unparsable("nested deeper than any preference file".to_owned());
    assert_eq!(dictionary(&nested(65)), too_deep);
    assert_eq!(dictionary(&nested(500_000)), too_deep);
}

#[test]
fn a_plist_with_too_many_values_is_unparsable() {
    let many = |count| format!("<key>a</key><array>{}</array>", "<true/>".repeat(count));
    assert!(matches!(dictionary(&many(MAX_VALUES - 2)), JamfAad::Parsed { .. }));
    let too_many = JamfAad::Unparsable("more values or text than any preference file has".to_owned());
    assert_eq!(dictionary(&many(MAX_VALUES - 1)), too_many);
}

/// Each array of a binary plist can name the next one many times, so that 40 bytes a level double the values.
#[test]
fn a_binary_plist_that_multiplies_its_values_is_unparsable() {
    const LEVELS: u8 = 40;
    let mut objects: Vec<Vec<u8>> = vec![vec![0xD1, 1, 2], vec![0x51, b'a']];
    objects.extend((0..LEVELS).map(|level| vec![0xA2, 3 + level, 3 + level]));
    objects.push(vec![0x09]);
    let mut bytes = b"bplist00".to_vec();
    let mut offsets = Vec::new();
    for object in &objects {
        offsets.push(u8::try_from(bytes.len()).unwrap());
        bytes.extend(object);
    }
    let table = bytes.len() as u64;
    bytes.extend(&offsets);
    bytes.extend([0, 0, 0, 0, 0, 0, 1, 1]);
    for number in [objects.len() as u64, 0, table] {
        bytes.extend(number.to_be_bytes());
    }
    let too_many = JamfAad::Unparsable("more values or text than any preference file has".to_owned());
    assert_eq!(parse(&bytes), too_many);
}
