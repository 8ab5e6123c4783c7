use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ferry_client::Message;
use jiff::Timestamp;

use super::RecordArguments;
use crate::json_line::{append_header, append_message};

/// The file of a recording, open for writing.
pub(super) struct RecordingFile {
    output: BufWriter<Box<dyn Write>>,
    line: Vec<u8>,
    /// Bytes written, without those that were there.
    pub(super) bytes: u64,
    /// Bytes of a torn line that were cut off.
    pub(super) torn_bytes: u64,
    /// The file, if it was not there before.
    made: Option<PathBuf>,
    /// The file, if what is in it is to be replaced and still there.
    replaced: Option<File>,
}

impl RecordingFile {
    /// Opens it as the arguments say; it is for its owner's eyes only, as there are messages in it.
    ///
    /// # Errors
    /// It cannot be opened, or is there already.
    pub(super) fn open(arguments: &RecordArguments) -> io::Result<Self> {
        let path = &arguments.file;
        let mut torn_bytes = 0;
        let mut replaced = None;
        let made = Some(path.clone()).filter(|path| path != Path::new("-") && !path.exists());
        let output: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            let mut options = OpenOptions::new();
            options.write(true).mode(0o600);
            match (arguments.append, arguments.overwrite) {
                // Not truncated: what cannot be opened for reading is not replaced either.
                (true, _) => options.read(true).create(true),
                (_, true) => options.create(true).truncate(false),
                _ => options.create_new(true),
            };
            let mut file = options.open(path)?;
            if arguments.append {
                torn_bytes = cut_torn_line(&mut file)?;
            } else if arguments.overwrite {
                replaced = Some(file.try_clone()?);
            }
            Box::new(file)
        };
        Ok(Self {
            output: BufWriter::with_capacity(64 * 1024, output),
            line: Vec::new(),
            bytes: 0,
            torn_bytes,
            made,
            replaced,
        })
    }

    /// Takes away what is to be replaced: not before there is something else.
    pub(super) fn replace(&mut self) -> io::Result<()> {
        match self.replaced.take() {
            // A device such as /dev/null has nothing to take away.
            Some(file) if file.metadata()?.is_file() => file.set_len(0),
            _ => Ok(()),
        }
    }

    /// Leaves no empty file behind that was not there before.
    pub(super) fn discard_if_empty(&self) {
        if let Some(path) = self.made.as_ref().filter(|_| self.bytes == 0) {
            // One that cannot be removed does no harm.
            let _left = std::fs::remove_file(path);
        }
    }

    pub(super) fn write_header(&mut self, begun: Timestamp, filters: &[String]) -> io::Result<()> {
        self.replace()?;
        append_header(begun, filters, &mut self.line);
        self.write_line()
    }

    pub(super) fn write(&mut self, message: &Message, time: Timestamp) -> io::Result<()> {
        append_message(message, time, &mut self.line);
        self.write_line()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    fn write_line(&mut self) -> io::Result<()> {
        self.output.write_all(&self.line)?;
        self.bytes += self.line.len() as u64;
        self.line.clear();
        Ok(())
    }
}

/// Takes away what is behind the last line end, and goes to the end. Returns the bytes taken away.
fn cut_torn_line(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut end = length;
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        // At most the length of the block.
        let part = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length {
        file.set_len(end)?;
    }
    file.seek(SeekFrom::Start(end))?;
    Ok(length - end)
}
