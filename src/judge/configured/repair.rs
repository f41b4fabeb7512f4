//! The commands that repair a connector, ready to be pasted.

/// A name as PowerShell takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    let mut quoted = String::from("'");
    for character in name.chars() {
        quoted.push(character);
        // PowerShell takes four typographic quotes for the plain one.
        if matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(character);
        }
    }
    quoted.push('\'');
    quoted
}

/// `Set-OutboundConnector` with these parameters.
pub(super) fn set_outbound(name: &str, parameters: &str) -> String {
    format!("`Set-OutboundConnector -Identity {} {parameters}`.", quoted(name))
}

/// `Set-InboundConnector` with these parameters.
pub(super) fn set_inbound(name: &str, parameters: &str) -> String {
    format!("`Set-InboundConnector -Identity {} {parameters}`.", quoted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_quotes() {
        assert_eq!(
            set_inbound("Bob's; Remove-Mailbox", "-RequireTls $true"),
            "`Set-InboundConnector -Identity 'Bob''s; Remove-Mailbox' -RequireTls $true`."
        );
    }
}
