//! How the numbers of a text file are written: decimal comma, thousands separators, currency and percent signs.

use serde::{Deserialize, Serialize};

/// How the numbers of a column are written around their digits. The table holds the bare number: 26.5 for `26.5 %`, 1234.5 for `$1,234.50`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberStyle {
    /// Text before the digits, such as `$`; a minus sign stands before it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Text after the digits, such as `%`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub suffix: String,
    /// What separates the decimals: `.` or `,`.
    pub decimal: char,
    /// What separates groups of three digits, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// The fewest decimals; without it every number has the column's `decimals`. Decimals beyond these are written unless they are zeros.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_decimals: Option<u8>,
    /// Whether a negative number stands in parentheses instead of behind a minus sign.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub parentheses: bool,
}

impl Default for NumberStyle {
    fn default() -> Self {
        Self { prefix: String::new(), suffix: String::new(), decimal: '.', thousands: None, min_decimals: None, parentheses: false }
    }
}

/// Signs of currencies and shares that may stand beside a number.
const SIGNS: &[char] = &['$', '€', '£', '¥', '₹', '₩', '₽', '₺', '₪', '฿', '%', '‰'];
/// Codes of currencies that may stand beside a number.
const CODES: &[&str] = &[
    "USD", "EUR", "GBP", "JPY", "CHF", "CNY", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "BRL", "MXN", "ZAR",
    "KRW", "TRY", "RUB", "US$", "A$", "C$", "R$", "kr", "zł", "Kč", "Fr.",
];

impl NumberStyle {
    /// Whether numbers are written as in a program: digits, a point, a minus sign.
    pub fn is_plain(&self) -> bool {
        *self == Self { min_decimals: self.min_decimals, ..Self::default() }
    }

    /// The bare number as a program writes it: `-1234.5` for `($1,234.5)`. `None` when the text is not of this style.
    pub(crate) fn bare(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let (text, in_parentheses) = match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(inner) if self.parentheses => (inner.trim(), true),
            _ => (text, false),
        };
        let (text, minus) = unsigned(text);
        let rest = text.strip_prefix(self.prefix.trim())?.trim_start();
        let rest = rest.strip_suffix(self.suffix.trim())?.trim_end();
        let (digits, inner_minus) = unsigned(rest);
        let mut bare = String::with_capacity(digits.len() + 1);
        if usize::from(minus) + usize::from(inner_minus) + usize::from(in_parentheses) > 1 {
            return None;
        }
        if minus || inner_minus || in_parentheses {
            bare.push('-');
        }
        let (whole, fraction) = match digits.split_once(self.decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let groups: Vec<&str> = match self.thousands {
            Some(separator) => whole.split(separator).collect(),
            None => vec![whole],
        };
        let grouped = groups.len() == 1 || ((1..=3).contains(&groups[0].len()) && groups[1..].iter().all(|group| group.len() == 3));
        let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !grouped || !groups.iter().all(|group| digits_only(group)) || groups[0].is_empty() && fraction.is_none_or(str::is_empty) {
            return None;
        }
        bare.extend(groups);
        if let Some(fraction) = fraction {
            if !digits_only(fraction) || fraction.is_empty() {
                return None;
            }
            bare.push('.');
            bare.push_str(fraction);
        }
        Some(bare)
    }

    /// Dresses a bare number that a program wrote.
    pub(crate) fn dress(&self, bare: &str) -> String {
        let (digits, negative) = unsigned(bare);
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
        let mut text = String::with_capacity(bare.len() + 8);
        if negative {
            text.push(if self.parentheses { '(' } else { '-' });
        }
        text.push_str(&self.prefix);
        match self.thousands {
            Some(separator) => whole.char_indices().for_each(|(place, digit)| {
                if place > 0 && (whole.len() - place) % 3 == 0 {
                    text.push(separator);
                }
                text.push(digit);
            }),
            None => text.push_str(whole),
        }
        if let Some(fraction) = fraction {
            text.push(self.decimal);
            text.push_str(fraction);
        }
        text.push_str(&self.suffix);
        if negative && self.parentheses {
            text.push(')');
        }
        text
    }

    /// The style in which every text reads as a number, and whether another style would read some of them differently.
    pub(crate) fn guess<'a>(texts: impl Iterator<Item = &'a str> + Clone, comma_is_decimal: bool) -> Option<(Self, bool)> {
        let first = texts.clone().next()?.trim();
        let (prefix, suffix) = affixes(first)?;
        let parentheses = texts.clone().any(|text| text.trim().starts_with('('));
        let style = |decimal: char, thousands: Option<char>| Self {
            prefix: prefix.to_owned(),
            suffix: suffix.to_owned(),
            decimal,
            thousands,
            min_decimals: None,
            parentheses,
        };
        let mut candidates = vec![style('.', None), style('.', Some(','))];
        let comma =
            [style(',', None), style(',', Some('.')), style(',', Some(' ')), style(',', Some('\u{a0}')), style(',', Some('\u{202f}'))];
        // Where cells are separated by semicolons the comma is free to separate decimals.
        let at = if comma_is_decimal { 1 } else { 2 };
        candidates.splice(at..at, comma);
        candidates.extend([Some('\''), Some('’'), Some(' '), Some('\u{a0}'), Some('\u{202f}')].map(|thousands| style('.', thousands)));
        let fitting: Vec<Self> = candidates.into_iter().filter(|style| texts.clone().all(|text| style.bare(text).is_some())).collect();
        let first = fitting.first()?;
        // Decimals that only some numbers have, and always three of them, are groups.
        let groups = |style: &&Self| {
            style.thousands == Some(first.decimal)
                && texts.clone().any(|text| !text.contains(first.decimal))
                && texts.clone().all(|text| bare_groups(style, text))
        };
        let best = fitting.iter().find(groups).filter(|_| first.decimal == ',').unwrap_or(first);
        let doubtful = fitting.iter().any(|other| texts.clone().any(|text| best.bare(text) != other.bare(text)));
        Some((best.clone(), doubtful))
    }
}

/// Whether a number of four digits and more is written with separators throughout.
fn bare_groups(style: &NumberStyle, text: &str) -> bool {
    style.bare(text).is_some_and(|bare| {
        let digits = bare.trim_start_matches('-').split('.').next().unwrap_or_default().len();
        digits <= 3 || style.thousands.is_some_and(|separator| text.contains(separator))
    })
}

fn unsigned(text: &str) -> (&str, bool) {
    for (sign, minus) in [("-", true), ("−", true), ("+", false)] {
        if let Some(rest) = text.strip_prefix(sign) {
            return (rest.trim_start(), minus);
        }
    }
    (text, false)
}

/// What stands around the digits of a number, if it is a sign or code that may.
fn affixes(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
    let (text, _) = unsigned(text);
    let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let start = text.find(is_part)?;
    let end = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let (prefix, suffix) = (text.get(..start)?, text.get(end..)?);
    let prefix = prefix.strip_suffix(['-', '−']).unwrap_or(prefix);
    let known = |affix: &str| {
        let affix = affix.trim();
        affix.is_empty() || CODES.contains(&affix) || (affix.chars().count() == 1 && affix.chars().all(|c| SIGNS.contains(&c)))
    };
    (known(prefix) && known(suffix)).then_some((prefix, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn style_of(texts: &[&str]) -> NumberStyle {
        let (style, _) = NumberStyle::guess(texts.iter().copied(), false).expect("numbers");
        for text in texts {
            let bare = style.bare(text).expect("a number");
            assert_eq!(&style.dress(&bare), text);
        }
        style
    }

    #[test]
    fn styles_are_found_and_written_back() {
        assert_eq!(style_of(&["120,38", "7,5"]).decimal, ',');
        assert_eq!(style_of(&["58,847", "885", "6,385"]).thousands, Some(','));
        assert_eq!(style_of(&["1.234,56", "7,5"]).thousands, Some('.'));
        assert_eq!(style_of(&["1'234.56", "7.5"]).thousands, Some('\''));
        assert_eq!(style_of(&["12 345,6", "1,0"]).thousands, Some(' '));
        assert_eq!(style_of(&["$21.64", "-$3.10"]).prefix, "$");
        assert_eq!(style_of(&["46.7%", "3%"]).suffix, "%");
        assert_eq!(style_of(&["12,50 €", "1.000,00 €"]).suffix, " €");
        assert!(style_of(&["(5.00)", "7.00"]).parentheses);
        assert_eq!(style_of(&["USD 1,200", "USD 7"]).prefix, "USD ");
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for texts in
            [&["A12", "A13"][..], &["12:30"], &["1,2,3"], &["+49 170 1"], &["12-13"], &["1.2.3"], &["$"], &[","], &["12 kg", "13 lb"]]
        {
            assert_eq!(NumberStyle::guess(texts.iter().copied(), false), None, "{texts:?}");
        }
    }

    #[test]
    fn a_comma_before_three_digits_is_doubtful() {
        assert_eq!(
            NumberStyle::guess(["1,234", "5,678"].into_iter(), true).map(|(style, doubt)| (style.decimal, doubt)),
            Some((',', true))
        );
        let (style, doubt) = NumberStyle::guess(["1,234", "5,678"].into_iter(), false).expect("numbers");
        assert_eq!((style.thousands, doubt), (Some(','), true));
    }
}
