/// As much of a name as belongs into a line of a log, which escapes what would break it.
pub(crate) fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 64;
    let start: String = name.chars().take(CHARACTERS_MAX).collect();
    let more = if start.len() < name.len() { "..." } else { "" };
    format!("{start}{more}")
}
