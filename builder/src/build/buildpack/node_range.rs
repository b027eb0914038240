//! Whether an installed version is in a range as `engines` of a `package.json` gives it, by major version.

/// Whether major version `major` is in `range`; `None` when the range is not understood.
pub fn has_major(range: &str, major: u64) -> Option<bool> {
    let mut is_in = false;
    for choice in range.split("||") {
        let choice = choice.trim();
        if choice.is_empty() || matches!(choice, "*" | "x" | "latest" | "current") {
            return Some(true);
        }
        if let Some((low, high)) = choice.split_once(" - ") {
            is_in |= (major_of(low)?..=major_of(high)?).contains(&major);
            continue;
        }
        let mut fits_all = true;
        let mut operator = String::new();
        for word in choice.split_whitespace() {
            let digits = word.trim_start_matches(['<', '>', '=', '^', '~', 'v']);
            operator.push_str(word.get(..word.len() - digits.len()).unwrap_or_default().trim_end_matches('v'));
            if digits.is_empty() {
                continue;
            }
            let bound = major_of(digits)?;
            fits_all &= match operator.as_str() {
                ">=" => major >= bound,
                // `>20` excludes all of 20, `>20.1` does not.
                ">" => major > bound || (digits.contains('.') && major == bound),
                "<=" => major <= bound,
                "<" => major < bound || (!is_whole(digits) && major == bound),
                "" | "=" | "^" | "~" => major == bound,
                _ => return None,
            };
            operator.clear();
        }
        is_in |= fits_all;
    }
    Some(is_in)
}

fn major_of(text: &str) -> Option<u64> {
    text.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

/// Whether a version is the start of its major version: `22`, `22.0.0`, `22.x`.
fn is_whole(version: &str) -> bool {
    version.split('.').skip(1).all(|part| matches!(part, "0" | "x" | "*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (range, major, expect) in [
            ("20.x", 20, Some(true)),
            ("^18 || ^20", 20, Some(true)),
            ("^18.2.0 || ^22", 20, Some(false)),
            (">=18", 20, Some(true)),
            (">= 18 < 20", 20, Some(false)),
            (">=18 <20.5", 20, Some(true)),
            ("16 - 18", 20, Some(false)),
            ("*", 20, Some(true)),
            ("v20", 20, Some(true)),
            ("lts/iron", 20, None),
            ("~>20", 20, None),
        ] {
            assert_eq!(has_major(range, major), expect, "{range}");
        }
    }
}
