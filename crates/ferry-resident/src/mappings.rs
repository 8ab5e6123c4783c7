use std::io::{self, BufRead};

/// A part of the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    /// In bytes.
    pub(crate) length: usize,
    pub(crate) resident_bytes: u64,
}

/// The mappings of the file `program` and of the C library, in the text of `/proc/self/smaps` (proc(5)), that are not
/// writable and have no page that differs from the file. What was relocated has such pages.
///
/// # Errors
/// Reading fails.
pub(crate) fn unchanged(smaps: impl BufRead, program: &str) -> io::Result<Vec<Mapping>> {
    let mut found = Vec::new();
    let mut current: Option<Mapping> = None;
    for line in smaps.lines() {
        let line = line?;
        if let Some(kilobytes) = field(&line, "Rss:") {
            if let Some(mapping) = &mut current {
                mapping.resident_bytes = kilobytes.saturating_mul(1_024);
            }
        } else if let Some(kilobytes) = field(&line, "Anonymous:") {
            // It stands behind `Rss` in every version of Linux.
            found.extend(current.take().filter(|mapping| kilobytes == 0 && mapping.resident_bytes > 0));
        } else if let Some(mapping) = heading(&line) {
            current = mapping.of(program);
        }
    }
    Ok(found)
}

/// The number of a line such as `Rss:    12 kB`.
fn field(line: &str, name: &str) -> Option<u64> {
    line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim_end().parse().ok()
}

struct Heading<'a> {
    mapping: Mapping,
    permissions: &'a str,
    path: &'a str,
}

/// `55d0c0a00000-55d0c0b00000 r-xp 00198000 fe:00 1001   /usr/bin/ferry`.
fn heading(line: &str) -> Option<Heading<'_>> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let length = usize::from_str_radix(end, 16).ok()?.checked_sub(start)?;
    let permissions = words.next()?;
    let path = words.nth(3)?.trim_start();
    Some(Heading { mapping: Mapping { start, length, resident_bytes: 0 }, permissions, path })
}

impl Heading<'_> {
    fn of(self, program: &str) -> Option<Mapping> {
        let library = self.path.rsplit('/').next().is_some_and(|name| name == "libc.so.6");
        let wanted = self.path.starts_with('/') && (self.path == program || library);
        let only_read = self.permissions.starts_with('r') && !self.permissions.contains(['w', 's']);
        (wanted && only_read).then_some(self.mapping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(heading: &str, resident: u64, anonymous: u64) -> String {
        format!(
            "{heading}\nSize: 900 kB\nRss:      {resident} kB\nPss: 1 kB\nAnonymous:     {anonymous} kB\nVmFlags: rd mr\n"
        )
    }

    fn unchanged_in(blocks: &[String]) -> Vec<Mapping> {
        unchanged(blocks.concat().as_bytes(), "/usr/bin/ferry").unwrap()
    }

    #[test]
    fn code_and_constants_are_found() {
        let blocks = [
            block("1000-3000 r--p 00000000 fe:00 7                   /usr/bin/ferry", 4, 0),
            block("3000-9000 r-xp 00002000 fe:00 7                   /usr/bin/ferry", 24, 0),
            block("7f00-8f00 r-xp 00000000 fe:00 9    /usr/lib/x86_64-linux-gnu/libc.so.6", 4, 0),
        ];
        let expected = [(0x1000, 0x2000, 4_096), (0x3000, 0x6000, 24_576), (0x7f00, 0x1000, 4_096)];
        let expected =
            expected.map(|(start, length, resident_bytes)| Mapping { start, length, resident_bytes });
        assert_eq!(unchanged_in(&blocks), expected);
    }

    #[test]
    fn what_this_process_has_written_stays() {
        let blocks = [
            block("1000-3000 r--p 00000000 fe:00 7                   /usr/bin/ferry", 8, 4),
            block("3000-9000 rw-p 00002000 fe:00 7                   /usr/bin/ferry", 24, 0),
            block("3000-9000 r--s 00002000 fe:00 7                   /usr/bin/ferry", 24, 0),
            block("9000-a000 r-xp 00000000 00:00 0                   [vdso]", 4, 0),
            block("a000-b000 r--p 00000000 00:00 0", 4, 0),
        ];
        assert_eq!(unchanged_in(&blocks), []);
    }

    #[test]
    fn other_files_stay() {
        let blocks = [
            block("1000-3000 r-xp 00000000 fe:00 7   /usr/bin/ferry (deleted)", 8, 0),
            block("3000-9000 r-xp 00002000 fe:00 7   /usr/lib/x86_64-linux-gnu/libnss_files.so.2", 24, 0),
            block("9000-a000 r--p 00002000 fe:00 7   /srv/a b/usr/bin/ferry", 24, 0),
        ];
        assert_eq!(unchanged_in(&blocks), []);
    }

    #[test]
    fn nonsense_is_nothing() {
        assert_eq!(unchanged("\n-\nRss:\nAnonymous: kB\n5-1 r--p 0 0 0 /x\n".as_bytes(), "/x").unwrap(), []);
    }
}
