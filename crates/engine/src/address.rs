//! Addresses as they are shown: without the name and the password in front of the host.

/// A text with the user part of every address in it (`https://NAME:PASSWORD@HOST`) as stars, one a byte, so that
/// places in the text stay where they are.
pub fn mask_users(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let ends = |c: char| c.is_whitespace() || "/?#\"'`<>".contains(c);
        let authority = &after[..after.find(ends).unwrap_or(after.len())];
        let user = authority.rfind('@').unwrap_or(0);
        shown.extend(std::iter::repeat_n('*', user));
        rest = &after[user..];
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_part_of_an_address_is_never_shown() {
        for (text, shown) in [
            (
                "url: \"https://me:pass@host/x\" # s3://k@b",
                "url: \"https://*******@host/x\" # s3://*@b",
            ),
            (
                "https://host/@me, mail me@host",
                "https://host/@me, mail me@host",
            ),
            ("ftp://a@b@c", "ftp://***@c"),
            ("no address", "no address"),
        ] {
            assert_eq!(mask_users(text), shown);
        }
        assert_eq!(mask_users("http://ä@h").len(), "http://ä@h".len());
    }
}
