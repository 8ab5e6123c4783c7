//! The configuration in a few lines, for the start message and `ferry check`.

use super::listener::{ClientCertificate, Listener};
use super::quantity::show_bytes;
use super::storage::{Durability, Storage};
use super::{Authentication, AuthenticatorKind, Config, OpenTelemetry};

impl Config {
    /// Listeners, storage and the main limits, one per line, without a final line break.
    pub fn summary(&self) -> String {
        let mut lines = Vec::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            let title = if index == 0 { "listeners" } else { "" };
            lines.push(format!("{title:<11}{}", listener.summary(&self.authentication)));
        }
        for file in [&self.authorization.acl_file, &self.authorization.rules_file].into_iter().flatten() {
            lines.push(format!("rights     {}", file.display()));
        }
        if self.authorization.roles {
            lines.push("rights     roles that are managed at run time".to_owned());
        }
        if let Some(address) = &self.admin.address {
            lines.push(format!("admin      {address}"));
        }
        lines.push(format!("storage    {}", self.storage.summary()));
        lines.extend(self.opentelemetry.summary());
        let limits = &self.limits;
        lines.push(format!(
            "limits     packet {}; {} connections; queue of a session {} messages, {}; retained {} messages, {}",
            size(limits.packet_size_bytes_max as usize),
            limits.connections_max,
            limits.queue_messages_max,
            size(limits.queue_bytes_max),
            limits.retained_messages_max,
            size(limits.retained_bytes_max),
        ));
        lines.join("\n")
    }
}

impl OpenTelemetry {
    fn summary(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?;
        let chosen = match (self.sample_one_in, self.follow_publishers) {
            (0, true) => "of messages that are in one already".to_owned(),
            (one_in, true) => format!("of messages that are in one already, and of 1 in {one_in} others"),
            (0, false) => "of no messages".to_owned(),
            (one_in, false) => format!("of 1 in {one_in} messages"),
        };
        Some(format!("traces     {endpoint}  ({chosen})"))
    }
}

impl Storage {
    fn summary(&self) -> String {
        let promise = match self.durability {
            Durability::Memory => return "memory (everything ends with the process)".to_owned(),
            Durability::Fsync => "acknowledged when it is on the disk",
            Durability::Os => {
                "acknowledged when it is handed to the operating system: a loss of power may lose it"
            }
        };
        let directory = self.directory().unwrap_or_default();
        let rules = match self.topic_durability.len() {
            0 => String::new(),
            1 => "; 1 rule for topics".to_owned(),
            count => format!("; {count} rules for topics"),
        };
        format!("{}  ({}: {promise}{rules})", directory.display(), self.durability.name())
    }
}

impl Listener {
    fn summary(&self, authentication: &Authentication) -> String {
        let mut text = self.address.to_string();
        text.push_str("  (");
        for kind in self.authenticators(authentication) {
            text.push_str(match kind {
                AuthenticatorKind::PasswordFile => "password, ",
                AuthenticatorKind::Users => "managed users, ",
                AuthenticatorKind::Certificate => "certificate, ",
                AuthenticatorKind::Psk => "pre-shared key, ",
                AuthenticatorKind::Jwt => "token, ",
                AuthenticatorKind::Hook => "hook, ",
                AuthenticatorKind::Sql => "database, ",
                AuthenticatorKind::Peer => "peer, ",
                AuthenticatorKind::Kerberos => "Kerberos, ",
            });
        }
        let anonymous = self.anonymous_allowed(authentication);
        text.push_str(if anonymous { "anonymous allowed" } else { "users only" });
        match self.tls_client_certificate {
            ClientCertificate::None => {}
            ClientCertificate::Optional => text.push_str(", client certificate optional"),
            ClientCertificate::Required => text.push_str(", client certificate required"),
        }
        if self.proxy_protocol {
            text.push_str(", PROXY protocol");
        }
        text.push(')');
        text
    }
}

fn size(bytes: usize) -> String {
    let shown = show_bytes(bytes as u64);
    let shown = shown.trim_matches('"');
    if shown.contains(' ') { shown.to_owned() } else { format!("{shown} bytes") }
}
