//! Identities as the dployr API shows them: the 128 bits of a UUID as a ULID, 26 digits of Crockford's base 32.
//! Source: `dployr-v1.md` §1.

use uuid::Uuid;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Digits of a ULID.
pub const ULID_LENGTH: usize = 26;

/// The ULID of an identity.
#[must_use]
pub fn ulid(id: Uuid) -> String {
    let bits = id.as_u128();
    (0..ULID_LENGTH)
        .rev()
        .map(|place| {
            let digit = (bits >> (place * 5)) & 31;
            char::from(DIGITS.get(usize::try_from(digit).unwrap_or(0)).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// The identity that a ULID stands for, in either case of letters; `None` for what is none.
#[must_use]
pub fn ulid_parse(text: &str) -> Option<Uuid> {
    // The first digit holds three bits.
    if text.len() != ULID_LENGTH || text.bytes().next()? > b'7' {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |bits, byte| {
            let digit = DIGITS.iter().position(|digit| *digit == byte.to_ascii_uppercase())?;
            Some((bits << 5) | digit as u128)
        })
        .map(Uuid::from_u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_come_back() {
        for id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(1), Uuid::now_v7(), Uuid::new_v4()] {
            let text = ulid(id);
            assert_eq!(text.len(), ULID_LENGTH);
            assert_eq!(ulid_parse(&text), Some(id), "{text}");
            assert_eq!(ulid_parse(&text.to_lowercase()), Some(id), "{text}");
        }
        assert_eq!(ulid(Uuid::max()), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        for bad in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000000000I", "000000000000000000000000000", "ä"]
        {
            assert_eq!(ulid_parse(bad), None, "{bad}");
        }
    }
}
