//! Lines of an app's log, with a colour for each process.

use owo_colors::{AnsiColors, OwoColorize as _};

use super::line;
use crate::error::Result;

const COLORS: [AnsiColors; 6] =
    [AnsiColors::Cyan, AnsiColors::Yellow, AnsiColors::Green, AnsiColors::Magenta, AnsiColors::Blue, AnsiColors::Red];

/// Writes one line of a log, without its line end. The part up to `]:` is coloured by the process's name.
pub fn log_line(text: &str) -> Result {
    let text = safe(text);
    match text.split_once("]: ") {
        Some((head, rest)) if head.contains('[') => {
            let source = head.split_once(' ').map_or(head, |(_, source)| source);
            let sum: usize = source.bytes().map(usize::from).sum();
            line(format_args!("{} {rest}", format_args!("{head}]:").color(COLORS[sum % COLORS.len()])))
        }
        _ => line(text),
    }
}

/// Keeps an app's colours, but nothing by which an app could move the cursor or retitle the terminal.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_color = rest
            .strip_prefix("\x1b[")
            .and_then(|after| after.find(|c: char| !(c.is_ascii_digit() || c == ';')).map(|end| (after, end)))
            .filter(|(after, end)| after[*end..].starts_with('m'))
            .map(|(_, end)| 2 + end + 1);
        if let Some(length) = is_color {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            let width = rest.chars().next().map_or(0, char::len_utf8);
            rest = &rest[width..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_reach_the_terminal() {
        for (text, want) in [
            ("plain\ttext", "plain\ttext"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b]0;title\x07x", "]0;titlex"),
            ("\x1b[2Jx\r", "[2Jx"),
            ("\x1b", ""),
            ("\x1b[12", "[12"),
            ("grün\u{9b}x", "grünx"),
        ] {
            assert_eq!(safe(text), want, "{text:?}");
        }
    }
}
