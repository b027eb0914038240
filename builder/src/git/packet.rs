//! Git's packet lines: four hex digits of length, then that many bytes less four.
//!
//! Source: git's Documentation/gitprotocol-common.

use bytes::{BufMut, Bytes, BytesMut};

/// Longest packet, with its four digits of length.
pub const PACKET_MAX: usize = 65_520;
/// Most bytes of payload in one packet.
pub const PAYLOAD_MAX: usize = PACKET_MAX - 4;
/// The packet without length that ends a section.
pub const FLUSH: &[u8] = b"0000";

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// `0000`: a section ends.
    Flush,
    /// A payload, perhaps empty.
    Data(Bytes),
}

/// Four bytes that are no length of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bad line length")]
pub struct LengthError;

/// Reads the length at the head of a packet: `None` for a flush, else how many bytes of payload follow.
///
/// # Errors
/// Anything but four hex digits; 1 to 3, which only later versions of the protocol use; or more than [`PACKET_MAX`].
pub fn payload_length(digits: [u8; 4]) -> Result<Option<usize>, LengthError> {
    let mut length = 0;
    for digit in digits {
        length = length * 16 + char::from(digit).to_digit(16).ok_or(LengthError)? as usize;
    }
    match length {
        0 => Ok(None),
        4..=PACKET_MAX => Ok(Some(length - 4)),
        _ => Err(LengthError),
    }
}

/// Appends packets with `payload` to `out`, more than one only if it is longer than [`PAYLOAD_MAX`].
pub fn put(out: &mut BytesMut, payload: &[u8]) {
    for part in payload.chunks(PAYLOAD_MAX) {
        out.put_slice(format!("{:04x}", part.len() + 4).as_bytes());
        out.put_slice(part);
    }
}

/// Appends packets with `payload` on a side band, split where one packet does not hold it.
pub fn put_band(out: &mut BytesMut, band: u8, payload: &[u8]) {
    for part in payload.chunks(PAYLOAD_MAX - 1) {
        out.put_slice(format!("{:04x}", part.len() + 5).as_bytes());
        out.put_u8(band);
        out.put_slice(part);
    }
}

/// A payload without the line feed that may end it.
#[must_use]
pub fn trimmed(payload: &[u8]) -> &[u8] {
    payload.strip_suffix(b"\n").unwrap_or(payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_checked() {
        for (digits, expect) in [
            (*b"0000", Ok(None)),
            (*b"0004", Ok(Some(0))),
            (*b"000a", Ok(Some(6))),
            (*b"fff0", Ok(Some(PAYLOAD_MAX))),
            (*b"FFF0", Ok(Some(PAYLOAD_MAX))),
            (*b"fff1", Err(LengthError)),
            (*b"0001", Err(LengthError)),
            (*b"0003", Err(LengthError)),
            (*b"+00a", Err(LengthError)),
            (*b" 00a", Err(LengthError)),
            (*b"GET ", Err(LengthError)),
        ] {
            assert_eq!(payload_length(digits), expect, "{digits:?}");
        }
    }

    proptest! {
        #[test]
        fn any_four_bytes_are_a_length_or_an_error(digits: [u8; 4]) {
            if let Ok(Some(length)) = payload_length(digits) {
                prop_assert!(length <= PAYLOAD_MAX);
            }
        }

        #[test]
        fn what_is_put_can_be_read(payload in proptest::collection::vec(any::<u8>(), 0..200_000)) {
            let mut out = BytesMut::new();
            put_band(&mut out, 2, &payload);
            let mut rest = &out[..];
            let mut read = Vec::new();
            while !rest.is_empty() {
                let length = payload_length(rest[..4].try_into().unwrap()).unwrap().unwrap();
                prop_assert_eq!(rest[4], 2);
                read.extend_from_slice(&rest[5..4 + length]);
                rest = &rest[4 + length..];
            }
            prop_assert_eq!(read, payload);
        }
    }
}
