//! Which charts there are, of one run or of several.

use super::chart::{Band, Chart, Line, Mark, NARROW};
use super::quantity::Unit;
use super::scale::Scale;
use crate::report::{Distribution, Report, Second};

/// The curve of percentiles, its right end where only the slowest are, as HDR histograms are drawn.
pub(super) fn percentiles(title: &str, width: f64, curves: &[(String, &Distribution)]) -> String {
    let line = |(name, distribution): &(String, &Distribution)| {
        let most = nines(f64::MAX, distribution.count);
        let points = distribution.points.iter().map(|point| {
            let left = (100.0 - point.percentile) / 100.0;
            (nines(1.0 / left.max(f64::MIN_POSITIVE), distribution.count).min(most), point.microseconds)
        });
        Line { name: name.clone(), points: thinned(points.collect()) }
    };
    let lines: Vec<Line> = curves.iter().map(line).collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let widest = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let (low, high) = all().fold((f64::MAX, 0.0), |(low, high), (_, y)| (y.min(low), y.max(high)));
    Chart {
        title,
        width,
        x: Scale::until(Unit::Nines, widest),
        y: Scale::logarithmic(Unit::Microseconds, low.min(high), high),
        lines,
        bands: Vec::new(),
        marks: Vec::new(),
    }
    .render()
}

/// How many nines the percentile has of which `ratio` is one in so many; not more than the count can tell.
fn nines(ratio: f64, count: u64) -> f64 {
    libm::log10(ratio.min(count.max(1) as f64).max(1.0))
}

/// Points that are at the same place in the chart say nothing more.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut thin: Vec<(f64, f64)> = Vec::new();
    for point in points {
        match thin.last_mut() {
            Some(last) if (last.0 - point.0).abs() < 1e-9 => last.1 = last.1.max(point.1),
            _ => thin.push(point),
        }
    }
    thin
}

/// One value of each second.
pub(super) struct Course<'a> {
    pub(super) name: String,
    pub(super) series: &'a [Second],
    pub(super) value: fn(&Second) -> Option<f64>,
}

/// What else is in a chart over time.
#[derive(Default)]
pub(super) struct Events {
    pub(super) bands: Vec<Band>,
    pub(super) marks: Vec<Mark>,
}

impl Events {
    /// The phases of a run, and its kills.
    pub(super) fn of(report: &Report) -> Self {
        let band = |phase: &crate::report::Phase| Band {
            name: phase.name.clone(),
            from: phase.started_at_seconds,
            to: phase.started_at_seconds + phase.seconds,
        };
        let mark = |kill: &crate::report::Kill| Mark { name: "kill".to_owned(), at: kill.at_seconds };
        Self {
            bands: report.phases.iter().map(band).collect(),
            marks: report.kills.iter().map(mark).collect(),
        }
    }
}

/// Values over time, from the beginning of the run. `is_logarithmic`: for times that differ by orders of magnitude.
pub(super) fn over_time(
    title: &str,
    unit: Unit,
    is_logarithmic: bool,
    courses: &[Course<'_>],
    events: &Events,
) -> String {
    let line = |course: &Course<'_>| {
        let point = |second: &Second| (course.value)(second).map(|value| (second.at_seconds, value));
        Line { name: course.name.clone(), points: course.series.iter().filter_map(point).collect() }
    };
    let lines: Vec<Line> = courses.iter().map(line).collect();
    let all = || lines.iter().flat_map(|line| &line.points);
    let end = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let (low, high) = all().fold((f64::MAX, 0.0), |(low, high), (_, y)| (y.min(low), y.max(high)));
    let y = if is_logarithmic {
        Scale::logarithmic(unit, low.min(high), high)
    } else {
        Scale::linear(unit, high)
    };
    let x = Scale::until(Unit::Seconds, end);
    Chart { title, width: NARROW, x, y, lines, bands: events.bands.clone(), marks: events.marks.clone() }
        .render()
}
