//! Reports of several synthetic data sets on the same real data, side by side.

use serde::{Deserialize, Serialize};

use super::{FORMAT, Report, page, text};
use crate::{Error, Result};

/// Reports side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`FORMAT`].
    pub format: u32,
    /// One per synthetic data set, of one kind of data.
    pub reports: Vec<NamedReport>,
}

/// A report and the name it is compared under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedReport {
    /// The heading of its column.
    pub name: String,
    /// The report.
    pub report: Report,
}

/// Puts reports side by side.
///
/// # Errors
/// [`Error::Option`] without reports, or with reports of different kinds of data.
pub fn compare(reports: &[(String, Report)]) -> Result<Comparison> {
    let refuse = |what: &str| Err(Error::Option { name: "reports", what: what.into() });
    match reports {
        [] => return refuse("is empty; give at least one report"),
        [(_, first), others @ ..] if others.iter().any(|(_, other)| other.kind != first.kind) => {
            return refuse("has reports of different kinds of data; compare tables with tables and images with images");
        }
        _ => {}
    }
    let named = |(name, report): &(String, Report)| NamedReport { name: name.clone(), report: report.clone() };
    Ok(Comparison { format: FORMAT, reports: reports.iter().map(named).collect() })
}

impl Comparison {
    /// The comparison as JSON, the same bytes for the same reports.
    ///
    /// # Errors
    /// None that are known; serialisation is fallible by type.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The comparison as one HTML page that needs no other file, no script and no network.
    pub fn to_html(&self) -> String {
        page::comparison(&self.named())
    }

    /// The scores, counts and settings as lines of text, one column per report.
    pub fn to_text(&self) -> Vec<String> {
        text::lines(&self.named())
    }

    fn named(&self) -> Vec<(&str, &Report)> {
        self.reports.iter().map(|named| (named.name.as_str(), &named.report)).collect()
    }
}
