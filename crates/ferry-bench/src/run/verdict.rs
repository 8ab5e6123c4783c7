//! What the event loops have found, put together, and what is wrong with it.

use crate::agent::{ConnectOutcome, Outcome};
use crate::report::{Connects, Distribution, Report};

/// Sums up how connecting went in all event loops.
pub(crate) fn connects(outcomes: &[ConnectOutcome]) -> Connects {
    let mut all = ConnectOutcome { first_at: u64::MAX, ..ConnectOutcome::default() };
    for outcome in outcomes {
        all.clients += outcome.clients;
        all.connected += outcome.connected;
        all.failed += outcome.failed;
        all.subscriptions += outcome.subscriptions;
        all.failures.extend(outcome.failures.iter().cloned());
        all.first_at = all.first_at.min(outcome.first_at);
        all.last_at = all.last_at.max(outcome.last_at);
        all.tcp.merge(&outcome.tcp);
        all.handshake.merge(&outcome.handshake);
        all.connack.merge(&outcome.connack);
        all.suback.merge(&outcome.suback);
    }
    all.failures.sort_unstable();
    all.failures.dedup();
    let seconds = all.last_at.saturating_sub(all.first_at) as f64 / 1e9;
    Connects {
        clients: all.clients,
        connected: all.connected,
        failed: all.failed,
        failures: all.failures,
        seconds,
        per_second: if seconds > 0.0 { all.connected as f64 / seconds } else { 0.0 },
        subscriptions: all.subscriptions,
        tcp: Distribution::of(&all.tcp),
        handshake: Distribution::of(&all.handshake),
        connack: Distribution::of(&all.connack),
        suback: Distribution::of(&all.suback),
    }
}

/// Takes the event loops' findings into the report.
pub(crate) fn take_outcomes(report: &mut Report, outcomes: &[Outcome]) {
    let mut all = Outcome::default();
    for outcome in outcomes {
        all.warm_up += outcome.warm_up;
        all.measured += outcome.measured;
        all.latency.merge(&outcome.latency);
        all.acknowledgement.merge(&outcome.acknowledgement);
        all.send_lag.merge(&outcome.send_lag);
        all.connections_lost += outcome.connections_lost;
        all.reconnected += outcome.reconnected;
        all.refused += outcome.refused;
        all.stalls += outcome.stalls;
        all.loss_reasons.extend(outcome.loss_reasons.iter().cloned());
        all.failures.extend(outcome.failures.iter().cloned());
    }
    for list in [&mut all.failures, &mut all.loss_reasons] {
        list.sort_unstable();
        list.dedup();
    }
    report.failures.append(&mut all.failures);
    if !all.loss_reasons.is_empty() {
        let (count, why) = (all.connections_lost, all.loss_reasons.join("; "));
        report.failures.push(format!("lost connections: {count} ({why})"));
    }
    for phase in &mut report.phases {
        match phase.name.as_str() {
            "warm-up" => phase.counts = all.warm_up,
            "measure" => phase.counts = all.measured,
            _ => {}
        }
    }
    report.total = all.warm_up;
    report.total += all.measured;
    report.latency = Distribution::of(&all.latency);
    report.acknowledgement = Distribution::of(&all.acknowledgement);
    report.send_lag = Distribution::of(&all.send_lag);
    if all.refused > 0 {
        report.failures.push(format!("{} publishes were refused by their acknowledgement", all.refused));
    }
    if all.stalls > 0 {
        report.notes.push(format!(
            "publishers waited {} times for a second for deliveries that did not come, and then went on",
            all.stalls
        ));
    }
}

/// What is wrong with a run, and what one has to know.
pub(crate) fn judge(report: &mut Report) {
    let total = report.total;
    let qos: Vec<u8> = report.plan.parts.iter().map(|part| part.qos).collect();
    if total.corrupt > 0 {
        report
            .failures
            .push(format!("{} messages are not what was sent, or are for somebody else", total.corrupt));
    }
    if total.reordered > 0 {
        report
            .failures
            .push(format!("{} messages came after a later one of the same stream", total.reordered));
    }
    if total.lost_acknowledged > 0 {
        report.failures.push(format!("{} copies of acknowledged messages are lost", total.lost_acknowledged));
    } else if total.lost > 0 && !qos.contains(&0) {
        report.failures.push(format!("{} copies are lost", total.lost));
    } else if total.lost > 0 {
        report.notes.push(format!("{} copies are lost, which QoS 0 allows", total.lost));
    }
    if total.duplicates_forbidden > 0 {
        report.failures.push(format!("{} copies came more than once", total.duplicates_forbidden));
    }
    let allowed = total.duplicates - total.duplicates_forbidden;
    if allowed > 0 {
        report.notes.push(format!("{allowed} copies came more than once, which QoS 1 allows"));
    }
    if total.unsent > 0 {
        report.notes.push(format!(
            "{} messages of the schedule were not sent in time: the broker, or this generator, did not keep up",
            total.unsent
        ));
    }
    if report.latency_is_queueing {
        report.notes.push(
            "publishers sent as fast as they could: the latency is mostly the time in queues".to_owned(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Overrides, resolve};
    use crate::report::Counts;
    use crate::run::coordinator::empty_report;

    #[test]
    fn a_duplicate_of_qos_2_is_not_excused_by_others_of_qos_1() {
        let plan = resolve("mixed", &Overrides::default()).unwrap();
        let judged = |duplicates_forbidden| {
            let mut report = empty_report(&plan, Vec::new());
            report.total = Counts { duplicates: 3, duplicates_forbidden, ..Counts::default() };
            judge(&mut report);
            (report.failures, report.notes)
        };
        let note = |count: u64| vec![format!("{count} copies came more than once, which QoS 1 allows")];
        assert_eq!(judged(0), (Vec::new(), note(3)));
        assert_eq!(judged(1), (vec!["1 copies came more than once".to_owned()], note(2)));
    }
}
