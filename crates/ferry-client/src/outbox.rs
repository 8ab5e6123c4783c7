//! What must outlive the process, on the disk: the log of the store, with the messages that are published and not done.

use std::path::PathBuf;
use std::sync::Arc;

use ferry_codec::{PacketId, QoS, StoredProperties};
use ferry_session::{Message, Payload, Timestamp};
use ferry_store::{Batch, FileDisk, Key, Log, LogOptions};

use crate::ConnectionError;
use crate::clock::random_seed;
use crate::session::{Record, StoredMessage, StoredSession};

/// Where messages of QoS 1 and 2 are kept until they are delivered, so that they survive a restart of the process: those
/// published without a connection, and those on their way, exactly once with QoS 2.
///
/// It is bounded by [`ConnectOptions::outgoing_messages_max`](crate::ConnectOptions), `outgoing_bytes_max` and
/// `outgoing_age_max_seconds`; `outgoing_overflow` says what happens then. Give the client a Client Identifier and a session
/// that outlives the process ([`ClientOptions::session_expiry`](crate::ClientOptions::session_expiry), in 3.1.1
/// [`clean_start(false)`](crate::ClientOptions::clean_start)): else the server cannot know what it has got already.
#[derive(Clone, Debug)]
pub struct OutboxOptions {
    /// A directory for this client alone; made if it is not there.
    pub directory: PathBuf,
    /// Whether messages survive a loss of power too, not only the end of the process. Each group of packets that is sent
    /// then waits for the disk.
    pub sync: bool,
}

pub(crate) struct Outbox {
    log: Log<FileDisk>,
    sync: bool,
}

/// All keys are in one group.
const GROUP: u64 = 1;
/// By number: the message.
const MESSAGE: u8 = 0;
/// By number: the packet identifier.
const SENT: u8 = 1;
/// By packet identifier: nothing.
const RECEIVED: u8 = 2;

const RETAIN: u8 = 0x04;
const EXPIRES: u8 = 0x08;

/// Small enough for an embedded device.
const SEGMENT_BYTES: u32 = 4 * 1024 * 1024;

impl Outbox {
    pub(crate) fn open(options: &OutboxOptions) -> Result<(Self, StoredSession), ConnectionError> {
        let disk = FileDisk::open(options.directory.clone()).map_err(failed)?;
        let log_options = LogOptions {
            segment_bytes: SEGMENT_BYTES,
            preallocate_bytes: 64 * 1024,
            garbage_bytes_min: u64::from(SEGMENT_BYTES),
            salt: random_seed(),
            ..LogOptions::default()
        };
        let (mut log, _report) = Log::open(disk, log_options).map_err(failed)?;
        let stored = read(&mut log)?;
        Ok((Self { log, sync: options.sync }, stored))
    }

    /// Stores the records. When it returns, what they promise may be sent.
    pub(crate) fn commit(&mut self, records: &[Record]) -> Result<(), ConnectionError> {
        let mut batch = Batch::new();
        for record in records {
            match record {
                Record::Taken { number, message } => {
                    batch.put_with(key(MESSAGE, *number), |out| write_message(message, out));
                }
                Record::Sent { number, packet_id } => {
                    batch.put(key(SENT, *number), &packet_id.get().to_le_bytes());
                }
                Record::Released { number, packet_id } => {
                    batch.put(key(SENT, *number), &packet_id.get().to_le_bytes());
                    batch.delete(key(MESSAGE, *number));
                }
                Record::Unsent { number } => batch.delete(key(SENT, *number)),
                Record::Done { number } => {
                    batch.delete(key(MESSAGE, *number));
                    batch.delete(key(SENT, *number));
                }
                Record::Received { packet_id } => batch.put(key(RECEIVED, packet_id.get().into()), &[]),
                Record::Completed { packet_id } => batch.delete(key(RECEIVED, packet_id.get().into())),
                Record::SessionLost => self.forget_received(&mut batch)?,
            }
        }
        self.log.append(&[batch]).map_err(failed)?;
        if self.sync { self.log.sync().map_err(failed) } else { Ok(()) }
    }

    fn forget_received(&mut self, batch: &mut Batch) -> Result<(), ConnectionError> {
        self.log.visit(&mut |stored| {
            if stored.key.space == RECEIVED {
                batch.delete(stored.key);
            }
            Ok(())
        })
    }
}

fn read(log: &mut Log<FileDisk>) -> Result<StoredSession, ConnectionError> {
    let mut messages = std::collections::BTreeMap::new();
    let mut session = StoredSession::default();
    let mut value = Vec::new();
    log.visit(&mut |stored| {
        let Key { space, item, .. } = stored.key;
        if space == RECEIVED {
            session.received.extend(u16::try_from(item).ok().and_then(PacketId::new));
            return Ok(());
        }
        value.clear();
        stored.read(&mut value).map_err(failed)?;
        let message = messages.entry(item).or_insert_with(|| StoredMessage {
            number: item,
            message: None,
            packet_id: None,
        });
        if space == SENT {
            message.packet_id =
                value.first_chunk().and_then(|bytes| PacketId::new(u16::from_le_bytes(*bytes)));
        } else {
            message.message = read_message(&value).map(Arc::new);
        }
        Ok::<_, ConnectionError>(())
    })?;
    session.messages = messages.into_values().collect();
    Ok(session)
}

fn write_message(message: &Message, out: &mut Vec<u8>) {
    let retain = if message.retain { RETAIN } else { 0 };
    let expires = if message.expires_at.is_some() { EXPIRES } else { 0 };
    out.push(message.qos.to_byte() | retain | expires);
    out.extend_from_slice(&message.received_at.0.to_le_bytes());
    out.extend_from_slice(&message.expires_at.unwrap_or(Timestamp::NEVER).0.to_le_bytes());
    for part in [message.topic.as_bytes(), message.properties.as_bytes()] {
        // Both fit a packet, whose length has 28 bits.
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(part);
    }
    out.extend_from_slice(&message.payload);
}

fn read_message(value: &[u8]) -> Option<Message> {
    let (flags, rest) = value.split_first()?;
    let (received_at, rest) = rest.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (topic, rest) = part(rest)?;
    let (properties, payload) = part(rest)?;
    let expires_at = Timestamp(u64::from_le_bytes(*expires_at));
    Some(Message {
        topic: std::str::from_utf8(topic).ok()?.into(),
        payload: Payload::from_slice(payload),
        properties: StoredProperties::from_bytes(properties.into()).ok()?,
        qos: QoS::from_byte(flags & 0x03)?,
        retain: flags & RETAIN != 0,
        received_at: Timestamp(u64::from_le_bytes(*received_at)),
        expires_at: Some(expires_at).filter(|_| flags & EXPIRES != 0),
        publisher: None,
    })
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

const fn key(space: u8, item: u64) -> Key {
    Key { group: GROUP, space, item }
}

fn failed(error: impl std::fmt::Display) -> ConnectionError {
    ConnectionError::Outbox(error.to_string())
}
