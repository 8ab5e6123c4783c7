//! The header that each mechanism's first token has (RFC 2743, section 3.1), and that GS2 leaves out (RFC 5801, section 3.1).

use crate::KerberosError;

/// The mechanism Kerberos 5, 1.2.840.113554.1.2.2, as an OBJECT IDENTIFIER of DER.
const MECHANISM: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

/// `[APPLICATION 0] IMPLICIT SEQUENCE` of DER.
const TAG: u8 = 0x60;

/// What the library has made, as GS2 sends it.
///
/// # Errors
/// It is no first token of Kerberos.
pub fn without_header(token: &[u8]) -> Result<&[u8], KerberosError> {
    let wrong = KerberosError::Message("the library has made a token without the header of Kerberos");
    let Some((&TAG, rest)) = token.split_first() else { return Err(wrong) };
    let Some((length, rest)) = read_length(rest) else { return Err(wrong) };
    if length != rest.len() {
        return Err(wrong);
    }
    rest.strip_prefix(&MECHANISM).ok_or(wrong)
}

/// What GS2 has sent, as the library takes it.
///
/// # Errors
/// The client has not left out the header.
pub fn with_header(token: &[u8]) -> Result<Vec<u8>, KerberosError> {
    // What follows the header of Kerberos begins with 0x01 0x00 (RFC 4121, section 4.1).
    if token.first() == Some(&TAG) {
        return Err(KerberosError::Message("the token still has the header that GS2 leaves out"));
    }
    let mut whole = vec![TAG];
    write_length(MECHANISM.len() + token.len(), &mut whole);
    whole.extend_from_slice(&MECHANISM);
    whole.extend_from_slice(token);
    Ok(whole)
}

/// A length of DER with what follows it; `None` for one that is not whole, longer than needed, or above 4 bytes.
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let (digits, rest) = rest.split_at_checked(count)?;
    let length = digits.iter().fold(0_u32, |length, digit| length << 8 | u32::from(*digit));
    let is_shortest = length >= 0x80 && digits.first() != Some(&0);
    is_shortest.then_some((usize::try_from(length).ok()?, rest))
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    if length < 0x80 {
        // Below 0x80 it is a byte.
        out.push(length as u8);
        return;
    }
    let bytes = length.to_be_bytes();
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    // An usize has at most 8 bytes.
    out.push(0x80 | digits.len() as u8);
    out.extend(digits);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_names_the_mechanism_and_the_length() {
        let whole = with_header(&[1, 0, 7]).expect("a token");
        assert_eq!(whole[..2], [0x60, 14]);
        assert_eq!(whole[2..13], MECHANISM);
        assert_eq!(whole[13..], [1, 0, 7]);
        // The client has left it there.
        assert!(with_header(&whole).is_err());
    }

    #[test]
    fn other_headers_are_none() {
        let whole = with_header(&[1, 0, 7]).expect("a token");
        for length in 0..whole.len() {
            assert!(without_header(&whole[..length]).is_err());
        }
        for place in 0..13 {
            let mut wrong = whole.clone();
            wrong[place] ^= 0x80;
            assert!(without_header(&wrong).is_err(), "{place}");
        }
        // A length that is longer than it need be, one that is too long, and one without an end.
        for length in [[0x81, 14].as_slice(), &[0x85, 0, 0, 0, 0, 14], &[0x80], &[0x84, 0xff]] {
            let wrong = [&[0x60], length, &whole[2..]].concat();
            assert!(without_header(&wrong).is_err(), "{length:?}");
        }
    }

    proptest! {
        #[test]
        fn what_has_a_header_loses_it_again(length in 0_usize..70_000) {
            let token = vec![1; length];
            let whole = with_header(&token).expect("a token");
            prop_assert_eq!(without_header(&whole), Ok(&token[..]));
        }

        #[test]
        fn anything_is_read(bytes: Vec<u8>) {
            let _ = without_header(&bytes);
        }
    }
}
