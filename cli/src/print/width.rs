//! How much room text takes on a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text in at most so many columns, with `…` in place of what does not fit.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns || columns == 0 {
        return text.to_owned();
    }
    let mut left = columns - 1;
    let mut cut = String::new();
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if columns > left {
            break;
        }
        left -= columns;
        cut.push(c);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_wide_is_cut() {
        for (text, columns, want) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("你好世界", 8, "你好世界"),
            ("你好世界", 7, "你好世…"),
            ("你好世界", 6, "你好…"),
            ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
            ("abc", 1, "…"),
            ("abc", 0, "abc"),
        ] {
            assert_eq!(cut(text, columns), want, "{text} in {columns}");
            assert!(columns == 0 || width(&cut(text, columns)) <= columns, "{text} in {columns}");
        }
    }
}
