//! Gives back the memory of program code that ran only at the start.
//!
//! Linux maps up to 64 KiB around each page of a program that is touched. A start touches most of a program once: the
//! configuration, certificates, the command line. What it maps stays resident until memory gets short, though nothing
//! will look at it again. Giving it all back costs nothing but mapping again what is really used, from the page cache.
#![cfg(target_os = "linux")]

mod mappings;

use std::fs::File;
use std::io::{self, BufReader};

use rustix::mm::{Advice, madvise};

use mappings::{Mapping, unchanged};

/// Unmaps the pages of this program's file, and of the C library, that are as they are on the disk; the processor finds
/// them again in the page cache when it needs them. Returns how many bytes had been resident there.
///
/// To be called once, when everything is started.
///
/// # Errors
/// `/proc` cannot be read, or the system refuses; then some pages stay.
pub fn release_start_up_code() -> io::Result<u64> {
    let program = std::fs::read_link("/proc/self/exe")?;
    let smaps = BufReader::new(File::open("/proc/self/smaps")?);
    let mut bytes = 0;
    for mapping in unchanged(smaps, &program.to_string_lossy())? {
        release(&mapping)?;
        bytes += mapping.resident_bytes;
    }
    Ok(bytes)
}

#[allow(unsafe_code, reason = "the compiler cannot know what lies in the pages of a mapping")]
fn release(mapping: &Mapping) -> io::Result<()> {
    let start = std::ptr::with_exposed_provenance_mut(mapping.start);
    // SAFETY: `unchanged` gives only mappings of the program's own file and the C library's that nobody may write to
    // and that have no page of this process's own. Neither is ever unmapped, moved or made writable: the dynamic linker
    // is done with them before `main`. A page that is read after this comes from the same file with the same
    // content, which cannot be written while it runs as a program.
    unsafe { madvise(start, mapping.length, Advice::LinuxDontNeed) }.map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_bytes() -> u64 {
        let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
    }

    #[test]
    fn code_is_given_back_and_runs_on() {
        let before = resident_bytes();
        let released = release_start_up_code().unwrap();
        let after = resident_bytes();
        assert!(released > 0);
        assert!(after < before, "{before} bytes before, {after} after {released} were given back");
        let again: Vec<String> = (0..1_000).map(|number| format!("{number:?}")).collect();
        assert_eq!(again.concat().len(), 2_890);
    }
}
