//! Numbers with check digits.

use std::fmt::Write;

use crate::bits::Choices;

/// Digits whose last one is Luhn's check digit (ISO/IEC 7812-1).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Luhn {
    prefix: String,
    free: u32,
}

impl Luhn {
    pub(crate) fn new(digits: u8, prefix: &str) -> Result<Self, String> {
        if !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("\"{prefix}\" is not of digits; write digits alone"));
        }
        let free = u32::from(digits).checked_sub(prefix.len() as u32 + 1).filter(|free| (1..=18).contains(free));
        let free = free.ok_or_else(|| {
            format!("{digits} digits leave no room for a number behind \"{prefix}\" and before the check digit; write up to 19")
        })?;
        Ok(Self { prefix: prefix.to_owned(), free })
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> u64 {
        10u64.pow(self.free)
    }

    pub(crate) fn nth(&self, number: u64, out: &mut String) {
        let start = out.len();
        out.push_str(&self.prefix);
        let _ = write!(out, "{number:0width$}", width = self.free as usize);
        let sum: u32 = out[start..].bytes().rev().enumerate().map(|(place, byte)| doubled(u32::from(byte - b'0'), place % 2 == 0)).sum();
        let _ = write!(out, "{}", (10 - sum % 10) % 10);
    }

    pub(crate) fn draw(&self, choices: &mut Choices<'_>, out: &mut String) {
        // Two choices, as one has fewer bits than 18 digits.
        let low = 10u64.pow(self.free.min(9));
        let number = choices.below(self.count() / low) * low + choices.below(low);
        self.nth(number, out);
    }
}

fn doubled(digit: u32, twice: bool) -> u32 {
    match digit * 2 {
        _ if !twice => digit,
        large if large > 9 => large - 9,
        small => small,
    }
}

/// Account numbers of a country with check digits (ISO 13616).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Iban {
    country: &'static str,
    /// `n` for a digit, `a` for a letter, as the registry of IBANs has it.
    form: &'static str,
}

/// Countries, and the form of what follows the check digits.
const COUNTRIES: [(&str, &str); 10] = [
    ("AT", "nnnnnnnnnnnnnnnn"),
    ("BE", "nnnnnnnnnnnn"),
    ("CH", "nnnnnnnnnnnnnnnnn"),
    ("DE", "nnnnnnnnnnnnnnnnnn"),
    ("ES", "nnnnnnnnnnnnnnnnnnnn"),
    ("FR", "nnnnnnnnnnnnnnnnnnnnnnn"),
    ("GB", "aaaannnnnnnnnnnnnn"),
    ("IT", "annnnnnnnnnnnnnnnnnnnnn"),
    ("NL", "aaaannnnnnnnnn"),
    ("PL", "nnnnnnnnnnnnnnnnnnnnnnnn"),
];

impl Iban {
    pub(crate) fn new(country: &str) -> Result<Self, String> {
        let found = COUNTRIES.iter().find(|(known, _)| *known == country);
        let known = || COUNTRIES.map(|(known, _)| known).join(", ");
        found
            .map(|&(country, form)| Self { country, form })
            .ok_or_else(|| format!("no IBAN is known for \"{country}\"; write one of {}", known()))
    }

    pub(crate) fn draw(&self, choices: &mut Choices<'_>, out: &mut String) {
        let mut account = String::with_capacity(self.form.len());
        for kind in self.form.bytes() {
            let (first, count) = if kind == b'a' { (b'A', 26) } else { (b'0', 10) };
            account.push(char::from(first + choices.below(count) as u8));
        }
        let rest = mod_97(account.bytes().chain(self.country.bytes()).chain(*b"00"));
        let _ = write!(out, "{}{:02}{account}", self.country, 98 - rest);
    }
}

/// The remainder by 97 of digits and letters, which count from 10 (ISO 7064).
fn mod_97(text: impl Iterator<Item = u8>) -> u32 {
    text.fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}

#[cfg(test)]
mod tests {
    use semblant_core::seeds::Stream;

    use super::*;

    #[test]
    fn luhn_gives_the_known_digit() {
        let mut text = String::new();
        Luhn::new(11, "7992").expect("right").nth(739_871, &mut text);
        assert_eq!(text, "79927398713");
        assert!(Luhn::new(4, "1234").is_err() && Luhn::new(9, "12a").is_err());
    }

    #[test]
    fn ibans_leave_one() {
        let stream = Stream::new(1, 1);
        for (country, form) in COUNTRIES {
            let mut text = String::new();
            Iban::new(country).expect("known").draw(&mut Choices::new(&stream, 5, 0), &mut text);
            assert_eq!(text.len(), 4 + form.len());
            assert_eq!(mod_97(text.bytes().skip(4).chain(text.bytes().take(4))), 1, "{text}");
        }
        // The example of the registry.
        let known = "GB29NWBK60161331926819";
        assert_eq!(mod_97(known.bytes().skip(4).chain(known.bytes().take(4))), 1);
    }
}
