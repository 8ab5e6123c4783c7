use std::fmt::{self, Write};

use super::{Distribution, Report};

impl Report {
    /// The result for people: some 20 lines.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write_summary(&mut text);
        text
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    fn write_summary(&self, out: &mut String) -> fmt::Result {
        let plan = &self.plan;
        let version = self.broker.version.as_ref().map_or(String::new(), |version| format!(" ({version})"));
        writeln!(out, "{} against {}{version}, MQTT {}", plan.name, plan.target, protocol(self))?;
        let connect = &self.connect;
        writeln!(
            out,
            "connect    {} of {} clients in {:.2} s ({:.0}/s), {} subscriptions; CONNACK p50 {}, p99 {}",
            connect.connected,
            connect.clients,
            connect.seconds,
            connect.per_second,
            connect.subscriptions,
            time(connect.connack.p50_microseconds),
            time(connect.connack.p99_microseconds)
        )?;
        for phase in self.phases.iter().filter(|phase| phase.sent_per_second > 0.0 && phase.name != "warm-up")
        {
            writeln!(
                out,
                "{:<10} {:.1} s: {:.0} sent/s, {:.0} delivered/s",
                phase.name, phase.seconds, phase.sent_per_second, phase.delivered_per_second
            )?;
        }
        self.write_steps(out)?;
        let total = &self.total;
        if total.sent > 0 {
            writeln!(
                out,
                "messages   {} sent, {} unsent, {} acknowledged; {} of {} copies delivered, {} lost, {} duplicates, {} out of order, \
                 {} corrupt",
                total.sent,
                total.unsent,
                total.acknowledged,
                total.delivered,
                total.expected,
                total.lost,
                total.duplicates,
                total.reordered,
                total.corrupt
            )?;
        }
        write_times(out, if self.latency_is_queueing { "in queues" } else { "latency" }, &self.latency)?;
        write_times(out, "ack", &self.acknowledgement)?;
        write_times(out, "send lag", &self.send_lag)?;
        self.write_costs(out)?;
        self.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
        self.failures.iter().try_for_each(|failure| writeln!(out, "FAILED: {failure}"))
    }

    /// What only some scenarios have.
    fn write_steps(&self, out: &mut String) -> fmt::Result {
        for storm in &self.storms {
            writeln!(
                out,
                "come back  {} of {} clients in {:.2} s ({:.0}/s); CONNACK p50 {}, p99 {}",
                storm.connected,
                storm.clients,
                storm.seconds,
                storm.per_second,
                time(storm.connack.p50_microseconds),
                time(storm.connack.p99_microseconds)
            )?;
        }
        for lookup in &self.lookups {
            writeln!(
                out,
                "look up    {} of {} messages by {} filters as {} in {:.2} s: {:.0}/s; one filter p50 {}, max {}",
                lookup.delivered,
                lookup.expected,
                lookup.subscriptions,
                lookup.filter,
                lookup.seconds,
                lookup.delivered_per_second,
                time(lookup.time.p50_microseconds),
                time(lookup.time.max_microseconds)
            )?;
        }
        for kill in &self.kills {
            let after = |seconds: Option<f64>| {
                seconds.map_or_else(|| "never".to_owned(), |seconds| format!("after {seconds:.2} s"))
            };
            writeln!(
                out,
                "killed     at {:.1} s: listens {}, all clients connected {}, first delivery {}",
                kill.at_seconds,
                after(kill.listening_after_seconds),
                after(kill.connected_after_seconds),
                after(kill.delivering_after_seconds)
            )?;
        }
        Ok(())
    }

    fn write_costs(&self, out: &mut String) -> fmt::Result {
        if let Some(cost) = &self.broker_cost {
            if let Some(per_message) = cost.cpu_microseconds_per_delivered_message {
                writeln!(
                    out,
                    "broker     {per_message:.3} µs CPU per delivered message, {:.1} MiB at most, {} context switches",
                    mebibytes(cost.resident_bytes_max),
                    cost.voluntary_context_switches + cost.involuntary_context_switches
                )?;
            }
            if let Some(per_client) = cost.resident_bytes_per_client {
                writeln!(
                    out,
                    "           {:.1} MiB before, {:.1} MiB connected: {per_client:.0} bytes per client; {:.0} µs CPU per \
                     connect",
                    mebibytes(cost.resident_bytes_before),
                    mebibytes(cost.resident_bytes_connected),
                    cost.cpu_microseconds_per_connect.unwrap_or_default()
                )?;
            }
        }
        if let Some(per_message) = self.generator.cpu_microseconds_per_message {
            writeln!(out, "generator  {per_message:.3} µs CPU per message sent or received")?;
        }
        Ok(())
    }
}

fn protocol(report: &Report) -> &'static str {
    match report.plan.protocol {
        crate::plan::Protocol::V311 => "3.1.1",
        crate::plan::Protocol::V5 => "5.0",
    }
}

fn write_times(out: &mut String, name: &str, times: &Distribution) -> fmt::Result {
    if times.count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{name:<10} p50 {}, p90 {}, p99 {}, p99.9 {}, p99.99 {}, max {}",
        time(times.p50_microseconds),
        time(times.p90_microseconds),
        time(times.p99_microseconds),
        time(times.p99_9_microseconds),
        time(times.p99_99_microseconds),
        time(times.max_microseconds)
    )
}

fn time(microseconds: f64) -> String {
    match microseconds {
        less if less < 1_000.0 => format!("{less:.0} µs"),
        less if less < 1_000_000.0 => format!("{:.2} ms", less / 1e3),
        more => format!("{:.2} s", more / 1e6),
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
