use std::fmt;

/// A value that no packet can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    /// Whose it is: `CONNECT`, `PUBLISH`, ..., or `the will`.
    pub of: &'static str,
    /// Its name in the standard, such as `User Name`.
    pub name: &'static str,
    /// What is wrong with it, in words.
    pub why: &'static str,
}

/// Bytes of the longest UTF-8 Encoded String and of the longest Binary Data (sections 1.5.4 and 1.5.6), which have two bytes
/// for their length.
const LENGTH_MAX: usize = 65_535;

/// Bytes of all User Properties of a packet. It may have 256 MiB, and a CONNECT has those of the will too.
const USER_PROPERTIES_BYTES_MAX: usize = 64 * 1024 * 1024;

impl InvalidValue {
    /// Whether this can be a UTF-8 Encoded String.
    pub(crate) fn check_text(of: &'static str, name: &'static str, text: &str) -> Result<(), Self> {
        Self::check_bytes(of, name, text.as_bytes())?;
        // [MQTT-1.5.4-2], [MQTT3-1.5.3-2].
        if text.contains('\0') {
            return Err(Self { of, name, why: "has the character U+0000" });
        }
        Ok(())
    }

    /// Whether this can be Binary Data.
    pub(crate) fn check_bytes(of: &'static str, name: &'static str, bytes: &[u8]) -> Result<(), Self> {
        if bytes.len() > LENGTH_MAX {
            return Err(Self { of, name, why: "longer than 65,535 bytes" });
        }
        Ok(())
    }

    /// Whether these can be User Properties.
    pub(crate) fn check_pairs(of: &'static str, pairs: &[(String, String)]) -> Result<(), Self> {
        const NAME: &str = "User Property";
        let mut bytes = 0;
        for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
            Self::check_text(of, NAME, text)?;
            bytes += text.len();
        }
        if bytes > USER_PROPERTIES_BYTES_MAX {
            return Err(Self { of, name: NAME, why: "more than 64 MiB in all" });
        }
        Ok(())
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.name, self.of, self.why)
    }
}

impl std::error::Error for InvalidValue {}
