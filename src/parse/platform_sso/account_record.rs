//! Parses the output of `dscl . -read /Users/NAME AltSecurityIdentities`: other names of an account.
//!
//! For a user of Platform SSO, one of them is `PlatformSSO:` and the user principal name. It is not known whether the
//! entry disappears with the registration, so it is used only for the name, and never for the state.

use crate::parse::cut;

const PLATFORM_SSO: &str = "PlatformSSO:";

/// The user principal name in the account record.
pub fn linked_name(text: &str) -> Option<String> {
    let (_, values) = text.split_once("AltSecurityIdentities:")?;
    let name = values.split_whitespace().find_map(|value| value.strip_prefix(PLATFORM_SSO))?;
    cut::whole(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_be_one_of_several_on_one_line_or_on_lines_of_their_own() {
        let name = Some("adele.vance@contoso.com".to_owned());
        assert_eq!(linked_name("AltSecurityIdentities: PlatformSSO:adele.vance@contoso.com\n"), name);
        let several = "dsAttrTypeStandard:AltSecurityIdentities:\n Kerberos:av@AD.CONTOSO.COM\n \
            PlatformSSO:adele.vance@contoso.com\n";
        assert_eq!(linked_name(several), name);
    }

    #[test]
    fn an_output_without_a_platform_sso_entry_has_no_name() {
        for text in [
            "",
            "No such key: AltSecurityIdentities\n",
            "AltSecurityIdentities: Kerberos:av@AD.CONTOSO.COM\n",
            "AltSecurityIdentities: PlatformSSO:\n",
            "<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n",
        ] {
            assert_eq!(linked_name(text), None, "{text}");
        }
        let long = format!("AltSecurityIdentities: PlatformSSO:{}\n", "a".repeat(256));
        assert_eq!(linked_name(&long), None);
    }
}
