//! The end of what a stage wrote, as a terminal would have left it.
//!
//! Programs draw progress bars with carriage returns and colours; quoted as they are they bury the last line.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// How much of a log is looked at, in bytes: bars take many to show a line.
const LOOKED_AT: u64 = 64 << 10;
/// How much of it is quoted at most, in bytes.
const QUOTED: usize = 4096;

/// The last whole lines of a log as they could be read on a terminal; nothing where there is none.
pub fn end_of_log(log: &Path) -> String {
    let (bytes, whole) = tail(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().skip(usize::from(!whole)).map(visible);
    let lines: Vec<String> = lines.collect();
    let mut first = lines.len();
    let mut length = 0;
    while first > 0 && length + lines[first - 1].len() < QUOTED {
        first -= 1;
        length += lines[first].len() + 1;
    }
    lines[first..].join("\n").trim_end().to_owned()
}

/// A message without what a terminal would act on, and no longer than anybody reads: it may quote a file that somebody
/// else made.
pub(crate) fn printable(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(unescaped).collect();
    let mut text = lines.join("\n");
    if text.len() > QUOTED {
        text.truncate(text.floor_char_boundary(QUOTED));
        text.push('…');
    }
    text
}

/// The last bytes, and whether they are all.
fn tail(log: &Path) -> std::io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(LOOKED_AT);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(LOOKED_AT).read_to_end(&mut bytes)?;
    Ok((bytes, start == 0))
}

/// What is seen of a line at last: what followed the last return of the carriage, without escapes.
fn visible(line: &str) -> String {
    let mut shown = line.split('\r').map(unescaped);
    shown
        .rfind(|part| !part.trim().is_empty())
        .unwrap_or_default()
}

/// Without ANSI escape sequences and control characters.
///
/// Source: ECMA-48, 5th edition, 5.4 (control sequences) and 5.6 (control strings).
fn unescaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\u{1b}', Some('[')) => {
                characters.next();
                characters.find(|c| ('@'..='~').contains(c));
            }
            ('\u{1b}', Some(']' | 'P' | '^' | '_' | 'X')) => {
                // To the bell, or to the string terminator, whose `\` is taken here, too.
                while let Some(c) = characters.next() {
                    if c == '\u{7}' || c == '\u{1b}' && characters.next_if_eq(&'\\').is_some() {
                        break;
                    }
                }
            }
            ('\u{1b}', _) => {
                // Intermediate bytes, then the final one.
                characters.find(|c| !(' '..='/').contains(c));
            }
            ('\u{8}', _) => {
                shown.pop();
            }
            ('\t', _) => shown.push('\t'),
            (control, _) if control.is_control() => {}
            (other, _) => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn end_of(contents: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, contents).unwrap();
        end_of_log(&path)
    }

    #[test]
    fn a_progress_bar_is_what_it_showed_last() {
        let bar = "Epoch 0:   0%|          | 0/2\rEpoch 0: 100%|##########| 2/2\r\nValueError: \u{1b}[31mbad\u{1b}[0m rate\n";
        assert_eq!(
            end_of(bar.as_bytes()),
            "Epoch 0: 100%|##########| 2/2\nValueError: bad rate"
        );
        let titled = "\u{1b}]0;title\u{7}one\u{8}\u{8}\u{8}two\u{1b}[2K\r\u{1b}(B\u{1b}[1A\n";
        assert_eq!(end_of(titled.as_bytes()), "two");
    }

    #[test]
    fn a_long_log_is_quoted_from_a_whole_line_on() {
        let mut log = "0123456789\n".repeat(20_000);
        log.push_str("the end\n");
        let quoted = end_of(log.as_bytes());
        assert!(quoted.len() <= QUOTED && quoted.len() > QUOTED - 20);
        assert!(quoted.starts_with("0123456789\n") && quoted.ends_with("\nthe end"));
        assert_eq!(end_of(&[0xff, b'a', b'\n']), "\u{fffd}a");
        assert_eq!(end_of_log(Path::new("/no/such/log")), "");
    }

    #[test]
    fn a_message_that_quotes_a_foreign_file_does_nothing_to_a_terminal_and_is_not_endless() {
        let quoting = "no column `\u{1b}]0;title\u{7}\u{1b}[31mloss\u{7}`\nin the file";
        assert_eq!(printable(quoting), "no column `loss`\nin the file");
        assert_eq!(
            printable(&"ä".repeat(QUOTED)).len(),
            QUOTED + '…'.len_utf8()
        );
    }
}
