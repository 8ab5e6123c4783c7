//! The file FORMAT: one line that says what the directory is.

use super::frame::FORMAT_VERSION;

pub(crate) const FORMAT_NAME: &str = "FORMAT";

/// Bytes of it that are looked at.
pub(crate) const FORMAT_BYTES_MAX: usize = 256;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// It was written by this version of the format.
    Ours { salt: u64 },
    /// By another one.
    Other { version: u32 },
    /// There is something else in it.
    Damaged,
    /// There is nothing in it.
    Missing,
}

pub(crate) fn encode_format(salt: u64) -> String {
    let text = format!("ferry-store {FORMAT_VERSION} {salt:016x}");
    format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes()))
}

pub(crate) fn parse_format(bytes: &[u8]) -> Format {
    if bytes.iter().all(|byte| *byte == 0) {
        return Format::Missing;
    }
    parse_line(bytes).unwrap_or(Format::Damaged)
}

fn parse_line(bytes: &[u8]) -> Option<Format> {
    let line = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (text, check) = line.rsplit_once(' ')?;
    if u32::from_str_radix(check, 16).ok()? != crc32c::crc32c(text.as_bytes()) {
        return None;
    }
    // Every version begins like this and ends with a checksum.
    let mut words = text.strip_prefix("ferry-store ")?.split(' ');
    let version = words.next()?.parse().ok()?;
    if version != FORMAT_VERSION {
        return Some(Format::Other { version });
    }
    Some(Format::Ours { salt: u64::from_str_radix(words.next()?, 16).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_written_and_a_changed_character_is_noticed() {
        let text = encode_format(0xfe_dcba);
        assert_eq!(parse_format(text.as_bytes()), Format::Ours { salt: 0xfe_dcba });
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] ^= 1;
            assert_eq!(parse_format(&bytes), Format::Damaged, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn another_version_is_recognized() {
        let text = "ferry-store 7 something new";
        let line = format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes()));
        assert_eq!(parse_format(line.as_bytes()), Format::Other { version: 7 });
    }

    #[test]
    fn an_empty_one_was_never_written() {
        assert_eq!(parse_format(b""), Format::Missing);
        assert_eq!(parse_format(&[0; 40]), Format::Missing);
    }
}
