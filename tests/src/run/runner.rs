//! The steps of a script, one by one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::client::{Client, Stage};
use super::matching::{Variables, matches};
use crate::broker::{Broker, Received};
use crate::script::{Action, PacketPattern, Pattern, Script, SendHow, Step};
use crate::wire::{Field, Level, PacketKind, Value, encode};

/// How long a packet of our own broker may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a packet of another broker may take: it is alone with the script, and what it does not do it never does.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(1);
/// How long nothing must come on a connection that cannot be asked with a PINGREQ.
const SILENCE: Duration = Duration::from_millis(60);

/// How exact the answers must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As our own broker: each refusal comes with the reason code in the script.
    Exact,
    /// As the standard allows: a connection may also be closed without the CONNACK or DISCONNECT that it MAY send.
    AsAllowed,
}

/// Runs a script with clients of this version.
///
/// # Errors
/// The line that was not fulfilled, what was there instead, and what had happened before.
pub fn check(script: &Script, level: Level, broker: &mut dyn Broker, manner: Manner) -> Result<(), String> {
    let patience = match manner {
        _ if broker.is_immediate() => Duration::ZERO,
        Manner::Exact => PATIENCE,
        Manner::AsAllowed => PATIENCE_WITH_OTHERS,
    };
    let mut runner = Runner {
        broker,
        level,
        manner,
        patience,
        clients: BTreeMap::new(),
        variables: Variables::new(),
        transcript: Vec::new(),
    };
    for (at, step) in script.steps.iter().enumerate() {
        runner.transcript.push(format!("{:>4}  {}", step.line, step.text));
        runner.step(step, &script.steps[at..]).map_err(|error| {
            format!("{}.script:{}: {}\n  {error}\n{}", script.name, step.line, step.text, runner.story())
        })?;
    }
    runner
        .nothing_is_left()
        .map_err(|error| format!("{}.script, at its end: {error}\n{}", script.name, runner.story()))
}

struct Runner<'a> {
    broker: &'a mut dyn Broker,
    level: Level,
    manner: Manner,
    patience: Duration,
    clients: BTreeMap<String, Client>,
    variables: Variables,
    transcript: Vec<String>,
}

/// Lines of the transcript that are shown with a failure.
const STORY_LINES: usize = 30;

impl Runner<'_> {
    fn story(&self) -> String {
        let skip = self.transcript.len().saturating_sub(STORY_LINES);
        self.transcript[skip..].join("\n")
    }

    fn step(&mut self, step: &Step, rest: &[Step]) -> Result<(), String> {
        let client = step.client.as_str();
        match &step.action {
            Action::Advance(duration) => {
                self.settle_others("")?;
                self.broker.advance(*duration);
                Ok(())
            }
            Action::Deny(rule) => self.broker.deny(rule),
            Action::Open => self.open(client),
            Action::Drop => {
                self.settle_others("")?;
                self.broker.drop_connection(client);
                self.client(client).stage = Stage::Away;
                Ok(())
            }
            Action::Send { packet, how } => self.send(client, packet, *how),
            Action::SendBytes(bytes, how) => self.send_bytes(client, bytes, *how),
            Action::Expect { packet, any_order: false } => self.expect(client, packet, 1),
            Action::Expect { packet, any_order: true } => {
                let same = |other: &&Step| {
                    other.client == step.client
                        && matches!(other.action, Action::Expect { any_order: true, .. })
                };
                self.expect(client, packet, rest.iter().take_while(same).count())
            }
            Action::Silent => self.silent(client),
            Action::Closed(codes) => self.closed(client, codes),
        }
    }

    fn client(&mut self, name: &str) -> &mut Client {
        let level = self.level;
        self.clients.entry(name.to_owned()).or_insert_with(|| Client::new(level))
    }

    fn open(&mut self, name: &str) -> Result<(), String> {
        self.settle_others(name)?;
        self.broker.open(name)?;
        self.client(name).reopen();
        Ok(())
    }

    fn send(&mut self, name: &str, packet: &PacketPattern, how: SendHow) -> Result<(), String> {
        let fields = self.fields(name, packet)?;
        let level = fields.iter().find(|field| field.name == "v").map(|field| &field.value);
        let level = match level {
            Some(Value::Number(level)) => u8::try_from(*level).map_err(|error| error.to_string())?,
            _ if packet.kind == PacketKind::Connect => self.level,
            _ => self.client(name).level,
        };
        let bytes = encode(packet.kind, &fields, level)?;
        if !self.client(name).is_open() {
            self.open(name)?;
        }
        let client = self.client(name);
        client.level = level;
        client.rules.send(packet.kind, &fields);
        match packet.kind {
            PacketKind::Pingreq => client.pings += 1,
            PacketKind::Disconnect => client.stage = Stage::Leaving,
            _ => {}
        }
        self.send_bytes(name, &bytes, how)
    }

    fn send_bytes(&mut self, name: &str, bytes: &[u8], how: SendHow) -> Result<(), String> {
        if !self.client(name).is_open() {
            self.open(name)?;
        }
        self.settle_others(name)?;
        let client = self.client(name);
        client.unsettled = true;
        if how == SendHow::WithNext {
            client.held.extend(bytes);
            return Ok(());
        }
        let mut all = std::mem::take(&mut client.held);
        all.extend(bytes);
        if how == SendHow::ByteByByte {
            all.iter().for_each(|byte| self.broker.send(name, std::slice::from_ref(byte)));
        } else {
            self.broker.send(name, &all);
        }
        Ok(())
    }

    /// The values of a packet to be sent. A client's id is its name in the script unless it says otherwise, and
    /// `persistent=1` is what keeps a session in this version.
    fn fields(&mut self, name: &str, packet: &PacketPattern) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        for field in &packet.fields {
            let value = match &field.pattern {
                Pattern::Exactly(value) => value.clone(),
                Pattern::Variable(variable) => {
                    self.variables.get(variable).cloned().ok_or(format!("${variable} has no value"))?
                }
                _ => return Err(format!("{}: a packet to be sent has exact values", field.name)),
            };
            fields.push(Field { name: field.name, value });
        }
        if packet.kind == PacketKind::Connect {
            let has = |fields: &[Field], name: &str| fields.iter().any(|field| field.name == name);
            if !has(&fields, "client_id") {
                fields.push(Field { name: "client_id", value: Value::Bytes(name.as_bytes().to_vec()) });
            }
            if has(&fields, "persistent") {
                fields.push(Field { name: "clean_start", value: Value::Number(0) });
                fields.push(Field { name: "session_expiry", value: Value::Number(0xFFFF_FFFF) });
            }
        }
        Ok(fields)
    }

    /// Finds the packet among the first `window` that come.
    fn expect(&mut self, name: &str, pattern: &PacketPattern, window: usize) -> Result<(), String> {
        self.fill(name, window)?;
        let lenient = self.manner == Manner::AsAllowed;
        let client = self.clients.get_mut(name).ok_or("this client was never opened")?;
        let mut mismatches = Vec::new();
        for at in 0..window.min(client.packets.len()) {
            match matches(pattern, &client.packets[at], client.level, &mut self.variables) {
                Ok(()) => {
                    client.packets.remove(at);
                    return Ok(());
                }
                Err(mismatch) => mismatches.push(format!("{} ({mismatch})", client.packets[at])),
            }
        }
        let refusal = pattern.kind == PacketKind::Connack
            && pattern.fields.iter().any(|field| field.name == "reason" && field.pattern != ZERO);
        match (mismatches.is_empty(), client.stage) {
            (true, Stage::Closed) if lenient && refusal => Ok(()),
            (true, Stage::Closed) => Err("the connection is closed".to_owned()),
            (true, _) => Err("nothing came".to_owned()),
            (false, _) => Err(format!("came: {}", mismatches.join("; "))),
        }
    }

    /// Reads until `count` packets wait, the connection is closed, or patience ends.
    fn fill(&mut self, name: &str, count: usize) -> Result<(), String> {
        let deadline = Instant::now() + self.patience;
        loop {
            let client = self.clients.get(name).ok_or("this client was never opened")?;
            if client.packets.len() >= count || !client.is_open() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.read(name, left)? {
                return Ok(());
            }
        }
    }

    /// Takes what has come; false when nothing did.
    fn read(&mut self, name: &str, patience: Duration) -> Result<bool, String> {
        let received = self.broker.receive(name, patience);
        let client = self.client(name);
        match received {
            Received::Bytes(bytes) => client.take(&bytes).map(|()| true),
            Received::Nothing => Ok(false),
            Received::Closed => {
                client.stage = Stage::Closed;
                Ok(false)
            }
        }
    }

    fn silent(&mut self, name: &str) -> Result<(), String> {
        self.settle_others("")?;
        if self.broker.is_immediate() {
            while self.read(name, Duration::ZERO)? {}
        } else if self.client(name).stage != Stage::Connected {
            self.read(name, SILENCE)?;
        } else {
            self.settle(name)?;
        }
        let client = self.client(name);
        if client.stage == Stage::Closed {
            return Err("the connection is closed".to_owned());
        }
        match client.packets.front() {
            None => Ok(()),
            Some(packet) => Err(format!("came: {packet}")),
        }
    }

    fn closed(&mut self, name: &str, codes: &[u8]) -> Result<(), String> {
        let before_connack = self.client(name).stage == Stage::Open;
        while self.client(name).is_open() && self.read(name, self.patience)? {}
        let exact = self.manner == Manner::Exact;
        let client = self.client(name);
        if client.stage != Stage::Closed {
            return Err(client
                .packets
                .front()
                .map_or("it is open".to_owned(), |packet| format!("came: {packet}")));
        }
        let Some(packet) = client.packets.pop_front() else {
            let told = codes.is_empty() || client.level < 5 || before_connack || !exact;
            return if told { Ok(()) } else { Err("closed without a DISCONNECT".to_owned()) };
        };
        if packet.kind != PacketKind::Disconnect {
            return Err(format!("came: {packet}"));
        }
        let reason = packet.number("reason").and_then(|reason| u8::try_from(reason).ok()).unwrap_or(0);
        let allowed = codes.contains(&reason) || (!exact && codes.is_empty());
        if allowed { Ok(()) } else { Err(format!("came: {packet}")) }
    }

    /// Before another client acts, what the others have sent must have been handled, or the script would be a race.
    fn settle_others(&mut self, name: &str) -> Result<(), String> {
        if self.broker.is_immediate() {
            return Ok(());
        }
        let unsettled: Vec<String> = self
            .clients
            .iter()
            .filter(|(other, client)| other.as_str() != name && client.unsettled && client.is_open())
            .map(|(other, _)| other.clone())
            .collect();
        unsettled.iter().try_for_each(|other| self.settle(other))
    }

    /// A broker handles the packets of a connection in order: after PINGRESP all before PINGREQ are handled.
    fn settle(&mut self, name: &str) -> Result<(), String> {
        let deadline = Instant::now() + self.patience;
        self.client(name).unsettled = false;
        if self.client(name).stage == Stage::Open {
            self.fill(name, 1)?;
        }
        let pinged = self.client(name).stage == Stage::Connected;
        if pinged {
            self.client(name).pings += 1;
            self.broker.send(name, &[0xC0, 0]);
        }
        while self.client(name).is_open()
            && (self.client(name).pings > 0 || self.client(name).stage == Stage::Leaving)
        {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.read(name, left)? {
                break;
            }
        }
        if pinged && self.client(name).stage != Stage::Closed {
            if self.client(name).pings > 0 {
                return Err(format!("{name} gets no PINGRESP"));
            }
            self.client(name).forget_pingresp();
        }
        Ok(())
    }

    /// At the end of a script nothing may have come that it does not speak of.
    fn nothing_is_left(&mut self) -> Result<(), String> {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        for name in names {
            if self.client(&name).stage == Stage::Connected {
                self.silent(&name).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(())
    }
}

const ZERO: Pattern = Pattern::Exactly(Value::Number(0));
