//! What MQTT has no room for: said of the option before anything is sent.

/// Bytes of the longest text and of the longest data, whose length has two bytes.
const LENGTH_MAX: usize = 65_535;

/// Says what is wrong with the text of an option `[MQTT-1.5.4-2]`, `[MQTT3-1.5.3-2]`.
pub(crate) fn check_text(option: &str, text: &str) -> Result<(), String> {
    check_data(option, text.as_bytes())?;
    if text.contains('\0') {
        return Err(format!("{option}: the character U+0000 is not possible in MQTT"));
    }
    Ok(())
}

/// Says what is wrong with the data of an option.
pub(crate) fn check_data(option: &str, data: &[u8]) -> Result<(), String> {
    if data.len() > LENGTH_MAX {
        return Err(format!("{option}: there are {} bytes; at most 65,535 are possible", data.len()));
    }
    Ok(())
}
