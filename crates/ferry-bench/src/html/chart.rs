use super::escaped::Escaped;
use super::scale::Scale;

/// Lines over an axis, as an inline SVG. Every point says its values when one points at it.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    /// [`WIDE`] or [`NARROW`].
    pub(super) width: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
    pub(super) lines: Vec<Line>,
    pub(super) bands: Vec<Band>,
    pub(super) marks: Vec<Mark>,
}

pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A part of the horizontal axis that has a name.
#[derive(Clone)]
pub(super) struct Band {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Something that happened at one place.
#[derive(Clone)]
pub(super) struct Mark {
    pub(super) name: String,
    pub(super) at: f64,
}

/// Widths in which texts have about the size of other texts.
pub(super) const WIDE: f64 = 1060.0;
pub(super) const NARROW: f64 = 540.0;

const HEIGHT: f64 = 250.0;
const LEFT: f64 = 68.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 30.0;

/// So many colours the style has.
const COLORS: usize = 8;

/// Narrower ones have no room for their name.
const BAND_WITH_NAME: f64 = 46.0;

impl Chart<'_> {
    /// Nothing if no line has a point.
    pub(super) fn render(&self) -> String {
        if self.lines.iter().all(|line| line.points.is_empty()) {
            return String::new();
        }
        let (title, width) = (Escaped(self.title), self.width);
        let legend = self.legend();
        let bands: String = self.bands.iter().map(|band| self.band(band)).collect();
        let grid = self.grid();
        let lines: String = self.drawn().map(|(index, line)| self.line(index, line)).collect();
        let marks: String = self.marks.iter().map(|mark| self.mark(mark)).collect();
        format!(
            "<figure>\n<figcaption>{title}{legend}</figcaption>\n\
             <svg viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
             {bands}{grid}{marks}{lines}</svg>\n</figure>\n"
        )
    }

    /// One line is named by the title. Who has no points here keeps its colour for other charts.
    fn legend(&self) -> String {
        if self.lines.len() < 2 {
            return String::new();
        }
        let entry = |(index, line): (usize, &Line)| {
            format!("<span class=\"key c{}\">{}</span>", index % COLORS, Escaped(&line.name))
        };
        let entries: String = self.drawn().map(entry).collect();
        format!("<span class=\"keys\">{entries}</span>")
    }

    /// Lines that have points, with the number of their colour.
    fn drawn(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().filter(|(_, line)| !line.points.is_empty())
    }

    fn grid(&self) -> String {
        let (right, bottom) = (self.width - RIGHT, HEIGHT - BOTTOM);
        let mut text = String::new();
        for tick in &self.y.ticks {
            let y = self.y_of(*tick);
            let (label, below, end) = (self.y.unit.text(*tick), y + 4.0, LEFT - 8.0);
            text.push_str(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{end}\" y=\"{below:.1}\" text-anchor=\"end\">{}</text>\n",
                Escaped(&label)
            ));
        }
        for tick in &self.x.ticks {
            let (x, label) = (self.x_of(*tick), self.x.unit.text(*tick));
            let (upper, lower) = (bottom + 4.0, bottom + 18.0);
            text.push_str(&format!(
                "<line class=\"axis\" x1=\"{x:.1}\" y1=\"{bottom}\" x2=\"{x:.1}\" y2=\"{upper}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{lower}\" text-anchor=\"middle\">{}</text>\n",
                Escaped(&label)
            ));
        }
        text.push_str(&format!(
            "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>\n"
        ));
        text
    }

    fn line(&self, index: usize, line: &Line) -> String {
        let color = index % COLORS;
        let places: Vec<String> =
            line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x_of(*x), self.y_of(*y))).collect();
        let mut text = format!("<polyline class=\"line c{color}\" points=\"{}\"/>\n", places.join(" "));
        for (x, y) in &line.points {
            let hint = format!("{}: {} at {}", line.name, self.y.unit.text(*y), self.x.unit.text(*x));
            text.push_str(&format!(
                "<circle class=\"point c{color}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\"><title>{}</title></circle>\n",
                self.x_of(*x),
                self.y_of(*y),
                Escaped(&hint)
            ));
        }
        text
    }

    fn band(&self, band: &Band) -> String {
        let (from, to) = (self.x_of(band.from), self.x_of(band.to));
        let (width, height) = ((to - from).max(0.0), HEIGHT - BOTTOM - TOP);
        let name = Escaped(&band.name);
        let label = if width < BAND_WITH_NAME {
            String::new()
        } else {
            format!("<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>", from + 4.0, TOP - 6.0)
        };
        format!(
            "<rect class=\"band\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\">\
             <title>{name}</title></rect>{label}\n"
        )
    }

    fn mark(&self, mark: &Mark) -> String {
        let (x, bottom, label) = (self.x_of(mark.at), HEIGHT - BOTTOM, self.x_of(mark.at) + 4.0);
        let name = Escaped(&mark.name);
        format!(
            "<line class=\"mark\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\">\
             <title>{name}</title></line><text class=\"tick\" x=\"{label:.1}\" y=\"{:.1}\">{name}</text>\n",
            TOP + 10.0
        )
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (self.width - LEFT - RIGHT)
    }

    fn y_of(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - BOTTOM - TOP)
    }
}
