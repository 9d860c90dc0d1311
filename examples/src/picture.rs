//! Pictures that the examples draw, as SVG on white.

use std::path::PathBuf;

/// A part of a picture with a scale each way.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// Where the left edge lies, in pixels.
    pub left: f64,
    /// Where the right edge lies.
    pub right: f64,
    /// Where the upper edge lies.
    pub top: f64,
    /// Where the lower edge lies.
    pub bottom: f64,
    /// The values at the left and the right edge.
    pub x: [f64; 2],
    /// The values at the lower and the upper edge.
    pub y: [f64; 2],
}

impl Panel {
    /// Where a value lies across.
    pub fn across(&self, value: f64) -> f64 {
        self.left + (self.right - self.left) * (value - self.x[0]) / (self.x[1] - self.x[0])
    }

    /// Where a value lies up.
    pub fn up(&self, value: f64) -> f64 {
        self.bottom + (self.top - self.bottom) * (value - self.y[0]) / (self.y[1] - self.y[0])
    }
}

/// A picture in the making. Places are pixels from the upper left corner.
pub struct Picture(String);

impl Picture {
    /// A white picture whose title says what it shows.
    pub fn new(width: u32, height: u32, title: &str) -> Self {
        let mut picture = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"11\" fill=\"#303030\">\n<title>{title}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
        ));
        picture.text(10.0, 18.0, "start", title);
        picture
    }

    /// A text whose `start`, `middle` or `end` lies at a place.
    pub fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        self.0 += &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n");
    }

    /// Dots of one colour.
    pub fn dots(&mut self, places: impl IntoIterator<Item = (f64, f64)>, radius: f64, colour: &str) {
        let path: String = places.into_iter().map(|(x, y)| format!("M{x:.1} {y:.1}h0")).collect();
        if path.is_empty() {
            return;
        }
        let width = 2.0 * radius;
        self.0 += &format!("<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:.1}\" stroke-linecap=\"round\"/>\n");
    }

    /// A line through places.
    pub fn line(&mut self, places: impl IntoIterator<Item = (f64, f64)>, width: f64, colour: &str) {
        let points: Vec<String> = places.into_iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.0 += &format!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:.1}\"/>\n");
    }

    /// A bar from left to right and from top to bottom.
    pub fn bar(&mut self, [left, right]: [f64; 2], [top, bottom]: [f64; 2], colour: &str) {
        let (width, height) = (right - left, bottom - top);
        self.0 += &format!("<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>\n");
    }

    /// Names of values below a panel, and lines up from them.
    pub fn ticks_across(&mut self, panel: &Panel, ticks: impl IntoIterator<Item = (f64, String)>) {
        for (value, name) in ticks {
            let x = panel.across(value);
            self.line([(x, panel.top), (x, panel.bottom)], 0.5, "#d8d8d8");
            self.text(x, panel.bottom + 14.0, "middle", &name);
        }
    }

    /// Names of values at the left of a panel, and lines across from them.
    pub fn ticks_up(&mut self, panel: &Panel, ticks: impl IntoIterator<Item = (f64, String)>) {
        for (value, name) in ticks {
            let y = panel.up(value);
            self.line([(panel.left, y), (panel.right, y)], 0.5, "#d8d8d8");
            self.text(panel.left - 5.0, y + 4.0, "end", &name);
        }
    }

    /// Names beside their colours, in a line.
    pub fn legend<'n>(&mut self, mut x: f64, y: f64, names: impl IntoIterator<Item = (&'n str, &'n str)>) {
        for (name, colour) in names {
            self.bar([x, x + 10.0], [y - 9.0, y + 1.0], colour);
            self.text(x + 15.0, y, "start", name);
            x += 36.0 + 6.0 * name.chars().count() as f64;
        }
    }

    /// Writes the picture to the folder for temporary files.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(self, name: &str) -> anyhow::Result<PathBuf> {
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, self.0 + "</svg>\n")?;
        Ok(path)
    }
}

/// The multiples of a step in a range, with their texts.
pub fn steps([low, high]: [f64; 2], step: f64) -> Vec<(f64, String)> {
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|number| number as f64 * step).map(|value| (value, value.to_string())).collect()
}

/// A count with commas between thousands.
pub fn grouped(count: usize) -> String {
    match count {
        1_000.. => format!("{},{:03}", grouped(count / 1_000), count % 1_000),
        _ => count.to_string(),
    }
}
