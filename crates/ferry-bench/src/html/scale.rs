use super::quantity::Unit;

/// From values to places along an axis.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    is_logarithmic: bool,
    /// Values that have a line and a text.
    pub(super) ticks: Vec<f64>,
    pub(super) unit: Unit,
}

/// About so many ticks are wanted.
const TICKS: f64 = 5.0;

impl Scale {
    /// Equal steps from 0 to at least `high`.
    pub(super) fn linear(unit: Unit, high: f64) -> Self {
        let high = if high.is_finite() { high } else { 1.0 };
        let step = step(unit, high);
        let steps = (high / step).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|index| f64::from(index) * step).collect();
        Self { low: 0.0, high: steps * step, is_logarithmic: false, ticks, unit }
    }

    /// As [`Scale::linear`], but it ends exactly where the values do.
    pub(super) fn until(unit: Unit, high: f64) -> Self {
        let mut scale = Self::linear(unit, high);
        if high > 0.0 && high.is_finite() {
            scale.ticks.retain(|tick| *tick <= high);
            scale.high = high;
        }
        scale
    }

    /// Powers of ten around `low` and `high`; what is not above 0 is at the lower end.
    pub(super) fn logarithmic(unit: Unit, low: f64, high: f64) -> Self {
        let least = libm::log10(low.max(1e-3)).floor();
        let most = libm::log10(high.max(1e-3)).ceil().max(least + 1.0);
        let mut ticks: Vec<f64> = Vec::new();
        let is_short = most - least <= 2.0;
        let mut exponent = least;
        while exponent <= most {
            let factors: &[f64] = if is_short && exponent < most { &[1.0, 2.0, 5.0] } else { &[1.0] };
            ticks.extend(factors.iter().map(|factor| factor * libm::exp10(exponent)));
            exponent += 1.0;
        }
        Self { low: libm::exp10(least), high: libm::exp10(most), is_logarithmic: true, ticks, unit }
    }

    /// 0 is the beginning of the axis, 1 its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.is_logarithmic {
            libm::log10(value.max(self.low) / self.low) / libm::log10(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 with zeros, so that there are about [`TICKS`]; of bytes, powers of two; of nines, whole ones.
fn step(unit: Unit, high: f64) -> f64 {
    if high <= 0.0 {
        return 1.0;
    }
    let rough = high / TICKS;
    match unit {
        Unit::Nines => 1.0,
        Unit::Bytes => libm::exp2(libm::log2(rough).ceil()),
        _ => {
            let power = libm::exp10(libm::log10(rough).floor());
            let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough * 0.999);
            nice.unwrap_or(10.0) * power
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        assert_eq!(Scale::linear(Unit::Count, 47.0).ticks, [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(Scale::linear(Unit::Nines, 2.5).ticks, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(Scale::linear(Unit::Bytes, 4096.0).ticks, [0.0, 1024.0, 2048.0, 3072.0, 4096.0]);
        assert_eq!(Scale::until(Unit::Count, 47.0).ticks, [0.0, 10.0, 20.0, 30.0, 40.0]);
    }

    #[test]
    fn places_are_in_the_chart_whatever_the_values() {
        for high in [0.0, -1.0, 1e-9, 1.0, 1e12, f64::NAN, f64::INFINITY] {
            for scale in [
                Scale::linear(Unit::Count, high),
                Scale::until(Unit::Count, high),
                Scale::logarithmic(Unit::Microseconds, 0.0, if high.is_finite() { high } else { 1.0 }),
            ] {
                for value in [0.0, 0.5, high.min(1e300), 1e300] {
                    let place = scale.place(value);
                    assert!(
                        place.is_nan() && value.is_nan() || (0.0..=1.0).contains(&place),
                        "{high} {value} {place}"
                    );
                }
                assert!(!scale.ticks.is_empty() && scale.ticks.len() < 40, "{scale:?}");
            }
        }
    }

    #[test]
    fn decades_are_as_wide_as_each_other() {
        let scale = Scale::logarithmic(Unit::Microseconds, 12.0, 90_000.0);
        assert_eq!(scale.ticks.len(), 5);
        assert!((scale.place(1_000.0) - 0.5).abs() < 1e-9);
    }
}
