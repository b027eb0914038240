//! Limits of memory and CPU, as users write them. Source: `drycc-v2.md` §2.4 and §4.6.

/// A request and a limit: bytes for memory, thousandths of a core for CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What is set aside, if said.
    pub request: Option<u64>,
    /// What is never passed; 0 means no limit.
    pub limit: u64,
}

/// The message for a memory limit that breaks the grammar.
pub const MEMORY_RULE: &str =
    "Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G";
/// The message for a CPU limit that breaks the grammar.
pub const CPU_RULE: &str = "CPU limit format: <value> or <value>/<value>, where value must be a numeric";

/// Reads a memory limit: `512M`, `256M/1G`, `0/100M`; units are powers of 1024, in any case. `None` when it breaks
/// [`MEMORY_RULE`] or is too large to be one.
#[must_use]
pub fn memory_parse(text: &str) -> Option<Limit> {
    let first = |text: &str| if text == "0" { Some(0) } else { bytes_parse(text) };
    match text.split_once('/') {
        None => Some(Limit { request: None, limit: first(text)? }),
        Some((request, limit)) => Some(Limit { request: Some(first(request)?), limit: bytes_parse(limit)? }),
    }
}

fn bytes_parse(text: &str) -> Option<u64> {
    let digits_end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (digits, unit) = text.split_at(digits_end);
    let factor: u64 = match unit.to_ascii_uppercase().as_str() {
        "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return None,
    };
    let bytes = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    i64::try_from(bytes).is_ok().then_some(bytes)
}

/// Reads a CPU limit in cores (`0.5`, `2`) or thousandths of one (`500m`), alone or as `request/limit`. Less than
/// nothing counts as no limit. `None` when it breaks [`CPU_RULE`] or is too large to be one.
#[must_use]
pub fn cpu_parse(text: &str) -> Option<Limit> {
    match text.split_once('/') {
        None => Some(Limit { request: None, limit: millis_parse(text)? }),
        Some((request, limit)) => Some(Limit { request: Some(millis_parse(request)?), limit: millis_parse(limit)? }),
    }
}

/// Most thousandths of a core that a limit may say: a million cores.
const CPU_MILLIS_MAX: u64 = 1_000_000_000;

/// `[-+]?[0-9]*\.?[0-9]+[m]?` in thousandths, rounded up to a whole one.
fn millis_parse(text: &str) -> Option<u64> {
    let (is_negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (number, is_millis) = rest.strip_suffix('m').map_or((rest, false), |number| (number, true));
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let needed = fraction.unwrap_or(whole);
    if needed.is_empty() || !is_digits(whole) || !is_digits(needed) {
        return None;
    }
    if is_negative {
        return Some(0);
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = fraction.unwrap_or("");
    let is_nonzero = |text: &str| text.bytes().any(|byte| byte != b'0');
    let millis = if is_millis {
        whole.checked_add(u64::from(is_nonzero(fraction)))?
    } else {
        let shown: String = fraction.chars().chain("000".chars()).take(3).collect();
        let rest = u64::from(fraction.get(3..).is_some_and(is_nonzero));
        whole.checked_mul(1000)?.checked_add(shown.parse::<u64>().ok()?)?.checked_add(rest)?
    };
    (millis <= CPU_MILLIS_MAX).then_some(millis)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_limits() {
        for (text, request, limit) in [
            ("64M", None, 64 << 20),
            ("0", None, 0),
            ("0/100M", Some(0), 100 << 20),
            ("50M/100M", Some(50 << 20), 100 << 20),
            ("1gb", None, 1 << 30),
            ("100B", None, 100),
            ("2KB/3k", Some(2 << 10), 3 << 10),
        ] {
            assert_eq!(memory_parse(text), Some(Limit { request, limit }), "{text}");
        }
        for bad in ["", "M", "1", "1T", "-1M", "1M/", "/1M", "1M/0", "1M/2M/3M", "1 M", "1M\n", "99999999999G", "1.5G"]
        {
            assert_eq!(memory_parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn cpu_limits() {
        for (text, request, limit) in [
            ("500m", None, 500),
            ("1", None, 1000),
            (".5", None, 500),
            ("0.5/2", Some(500), 2000),
            ("+1.25", None, 1250),
            ("-1", None, 0),
            ("0.0001", None, 1),
            ("0.5m", None, 1),
        ] {
            assert_eq!(cpu_parse(text), Some(Limit { request, limit }), "{text}");
        }
        for bad in ["", "m", "1.", ".", "1/", "/1", "a", "1M", "1 ", "1/2/3", "--1", "9999999999999", "٣"] {
            assert_eq!(cpu_parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = (memory_parse(&text), cpu_parse(&text));
        }

        #[test]
        fn every_plain_memory_limit_is_read(number in 0_u64..1_000_000, unit in "[bkmgBKMG]") {
            let text = format!("{number}{unit}");
            prop_assert!(memory_parse(&text).is_some());
        }

        #[test]
        fn millis_and_cores_agree(millis in 0_u64..1_000_000) {
            let cores = format!("{}.{:03}", millis / 1000, millis % 1000);
            prop_assert_eq!(cpu_parse(&cores), cpu_parse(&format!("{millis}m")));
        }
    }
}
