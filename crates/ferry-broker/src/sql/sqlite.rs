use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, params_from_iter};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Answer;
use super::query::Query;
use super::row::{Cell, Columns};

/// Steps of SQLite's virtual machine between two looks at the clock: well below a millisecond.
const STEPS: i32 = 10_000;

/// How long opening the file may wait for whoever writes it, where nobody has said how long.
const CHECK_TIMEOUT: Duration = Duration::from_millis(500);

/// A file of SQLite, which is only read.
pub(crate) struct Sqlite {
    path: PathBuf,
    idle: Mutex<Vec<Opened>>,
}

/// A connection, which stays with the file that had the name when it was opened.
struct Opened {
    connection: Connection,
    file: (u64, u64),
}

impl Sqlite {
    /// Opens nothing yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// Whether a query can be asked of a file. A file that somebody writes just now says nothing.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn check(path: &Path, query: &Query) -> Result<(), String> {
        let mut opened = Opened::new(path).map_err(|error| error.to_string())?;
        opened.limit(Instant::now() + CHECK_TIMEOUT).map_err(|error| error.to_string())?;
        match opened.connection.prepare(query.text()) {
            Ok(statement) => columns(&statement).map(drop),
            Err(error) if is_busy(&error) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Asks on a thread where waiting is allowed. `place` is held until the query has ended, even if nobody waits any more.
    ///
    /// # Errors
    /// There is no answer by `deadline`.
    pub(super) async fn ask(
        self: Arc<Self>,
        query: Arc<Query>,
        values: Vec<Option<String>>,
        place: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Answer, String> {
        let answer = tokio::task::spawn_blocking(move || {
            let _place = place;
            self.ask_now(&query, &values, deadline)
        });
        answer.await.map_err(|error| error.to_string())?
    }

    fn ask_now(&self, query: &Query, values: &[Option<String>], deadline: Instant) -> Result<Answer, String> {
        let mut opened = match self.take_idle().map_err(|error| error.to_string())? {
            Some(opened) => opened,
            None => Opened::new(&self.path).map_err(|error| error.to_string())?,
        };
        opened.limit(deadline).map_err(|error| error.to_string())?;
        let answer = opened.ask(query, values)?;
        self.idle().push(opened);
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Opened>> {
        // Each change is one operation of the list.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to the file that has the name now.
    fn take_idle(&self) -> std::io::Result<Option<Opened>> {
        let file = identity(&std::fs::metadata(&self.path)?);
        let mut idle = self.idle();
        idle.retain(|opened| opened.file == file);
        Ok(idle.pop())
    }
}

impl Opened {
    fn new(path: &Path) -> rusqlite::Result<Self> {
        // One thread at a time has it.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // Before it is opened: if another one takes its name in between, it is opened again for the next question.
        let file = std::fs::metadata(path).map(|metadata| identity(&metadata)).unwrap_or_default();
        let connection = Connection::open_with_flags(path, flags)?;
        Ok(Self { connection, file })
    }

    /// From then on, what takes longer than `deadline` ends.
    fn limit(&mut self, deadline: Instant) -> rusqlite::Result<()> {
        self.connection.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        self.connection.progress_handler(STEPS, Some(move || Instant::now() >= deadline))
    }

    fn ask(&self, query: &Query, values: &[Option<String>]) -> Result<Answer, String> {
        let words = |error: rusqlite::Error| error.to_string();
        let mut statement = self.connection.prepare(query.text()).map_err(words)?;
        let columns = columns(&statement)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(words)?;
        let Some(row) = rows.next().map_err(words)? else { return Ok(Answer::Nobody(None)) };
        let row = columns.row(|index| cell(row.get_ref(index).map_err(words)?))?;
        match rows.next().map_err(words)? {
            None => Ok(Answer::One(row)),
            Some(_) => Ok(Answer::Several),
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The columns of a query that only reads.
fn columns(statement: &Statement<'_>) -> Result<Columns, String> {
    if !statement.readonly() {
        return Err("the query writes".to_owned());
    }
    Columns::of_names(statement.column_names())
}

fn cell(value: ValueRef<'_>) -> Result<Cell, String> {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cell::Text(text.to_owned())),
        Err(_) => Err("is no UTF-8".to_owned()),
    };
    match value {
        ValueRef::Null => Ok(Cell::Nothing),
        ValueRef::Integer(number) => Ok(Cell::Integer(number)),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => text(bytes),
        ValueRef::Real(_) => Err("is a number with a fraction".to_owned()),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted)
    )
}
