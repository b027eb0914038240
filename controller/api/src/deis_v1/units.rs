//! Limits in the units of Docker, in which 1.x speaks, and in those of 2.x, in which they are kept.
//! Source: `deis-v1.md` §6.

/// Most CPU shares that a request may name.
pub const SHARES_MAX: u64 = 1024;
/// Shares that stand for a core.
const SHARES_OF_CORE: f64 = 1024.0;

/// CPU shares as a limit of 2.x: so much of a core is set aside, nothing is never passed.
#[must_use]
pub fn cpu_of_shares(shares: u32) -> String {
    format!("{}/0", f64::from(shares) / SHARES_OF_CORE)
}

/// A limit of 2.x as CPU shares, rounded: what is set aside, or the limit when nothing else is said. `None` for what
/// is no limit at all.
#[must_use]
pub fn shares_of_cpu(text: &str) -> Option<u64> {
    let number = text.split_once('/').map_or(text, |(request, _)| request);
    let cores = match number.strip_suffix('m') {
        Some(millis) => millis.parse::<f64>().ok()? / 1000.0,
        None => number.parse::<f64>().ok()?,
    };
    format!("{:.0}", (cores * SHARES_OF_CORE).max(0.0)).parse().ok()
}

/// A memory limit of 2.x, which may have two parts, as 1.x shows it. `None` for no limit.
#[must_use]
pub fn memory_of_limit(text: &str) -> Option<String> {
    let limit = text.split_once('/').map_or(text, |(_, limit)| limit);
    (limit != "0").then(|| limit.to_owned())
}

/// Whether a text is a memory limit as 1.x takes them: digits and a unit.
#[must_use]
pub fn is_memory(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let unit = text.get(digits..).unwrap_or_default().to_ascii_uppercase();
    digits > 0 && matches!(unit.as_str(), "B" | "K" | "KB" | "M" | "MB" | "G" | "GB")
}

#[cfg(test)]
mod tests {
    use slipway_core::limit::{cpu_parse, memory_parse};

    use super::*;

    #[test]
    fn shares_come_back_as_they_were() {
        for shares in 0..=1024 {
            let text = cpu_of_shares(shares);
            assert_eq!(shares_of_cpu(&text), Some(u64::from(shares)), "{text}");
            let limit = cpu_parse(&text).unwrap();
            assert_eq!((limit.request, limit.limit), (Some(u64::from(shares * 1000).div_ceil(1024)), 0), "{text}");
        }
        assert_eq!(cpu_of_shares(512), "0.5/0");
    }

    #[test]
    fn limits_of_2_x_are_shown_as_shares() {
        for (text, expect) in
            [("500m", 512), ("2", 2048), ("0.5/2", 512), ("250m/1", 256), (".5", 512), ("-1", 0), ("0/1", 0)]
        {
            assert!(cpu_parse(text).is_some());
            assert_eq!(shares_of_cpu(text), Some(expect), "{text}");
        }
    }

    #[test]
    fn memory_has_a_number_and_a_unit() {
        for good in ["1B", "64m", "1g", "512MB", "2kb"] {
            assert!(is_memory(good) && memory_parse(good).is_some(), "{good}");
        }
        for bad in ["", "1", "M", "0", "1T", "1 M", "-1M", "1.5G", "1M/2M", "1Ä"] {
            assert!(!is_memory(bad), "{bad}");
        }
        assert_eq!(memory_of_limit("256M/1G").as_deref(), Some("1G"));
        assert_eq!(memory_of_limit("64M").as_deref(), Some("64M"));
        assert_eq!(memory_of_limit("0"), None);
    }
}
