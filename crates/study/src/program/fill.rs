//! `{word}` in a text, and what stands for it.

/// Letters, digits and `_`, not beginning with a digit.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.as_bytes()[0].is_ascii_digit()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A part of a text.
enum Part<'a> {
    Plain(&'a str),
    Word(&'a str),
}

/// Takes a text apart. `{{word}}` is plain `{word}`, and so is every brace that encloses no word; `${word}` is
/// the shell's.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut rest, mut searched) = (text, 0);
    while let Some(at) = rest[searched..].find('{').map(|at| at + searched) {
        let inside = &rest[at + 1..];
        let doubled = inside.strip_prefix('{');
        let body = doubled.unwrap_or(inside);
        let word = body.split('}').next().unwrap_or_default();
        let after = &body[word.len()..];
        let closed = if doubled.is_some() {
            after.strip_prefix("}}")
        } else {
            after.strip_prefix('}')
        };
        match closed {
            Some(next) if is_word(word) && !rest[..at].ends_with('$') => {
                parts.push(Part::Plain(&rest[..at]));
                if doubled.is_some() {
                    // The inner pair of braces stays.
                    parts.push(Part::Plain(&rest[at + 1..at + 3 + word.len()]));
                } else {
                    parts.push(Part::Word(word));
                }
                (rest, searched) = (next, 0);
            }
            _ => searched = at + 1,
        }
    }
    parts.push(Part::Plain(rest));
    parts
}

/// The words that something must stand for.
pub(super) fn placeholders(text: &str) -> Vec<String> {
    parts(text)
        .into_iter()
        .filter_map(|part| match part {
            Part::Word(word) => Some(word.to_owned()),
            Part::Plain(_) => None,
        })
        .collect()
}

/// The text with every word replaced.
///
/// # Panics
/// If a word has no value: that is checked before.
pub(super) fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Plain(text) => text.to_owned(),
            Part::Word(word) => {
                value(word).unwrap_or_else(|| unreachable!("`{word}` was checked to have a value"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_braces_are_replaced_and_all_other_braces_stay() {
        let filled = |text| fill(text, &|word| (word == "a").then(|| "1".to_owned()));
        assert_eq!(filled("--x={a}, {a}{a}"), "--x=1, 11");
        assert_eq!(filled("{{a}} {{a}}{a}"), "{a} {a}1");
        assert_eq!(filled("${a} {} { a } {1a} {a"), "${a} {} { a } {1a} {a");
        assert_eq!(filled("awk '{print $1}'"), "awk '{print $1}'");
        assert_eq!(placeholders("{b}{{c}}${d} {e_1}"), ["b", "e_1"]);
    }
}
