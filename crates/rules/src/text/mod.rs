//! Texts: regular expressions, templates, names and check digits.

mod checked;
mod names;
mod regex;
mod template;

pub(crate) use checked::{Iban, Luhn};
pub(crate) use names::{Locale, Name, locales};
pub(crate) use regex::Pattern;
pub(crate) use template::{Piece, Template, padded};
