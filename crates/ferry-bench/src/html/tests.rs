use super::{NamedReport, page};
use crate::plan::{Overrides, resolve};
use crate::report::{
    Broker, BrokerCost, Connects, Counts, Distribution, DistributionPoint, GeneratorCost, Kill, Lookup,
    Machine, Phase, REPORT_FORMAT, Report, Second, Usage,
};

/// What must not get out of any text.
const HOSTILE: &str = "<script>alert('x')</script>\"><img src=x onerror=\"y\">&\u{1b}[31m";

fn distribution(scale: f64) -> Distribution {
    let points = [0.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 100.0];
    let point = |(index, percentile): (usize, f64)| DistributionPoint {
        percentile,
        microseconds: scale * 2f64.powi(index as i32),
    };
    Distribution {
        count: 100_000,
        min_microseconds: scale,
        mean_microseconds: 2.5 * scale,
        p50_microseconds: 2.0 * scale,
        p90_microseconds: 8.0 * scale,
        p99_microseconds: 16.0 * scale,
        p99_9_microseconds: 32.0 * scale,
        p99_99_microseconds: 64.0 * scale,
        max_microseconds: 128.0 * scale,
        points: points.into_iter().enumerate().map(point).collect(),
    }
}

fn phase(name: &str, started_at_seconds: f64, seconds: f64, counts: Counts) -> Phase {
    let usage = Usage { cpu_seconds: 0.5 * seconds, resident_bytes: 7_000_000, ..Usage::default() };
    Phase {
        name: name.to_owned(),
        started_at_seconds,
        seconds,
        counts,
        sent_per_second: counts.sent as f64 / seconds,
        delivered_per_second: counts.delivered as f64 / seconds,
        broker: Some(usage),
        generator: usage,
    }
}

fn second(at: u32) -> Second {
    Second {
        at_seconds: f64::from(at),
        connected: 100,
        sent: 40_000 + u64::from(at) * 100,
        acknowledged: 40_000,
        delivered: 40_000 + u64::from(at) * 90,
        latency_p50_microseconds: (at > 1).then_some(80.0),
        latency_p99_microseconds: (at > 1).then_some(400.0 * f64::from(at)),
        latency_max_microseconds: (at > 1).then_some(9_000.0),
        broker_cpus: Some(0.6),
        broker_resident_bytes: Some(5_000_000 + u64::from(at) * 100_000),
        broker_context_switches: Some(1_234),
        generator_cpus: 0.3,
    }
}

/// A report that has everything.
fn report(text: &str) -> Report {
    let mut plan = resolve("mixed", &Overrides::default()).unwrap();
    plan.name = text.to_owned();
    plan.target.path = format!("/{text}");
    plan.source_addresses = Some(text.to_owned());
    plan.kill_broker = Some(text.to_owned());
    let counts = Counts {
        sent: 40_000,
        acknowledged: 40_000,
        expected: 40_000,
        delivered: 40_000,
        ..Counts::default()
    };
    let connects = Connects {
        clients: 100,
        connected: 99,
        failed: 1,
        failures: vec![text.to_owned()],
        seconds: 0.2,
        per_second: 495.0,
        subscriptions: 50,
        tcp: distribution(20.0),
        handshake: Distribution::default(),
        connack: distribution(50.0),
        suback: distribution(40.0),
    };
    Report {
        format: REPORT_FORMAT,
        tool_version: text.to_owned(),
        started_at_unix_seconds: 1_700_000_000,
        plan,
        machine: Machine {
            cpu: text.to_owned(),
            cpus: 2,
            memory_bytes: 8 << 30,
            system: text.to_owned(),
            kernel: text.to_owned(),
        },
        broker: Broker { version: Some(text.to_owned()), pids: vec![1] },
        total: counts,
        phases: vec![
            phase("connect", 0.0, 0.5, Counts::default()),
            phase("measure", 0.5, 10.0, counts),
            phase(text, 10.5, 1.0, Counts::default()),
        ],
        latency: distribution(40.0),
        latency_is_queueing: false,
        acknowledgement: distribution(30.0),
        send_lag: distribution(1.0),
        connect: connects.clone(),
        series: (1..=12).map(second).collect(),
        generator: GeneratorCost::default(),
        broker_cost: Some(BrokerCost {
            cpu_microseconds_per_delivered_message: Some(0.371),
            resident_bytes_max: 7_000_000,
            ..BrokerCost::default()
        }),
        lookups: vec![Lookup { filter: text.to_owned(), expected: 5, delivered: 5, ..Lookup::default() }],
        storms: vec![connects],
        kills: vec![Kill { at_seconds: 4.0, listening_after_seconds: Some(0.2), ..Kill::default() }],
        interrupted: false,
        failures: vec![text.to_owned()],
        notes: vec![text.to_owned()],
    }
}

fn single(text: &str) -> String {
    page(&[NamedReport { name: text.to_owned(), report: report(text) }])
}

fn double(text: &str) -> String {
    let run = || NamedReport { name: text.to_owned(), report: report(text) };
    page(&[run(), run()])
}

/// Every tag is closed by its own; those that HTML never closes are known.
fn assert_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let (_, body) = page.split_once("</style>").unwrap();
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("no end: {piece}"));
        let name = tag.split([' ', '\n', '/']).find(|word| !word.is_empty()).unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "near {piece}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    // They were opened before the style.
    assert_eq!(open, Vec::<&str>::new());
}

fn inside(page: &str) -> String {
    let (head, body) = page.split_once("</style>\n</head>").unwrap();
    assert!(head.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    let body = body.strip_suffix("</html>\n").unwrap();
    format!("</style>{body}")
}

#[test]
fn nothing_from_outside_becomes_markup() {
    for page in [single(HOSTILE), double(HOSTILE)] {
        for bad in ["<script", "<img", "onerror=\"", "\u{1b}"] {
            assert!(!page.contains(bad), "{bad}");
        }
        // In every place where a text can be.
        assert!(page.matches("&lt;script&gt;alert(&#39;x&#39;)").count() >= 14);
        assert_well_formed(&inside(&page));
    }
}

#[test]
fn a_page_needs_nothing_else() {
    for page in [single("p2p"), double("p2p")] {
        for bad in
            ["src=", "href=", "url(", "@import", "<script", "<link", "http://", "https://", "NaN", "inf"]
        {
            assert!(!page.contains(bad), "{bad}");
        }
    }
}

#[test]
fn everything_is_told() {
    let page = single("p2p");
    for part in [
        "Messages",
        "Latency",
        "Over time",
        "Connecting",
        "Storms",
        "Retained messages looked up",
        "Kills of the broker",
        "What it cost",
        "Parameters",
        "Machine",
    ] {
        assert!(page.contains(&format!("<h2>{part}</h2>")), "{part}");
    }
    for text in
        ["0.371 µs", "99.9 %", "400 µs", "class=\"mark\"", "class=\"verdict bad\"", "2023-11-14 22:13 UTC"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("<svg").count(), 8);
    assert_well_formed(&inside(&page));
}

#[test]
fn runs_stand_side_by_side() {
    let page = double("p2p");
    assert!(page.contains("<h2>Figures</h2>"));
    // Six charts of both, and those of each one.
    assert_eq!(page.matches("<svg").count(), 6 + 2 * 8);
    assert_eq!(page.matches("<details>").count(), 2);
}

#[test]
fn a_run_that_measured_nothing_has_a_page() {
    let mut empty = report("idle");
    empty.total = Counts::default();
    for times in [&mut empty.latency, &mut empty.acknowledgement, &mut empty.send_lag] {
        *times = Distribution::default();
    }
    empty.connect = Connects::default();
    empty.phases.clear();
    empty.series.clear();
    empty.storms.clear();
    empty.lookups.clear();
    empty.kills.clear();
    empty.failures.clear();
    empty.broker_cost = None;
    for (interrupted, verdict) in [(false, ">passed<"), (true, ">interrupted: passed<")] {
        let report = Report { interrupted, ..empty.clone() };
        let page = page(&[NamedReport { name: String::new(), report }]);
        assert!(page.contains(&format!("class=\"verdict good\"{verdict}")));
        assert!(!page.contains("<svg") && !page.contains("Storms") && !page.contains("NaN"));
        assert_well_formed(&inside(&page));
    }
}
