use std::error::Error as _;
use std::fmt;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{io, net::IpAddr};

use futures_core::Stream;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, Socket, Statement};
use tokio_rustls::TlsConnector;

use super::Answer;
use super::query::Query;
use super::row::{Cell, Columns};
use crate::http_client::tls_connector;

/// A connection that nobody has used for so long is not used any more: something between may have forgotten it.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// How long a server is left alone that could not be reached: at first, and at most. It doubles in between.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Characters of what a server says that are told on.
const WORDS_MAX: usize = 200;

/// What a URL may say behind the question mark, beside `sslmode`.
const PARAMETERS: [&str; 8] = [
    "host",
    "port",
    "user",
    "dbname",
    "options",
    "application_name",
    "target_session_attrs",
    "load_balance_hosts",
];

/// Where a server is, and who it is asked as.
#[derive(Clone, Debug)]
pub(crate) struct PostgresqlUrl {
    config: Config,
    uses_tls: bool,
    /// Authorities in the place of those of the system.
    pub(crate) ca_file: Option<PathBuf>,
}

impl FromStr for PostgresqlUrl {
    type Err = String;

    /// What is wrong does not repeat the text: there may be a password in it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (place, parameters) = text.split_once('?').unwrap_or((text, ""));
        let mut mode = None;
        let mut kept = String::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("sslmode", value) => mode = Some(value),
                (name, _) if PARAMETERS.contains(&name) => {
                    kept.push(if kept.is_empty() { '?' } else { '&' });
                    kept.push_str(parameter);
                }
                ("password", _) => return Err(NO_PASSWORD.to_owned()),
                (name, _) => return Err(format!("{name:?} means nothing here")),
            }
        }
        let mut config: Config = format!("{place}{kept}").parse().map_err(|error: Error| words(&error))?;
        if config.get_password().is_some() {
            return Err(NO_PASSWORD.to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err("there is no host; a Unix socket is named by ?host=/run/postgresql".to_owned());
        }
        let is_local = config.get_hosts().iter().all(is_local);
        let has_socket = config.get_hosts().iter().any(|host| matches!(host, Host::Unix(_)));
        let uses_tls = match mode {
            None => !is_local,
            Some("disable") => false,
            Some("verify-full") if has_socket => return Err("a Unix socket has no TLS".to_owned()),
            Some("verify-full") => true,
            Some(_) => {
                return Err(
                    "sslmode may be verify-full or disable: the others let anybody be the server".to_owned()
                );
            }
        };
        config.ssl_mode(if uses_tls { SslMode::Require } else { SslMode::Disable });
        if config.get_application_name().is_none() {
            config.application_name("ferry");
        }
        Ok(Self { config, uses_tls, ca_file: None })
    }
}

const NO_PASSWORD: &str =
    "a password does not belong into the configuration: put it into authentication.sql_password_file";

impl PostgresqlUrl {
    /// Whether what the server says travels over a network as it is.
    pub(crate) fn is_open(&self) -> bool {
        !self.uses_tls && !self.config.get_hosts().iter().all(is_local)
    }

    /// Who knows it is the user.
    pub(crate) fn set_password(&mut self, password: &str) {
        self.config.password(password);
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    }
}

/// A server, with connections that are kept for the next question. Needs the runtime of an
/// [`HttpThread`](crate::http_client::HttpThread).
pub(crate) struct Postgresql {
    config: Config,
    tls: Option<TlsConnector>,
    timeout: Duration,
    /// With the time of its last use.
    idle: Mutex<Vec<(Instant, Connection)>>,
    pause: Mutex<Pause>,
}

/// When a server that could not be reached is tried again.
#[derive(Default)]
struct Pause {
    length: Duration,
    until: Option<Instant>,
    fault: String,
}

struct Connection {
    client: Client,
    statement: Statement,
    columns: Columns,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    /// At once: the rest of an answer is not waited for.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why there is no answer.
enum Fault {
    /// The server says so, or the connection has ended.
    Server(Error),
    /// It is none that can be used.
    Answer(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => formatter.write_str(&words(error)),
            Self::Answer(fault) => formatter.write_str(fault),
        }
    }
}

impl Fault {
    /// Whether a connection that was kept may be the reason: it has ended, or what was prepared on it does not fit any more.
    fn may_be_of_old_connection(&self) -> bool {
        let Self::Server(error) = self else { return false };
        let code = error.code().map_or("08", |code| code.code());
        // Connection exceptions, shutdowns (not time-outs), changed tables, lost statements.
        code.starts_with("08") || code.starts_with("57P") || matches!(code, "0A000" | "26000" | "42P05")
    }

    /// Whether it is what the client says of itself that the query cannot use: a text that is no UUID, say.
    fn is_of_value(&self) -> bool {
        matches!(self, Self::Server(error) if error.code().is_some_and(|code| code.code().starts_with("22")))
    }
}

impl Postgresql {
    /// No connection yet. The server is told to end a query that takes longer than `timeout`.
    ///
    /// # Errors
    /// The file has no authorities.
    pub(crate) fn new(url: PostgresqlUrl, timeout: Duration) -> Result<Self, String> {
        let tls = url.uses_tls.then(|| tls_connector(url.ca_file.as_deref()));
        let tls = tls.transpose().map_err(|fault| fault.to_string())?;
        Ok(Self { config: url.config, tls, timeout, idle: Mutex::default(), pause: Mutex::default() })
    }

    /// # Errors
    /// There is no answer.
    pub(super) async fn ask(&self, query: &Query, values: &[Option<String>]) -> Result<Answer, String> {
        if let Some(connection) = self.take_idle() {
            match connection.ask(values).await {
                Err(fault) if fault.may_be_of_old_connection() => {}
                result => return self.answer(connection, result),
            }
        }
        let connection = self.connect(query).await?;
        let result = connection.ask(values).await;
        self.answer(connection, result)
    }

    fn answer(&self, connection: Connection, result: Result<Answer, Fault>) -> Result<Answer, String> {
        let answer = match result {
            Err(fault) if fault.is_of_value() => Answer::Nobody(Some(format!("the database says: {fault}"))),
            result => result.map_err(|fault| fault.to_string())?,
        };
        // Of one with more rows nobody knows how many are still to come.
        if !matches!(answer, Answer::Several) && !connection.client.is_closed() {
            self.idle().push((Instant::now(), connection));
        }
        Ok(answer)
    }

    /// A new connection, unless none could be made a moment ago: a server that has come back is not overrun.
    async fn connect(&self, query: &Query) -> Result<Connection, String> {
        {
            let pause = self.pause();
            if pause.until.is_some_and(|until| Instant::now() < until) {
                return Err(pause.fault.clone());
            }
        }
        let connected = match &self.tls {
            None => self.connect_by(NoTls).await,
            Some(tls) => self.connect_by(Tls(tls.clone())).await,
        };
        let (client, task) = connected.map_err(|error| {
            let mut pause = self.pause();
            pause.length = (pause.length * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            pause.until = Some(Instant::now() + pause.length);
            pause.fault = format!("no connection: {}", words(&error));
            pause.fault.clone()
        })?;
        *self.pause() = Pause::default();
        let task = EndOnDrop(Some(task));
        let (statement, columns) = prepare(&client, query, self.timeout).await?;
        Ok(Connection { client, statement, columns, task: task.keep() })
    }

    async fn connect_by<T>(&self, tls: T) -> Result<(Client, JoinHandle<()>), Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let (client, connection) = self.config.connect(tls).await?;
        let task = tokio::spawn(async move {
            // Whoever asks gets the error.
            let _ = connection.await;
        });
        Ok((client, task))
    }

    fn pause(&self) -> MutexGuard<'_, Pause> {
        // At worst it is tried sooner.
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Connection)>> {
        // Each change is one operation of the list.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|(since, connection)| since.elapsed() < IDLE_MAX && !connection.client.is_closed());
        // The one that was used last: those that are not needed get old.
        Some(idle.pop()?.1)
    }
}

/// The task of a connection that is not ready yet.
struct EndOnDrop(Option<JoinHandle<()>>);

impl EndOnDrop {
    fn keep(mut self) -> JoinHandle<()> {
        self.0.take().expect("it is taken here only")
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Has the server refuse to write, and says what will be asked.
async fn prepare(client: &Client, query: &Query, timeout: Duration) -> Result<(Statement, Columns), String> {
    let milliseconds = timeout.as_millis();
    let settings = format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {milliseconds}; SET standard_conforming_strings = on"
    );
    client.batch_execute(&settings).await.map_err(|error| words(&error))?;
    // All of them texts: what they are compared with must not decide what a client may say.
    let types = vec![Type::TEXT; query.placeholders()];
    let statement = client.prepare_typed(query.text(), &types).await.map_err(|error| words(&error))?;
    let columns = Columns::of_names(statement.columns().iter().map(|column| column.name()))?;
    if let Some(column) = statement.columns().iter().find(|column| !CellOf::accepts(column.type_())) {
        let (name, kind) = (column.name(), column.type_());
        return Err(format!("the column {name} is of the type {kind}, which means nothing here: cast it"));
    }
    Ok((statement, columns))
}

impl Connection {
    async fn ask(&self, values: &[Option<String>]) -> Result<Answer, Fault> {
        let values = values.iter().map(|value| value as &(dyn ToSql + Sync));
        let rows = self.client.query_raw(&self.statement, values).await.map_err(Fault::Server)?;
        let mut rows = pin!(rows);
        let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await else {
            return Ok(Answer::Nobody(None));
        };
        let row = row.map_err(Fault::Server)?;
        let cell = |index: usize| {
            row.try_get::<_, Option<CellOf>>(index)
                .map(|cell| cell.map_or(Cell::Nothing, |cell| cell.0))
                .map_err(|error| format!("cannot be read: {}", words(&error)))
        };
        let row = self.columns.row(cell).map_err(Fault::Answer)?;
        match poll_fn(|context| rows.as_mut().poll_next(context)).await {
            None => Ok(Answer::One(row)),
            Some(Ok(_)) => Ok(Answer::Several),
            Some(Err(error)) => Err(Fault::Server(error)),
        }
    }
}

/// A cell of one of the types that mean something.
struct CellOf(Cell);

impl<'a> FromSql<'a> for CellOf {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(match *kind {
            Type::INT2 => Cell::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Cell::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(kind, raw)?),
            Type::TEXT_ARRAY | Type::VARCHAR_ARRAY => Cell::List(Vec::from_sql(kind, raw)?),
            Type::JSON => Cell::Text(String::from_utf8(raw.to_vec())?),
            // Its first byte is the version of the form, of which there is one.
            Type::JSONB => match raw.split_first() {
                Some((1, text)) => Cell::Text(String::from_utf8(text.to_vec())?),
                _ => return Err("of an unknown form".into()),
            },
            _ => Cell::Text(String::from_sql(kind, raw)?),
        }))
    }

    fn accepts(kind: &Type) -> bool {
        const OTHERS: [Type; 7] = [
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::TEXT_ARRAY,
            Type::VARCHAR_ARRAY,
            Type::JSON,
            Type::JSONB,
        ];
        <String as FromSql>::accepts(kind) || OTHERS.contains(kind)
    }
}

/// An error with what is behind it. The server may repeat there what a client says of itself.
fn words(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        let message: String = error.message().chars().take(WORDS_MAX).collect();
        return format!("{message} ({})", error.code().code());
    }
    let mut words = error.to_string();
    if let Some(source) = error.source().map(ToString::to_string).filter(|source| !words.contains(source)) {
        words.push_str(": ");
        words.push_str(&source);
    }
    words
}

/// TLS by rustls.
struct Tls(TlsConnector);

struct TlsTo(TlsConnector, ServerName<'static>);

struct TlsSocket(tokio_rustls::client::TlsStream<Socket>);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = TlsSocket;
    type TlsConnect = TlsTo;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<TlsTo, InvalidDnsNameError> {
        Ok(TlsTo(self.0.clone(), ServerName::try_from(domain.to_owned())?))
    }
}

impl TlsConnect<Socket> for TlsTo {
    type Stream = TlsSocket;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TlsSocket>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move { Ok(TlsSocket(self.0.connect(self.1, stream).await?)) })
    }
}

impl TlsStream for TlsSocket {
    /// The certificate is checked; nobody is between.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}
