//! Columns as they are written to files.

use semblant_data::table::{ColumnKind, ColumnSchema};
use semblant_expressions::Type;

use super::names::Resolver;
use super::{DrawPlan, Link, Maker};
use crate::error::Result;
use crate::spec::{ColumnType, Draw};

impl Resolver<'_> {
    pub(super) fn described(
        &self,
        table: usize,
        index: usize,
        data_type: Type,
        unique: bool,
        maker: &Maker,
        links: &[Link],
    ) -> Result<ColumnSchema> {
        let spec = &self.columns[table][index];
        let declared = spec.data_type.as_ref().map(|declared| declared.value);
        let mut described = match maker {
            Maker::Learned { block, column } => {
                let learned = self.models[table][*block].schema().columns[*column].clone();
                ColumnSchema { name: spec.name.value.clone(), ..learned }
            }
            _ => ColumnSchema::new(spec.name.value.clone(), self.kind(table, index, data_type, maker)),
        };
        if matches!(maker, Maker::Learned { .. }) && declared.is_none() {
            return Ok(described);
        }
        if described.kind == ColumnKind::Datetime {
            let is_date = match declared {
                Some(declared) => declared == ColumnType::Date,
                None => matches!(spec.draw.as_ref().map(|draw| &draw.value), Some(Draw::Date(_))),
            };
            described.format = Some(match &spec.format {
                Some(format) => format.value.clone(),
                None if is_date => "%Y-%m-%d".to_owned(),
                None => "%Y-%m-%d %H:%M:%S".to_owned(),
            });
        } else if let Some(format) = &spec.format {
            return self.fail(format.place, "only dates and times have a format; remove it");
        }
        if described.kind == ColumnKind::Boolean {
            described.data_type = Some("Boolean".into());
        }
        if described.kind == ColumnKind::Continuous {
            described.decimals = spec.decimals.as_ref().map(|decimals| decimals.value);
        }
        let is_key = self.spec.tables[table].key.as_ref().is_some_and(|key| key.0.len() == 1 && *key.0[0] == *spec.name);
        let is_uuid = matches!(maker, Maker::Draw(draw) if matches!(**draw, DrawPlan::Uuid));
        if described.kind == ColumnKind::Categorical && (is_key || unique || is_uuid) {
            described.kind = ColumnKind::Id;
        }
        if is_uuid {
            described.data_type = Some("Uuid".into());
        }
        // A column that carries the key of another table over refers to it.
        if let Some(text) = &spec.expression
            && let Some((alias, column)) = text.trim().split_once('.')
            && let Some(link) =
                links.iter().find(|link| link.name == alias || (alias == "parent" && matches!(link.kind, super::LinkKind::Parent)))
            && self.spec.tables[link.table].key.as_ref().is_some_and(|key| key.0.len() == 1 && *key.0[0] == column)
        {
            described.references = Some(format!("{}.{column}", *self.spec.tables[link.table].name));
            if described.kind == ColumnKind::Categorical {
                described.kind = ColumnKind::Key;
            }
        }
        Ok(described)
    }

    fn kind(&self, table: usize, index: usize, data_type: Type, maker: &Maker) -> ColumnKind {
        let spec = &self.columns[table][index];
        match (data_type, spec.data_type.as_ref().map(|declared| declared.value)) {
            (Type::Time, _) => ColumnKind::Datetime,
            (Type::Boolean, _) => ColumnKind::Boolean,
            (Type::Text, _) => ColumnKind::Categorical,
            (_, Some(ColumnType::Integer)) => ColumnKind::Integer,
            (_, Some(_)) => ColumnKind::Continuous,
            (_, None) => match maker {
                Maker::Draw(draw) if matches!(**draw, DrawPlan::Sequence { .. } | DrawPlan::Distinct { .. }) => ColumnKind::Integer,
                Maker::Draw(_) if spec.draw.as_ref().is_some_and(|draw| is_whole(&draw.value)) => ColumnKind::Integer,
                // What is carried over is as it is there.
                Maker::Expression(expression) => match (spec.decimals.is_none(), expression.columns()) {
                    (true, [slot]) if expression.to_string().replace('"', "").trim() == self.slot_name(table, *slot) => {
                        self.carried(table, *slot)
                    }
                    _ => ColumnKind::Continuous,
                },
                _ => ColumnKind::Continuous,
            },
        }
    }

    fn slot_name(&self, table: usize, slot: usize) -> String {
        self.slots(table).ok().and_then(|slots| slots.get(slot).map(|(name, _)| name.clone())).unwrap_or_default()
    }

    /// The kind of a slot of numbers.
    fn carried(&self, table: usize, slot: usize) -> ColumnKind {
        let Ok(slots) = self.slots(table) else { return ColumnKind::Continuous };
        match slots[slot].1 {
            super::Slot::RowNumber | super::Slot::ChildNumber | super::Slot::Children | super::Slot::Series(1) => ColumnKind::Integer,
            super::Slot::Link { link, column } => {
                let Ok(links) = self.links(table) else { return ColumnKind::Continuous };
                let other = links[link].1;
                let spec = &self.columns[other][column];
                let whole = spec.data_type.as_ref().is_some_and(|declared| declared.value == ColumnType::Integer)
                    || (spec.data_type.is_none() && spec.draw.as_ref().is_some_and(|draw| is_whole(&draw.value)));
                if whole { ColumnKind::Integer } else { ColumnKind::Continuous }
            }
            super::Slot::Own(column) => {
                let whole = self.columns[table][column].data_type.as_ref().is_some_and(|declared| declared.value == ColumnType::Integer);
                if whole { ColumnKind::Integer } else { ColumnKind::Continuous }
            }
            _ => ColumnKind::Continuous,
        }
    }
}

/// Whether a distribution has whole numbers alone.
fn is_whole(draw: &Draw) -> bool {
    matches!(
        draw,
        Draw::Integers { .. }
            | Draw::Poisson { .. }
            | Draw::NegativeBinomial { .. }
            | Draw::Binomial { .. }
            | Draw::Geometric { .. }
            | Draw::Zipf { .. }
            | Draw::Sequence { .. }
    )
}
