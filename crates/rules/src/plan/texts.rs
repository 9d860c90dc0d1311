//! Texts, names and places.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::names::Resolver;
use super::{DrawPlan, TemplatePiece};
use crate::error::{Error, Place, Result, did_you_mean, place_of};
use crate::spec::{At, Draw};
use crate::text::{Locale, Name, Piece, Template, locales};

impl Resolver<'_> {
    /// An error inside a text of the spec.
    pub(super) fn inside(&self, text: &At<String>, at: usize, what: String) -> Error {
        Error::new(self.path, Place { column: text.place.column + 1 + at, ..text.place }, what)
    }

    pub(super) fn template(&self, table: usize, text: &At<String>) -> Result<DrawPlan> {
        let template = Template::new(text).map_err(|(at, what)| self.inside(text, at, what))?;
        let slots = self.slots(table)?;
        let piece = |piece: Piece| match piece {
            Piece::Text(text) => Ok(TemplatePiece::Text(text)),
            Piece::Column { name, width, at } => match slots.iter().position(|(known, _)| *known == name) {
                Some(slot) => Ok(TemplatePiece::Slot { slot, width }),
                None => {
                    let nearest = did_you_mean(&name, slots.iter().map(|(known, _)| known.as_str()));
                    Err(self.inside(text, at, format!("there is no column \"{name}\"{nearest}; name one of the row")))
                }
            },
        };
        Ok(DrawPlan::Template(template.pieces.into_iter().map(piece).collect::<Result<_>>()?))
    }

    pub(super) fn fake(&self, table: usize, index: usize, name: &At<String>) -> Result<DrawPlan> {
        let known = Name::ALL.iter().map(|(text, _)| *text);
        let found = place_of(name, known, |meant, all| format!("nothing is called \"{}\"{meant}; there are {all}", **name));
        let (_, found) = &Name::ALL[found.map_err(|what| Error::new(self.path, name.place, what))?];
        let locale: Locale = match self.columns[table][index].locale.as_ref().or(self.spec.locale.as_ref()) {
            None => locales()[0].1(),
            Some(wanted) => match locales().iter().find(|(text, _)| *text == wanted.value) {
                Some((_, lists)) => lists(),
                None => {
                    let all = locales().map(|(text, _)| text).join(", ");
                    return self.fail(wanted.place, format!("there is no locale \"{}\"; write one of {all}", **wanted));
                }
            },
        };
        let distinct = |list: &'static [&'static str]| {
            let mut seen = BTreeSet::new();
            list.iter().filter(|text| seen.insert(**text)).map(|&text| text.to_owned()).collect::<Vec<_>>()
        };
        let levels = found.list(&locale).map(|list| Arc::new(distinct(list)));
        Ok(DrawPlan::Fake { name: *found, locale: Box::new(locale), levels })
    }

    pub(super) fn point(&self, table: usize, index: usize, draw: &At<Draw>, longitude: bool) -> Result<DrawPlan> {
        let Draw::Latitude { area, centres, km } = &draw.value else {
            return self.fail(draw.place, "this is no latitude; write latitude = { box = [...] }");
        };
        if area.is_some() != centres.is_empty() {
            return self.fail(draw.place, "a point lies in a box or around centres; write one of them");
        }
        let wrong = |latitude: f64, longitude: f64| !(latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
        if let Some(area) = area
            && (wrong(area[0], area[1]) || wrong(area[2], area[3]) || area[0] > area[2] || area[1] > area[3])
        {
            return self.fail(area.place, "this is no box; write [south, west, north, east] in degrees");
        }
        if let Some(centre) = centres.iter().find(|centre| wrong(centre[0], centre[1])) {
            return self.fail(centre.place, "this is no centre; write [latitude, longitude] in degrees");
        }
        let stream = self.stream(table, &self.columns[table][index].name);
        let centres = centres.iter().map(|centre| centre.value).collect();
        Ok(DrawPlan::Point {
            area: area.as_ref().map(|area| area.value),
            centres,
            km: km.as_ref().map_or(10.0, |km| km.value),
            longitude,
            stream,
        })
    }
}
