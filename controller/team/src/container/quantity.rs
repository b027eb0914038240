//! Amounts as Kubernetes writes them: `500m`, `1Gi`, `2e9`.

/// A quantity as a number, good enough to tell which of two is larger; 0 for what is none.
#[must_use]
pub fn quantity(text: &str) -> f64 {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let factor: f64 = match unit {
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024_f64,
        "Mi" => 1024_f64.powi(2),
        "Gi" => 1024_f64.powi(3),
        "Ti" => 1024_f64.powi(4),
        "Pi" => 1024_f64.powi(5),
        "Ei" => 1024_f64.powi(6),
        "m" => 1e-3,
        "u" => 1e-6,
        "n" => 1e-9,
        other => {
            other.strip_prefix(['e', 'E']).and_then(|power| power.parse().ok()).map_or(1.0, |power| 10_f64.powi(power))
        }
    };
    number.parse::<f64>().unwrap_or(0.0) * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_by_what_they_mean() {
        for (less, more) in [("1G", "1Gi"), ("900Mi", "1Gi"), ("1", "1k"), ("1e9", "2G"), ("500m", "1")] {
            assert!(quantity(less) < quantity(more), "{less} {more}");
        }
        assert!((quantity("1024Mi") - quantity("1Gi")).abs() < 1.0);
    }

    #[test]
    fn units_are_known() {
        for (text, number) in [
            ("250m", 0.25),
            ("2", 2.0),
            ("1.5", 1.5),
            ("12345678n", 0.012_345_678),
            ("100u", 0.0001),
            ("128Ki", 131_072.0),
            ("1Gi", 1_073_741_824.0),
            ("1e3", 1000.0),
            ("3M", 3e6),
            ("", 0.0),
            ("x", 0.0),
        ] {
            assert!((quantity(text) - number).abs() < 1e-9, "{text}: {}", quantity(text));
        }
    }
}
