use fixture_generator::{Certificate, Issuer as IssuedBy};

use super::*;

/// The parser of old-style property lists knows comments and single quotes, and would overflow the stack in them.
#[test]
fn deep_nesting_in_a_comment_or_between_single_quotes_is_refused() {
    for (open, close) in [("'\\\"'; b = \"", "\"; c = '\\\"'"), ("\"x\"; /* \" */ b = ", "; /* \" */")] {
        let deep = format!("{}{}", "(".repeat(300_000), ")".repeat(300_000));
        let text = format!("{DEVICE}\n{{ a = {open}{deep}{close}; }}\n{LOGIN}\n (null)\n{USER}\n (null)\n");
        assert!(matches!(parse(&text), Err(Unclear::Unintelligible(_))));
    }
}

#[test]
fn a_key_that_occurs_twice_is_refused() {
    let user = |entries: &str| format!("{DEVICE}\n (null)\n{LOGIN}\n (null)\n{USER}\n{{{entries}}}\n");
    assert!(parse(&user(r#""state": "POUserStateNormal (0)""#)).is_ok());
    let twice = r#""state": "POUserStateNeedsRegistration (2)", "state": "POUserStateNormal (0)""#;
    assert_eq!(parse(&user(twice)).map(|found| found.key), Err(strange("a section is not an object")));
}

#[test]
fn an_output_that_is_cut_off_in_the_last_heading_is_refused() {
    for length in 1..USER.len() {
        let text = format!("{DEVICE}\n (null)\n{LOGIN}\n {{\n \"a\" : 1\n}}\n{}", &USER[..length]);
        assert_eq!(parse(&text).map(|found| found.key), Err(strange("the user's section is cut off")), "{length}");
    }
}

const MICROSOFT: &str = "com.microsoft.CompanyPortalMac.ssoextension";

fn certificate(certificate: &Certificate) -> String {
    URL_SAFE_NO_PAD.encode(certificate.der())
}

fn device() -> String {
    device_of(MICROSOFT, "true", &certificate(&Certificate::workplace_join()))
}

fn device_of(extension: &str, completed: &str, certificate: &str) -> String {
    format!(
        "{{\n  \"deviceSigningCertificate\" : \"{certificate}\",\n  \"extensionIdentifier\" : \"{extension}\",\n  \
         \"note\" : \"a }} brace, a \\\" quote, an = sign;\",\n  \"registrationCompleted\" : {completed},\n  \
         \"sdkVersionString\" : 15.199999999999999\n}}"
    )
}

fn user(state: &str) -> String {
    format!(
        "{{\n  \"kerberosStatus\" : [\n    {{\n      \"ticketKeyPath\" : \"tgt_cloud\",\n      \
         \"upn\" : \"adele.vance\\\\@contoso.com@KERBEROS.EXAMPLE\"\n    }}\n  ],\
         \n  \"loginType\" : \"POLoginTypeUserSecureEnclaveKey (2)\",\n  \"state\" : \"{state}\"\n}}"
    )
}

fn output(device: &str, user: &str) -> String {
    format!(
        "Time: 2026-03-05 16:36:57 +0000\n\nDevice Configuration:\n {device}\n\nLogin Configuration:\n (null)\n\n\
         User Configuration:\n {user}\n\nSSO Tokens:\nReceived:\n2026-03-05T16:36:57Z\nExpiration:\n2026-03-19T16:36:56Z (Not Expired)\n"
    )
}

fn key(device: &str, user: &str) -> Result<Key, Unclear> {
    parse(&output(device, user)).map(|found| found.key)
}

const NORMAL_USER: &str = "POUserStateNormal (0)";

#[test]
fn the_output_for_a_registered_user_is_read_completely() {
    let found = parse(&output(&device(), &user(NORMAL_USER))).unwrap();
    let certificate = found.certificate.as_ref().unwrap();
    assert_eq!(certificate.device_id.as_deref(), Some("0f5b8d8a-98d2-4e3f-8a6c-5d0a3f7e9b21"));
    assert_eq!(certificate.tenant_id.as_deref(), Some("7e0c6b1d-2f4a-4c58-9d3e-1a2b3c4d5e6f"));
    assert_eq!(found.registration_completed, Some(true));
    assert_eq!(found.extension.as_deref(), Some(MICROSOFT));
    assert_eq!(found.user_state.as_deref(), Some("POUserStateNormal"));
    assert_eq!(found.user_principal_name.as_deref(), Some("adele.vance@contoso.com"));
    assert_eq!(found.sign_in_method, Some(SignInMethod::SecureEnclaveKey));
    assert_eq!(found.token_received.map(|time| time.to_string()).as_deref(), Some("2026-03-05T16:36:57Z"));
    assert_eq!(found.token_expires.map(|time| time.to_string()).as_deref(), Some("2026-03-19T16:36:56Z"));
    assert_eq!(found.key, Key::Present);
}

#[test]
fn a_known_name_of_a_state_decides() {
    let state = |state: &str| key(&device(), &user(state));
    let needs_registration = Ok(Key::Absent(Absence::NeedsRegistration));
    for (text, expected) in [
        ("POUserStateNormal", Ok(Key::Present)),
        ("POUserStateNeedsNewKeys (1)", Ok(Key::NeedsNewKeys)),
        ("POUserStateNeedsRegistration (2)", needs_registration.clone()),
        ("POUserStateUserKeyInvalid (5)", Ok(Key::Absent(Absence::UserKeyInvalid))),
        ("POUserStateNewPasswordUser (3)", Ok(Key::UnderWay(UnderWay::NewUser))),
        ("POUserStateNewSmartCardUser (6)", Ok(Key::UnderWay(UnderWay::NewUser))),
        ("POUserStateNeedsBinding", Ok(Key::UnderWay(UnderWay::NeedsBinding))),
        ("POUserStateNeedsBinding (7)", Ok(Key::UnderWay(UnderWay::NeedsBinding))),
    ] {
        assert_eq!(state(text), expected, "{text}");
    }
}

#[test]
fn the_number_decides_if_there_is_no_known_name() {
    let state = |state: &str| key(&device(), &user(state));
    let number = |number: u32| {
        let found = state(&format!("(null) ({number})"));
        assert_eq!(found, key(&device(), &format!("{{ \"state\" : {number} }}")), "{number}");
        found
    };
    let failed = Ok(Key::Absent(Absence::NeedsRegistration));
    let new = Ok(Key::UnderWay(UnderWay::NewUser));
    let invalid = Ok(Key::Absent(Absence::UserKeyInvalid));
    assert_eq!([0, 1].map(number), [Ok(Key::Present), Ok(Key::NeedsNewKeys)]);
    assert_eq!([2, 3, 5].map(number), [failed.clone(), failed, invalid]);
    assert_eq!([4, 6, 7].map(number), [new.clone(), new.clone(), new]);
    let unknown = Err(Unclear::Unintelligible("the user is in an unknown state".into()));
    assert_eq!([8, 42].map(number), [unknown.clone(), unknown.clone()]);
    for text in [
        "POUserStateOfTomorrow (0)",
        "normal (0)",
        "POUserStateNormal (0) (2)",
        "",
        "(null)",
        "POUserStateOfTomorrow",
        "POUserStateNormal (x)",
        "POUserStateNormal ()",
        "-1",
    ] {
        assert_eq!(state(text), unknown, "{text}");
    }
    assert_eq!(key(&device(), "{ \"version\" : 1 }"), Err(Unclear::Unintelligible("the user has no state".into())));
}

#[test]
fn a_name_and_a_number_that_disagree_are_unclear() {
    let disagree = Err(Unclear::Unintelligible("the user's state has a name and a number that disagree".into()));
    for text in ["POUserStateNormal (2)", "POUserStateNeedsRegistration (0)", "POUserStateNeedsBinding (0)"] {
        assert_eq!(key(&device(), &user(text)), disagree, "{text}");
    }
}

#[test]
fn a_state_is_shown_by_its_name_or_else_by_its_number() {
    let shown = |state: &str| parse(&output(&device(), &user(state))).unwrap().user_state.unwrap();
    assert_eq!(shown("POUserStateNeedsBinding (7)"), "POUserStateNeedsBinding");
    assert_eq!(shown("(null) (7)"), "7");
}

#[test]
fn a_section_for_the_user_without_one_for_the_device_shows_a_lost_registration() {
    let lost = Ok(Key::Absent(Absence::DeviceLost));
    assert_eq!(key("(null)", &user(NORMAL_USER)), lost);
    assert_eq!(key("(null)", "{ \"state\" : \"new\" }"), lost);
    let error = "Error Domain=com.apple.PlatformSSO Code=-1001 \"Cannot read it.\"\n (null)";
    assert_eq!(key(error, &user(NORMAL_USER)), lost);
}

#[test]
fn an_output_saved_as_root_can_show_only_that_there_is_no_key() {
    let as_root = |device: &str| {
        let whole = output(device, "(null)");
        parse(whole.split_once("User Configuration:").unwrap().0).map(|found| found.key)
    };
    assert_eq!(as_root("(null)"), Ok(Key::Absent(Absence::NoDevice)));
    assert_eq!(as_root(&device()), Err(Unclear::TakenAsRoot));
    let okta = device_of("com.okta", "true", "");
    assert_eq!(as_root(&okta), Ok(Key::Absent(Absence::AnotherProvider)));
    let incomplete = device_of(MICROSOFT, "false", "");
    assert_eq!(as_root(&incomplete), Ok(Key::Absent(Absence::DeviceNotRegistered)));
}

#[test]
fn backslashes_that_echo_has_halved_are_restored() {
    let whole = output(&device(), &user(NORMAL_USER));
    let echoed = whole.replace("\\\\", "\\");
    assert_ne!(echoed, whole);
    assert_eq!(parse(&echoed), parse(&whole));
    // This begins like the code of a character.
    let echoed = whole.replace("POUserStateNormal", r"CONTOSO\ursula").replace("\\@", r"\u0040");
    assert_eq!(with_restored_escapes(&echoed), echoed.replace(r"\ursula", r"\\ursula"));
}

#[test]
fn the_user_principal_name_comes_from_the_cloud_ticket_or_else_from_the_sign_in_name() {
    let name = |tickets: &str, login: &str| {
        let user = format!(
            "{{ \"kerberosStatus\" : [{tickets}], \"state\" : \"{NORMAL_USER}\", \
             \"userLoginConfiguration\" : {{ \"loginUserName\" : \"{login}\" }} }}"
        );
        parse(&output(&device(), &user)).unwrap().user_principal_name
    };
    let ticket = |path: &str, name: &str| format!("{{ {path} \"upn\" : \"{name}\" }}");
    let local = ticket("\"ticketKeyPath\" : \"tgt_ad\",", "av\\\\@ad.contoso.com@AD.CONTOSO.COM");
    let cloud = ticket("\"ticketKeyPath\" : \"tgt_cloud\",", "adele\\\\@contoso.com@KERBEROS.MICROSOFTONLINE.COM");
    let both = format!("{local}, {cloud}");
    assert_eq!(name(&both, "a***@contoso.com").as_deref(), Some("adele@contoso.com"));
    assert_eq!(name(&both, "vance@contoso.com").as_deref(), Some("adele@contoso.com"));
    let by_realm = ticket("", "adele\\\\@contoso.com@KERBEROS.MICROSOFTONLINE.COM");
    assert_eq!(name(&by_realm, "").as_deref(), Some("adele@contoso.com"));
    assert_eq!(name(&local, "vance@contoso.com").as_deref(), Some("vance@contoso.com"));
    assert_eq!(name("", "vance@contoso.com").as_deref(), Some("vance@contoso.com"));
    assert_eq!(name(&local, "a***@contoso.com"), None);
    assert_eq!(name("", "vance"), None);
}

#[test]
fn the_sign_in_method_is_recognised_by_name_or_number() {
    let method = |value: &str| {
        let user = format!("{{ \"state\" : \"{NORMAL_USER}\", \"loginType\" : {value} }}");
        parse(&output(&device(), &user)).unwrap().sign_in_method
    };
    assert_eq!(method("\"POLoginTypePassword (1)\""), Some(SignInMethod::Password));
    assert_eq!(method("\"POLoginTypeSmartCard (3)\""), Some(SignInMethod::SmartCard));
    assert_eq!(method("\"(null) (4)\""), Some(SignInMethod::AccessKey));
    assert_eq!(method("2"), Some(SignInMethod::SecureEnclaveKey));
    for unknown in ["\"POLoginTypePassword (2)\"", "\"POLoginTypeOther\"", "9", "\"\"", "[]"] {
        assert_eq!(method(unknown), None, "{unknown}");
    }
}

#[test]
fn the_output_of_the_jamf_tool_is_recognised() {
    let list = "2\nextraDeviceInformation [AnyHashable(\"isSSOExtensionInFullMode\"): 1]\n";
    for output in [list, "2\n", "Warning:Timedout\n"] {
        assert_eq!(parse(output), Err(Unclear::JamfToolOutput), "{output}");
    }
}

#[test]
fn two_outputs_in_one_file_are_not_understood() {
    let [registered, nothing] = [output(&device(), &user(NORMAL_USER)), output("(null)", "(null)")];
    for both in [format!("{registered}{nothing}"), format!("{nothing}{registered}")] {
        assert_eq!(parse(&both), Err(Unclear::Unintelligible("a section occurs twice".into())));
    }
}

#[test]
fn without_a_device_a_login_configuration_shows_that_platform_sso_is_set_up() {
    let whole =
        output("(null)", "(null)").replace("Login Configuration:\n (null)", "Login Configuration:\n { \"a\" : 1 }");
    let absent = Ok(Key::Absent(Absence::DeviceNotRegistered));
    assert_eq!(parse(&whole).map(|found| found.key), absent);
    let as_root = whole.split_once("User Configuration:").unwrap().0;
    assert_eq!(parse(as_root).map(|found| found.key), absent);
}

#[test]
fn a_registered_device_does_not_mean_a_registered_user() {
    assert_eq!(key(&device(), "(null)"), Ok(Key::Absent(Absence::UserNotRegistered)));
}

#[test]
fn a_registration_with_another_identity_provider_does_not_count() {
    let okta = device_of("com.okta.mobile.auth-service-extension", "true", &certificate(&Certificate::contoso()));
    let joined = device_of("com.okta", "true", &certificate(&Certificate::workplace_join()));
    for device in [okta, joined, device_of("com.okta", "null", "not base64!")] {
        for user in [&user(NORMAL_USER), "{ \"state\" : \"new\" }", "(null)"] {
            assert_eq!(key(&device, user), Ok(Key::Absent(Absence::AnotherProvider)));
        }
    }
    let upper = device_of(&MICROSOFT.to_ascii_uppercase(), "true", &certificate(&Certificate::workplace_join()));
    assert_eq!(key(&upper, &user(NORMAL_USER)), Ok(Key::Present));
}

#[test]
fn a_device_that_is_not_registered_with_microsoft_has_no_key() {
    let absent = Ok(Key::Absent(Absence::DeviceNotRegistered));
    let joined = certificate(&Certificate::workplace_join());
    assert_eq!(key(&device_of(MICROSOFT, "false", &joined), &user(NORMAL_USER)), absent);
    // Even if something else is wrong.
    assert_eq!(key(&device_of(MICROSOFT, "false", "not base64!"), "{ \"state\" : \"new\" }"), absent);
    let peer = Certificate { issuer: IssuedBy::PeerToPeer, ..Certificate::workplace_join() };
    for other in [peer, Certificate::contoso()] {
        assert_eq!(key(&device_of(MICROSOFT, "true", &certificate(&other)), &user(NORMAL_USER)), absent);
    }
    assert_eq!(key("(null)", "(null)"), Ok(Key::Absent(Absence::NotConfigured)));
}

#[test]
fn old_style_property_lists_are_read() {
    let device = format!(
        "{{\n    deviceSigningCertificate = \"{}\";\n    extensionIdentifier = \"{MICROSOFT}\";\n    \
         note = \"a }} brace, a \\\" quote: a colon\";\n    registrationCompleted = 1;\n    userTypes =     (\n        1,\n        3\n    );\n}}",
        certificate(&Certificate::workplace_join())
    );
    let user = "{\n    kerberosStatus =     (\n                {\n            ticketKeyPath = \"tgt_cloud\";\n            upn = \"adele.vance\\\\@contoso.com@REALM\";\n        }\n    );\n    \
         state = \"POUserStateNormal (0)\";\n}";
    let found = parse(&output(&device, user)).unwrap();
    assert_eq!(found.key, Key::Present);
    assert_eq!(found.registration_completed, Some(true));
    assert_eq!(found.user_principal_name.as_deref(), Some("adele.vance@contoso.com"));
    assert_eq!(key(&device.replace("= 1;", "= 0;"), user), Ok(Key::Absent(Absence::DeviceNotRegistered)));
    assert_eq!(
        key(&device.replace("= 1;", "= maybe;"), user),
        Err(Unclear::Unintelligible("registrationCompleted is neither true nor false".into()))
    );
}

#[test]
fn the_order_of_sections_and_the_line_endings_do_not_matter() {
    let (device, user) = (device(), user(NORMAL_USER));
    let other = format!("warning: x\nUser Configuration:\n{user}\nDevice Configuration:\n{device}\nbye\n");
    assert_eq!(parse(&other).unwrap().key, Key::Present);
    let with_text =
        format!("User Configuration:\nas of {{now}} (null)\n{user}\nfoo\n\nDevice Configuration:\nsee\n{device}");
    assert_eq!(parse(&with_text).unwrap().key, Key::Present);
    assert_eq!(parse(&output(&device, &user).replace('\n', "\r\n")).unwrap().key, Key::Present);
}

#[test]
fn padding_and_standard_base64_are_accepted() {
    let der = Certificate::workplace_join().der();
    let standard = base64::engine::general_purpose::STANDARD.encode(der).replace('/', "\\/");
    assert_eq!(key(&device_of(MICROSOFT, "true", &standard), &user(NORMAL_USER)), Ok(Key::Present));
}

#[test]
fn an_output_that_is_not_understood_does_not_mean_that_there_is_no_key() {
    let unclear = |text: &str| match parse(text) {
        Err(Unclear::Unintelligible(what)) => what,
        other => panic!("{other:?}"),
    };
    let whole = output(&device(), &user(NORMAL_USER));
    assert_eq!(unclear(""), "a section is missing");
    assert_eq!(unclear("Killed: 9"), "a section is missing");
    assert_eq!(parse(&whole.replace("User Configuration:", "")), Err(Unclear::TakenAsRoot));
    assert_eq!(unclear(&whole.replace("Device Configuration:", "")), "a section is missing");
    assert_eq!(unclear("Device Configuration:\n\nUser Configuration:\n(null)\n"), "a section is empty");
    assert_eq!(unclear("Device Configuration:\n{ \"a\" : {\nUser Configuration:\n(null)\n"), "a section does not end");
    assert_eq!(unclear("Device Configuration:\n{ ) } ( }\nUser Configuration:\n(null)\n"), "a section does not end");
    let broken =
        ["{}", "{ }", "{ = ; }", "{ , }", "{ \"a\" : true, }", "{ a = ; b = c; }", "{ a : b; }", "{ a = b c = d; }"];
    for object in broken {
        let text = format!("Device Configuration:\n{object}\nUser Configuration:\n(null)\n");
        assert_eq!(unclear(&text), "a section is not an object", "{object}");
    }
    let error = "Error Domain=NSCocoaErrorDomain Code=4097 \"(null)\" UserInfo={NSDebugDescription=x}";
    assert_eq!(unclear(&output(error, "(null)")), "a section is empty");
    assert_eq!(unclear(&output(&device(), error)), "a section is empty");
    let other = format!("Device Configuration:\n{}\nUser Configuration:\n\nOther Configuration:\n(null)\n", device());
    assert_eq!(unclear(&other), "a section is empty");
    let microsoft = format!("\"extensionIdentifier\" : \"{MICROSOFT}\"");
    assert_eq!(
        unclear(&output(&format!("{{ {microsoft} }}"), "(null)")),
        "registrationCompleted is neither true nor false"
    );
    assert_eq!(
        unclear(&output(&format!("{{ {microsoft}, \"registrationCompleted\" : true }}"), "(null)")),
        "the device is registered, but has no certificate"
    );
    assert_eq!(unclear(&output("{ \"error\" : \"x\" }", "(null)")), "the extension's identifier is missing");
    let deep =
        format!("Device Configuration:\n{}{}\nUser Configuration:\n(null)\n", "{".repeat(500_000), "}".repeat(500_000));
    assert_eq!(unclear(&deep), "a section does not end");
    let strange = device_of(MICROSOFT, "true", "not base64!");
    assert_eq!(unclear(&output(&strange, "(null)")), "the device's certificate cannot be read");
    let garbage = device_of(MICROSOFT, "true", &URL_SAFE_NO_PAD.encode(b"no certificate"));
    assert_eq!(unclear(&output(&garbage, "(null)")), "the device's certificate cannot be read");
    let without_extension = output("{ \"registrationCompleted\" : true }", "(null)");
    assert_eq!(unclear(&without_extension), "the extension's identifier is missing");
}

#[test]
fn a_part_of_an_output_never_gives_another_answer_than_the_whole() {
    let whole = output(&device(), &user(NORMAL_USER));
    for (length, _) in whole.char_indices() {
        let part = parse(whole.get(..length).unwrap()).map(|found| found.key);
        let says_nothing = matches!(part, Err(Unclear::Unintelligible(_) | Unclear::TakenAsRoot));
        assert!(says_nothing || part == Ok(Key::Present), "{length}: {part:?}");
    }
}

#[test]
fn a_wrong_byte_never_makes_a_key_present() {
    let absent = output(&device(), "(null)");
    let bytes = absent.as_bytes();
    for place in 0..bytes.len() {
        for byte in [0, b'"', b'{', b'}', b'(', b')', b'\\', b'\n', b';', b'=', 0xFF] {
            let mut wrong = bytes.to_vec();
            wrong[place] = byte;
            let found = parse(&String::from_utf8_lossy(&wrong)).map(|found| found.key);
            assert!(!matches!(found, Ok(Key::Present | Key::NeedsNewKeys)), "{byte} at {place}: {found:?}");
        }
    }
}

#[test]
fn long_texts_are_cut_and_a_long_user_principal_name_is_unknown() {
    let extension = |length: usize| {
        let device = device_of(&"x".repeat(length), "true", "");
        parse(&output(&device, "(null)")).unwrap().extension.unwrap()
    };
    assert_eq!([255, 256].map(extension), ["x".repeat(255), "x".repeat(255)]);
    let name = |length: usize| {
        let name = format!("{}@contoso.com", "a".repeat(length - 12));
        let user = user(NORMAL_USER).replace("adele.vance\\\\@contoso.com", &name.replace('@', "\\\\@"));
        let found = parse(&output(&device(), &user)).unwrap();
        assert_eq!(found.key, Key::Present);
        (name, found.user_principal_name)
    };
    let (longest, found) = name(255);
    assert_eq!(found, Some(longest));
    assert_eq!(name(256).1, None);
}
