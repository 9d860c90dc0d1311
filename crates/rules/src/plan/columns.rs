//! Columns: their types, and what makes them.

use semblant_data::table::ColumnKind;
use semblant_expressions::{Type, Value};

use super::names::Resolver;
use super::scope::literal_time;
use super::{Column, DrawPlan, Finish, Link, Maker, Param, Slot};
use crate::calendar::DAY;
use crate::error::{Error, Place, Result};
use crate::spec::{At, Branch, ColumnSpec, ColumnType, Draw, Scalar, Term};

/// What makes a value, of a column or of a branch of one.
pub(super) struct Source<'s> {
    draw: Option<&'s At<Draw>>,
    expression: Option<&'s At<String>>,
    value: Option<&'s Term>,
    place: Place,
}

impl<'s> Source<'s> {
    fn of_column(column: &'s ColumnSpec) -> Self {
        Self { draw: column.draw.as_ref(), expression: column.expression.as_ref(), value: column.value.as_ref(), place: column.name.place }
    }

    fn of_branch(branch: &'s Branch, place: Place) -> Self {
        let when = branch.when.as_ref().map(|when| when.place);
        let Branch { draw, expression, value, .. } = branch;
        let at = draw.as_ref().map(|x| x.place).or(expression.as_ref().map(|x| x.place)).or(value.as_ref().map(|x| x.place));
        Self { draw: draw.as_ref(), expression: expression.as_ref(), value: value.as_ref(), place: when.or(at).unwrap_or(place) }
    }

    fn count(&self) -> usize {
        usize::from(self.draw.is_some()) + usize::from(self.expression.is_some()) + usize::from(self.value.is_some())
    }
}

/// The type of values of a column of a spec.
fn of_type(data_type: ColumnType) -> Type {
    match data_type {
        ColumnType::Integer | ColumnType::Number => Type::Number,
        ColumnType::Text => Type::Text,
        ColumnType::Boolean => Type::Boolean,
        ColumnType::Date | ColumnType::Datetime => Type::Time,
    }
}

impl Resolver<'_> {
    pub(super) fn declared_type(&self, table: usize, index: usize) -> Result<Type> {
        let column = &self.columns[table][index];
        if let Some(declared) = &column.data_type {
            return Ok(of_type(declared.value));
        }
        let source = Source::of_column(column);
        match (source.count(), column.case.first()) {
            (0, Some(branch)) => self.type_of_source(table, &Source::of_branch(branch, column.name.place)),
            (0, None) => match self.learned[table].get(&index) {
                Some(&(entry, learned)) => Ok(match self.models[table][entry].schema().columns[learned].kind {
                    ColumnKind::Datetime => Type::Time,
                    kind if kind.is_number() => Type::Number,
                    _ => Type::Text,
                }),
                None => self.fail(
                    column.name.place,
                    format!("column \"{}\" has nothing that makes it; add draw, expression, value or case", *column.name),
                ),
            },
            _ => self.type_of_source(table, &source),
        }
    }

    fn type_of_source(&self, table: usize, source: &Source<'_>) -> Result<Type> {
        if let Some(text) = source.expression {
            return Ok(self.expression(table, text)?.data_type());
        }
        if let Some(draw) = source.draw {
            return self.type_of_draw(draw);
        }
        match source.value.map(|value| &value.value) {
            Some(Scalar::Number(_)) => Ok(Type::Number),
            Some(Scalar::Boolean(_)) => Ok(Type::Boolean),
            Some(Scalar::Text(_)) => Ok(Type::Text),
            None => self.fail(source.place, "a branch has nothing that makes its value; add draw, expression or value"),
        }
    }

    /// A column. `copula` says where its uniform numbers come from.
    pub(super) fn column(&self, table: usize, index: usize, copula: Option<(usize, usize)>, links: &[Link]) -> Result<Column> {
        let spec = &self.columns[table][index];
        let place = spec.name.place;
        let data_type = self.type_of(table, index)?;
        if data_type == Type::Interval {
            return self.fail(place, format!("column \"{}\" is an interval, which no file holds; write days(...)", *spec.name));
        }
        let unique = spec.unique.as_ref().is_some_and(|unique| unique.value);
        let maker = self.column_maker(table, index, data_type, unique)?;
        let missing = spec.missing.as_ref().map(|missing| self.probability(table, missing)).transpose()?;
        let finish = self.finish(table, index, data_type)?;
        let own = self.slots(table)?;
        let mut needs = needs_of(&maker);
        needs.extend(finish.clip.iter().flatten().flat_map(Param::needs));
        if let Some(missing) = &missing {
            // The column itself is the value that may go missing.
            needs.extend(missing.needs().iter().filter(|&&slot| own[slot].1 != Slot::Own(index)));
        }
        if let Maker::Learned { block, .. } = &maker {
            needs.extend(self.given(table, *block)?.into_iter().map(|(column, _)| column));
        }
        needs.sort_unstable();
        needs.dedup();
        let described = self.described(table, index, data_type, unique, &maker, links)?;
        Ok(Column {
            name: spec.name.value.clone(),
            place,
            data_type,
            maker,
            finish,
            missing,
            unique,
            hidden: spec.hidden,
            stream: self.stream(table, &spec.name),
            copula,
            needs,
            fixed: false,
            described,
        })
    }

    fn column_maker(&self, table: usize, index: usize, data_type: Type, unique: bool) -> Result<Maker> {
        let spec = &self.columns[table][index];
        let (source, place) = (Source::of_column(spec), spec.name.place);
        let learned = self.learned[table].get(&index).map(|&(block, column)| Maker::Learned { block, column });
        let several = source.count() + usize::from(!spec.case.is_empty());
        if several > 1 {
            return self
                .fail(place, format!("column \"{}\" is made in {several} ways; keep one of draw, expression, value and case", *spec.name));
        }
        if unique && source.draw.is_none() && !(source.expression.is_some() && self.is_key(table, &spec.name)) {
            return self.fail(place, "only what is drawn can be unique; write draw, or remove unique");
        }
        if spec.case.is_empty() {
            return match (several, learned) {
                (0, Some(learned)) => Ok(learned),
                _ => self.maker(table, index, &source, data_type, unique),
            };
        }
        let mut branches = Vec::new();
        for (number, branch) in spec.case.iter().enumerate() {
            let source = Source::of_branch(branch, place);
            if source.count() != 1 {
                return self.fail(source.place, "a branch has one of draw, expression and value; keep one");
            }
            if branch.when.is_none() && number + 1 < spec.case.len() {
                return self.fail(source.place, "a branch without a condition is the last; move it to the end, or add when");
            }
            let when = branch.when.as_ref().map(|when| self.condition(table, when)).transpose()?;
            branches.push((when, self.maker(table, index, &source, data_type, false)?));
        }
        if let Some(learned) = learned
            && spec.case.iter().all(|branch| branch.when.is_some())
        {
            branches.push((None, learned));
        }
        Ok(Maker::Case(branches))
    }

    fn is_key(&self, table: usize, name: &str) -> bool {
        self.spec.tables[table].key.as_ref().is_some_and(|key| key.0.iter().any(|known| **known == name))
    }

    fn maker(&self, table: usize, index: usize, source: &Source<'_>, data_type: Type, unique: bool) -> Result<Maker> {
        let other = |place: Place, found: Type| {
            let remedy = match (found, data_type) {
                (_, Type::Text) => "write cast(... as text)",
                (Type::Boolean, Type::Number) => "write case when ... then 1 else 0 end",
                (Type::Interval, Type::Number) => "write days(...)",
                _ => "change type, or what makes it",
            };
            Error::new(self.path, place, format!("this is {found}, and the column is {data_type}; {remedy}"))
        };
        if let Some(text) = source.expression {
            let read = self.expression(table, text)?;
            return if read.data_type() == data_type { Ok(Maker::Expression(read)) } else { Err(other(text.place, read.data_type())) };
        }
        if let Some(draw) = source.draw {
            let found = self.type_of_draw(draw)?;
            let of_labels = matches!(draw.value, Draw::Categories(_)) && data_type == Type::Number;
            if found != data_type && !of_labels {
                return Err(other(draw.place, found));
            }
            return self.draw(table, index, draw, data_type, unique).map(|draw| Maker::Draw(Box::new(draw)));
        }
        let Some(value) = source.value else {
            return self.fail(source.place, "nothing makes this value; add draw, expression or value");
        };
        Ok(Maker::Constant(match (&value.value, data_type) {
            (Scalar::Number(number), Type::Number) => Value::Number(*number),
            (Scalar::Boolean(truth), Type::Boolean) => Value::Boolean(*truth),
            (Scalar::Text(text), Type::Text) => Value::Text(text.clone().into()),
            (Scalar::Number(number), Type::Text) => Value::Text(number.to_string().into()),
            (Scalar::Text(text), Type::Time) => match literal_time(text) {
                Some(time) => Value::Time(time),
                None => return self.fail(value.place, format!("\"{text}\" is no time; write one such as 2024-01-31")),
            },
            (Scalar::Text(_), Type::Number) => return self.fail(value.place, "a text is no number; write expression for a computed one"),
            _ => return self.fail(value.place, format!("this is not {data_type}, as the column is; change one of them")),
        }))
    }

    fn finish(&self, table: usize, index: usize, data_type: Type) -> Result<Finish> {
        let spec = &self.columns[table][index];
        let declared = spec.data_type.as_ref().map(|declared| declared.value);
        let numeric = matches!(data_type, Type::Number | Type::Time);
        let first = [spec.clip.as_ref().map(|x| x.place), spec.step.as_ref().map(|x| x.place), spec.decimals.as_ref().map(|x| x.place)];
        if let (false, Some(place)) = (numeric, first.into_iter().flatten().next()) {
            return self.fail(place, "only numbers and times are clipped and rounded; remove this");
        }
        if let Some(step) = spec.step.as_ref().filter(|step| !(step.value > 0.0 && step.value.is_finite())) {
            return self.fail(step.place, format!("the step {} is not above 0; write one that is", step.value));
        }
        if let Some(decimals) = spec.decimals.as_ref().filter(|decimals| decimals.value > 15) {
            return self.fail(decimals.place, format!("{} decimals are more than numbers have; write at most 15", decimals.value));
        }
        if spec.truncate.is_some() && spec.draw.is_none() {
            return self.fail(spec.name.place, "truncate is for distributions; write clip for computed values");
        }
        let clip = match &spec.clip {
            None => None,
            Some(clip) => {
                let [low, high] = &clip.value;
                let bounds = [self.param(table, low, data_type)?, self.param(table, high, data_type)?];
                if let [Param::Constant(low), Param::Constant(high)] = bounds
                    && low > high
                {
                    return self.fail(clip.place, format!("the least value {low} is above the greatest {high}; exchange them"));
                }
                Some(bounds)
            }
        };
        let is_time = matches!(spec.draw.as_ref().map(|draw| &draw.value), Some(Draw::Date(_)));
        let whole = match (data_type, declared) {
            (Type::Time, Some(ColumnType::Date)) => Some(DAY),
            (Type::Time, None) if is_time => Some(DAY),
            (Type::Time, _) => Some(1.0),
            _ => None,
        };
        let step = match (&spec.step, declared) {
            (Some(step), _) => Some(step.value),
            (None, Some(ColumnType::Integer)) => Some(1.0),
            _ => None,
        };
        Ok(Finish { clip, step, decimals: spec.decimals.as_ref().map(|decimals| decimals.value), whole })
    }
}

/// The slots that a maker reads.
fn needs_of(maker: &Maker) -> Vec<usize> {
    match maker {
        Maker::Constant(_) | Maker::Learned { .. } => Vec::new(),
        Maker::Expression(expression) => expression.columns().to_vec(),
        Maker::Draw(draw) => draw.needs(),
        Maker::Case(branches) => {
            let of = |(when, maker): &(Option<semblant_expressions::Expression>, Maker)| {
                let mut needs = needs_of(maker);
                needs.extend(when.iter().flat_map(|when| when.columns().iter().copied()));
                needs
            };
            branches.iter().flat_map(of).collect()
        }
    }
}

impl DrawPlan {
    /// The slots that it reads.
    fn needs(&self) -> Vec<usize> {
        let of = |params: &[&Param]| params.iter().flat_map(|param| param.needs().iter().copied()).collect::<Vec<_>>();
        match self {
            Self::Law { parameters, truncate, .. } => of(&parameters.iter().chain(truncate.iter().flatten()).collect::<Vec<_>>()),
            Self::Mixture { parts, .. } => {
                of(&parts.iter().flat_map(|(weight, _, parameters)| std::iter::once(weight).chain(parameters)).collect::<Vec<_>>())
            }
            Self::Boolean(p, _) => of(&[p]),
            Self::Categories { weights, .. } => of(&weights.iter().collect::<Vec<_>>()),
            Self::Lookup { keys, .. } => keys.clone(),
            Self::Calendar { from, to, .. } => of(&[from, to]),
            Self::Template(pieces) => {
                let slot =
                    |piece: &super::TemplatePiece| if let super::TemplatePiece::Slot { slot, .. } = piece { Some(*slot) } else { None };
                pieces.iter().filter_map(slot).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether one uniform number makes the value, so that a copula can give it.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(
            self,
            Self::Known { .. } | Self::Law { .. } | Self::Boolean(..) | Self::Categories { .. } | Self::Calendar { hours: None, .. }
        )
    }

    /// How many different values a unique column can have; `None` without a limit.
    pub(crate) fn count(&self) -> Option<u128> {
        match self {
            Self::Distinct { count, .. } => Some(u128::from(*count)),
            Self::Regex(pattern) => pattern.count(),
            Self::Luhn(luhn) => Some(u128::from(luhn.count())),
            Self::Fake { name, .. } => name.count().map(u128::from),
            _ => None,
        }
    }
}
