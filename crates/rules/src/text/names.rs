//! Names, addresses and companies of a locale, from the lists of the crate `fake`. A value is a few choices from lists, so it needs no
//! generator with a state, and a unique one is a number in mixed radix.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use fake::locales::{AR_SA, CY_GB, DE_DE, Data, EN, FA_IR, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, PT_PT, TR_TR, ZH_CN, ZH_TW};

use crate::bits::Choices;

type List = &'static [&'static str];

/// Domains that nobody can register (RFC 2606, section 3): no e-mail to an address that is made reaches anyone, in any locale.
const RESERVED: [&str; 3] = ["example.com", "example.net", "example.org"];

/// The lists of a locale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Locale {
    first: List,
    last: List,
    title: List,
    name: &'static str,
    seniority: List,
    field: List,
    position: List,
    city_prefix: List,
    city_suffix: List,
    country: List,
    country_code: List,
    state: List,
    street_suffix: List,
    building: List,
    postcode: List,
    company_suffix: List,
    industry: List,
    profession: List,
    phone: List,
    word: List,
    currency: List,
}

fn lists<D: Data>() -> Locale {
    Locale {
        first: D::NAME_FIRST_NAME,
        last: D::NAME_LAST_NAME,
        title: D::NAME_TITLE,
        name: D::NAME_TPL,
        seniority: D::JOB_SENIORITY,
        field: D::JOB_FIELD,
        position: D::JOB_POSITION,
        city_prefix: D::ADDRESS_CITY_PREFIX,
        city_suffix: D::ADDRESS_CITY_SUFFIX,
        country: D::ADDRESS_COUNTRY,
        country_code: D::ADDRESS_COUNTRY_CODE,
        state: D::ADDRESS_STATE,
        street_suffix: D::ADDRESS_STREET_SUFFIX,
        building: D::ADDRESS_BUILDING_NUMBER_FORMATS,
        postcode: D::ADDRESS_POSTCODE_FORMATS,
        company_suffix: D::COMPANY_SUFFIX,
        industry: D::COMPANY_INDUSTRY,
        profession: D::COMPANY_PROFESSION,
        phone: D::PHONE_NUMBER_FORMATS,
        word: D::LOREM_WORD,
        currency: D::CURRENCY_CODE,
    }
}

/// The locales by name.
pub(crate) fn locales() -> [(&'static str, fn() -> Locale); 14] {
    [
        ("en", lists::<EN>),
        ("de", lists::<DE_DE>),
        ("fr", lists::<FR_FR>),
        ("it", lists::<IT_IT>),
        ("nl", lists::<NL_NL>),
        ("pt_br", lists::<PT_BR>),
        ("pt_pt", lists::<PT_PT>),
        ("tr", lists::<TR_TR>),
        ("ja", lists::<JA_JP>),
        ("zh_cn", lists::<ZH_CN>),
        ("zh_tw", lists::<ZH_TW>),
        ("ar", lists::<AR_SA>),
        ("cy", lists::<CY_GB>),
        ("fa", lists::<FA_IR>),
    ]
}

macro_rules! names {
    ($($variant:ident $text:literal),+ $(,)?) => {
        /// What is named.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Name { $($variant),+ }

        impl Name {
            /// All of them by name.
            pub(crate) const ALL: &'static [(&'static str, Self)] = &[$(($text, Self::$variant)),+];
        }
    };
}

names! {
    First "first_name", Last "last_name", Whole "name", Title "title", Job "job", City "city", Country "country",
    CountryCode "country_code", State "state", Street "street", Address "address", Postcode "postcode", Company "company",
    Industry "industry", Profession "profession", Phone "phone", Email "email", User "user_name", Domain "domain", Word "word",
    Sentence "sentence", Currency "currency",
}

impl Name {
    /// The list that a value is taken from as it is, if it is one choice from one list.
    pub(crate) fn list(self, locale: &Locale) -> Option<List> {
        match self {
            Self::First => Some(locale.first),
            Self::Last => Some(locale.last),
            Self::Title => Some(locale.title),
            Self::Country => Some(locale.country),
            Self::CountryCode => Some(locale.country_code),
            Self::State => Some(locale.state),
            Self::Industry => Some(locale.industry),
            Self::Profession => Some(locale.profession),
            Self::Word => Some(locale.word),
            Self::Currency => Some(locale.currency),
            _ => None,
        }
    }

    /// Writes a random value.
    pub(crate) fn draw(self, locale: &Locale, choices: &mut Choices<'_>, out: &mut String) {
        let mut one = |list: List| choices.one(list).copied().unwrap_or_default();
        match self {
            Self::Whole => {
                let (first, last) = (one(locale.first), one(locale.last));
                out.push_str(&locale.name.replace("{FirstName}", first).replace("{LastName}", last));
            }
            Self::Job => joined(out, &[one(locale.seniority), " ", one(locale.field), " ", one(locale.position)]),
            Self::City => city(locale, choices, out),
            Self::Street => street(locale, choices, out),
            Self::Address => {
                street(locale, choices, out);
                out.push_str(", ");
                form(one_of(locale.postcode, choices), choices, out);
                out.push(' ');
                city(locale, choices, out);
            }
            Self::Postcode => form(one_of(locale.postcode, choices), choices, out),
            Self::Company => joined(out, &[one(locale.last), " ", one(locale.company_suffix)]),
            Self::Phone => form(one_of(locale.phone, choices), choices, out),
            Self::User | Self::Email => {
                let (first, last) = (choices.one(&NET_NAMES[0]), choices.one(&NET_NAMES[1]));
                let (first, last) = (first.map_or("", String::as_str), last.map_or("", String::as_str));
                address(first, last, choices.below(100), out);
                if self == Self::Email {
                    joined(out, &["@", one_of(&RESERVED, choices)]);
                }
            }
            Self::Domain => {
                let (word, end) = (one(EN::LOREM_WORD), one(&RESERVED));
                joined(out, &[word, ".", end]);
            }
            Self::Sentence => {
                for place in 0..4 + choices.below(8) {
                    let word = one_of(locale.word, choices);
                    let mut letters = word.chars();
                    match letters.next().filter(|_| place == 0) {
                        Some(first) => {
                            out.extend(first.to_uppercase());
                            out.push_str(letters.as_str());
                        }
                        None => joined(out, &[" ", word]),
                    }
                }
                out.push('.');
            }
            _ => out.push_str(self.list(locale).map_or("", one)),
        }
    }

    /// How many different values [`Name::nth`] makes, if it can make any.
    pub(crate) fn count(self) -> Option<u64> {
        match self {
            Self::User | Self::Email => Some((NET_NAMES[0].len() * NET_NAMES[1].len()) as u64 * 100_000),
            _ => None,
        }
    }

    /// Writes value `number`, unlike that of every other number.
    pub(crate) fn nth(self, number: u64, choices: &mut Choices<'_>, out: &mut String) {
        let (names, last) = (number / 100_000, NET_NAMES[1].len() as u64);
        address(&NET_NAMES[0][(names / last) as usize], &NET_NAMES[1][(names % last) as usize], number % 100_000, out);
        if self == Self::Email {
            joined(out, &["@", one_of(&RESERVED, choices)]);
        }
    }
}

/// First and last names as addresses on the net have them: plain small letters in every locale, each once.
static NET_NAMES: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| {
    [EN::NAME_FIRST_NAME, EN::NAME_LAST_NAME].map(|list| {
        let plain = |name: &&str| name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect::<String>();
        list.iter().map(plain).collect::<BTreeSet<_>>().into_iter().collect()
    })
});

fn one_of(list: List, choices: &mut Choices<'_>) -> &'static str {
    choices.one(list).copied().unwrap_or_default()
}

fn joined(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}

fn address(first: &str, last: &str, number: u64, out: &mut String) {
    joined(out, &[first, ".", last, &number.to_string()]);
}

fn city(locale: &Locale, choices: &mut Choices<'_>, out: &mut String) {
    let (prefixed, name) = (choices.below(2) == 0, one_of(locale.last, choices));
    if prefixed && !locale.city_prefix.is_empty() {
        joined(out, &[one_of(locale.city_prefix, choices), " "]);
    }
    joined(out, &[name, one_of(locale.city_suffix, choices)]);
}

fn street(locale: &Locale, choices: &mut Choices<'_>, out: &mut String) {
    joined(out, &[one_of(locale.last, choices), " ", one_of(locale.street_suffix, choices), " "]);
    form(one_of(locale.building, choices), choices, out);
}

/// A form in which `#` is a digit, `^` one that is not 0, and `?` a letter.
fn form(form: &str, choices: &mut Choices<'_>, out: &mut String) {
    for c in form.chars() {
        match c {
            '#' => out.push(char::from(b'0' + choices.below(10) as u8)),
            '^' => out.push(char::from(b'1' + choices.below(9) as u8)),
            '?' => out.push(char::from(b'A' + choices.below(26) as u8)),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use semblant_core::seeds::Stream;

    use super::*;

    #[test]
    fn every_locale_names_everything() {
        let stream = Stream::new(1, 1);
        for (locale_name, locale) in locales() {
            let locale = locale();
            for &(text, name) in Name::ALL {
                let values: HashSet<String> = (0..40)
                    .map(|row| {
                        let mut value = String::new();
                        name.draw(&locale, &mut Choices::new(&stream, row, 0), &mut value);
                        value
                    })
                    .collect();
                assert!(
                    (values.len() > 1 || name.list(&locale).is_some_and(|list| list.len() == 1))
                        && values.iter().all(|value| !value.trim().is_empty()),
                    "{locale_name} {text}: {values:?}"
                );
            }
        }
    }

    #[test]
    fn addresses_and_domains_are_reserved_in_every_locale() {
        let stream = Stream::new(1, 1);
        for (locale_name, locale) in locales() {
            let locale = locale();
            for row in 0..200 {
                let made = |make: &dyn Fn(&mut Choices<'_>, &mut String)| {
                    let mut value = String::new();
                    make(&mut Choices::new(&stream, row, 0), &mut value);
                    value
                };
                let drawn = made(&|choices, out| Name::Email.draw(&locale, choices, out));
                let unique = made(&|choices, out| Name::Email.nth(row, choices, out));
                for address in [drawn, unique] {
                    let (user, domain) = address.split_once('@').expect("an address");
                    assert!(RESERVED.contains(&domain) && user.is_ascii(), "{locale_name}: {address}");
                }
                let domain = made(&|choices, out| Name::Domain.draw(&locale, choices, out));
                let (word, parent) = domain.split_once('.').expect("a domain");
                assert!(RESERVED.contains(&parent) && word.bytes().all(|byte| byte.is_ascii_lowercase()), "{locale_name}: {domain}");
            }
        }
    }

    #[test]
    fn unique_addresses_differ() {
        let stream = Stream::new(1, 1);
        let values: HashSet<String> = (0..3_000u64)
            .map(|number| {
                let mut value = String::new();
                Name::Email.nth(number * 99_991, &mut Choices::new(&stream, number, 0), &mut value);
                value
            })
            .collect();
        assert_eq!(values.len(), 3_000);
    }
}
