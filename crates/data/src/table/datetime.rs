//! Points in time as text and as seconds since 1970-01-01 UTC.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// How a datetime is written when its column names no format.
pub(crate) const DEFAULT_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// The formats that inference tries, the plainer one first where a text fits several.
const FORMATS: &[&str] = &[
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    DEFAULT_FORMAT,
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%Y-%m-%dT%H:%M:%S%:z",
    "%Y-%m-%dT%H:%M:%S%.f%:z",
    "%Y-%m-%d %H:%M:%S%:z",
    "%Y-%m-%d %H:%M:%S%.f%:z",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
];

/// What the texts of a column say about its datetime format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// Every text reads with this format.
    Format(&'static str),
    /// Day and month could be either way round.
    Ambiguous(&'static str, &'static str),
    /// Not datetimes.
    None,
}

/// The one common format that reads every text.
pub(crate) fn guess<'a>(texts: impl Iterator<Item = &'a str>) -> Guess {
    let mut left: Vec<&'static str> = FORMATS.to_vec();
    let mut any = false;
    for text in texts {
        any = true;
        let plausible = (6..=40).contains(&text.len()) && text.bytes().any(|byte| byte.is_ascii_digit());
        left.retain(|format| plausible && parse(format, text).is_some());
        if left.is_empty() {
            return Guess::None;
        }
    }
    match left.as_slice() {
        [] => Guess::None,
        _ if !any => Guess::None,
        [day_first, month_first, ..] if day_first.starts_with("%d") && month_first.starts_with("%m") => {
            Guess::Ambiguous(day_first, month_first)
        }
        [first, ..] => Guess::Format(first),
    }
}

/// The text as seconds since 1970-01-01; a text without an offset is taken as UTC.
pub(crate) fn parse(format: &str, text: &str) -> Option<f64> {
    let parts = strtime::parse(format, text).ok()?;
    let at = match parts.offset() {
        Some(_) => parts.to_timestamp().ok()?,
        None => TimeZone::UTC.to_timestamp(parts.to_datetime().ok()?).ok()?,
    };
    Some(at.as_second() as f64 + f64::from(at.subsec_nanosecond()) / 1e9)
}

/// Whole microseconds, computed so that [`seconds`] gives the same number back.
pub(crate) fn micros(seconds: f64) -> i64 {
    // The product of the whole would not be exact; those of its parts are.
    let whole = seconds.floor();
    (whole as i64).saturating_mul(1_000_000).saturating_add(((seconds - whole) * 1e6).round() as i64)
}

/// Seconds from units of `per_second`, rounded once.
pub(crate) fn seconds(units: i64, per_second: i64) -> f64 {
    units.div_euclid(per_second) as f64 + units.rem_euclid(per_second) as f64 / per_second as f64
}

/// Seconds since 1970-01-01 as text, to the microsecond; times beyond the years -9999 to 9999 are moved to that limit.
pub(crate) fn format(format: &str, seconds: f64) -> String {
    let seconds = seconds.clamp(Timestamp::MIN.as_second() as f64, Timestamp::MAX.as_second() as f64);
    // Without a fraction in the format, round to the nearest second instead of cutting.
    let micros = micros(if format.contains('f') { seconds } else { seconds.round() });
    let at = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(TimeZone::UTC);
    strtime::format(format, &at).unwrap_or_else(|_| at.timestamp().to_string())
}

/// Why a format is not usable, if it is not: it has to be one that writes what it reads.
pub(crate) fn check_format(format: &str) -> Result<(), String> {
    let sample = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    let written = strtime::format(format, &sample).map_err(|error| format!("the datetime format \"{format}\" is not valid: {error}"))?;
    match parse(format, &written) {
        Some(_) => Ok(()),
        None => Err(format!("the datetime format \"{format}\" does not give a whole date; it needs a year, a month and a day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart() {
        let is = |texts: &[&str]| guess(texts.iter().copied());
        assert_eq!(is(&["2024-02-29", "1999-01-01"]), Guess::Format("%Y-%m-%d"));
        assert_eq!(is(&["2024-02-30"]), Guess::None);
        assert_eq!(is(&["2024-02-29 10:00:00", "2024-02-29 10:00:00.25"]), Guess::Format("%Y-%m-%d %H:%M:%S%.f"));
        assert_eq!(is(&["2024-02-29T10:00:00Z"]), Guess::Format("%Y-%m-%dT%H:%M:%SZ"));
        assert_eq!(is(&["2024-02-29T10:00:00+02:00"]), Guess::Format("%Y-%m-%dT%H:%M:%S%:z"));
        assert_eq!(is(&["01/02/2024", "03/04/2024"]), Guess::Ambiguous("%d/%m/%Y", "%m/%d/%Y"));
        assert_eq!(is(&["01/02/2024", "13/04/2024"]), Guess::Format("%d/%m/%Y"));
        assert_eq!(is(&["01/02/2024", "4/13/2024"]), Guess::Format("%m/%d/%Y"));
        assert_eq!(is(&["hello"]), Guess::None);
    }

    #[test]
    fn offsets_are_honoured_and_fractions_kept() {
        assert_eq!(parse("%Y-%m-%dT%H:%M:%S%:z", "1970-01-01T02:00:00+02:00"), Some(0.0));
        let seconds = parse("%Y-%m-%d %H:%M:%S%.f", "2024-02-29 10:00:00.25").expect("valid");
        assert_eq!(format("%Y-%m-%d %H:%M:%S%.f", seconds), "2024-02-29 10:00:00.25");
        assert_eq!(format("%Y-%m-%d", 86_400.0), "1970-01-02");
        assert_eq!(format("%Y-%m-%d", 1e300), "9999-12-30");
    }

    #[test]
    fn formats_that_lose_the_date_are_refused() {
        assert!(check_format("%Y-%m-%d").is_ok());
        assert!(check_format("%H:%M").is_err());
        assert!(check_format("%Q%Q%!").is_err());
    }
}
