//! Progress of a run: events for an observer, and an observer that draws a bar on a terminal.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// An event of a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage that takes a moment has begun.
    Stage(&'a str),
    /// The clock of a loop moved.
    Rows {
        /// Rows done.
        done: u64,
        /// Rows in all.
        total: u64,
    },
    /// The losses of a tick, by name.
    Losses(&'a [(String, f64)]),
    /// A message that does not stop the run.
    Note(&'a str),
    /// The loop is over.
    Done,
}

/// An observer of events.
pub trait Observer: Send {
    /// Takes note of an event. Called often, so it must be cheap.
    fn event(&mut self, event: Event<'_>);
}

/// Ignores all events.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: Event<'_>) {}
}

/// A bar with rate, losses and remaining time on standard error, or a plain line every few seconds where that is no terminal.
#[derive(Debug)]
pub struct Terminal {
    bar: Option<ProgressBar>,
    interactive: bool,
    last_line: Instant,
    started: Instant,
    losses: String,
    done: (u64, u64),
}

impl Default for Terminal {
    fn default() -> Self {
        let now = Instant::now();
        Self { bar: None, interactive: std::io::stderr().is_terminal(), last_line: now, started: now, losses: String::new(), done: (0, 0) }
    }
}

/// A text for a terminal: characters that would control it are escaped, as `\u{1b}`, and so are those that turn the direction of writing.
/// Names of columns, labels and files may hold any.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c.is_control() && c != '\t' || turns(c), |c, safe| safe.extend(c.escape_unicode()))
}

/// A document for a terminal, whose lines stay: what [`printable`] escapes, but as JSON and TOML have it in their texts, `\u001b`, so that the document
/// means the same.
pub fn printable_document(text: &str) -> Cow<'_, str> {
    let escape = |c: char, safe: &mut String| safe.push_str(&format!("\\u{:04x}", u32::from(c)));
    replaced(text, |c| c.is_control() && !matches!(c, '\t' | '\n') || turns(c), escape)
}

/// Whether a character turns the direction of writing, or ends a line where no one expects it.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn replaced(text: &str, unfit: impl Fn(char) -> bool, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&unfit) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if unfit(c) { replace(c, &mut safe) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

impl Terminal {
    /// How long a run that is no terminal stays silent between two lines.
    const LINE_EVERY: Duration = Duration::from_secs(10);

    fn line(&self, text: &str) {
        // A closed pipe must not end a run that trains well.
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{text}\n"));
    }

    fn plain_line(&mut self) {
        self.last_line = Instant::now();
        let (done, total) = self.done;
        let elapsed = self.started.elapsed().as_secs_f64();
        let rate = done as f64 / elapsed.max(1e-9);
        // Nothing done yet tells nothing of the rest.
        let left = if done == 0 { "?".to_owned() } else { format!("{:.0}", (total - done.min(total)) as f64 / rate) };
        self.line(&format!(
            "{:3.0} %  {done}/{total} rows  {rate:.0} rows/s  {left} s left  {}",
            100.0 * done as f64 / total.max(1) as f64,
            self.losses
        ));
    }
}

fn style() -> ProgressStyle {
    // The losses give way where the line would be longer than the terminal is wide.
    ProgressStyle::with_template("{percent:>3} % {bar:16} {rate} {eta} left  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
            // A bar has no way to report that its text could not be written.
            let _ = write!(text, "{:.0} rows/s", state.per_sec());
        })
}

impl Observer for Terminal {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Stage(text) | Event::Note(text) => match &self.bar {
                Some(bar) => bar.println(printable(text)),
                None => self.line(&printable(text)),
            },
            Event::Rows { done, total } => {
                if self.done.1 != total {
                    self.started = Instant::now();
                    self.done = (done, total);
                    if self.interactive {
                        self.bar = Some(ProgressBar::new(total).with_style(style()));
                    }
                }
                self.done = (done, total);
                if let Some(bar) = &self.bar {
                    bar.set_position(done);
                } else if self.last_line.elapsed() >= Self::LINE_EVERY {
                    self.plain_line();
                }
            }
            Event::Losses(losses) => {
                self.losses = losses.iter().map(|(name, value)| format!("{name} {value:.3}")).collect::<Vec<_>>().join("  ");
                if let Some(bar) = &self.bar {
                    bar.set_message(self.losses.clone());
                }
            }
            Event::Done => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                } else if self.done.1 > 0 && self.started.elapsed() >= Self::LINE_EVERY {
                    self.plain_line();
                }
                self.done = (0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_escaped() {
        assert_eq!(printable("plain, naïve\tand 漢字"), "plain, naïve\tand 漢字");
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}\u{7f}\u{202e}"), "a\\u{1b}[31m\\u{a}b\\u{9b}\\u{7f}\\u{202e}");
        assert_eq!(printable("\u{61c}\u{200f}\u{2028}\u{2069}"), "\\u{61c}\\u{200f}\\u{2028}\\u{2069}");
    }

    #[test]
    fn a_document_means_the_same_when_it_is_escaped() {
        let value = serde_json::json!({ "a\u{9b}31m\u{7f}": "\u{1b}]0;title\u{7}\u{202e}\n" });
        let shown = serde_json::to_string_pretty(&value).expect("JSON");
        let shown = printable_document(&shown);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n' || turns(c)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
        assert_eq!(printable_document("{\n\t\"é\": 1\n}"), "{\n\t\"é\": 1\n}");
    }
}
