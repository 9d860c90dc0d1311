//! Finding the format of a column's datetimes.

use super::{format, parse};

/// Dates, the plainer one first where a text fits several.
const DATES: &[&str] = &[
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%y-%m-%d",
    "%y/%m/%d",
    "%Y%m%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%d%b%Y",
    "%d %B %Y",
    "%d. %B %Y",
    "%d-%b-%y",
    "%d %b %y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%Y-%b-%d",
    "%Y %b %d",
    "%a, %d %b %Y",
    "%a %d %b %Y",
    "%a %b %d %Y",
    "%A, %d %B %Y",
    "%A, %B %d, %Y",
    "%Y-%m",
    "%Y/%m",
    "%b %Y",
    "%B %Y",
    "%b-%Y",
    "%b-%y",
];
const TIMES: &[&str] = &[
    "%H:%M:%S",
    "%H:%M",
    "%H:%M:%S%.f",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%I:%M:%S%p",
    "%I:%M%p",
    "%I:%M:%S%.f %p",
    "%H%M%S",
    "%H%M",
    "%H.%M.%S",
    "%H:%M:%S,%f",
];
const BETWEEN: &[&str] = &[" ", "T", ", ", "_", " at ", ""];
const ZONES: &[&str] = &["", "Z", "%:z", "%z", " %:z", " %z", " UTC", " GMT", " Z"];
/// Texts that formats are tried on first.
const TRIED: usize = 2_000;
/// A text in a date column that is no date may come in this many spellings.
const SPECIAL: usize = 3;

/// What the texts of a column say about its datetime format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// Every text but the few that are given reads with this format.
    Format { format: String, other: Vec<String>, doubtful: bool },
    /// Day and month could be either way round.
    Ambiguous(String, String),
    /// Not datetimes.
    None,
}

/// The one common format that reads the texts, but for a few spellings that are no dates.
pub(crate) fn guess<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Guess {
    let count = texts.clone().count();
    let every = count.div_ceil(TRIED).max(1);
    let tried: Vec<&str> = texts.clone().step_by(every).map(str::trim).collect();
    let Some(mut formats) = candidates(&tried) else { return Guess::None };
    let most = SPECIAL.min(count / 4);
    let unread =
        |format: &str| texts.clone().map(str::trim).filter(|text| plausible(format, text).is_none()).take(most + 1).collect::<Vec<_>>();
    let mut read: Vec<(String, Vec<&str>)> =
        formats.drain(..).map(|format| (unread(&format), format)).map(|(other, format)| (format, other)).collect();
    let least = read.iter().map(|(_, other)| other.len()).min().unwrap_or(0);
    read.retain(|(_, other)| other.len() == least && least <= most);
    formats.extend(read.iter().map(|(format, _)| format.clone()));
    // The right order of day, month and two-digit year is the one with the least span of time.
    let span = |format: &str| {
        let times = tried.iter().filter_map(|text| plausible(format, text));
        let (low, high) = times.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), time| (low.min(time), high.max(time)));
        high - low
    };
    let doubtful = formats.iter().any(|format| format.contains("%y"));
    if doubtful && formats.len() > 1 {
        let years = |format: &String| (span(format) / 31_557_600.0).round() as i64;
        let least = formats.iter().map(years).min().unwrap_or(0);
        formats.retain(|format| years(format) <= least + 1);
    }
    let Some(first) = formats.first() else { return Guess::None };
    if let Some(other) = formats.iter().find(|other| swaps_day_and_month(first, other)) {
        return Guess::Ambiguous(styled(first, &tried), styled(other, &tried));
    }
    let other =
        read.iter().find(|(format, _)| format == first).map_or(&[][..], |(_, other)| other).iter().map(|&text| text.to_owned()).collect();
    Guess::Format { format: styled(first, &tried), other, doubtful }
}

/// Formats that read most of the texts.
fn candidates(tried: &[&str]) -> Option<Vec<String>> {
    let looks = |text: &str| (4..=48).contains(&text.len()) && text.bytes().any(|byte| byte.is_ascii_digit()) && begins_a_date(text);
    let mut samples = tried.iter().filter(|text| looks(text));
    // One text that is no date must not hide the others.
    let mut formats: Vec<String> = Vec::new();
    for sample in samples.by_ref().take(SPECIAL + 1) {
        let digits = sample.bytes().all(|byte| byte.is_ascii_digit());
        let read = all().filter(|format| plausible(format, sample).is_some() && !(digits && sample.len() < 8));
        for format in read {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
    }
    formats.retain(|format| {
        let read = tried.iter().filter(|text| plausible(format, text).is_some()).count();
        read * 4 >= tried.len() * 3 && read + SPECIAL >= tried.len()
    });
    (!formats.is_empty()).then_some(formats)
}

/// Whether a text begins with a digit, or with the name of a month or of a day of the week.
fn begins_a_date(text: &str) -> bool {
    const NAMES: &str = "jan feb mar apr may jun jul aug sep oct nov dec mon tue wed thu fri sat sun";
    let first = text.get(..3).unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit()) || NAMES.split(' ').any(|name| first.eq_ignore_ascii_case(name))
}

fn all() -> impl Iterator<Item = String> {
    let dates = DATES.iter().map(|date| (*date).to_owned());
    let zoned = |base: String| ZONES.iter().map(move |zone| format!("{base}{zone}"));
    let with_time = DATES
        .iter()
        .flat_map(move |date| BETWEEN.iter().flat_map(move |between| TIMES.iter().map(move |time| format!("{date}{between}{time}"))));
    let unix = ["%a %b %d %H:%M:%S %Y".to_owned(), "%H:%M:%S %d.%m.%Y".to_owned()].into_iter();
    let times = TIMES.iter().filter(|time| time.contains(':')).map(|time| (*time).to_owned());
    dates.chain(with_time.flat_map(zoned)).chain(unix).chain(times)
}

/// A time of a believable year, or the usual stand-in for none.
pub(super) fn plausible(format: &str, text: &str) -> Option<f64> {
    if !two_digits(format, text) {
        return None;
    }
    let time = parse(format, None, text)?;
    // 1000-01-01 to 2999-12-31.
    (-30_610_224_000.0..32_503_680_000.0).contains(&time).then_some(time)
}

/// Whether the year of a format with two-digit years has two digits in a text; the parser takes one as well.
fn two_digits(format: &str, text: &str) -> bool {
    let Some(year) = format.find("%y") else { return true };
    let before = ["%d", "%m"].iter().filter(|part| format[..year].contains(**part)).count();
    let mut runs = text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.nth(before).is_some_and(|run| run.len() == 2)
}

fn swaps_day_and_month(one: &str, other: &str) -> bool {
    let swapped = one.replace("%d", "%?").replace("%m", "%d").replace("%?", "%m");
    one != other && swapped == *other
}

/// The same format with the padding, letter case and fraction of the texts.
fn styled(base: &str, tried: &[&str]) -> String {
    let mut best = base.to_owned();
    let times: Vec<(f64, &str)> = tried.iter().filter_map(|text| Some((plausible(base, text)?, *text))).take(500).collect();
    let score = |candidate: &str| {
        times
            .iter()
            .filter(|(time, text)| {
                let zone = zone_of(text);
                format(candidate, zone.as_deref(), *time) == *text
            })
            .count()
    };
    let mut most = score(&best);
    let digits = |n: usize| move |format: &str| format.replace("%.f", &format!("%.{n}f")).replace(",%f", &format!(",%{n}f"));
    let unpadded = |parts: &'static [&'static str]| {
        move |format: &str| parts.iter().fold(format.to_owned(), |format, part| format.replace(part, &part.replace('%', "%-")))
    };
    type Change = Box<dyn Fn(&str) -> String>;
    let mut changes: Vec<Change> = vec![
        Box::new(unpadded(&["%d", "%m"])),
        Box::new(unpadded(&["%d"])),
        Box::new(unpadded(&["%m"])),
        Box::new(unpadded(&["%H", "%I"])),
        Box::new(|format| format.replace("%b", "%^b").replace("%B", "%^B")),
        Box::new(|format| format.replace("%p", "%P")),
    ];
    changes.extend((1..=9).map(|n| Box::new(digits(n)) as Change));
    // Changes add up, and a first one may show only beside a second; the fewest that are needed are made.
    for pairs in [false, true] {
        for (one, first) in changes.iter().enumerate() {
            let seconds = changes[one + 1..].iter().filter(|_| pairs).map(Some);
            for second in seconds.chain((!pairs).then_some(None)) {
                let candidate = first(&best);
                let candidate = second.map_or_else(|| candidate.clone(), |second| second(&candidate));
                let found = if candidate == best { 0 } else { score(&candidate) };
                if found > most {
                    (most, best) = (found, candidate);
                }
            }
        }
    }
    best
}

/// The offset at the end of a text, as `+02:00`.
pub(crate) fn zone_of(text: &str) -> Option<String> {
    let at = text.rfind(['+', '-']).filter(|at| at + 5 <= text.len() && text[..*at].contains(':'))?;
    let digits: String = text[at + 1..].chars().filter(char::is_ascii_digit).collect();
    (digits.len() == 4).then(|| format!("{}{}:{}", &text[at..=at], &digits[..2], &digits[2..]))
}

/// The zone of the texts: their one offset, or a zone that has all of theirs. `None` where they name no offset, or where no zone has all.
pub(crate) fn zone<'a>(format: &str, texts: impl Iterator<Item = &'a str> + Clone) -> Option<String> {
    if !format.contains("%z") && !format.contains("%:z") {
        return (format.ends_with('Z') || format.ends_with("UTC") || format.ends_with("GMT")).then(|| "UTC".to_owned());
    }
    let count = texts.clone().count();
    let texts = texts.step_by(count.div_ceil(TRIED).max(1)).filter(|text| parse(format, None, text.trim()).is_some());
    let first = texts.clone().next().and_then(|text| zone_of(text.trim()))?;
    if texts.clone().all(|text| zone_of(text.trim()).as_ref() == Some(&first)) {
        return Some(if first == "+00:00" { "UTC".to_owned() } else { first });
    }
    let keeps = |zone: &&&str| {
        texts
            .clone()
            .all(|text| parse(format, None, text.trim()).is_some_and(|time| super::format(format, Some(zone), time) == text.trim()))
    };
    ZONES_WITH_SUMMER_TIME.iter().find(keeps).map(|zone| (*zone).to_owned())
}

/// One zone of each usual rule for summer time.
const ZONES_WITH_SUMMER_TIME: &[&str] = &[
    "Europe/Berlin",
    "Europe/London",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "America/Halifax",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Santiago",
    "Australia/Sydney",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "Asia/Jerusalem",
    "Atlantic/Azores",
    "Europe/Moscow",
];

/// The format of whole numbers that are all dates written without separators: `20191231`, `20191231235959`.
pub(crate) fn whole_number_format(values: impl Iterator<Item = f64> + Clone) -> Option<&'static str> {
    let format = match values.clone().next()? {
        first if (1e7..1e8).contains(&first) => "%Y%m%d",
        first if (1e13..1e14).contains(&first) => "%Y%m%d%H%M%S",
        _ => return None,
    };
    // 1900 to 2100: any number of eight digits may look like a date of some century.
    let near = |time: f64| (-2_208_988_800.0..4_102_444_800.0).contains(&time);
    let mut values = values;
    values.all(|value| plausible(format, &value.to_string()).is_some_and(near)).then_some(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn format_of(texts: &[&str]) -> String {
        match guess(texts.iter().copied()) {
            Guess::Format { format, .. } => format,
            other => panic!("{texts:?}: {other:?}"),
        }
    }

    #[test]
    fn formats_are_told_apart() {
        for (texts, expected) in [
            (&["2024-02-29", "1999-01-01"][..], "%Y-%m-%d"),
            (&["2024-02-29 10:00:00", "2024-02-29 10:00:00.25"], "%Y-%m-%d %H:%M:%S%.f"),
            (&["2024-02-29 10:00:00.000", "2024-02-29 10:00:00.250"], "%Y-%m-%d %H:%M:%S%.3f"),
            (&["2024-02-29T10:00:00Z"], "%Y-%m-%dT%H:%M:%SZ"),
            (&["2024-02-29T10:00:00+02:00"], "%Y-%m-%dT%H:%M:%S%:z"),
            (&["2024-02-29 10:00:00+0000"], "%Y-%m-%d %H:%M:%S%z"),
            (&["2024-02-29 10:00:00 UTC"], "%Y-%m-%d %H:%M:%S UTC"),
            (&["01/02/2024", "13/04/2024"], "%d/%m/%Y"),
            (&["1/2/2024", "4/13/2024"], "%-m/%-d/%Y"),
            (&["1/2/2024 1:05 PM", "4/13/2024 12:00 AM"], "%-m/%-d/%Y %-I:%M %p"),
            (&["31/05/21", "01/02/20"], "%d/%m/%y"),
            (&["31-MAY-21", "01-FEB-20"], "%d-%^b-%y"),
            (&["20191231", "20200101"], "%Y%m%d"),
            (&["20141013T000000", "20150102T000000"], "%Y%m%dT%H%M%S"),
            (&["Jan 5, 2020", "Feb 15, 2020"], "%b %-d, %Y"),
            (&["5 January 2020", "15 May 2020"], "%-d %B %Y"),
            (&["10:15", "23:59"], "%H:%M"),
            (&["2021-03", "2021-12"], "%Y-%m"),
        ] {
            assert_eq!(format_of(texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for texts in
            [&["2024-02-30"][..], &["hello"], &["0022-01-01", "0023-01-01"], &["12345", "23456"], &["1.2.3", "1.2.4"], &["A-12", "B-13"]]
        {
            assert_eq!(guess(texts.iter().copied()), Guess::None, "{texts:?}");
        }
        assert!(matches!(guess(["01/02/2024", "03/04/2024"].into_iter()), Guess::Ambiguous(..)));
    }

    #[test]
    fn a_few_texts_may_be_no_dates() {
        let mut texts = vec!["2024-02-29"; 10];
        texts.extend(["9999-12-31", "0000-00-00"]);
        let Guess::Format { format, other, .. } = guess(texts.into_iter()) else { panic!("dates") };
        assert_eq!((format.as_str(), other), ("%Y-%m-%d", vec!["9999-12-31".to_owned(), "0000-00-00".into()]));
    }

    #[test]
    fn zones_follow_the_offsets() {
        let iso = "%Y-%m-%dT%H:%M:%S%:z";
        assert_eq!(zone(iso, ["2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00"].into_iter()).as_deref(), Some("Europe/Berlin"));
        assert_eq!(zone(iso, ["2024-01-01T00:00:00-03:00"].into_iter()).as_deref(), Some("-03:00"));
        assert_eq!(zone(iso, ["2024-01-01T00:00:00-03:00", "2024-01-01T00:00:00+09:00"].into_iter()), None);
    }

    #[test]
    fn whole_numbers_may_be_dates() {
        assert_eq!(whole_number_format([20_191_231.0, 20_200_101.0].into_iter()), Some("%Y%m%d"));
        assert_eq!(whole_number_format([20_191_331.0].into_iter()), None);
        assert_eq!(whole_number_format([12_345_678.0].into_iter()), None);
    }
}
