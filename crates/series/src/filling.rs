//! Rows that follow given ones, and gaps within them, by a model of windows.

use semblant_core::synthesizer::{Rebuild, Sample};
use semblant_core::{Error, Result};
use semblant_data::series::{Series, SeriesRequest, WINDOW};

use crate::given::{Continuation, emptied, filled, regrouped};
use crate::inpainting::Known;
use crate::model::{Fill, Fitted, Form, Given, SeriesModel, SeriesSynthesizer};

impl<C: SeriesModel> Rebuild<Series> for SeriesSynthesizer<C> {
    /// With a horizon the rows that follow given sequences, otherwise the given sequences with their missing numbers filled in.
    fn rebuild(&self, init: &Series, mask: Option<&Series>, request: &SeriesRequest) -> Result<Sample<Series>> {
        let Fitted { form, attributes, model } = self.fitted()?;
        let fill = self.config().fill().ok_or_else(|| Error::Config(format!("{} completes no windows; choose series-flow", C::NAME)))?;
        if mask.is_some() {
            return Err(Error::Config("missing numbers are filled in, and others stay; leave --mask out".into()));
        }
        request.check_given()?;
        // Windows were cut from series that have names and times of their own.
        let init = match form.layout.entity.as_deref() {
            Some(WINDOW) | None => init.with_numbers()?,
            Some(_) => regrouped(init, &form.layout, form.schema.names())?.with_numbers()?,
        };
        let init = &init;
        let columns = columns(form, &emptied(init, &request.redraw)?)?;
        let told = attributes.as_ref().map(|attributes| attributes.of(init)).transpose()?.unwrap_or_default();
        let windows = Windows { form, columns, told, fill, model, request };
        match request.horizon {
            Some(horizon) => windows.continued(init, horizon),
            None => windows.completed(init),
        }
    }
}

/// The numbers of the model's columns, at 0..1, `[rows of the series' table, channels]`; NaN where one is missing.
fn columns(form: &Form, init: &Series) -> Result<Vec<f64>> {
    let rows = init.rows();
    let column = |name: &str| {
        let column =
            rows.column(name).map_err(|_| Error::Data(format!("the given rows lack the column \"{name}\", which the model learned")))?;
        column
            .numbers()
            .ok_or_else(|| Error::Data(format!("the column \"{name}\" of the given rows holds no numbers, as the model learned it")))
    };
    let columns = form.schema.names().map(column).collect::<Result<Vec<_>>>()?;
    let mut values: Vec<f64> = (0..rows.rows()).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
    values.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = f64::NAN);
    form.scale(&mut values);
    Ok(values)
}

/// Given sequences, and what completes windows of them.
struct Windows<'a, F> {
    form: &'a Form,
    /// See [`columns`].
    columns: Vec<f64>,
    told: crate::attributes::Features,
    fill: &'a dyn Fill<F>,
    model: &'a F,
    request: &'a SeriesRequest,
}

impl<F> Windows<'_, F> {
    /// Windows `[count, size]` in the place of those with NaN where nothing is known. Each comes with its address and its sequence.
    fn complete(&self, windows: &[(Vec<f64>, u64, usize)]) -> Result<Vec<Vec<f64>>> {
        let size = self.form.length * self.form.channels();
        let values: Vec<f64> = windows.iter().flat_map(|(values, ..)| values.iter().copied()).collect();
        let is_known: Vec<bool> = values.iter().map(|value| !value.is_nan()).collect();
        let width = self.told.width;
        let told =
            windows.iter().flat_map(|&(_, _, sequence)| &self.told.values[sequence * width..(sequence + 1) * width]).copied().collect();
        let given = Given {
            known: Known { values: values.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect(), is_known },
            addresses: windows.iter().map(|&(_, address, _)| address).collect(),
            attributes: crate::attributes::Features { values: told, width },
        };
        let made = self.fill.fill(self.model, self.form, &given, self.request)?;
        let kept = |(made, known): (&f64, &f64)| if known.is_nan() { *made } else { *known };
        Ok(made.chunks_exact(size).zip(values.chunks_exact(size)).map(|(made, known)| made.iter().zip(known).map(kept).collect()).collect())
    }

    /// `horizon` rows after every given sequence, `draws` times each, half a window at a time.
    fn continued(&self, init: &Series, horizon: usize) -> Result<Sample<Series>> {
        let (length, channels, draws) = (self.form.length, self.form.channels(), self.request.draws.max(1));
        let step = horizon.min((length / 2).max(1));
        let mut paths: Vec<Vec<f64>> = (0..init.count() * draws)
            .map(|item| {
                let span = &init.spans()[item / draws];
                let first = span.end.saturating_sub(length).max(span.start);
                self.columns[first * channels..span.end * channels].to_vec()
            })
            .collect();
        let history: Vec<usize> = paths.iter().map(Vec::len).collect();
        for round in 0..horizon.div_ceil(step) {
            let window = |(item, path): (usize, &Vec<f64>)| {
                let kept = (length - step) * channels;
                let known = &path[path.len().saturating_sub(kept)..];
                let mut values = vec![f64::NAN; kept - known.len()];
                values.extend_from_slice(known);
                values.resize(length * channels, f64::NAN);
                (values, ((item / draws) as u64) << 32 | ((item % draws) as u64) << 16 | round as u64, item / draws)
            };
            let windows: Vec<_> = paths.iter().enumerate().map(window).collect();
            for (path, made) in paths.iter_mut().zip(self.complete(&windows)?) {
                path.extend_from_slice(&made[(length - step) * channels..]);
            }
        }
        let mut values: Vec<f64> =
            paths.iter().zip(&history).flat_map(|(path, &history)| path[history..history + horizon * channels].iter().copied()).collect();
        self.form.unscale(&mut values);
        let further = Continuation { init, horizon, draws };
        let data = further.series(self.form.rows(&values)?, &self.form.layout, None)?;
        Ok(Sample { drawn_rows: data.count() as u64, data })
    }

    /// The given sequences without gaps: first the middle half of every second window, each from all that is known around it; then what lies between,
    /// from both sides.
    fn completed(&self, init: &Series) -> Result<Sample<Series>> {
        let (length, channels) = (self.form.length, self.form.channels());
        let mut columns = self.columns.clone();
        for pass in 0..2 {
            let (mut windows, mut parts) = (Vec::new(), Vec::new());
            for (sequence, span) in init.spans().iter().enumerate() {
                let begins = (pass * length / 2..span.len()).step_by(length);
                for (number, begin) in begins.enumerate() {
                    // The last window ends with the sequence, unless that is shorter.
                    let start = begin.min(span.len().saturating_sub(length));
                    let rows = start..(start + length).min(span.len());
                    let middle = |row: usize| {
                        pass == 1
                            || (rows.start == 0 || row >= start + length / 4) && (rows.end == span.len() || row < start + 3 * length / 4)
                    };
                    let cells = |row: usize| (span.start + row) * channels..(span.start + row + 1) * channels;
                    let drawn: Vec<usize> =
                        rows.clone().filter(|&row| middle(row)).flat_map(cells).filter(|&cell| columns[cell].is_nan()).collect();
                    if drawn.is_empty() {
                        continue;
                    }
                    let first = (span.start + rows.start) * channels;
                    let mut values = columns[first..(span.start + rows.end) * channels].to_vec();
                    values.resize(length * channels, f64::NAN);
                    windows.push((values, (sequence as u64) << 32 | (number as u64) << 1 | pass as u64, sequence));
                    parts.push((first, drawn));
                }
            }
            for ((first, drawn), made) in parts.iter().zip(self.complete(&windows)?) {
                drawn.iter().for_each(|&cell| columns[cell] = made[cell - first]);
            }
        }
        let mut values = columns;
        self.form.unscale(&mut values);
        let data = filled(init, &self.request.redraw, &self.form.rows(&values)?)?;
        Ok(Sample { drawn_rows: data.count() as u64, data })
    }
}
