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
        JamfAad::Parsed { last_token, .. } => last_token.time().map(|time| time.to_string()),
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
fn every_other_value_is_unexpected_and_only_its_type_is_kept() {
    let long = format!("<string>{}</string>", "x".repeat(65));
    for (value, kind, name) in [
        ("<integer>2</integer>", Kind::Number, "a number"),
        ("<integer>-1</integer>", Kind::Number, "a number"),
        ("<real>1.5</real>", Kind::Number, "a number"),
        ("<real>nan</real>", Kind::Number, "a number"),
        ("<string></string>", Kind::Text, "a string"),
        ("<string> true</string>", Kind::Text, "a string"),
        (&long, Kind::Text, "a string"),
        ("<date>2024-02-29T12:34:56Z</date>", Kind::Text, "a string"),
        ("<data>AQ==</data>", Kind::Data, "data"),
        ("<array><true/></array>", Kind::Array, "an array"),
        ("<dict><key>have_an_Azure_id</key><true/></dict>", Kind::Dictionary, "a dictionary"),
    ] {
        assert_eq!(have_an_azure_id(value), HaveAnAzureId::Unexpected(kind), "{value}");
        assert_eq!(kind.to_string(), name);
    }
}

#[test]
fn a_key_in_an_inner_dictionary_does_not_count() {
    let nested = dictionary("<key>other</key><dict><key>have_an_Azure_id</key><true/></dict>");
    let missing = JamfAad::Parsed { have_an_azure_id: HaveAnAzureId::Missing, last_token: LastToken::Never };
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
fn a_last_token_that_is_zero_or_missing_means_never() {
    let found = |entry: &str| {
        let text = format!("<plist version=\"1.0\"><dict>{entry}</dict></plist>");
        match parse(text.as_bytes()) {
            JamfAad::Parsed { last_token, .. } => last_token,
            JamfAad::Unparsable(problem) => panic!("{problem}"),
        }
    };
    assert_eq!(found(""), LastToken::Never);
    for value in ["<real>0</real>", "<integer>0</integer>", "<string>0</string>", "<string>0.0</string>"] {
        assert_eq!(found(&format!("<key>last_aad_token_timestamp</key>{value}")), LastToken::Never, "{value}");
    }
    assert_eq!(found("<key>last_aad_token_timestamp</key><string>x</string>"), LastToken::Unexpected);
}

#[test]
fn a_last_token_that_is_not_a_time_is_unknown() {
    for value in [
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

fn problem(bytes: &[u8]) -> Problem {
    match parse(bytes) {
        JamfAad::Unparsable(problem) => problem,
        parsed @ JamfAad::Parsed { .. } => panic!("{parsed:?}"),
    }
}

#[test]
fn the_reason_why_a_file_is_not_a_plist_does_not_quote_the_file() {
    let reason = |bytes: &[u8]| problem(bytes).to_string();
    assert_eq!(reason(b""), "the file is empty");
    let damaged = "not a property list, or a damaged one";
    assert_eq!(reason(b"{ \"have_an_Azure_id\": true }"), damaged);
    assert_eq!(reason(xml("<dict>").as_bytes()), damaged);
    assert_eq!(reason(&[&b"bplist00"[..], &[0; 40]].concat()), damaged);
    let cdata = xml("<dict><key>have_an_Azure_id</key><string><![CDATA[true]]></string></dict>");
    assert_eq!(reason(cdata.as_bytes()), "CDATA sections are not supported");
    let whole = xml("<dict><key>have_an_Azure_id</key><true/></dict>");
    let cut = whole.strip_suffix("</plist>").unwrap();
    assert_eq!(reason(cut.as_bytes()), "cut short: </plist> is missing");
    for (value, name) in [
        ("<array/>", "an array"),
        ("<string>nested deeper</string>", "a string"),
        ("<data>AQ==</data>", "data"),
        ("<real>1</real>", "a number"),
        ("<true/>", "a boolean"),
    ] {
        assert_eq!(reason(xml(value).as_bytes()), format!("{name} instead of a dictionary"));
    }
    for key in ["have_an_Azure_id", "last_aad_token_timestamp"] {
        let twice = xml(&format!("<dict>{}</dict>", format!("<key>{key}</key><true/>").repeat(2)));
        assert_eq!(reason(twice.as_bytes()), "a key occurs twice");
    }
}

#[test]
fn parsed_plists_survive_serialisation() {
    for found in [dictionary("<key>have_an_Azure_id</key><real>2</real>"), dictionary("<true/>"), parse(b"")] {
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<JamfAad>(&text).unwrap(), found);
    }
}
