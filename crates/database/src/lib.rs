//! Models of databases: tables whose rows come by rows of others.
//!
//! ```
//! use semblant_core::synthesizer::{Run, Synthesizer};
//! use semblant_core::train_config::TrainConfig;
//! use semblant_data::database::{Database, DatabaseRequest, Keys};
//! use semblant_data::table::{ReadOptions, Table, TableFormat};
//! use semblant_database::{Relational, RelationalConfig};
//!
//! # fn main() -> semblant_core::Result<()> {
//! let customers = (0..60).fold("id,city\n".to_owned(), |text, id| text + &format!("{id},{}\n", if id % 3 == 0 { "Rome" } else { "Oslo" }));
//! let orders = (0..150).fold("customer_id,price\n".to_owned(), |text, id| text + &format!("{},{}\n", id % 50, 10 + id % 7));
//! let read = |text: String| Table::from_bytes(text.into_bytes(), TableFormat::Csv, &ReadOptions::default()).map(|read| read.table);
//! let tables = vec![("customers".to_owned(), read(customers)?), ("orders".to_owned(), read(orders)?)];
//! let (keys, _) = Keys::guess(&tables);
//! let shop = Database::new(tables, keys)?.data;
//!
//! let mut config = RelationalConfig::default();
//! config.tables.train.rows = 1_280;
//! config.sequences.train = TrainConfig { rows: 320, tick_rows: 160, ..config.sequences.train };
//! let mut model = Relational::new(config)?;
//! model.fit(&shop, &mut Run::new(semblant_core::device::select("cpu")?, 0))?;
//! let made = model.sample(&DatabaseRequest::new(20, 0))?.data;
//! // Every order has its customer.
//! assert!(made.left_out().is_empty() && made.tables()[0].1.rows() == 20);
//! # Ok(())
//! # }
//! ```
//!
//! - [`relational`]: the model. [`rows`]: what tables say of rows and of those that they come by.
//! - [`matcher`]: which of the rows of a further table a row refers to. [`matching`]: so that each is referred to as often as it should be.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod form;
pub mod matcher;
pub mod matching;
mod preparing;
pub mod relational;
mod relative;
pub mod rows;
mod sampling;

use semblant_core::synthesizer::Entry;
use semblant_data::database::Database;

pub use matcher::MatcherConfig;
pub use relational::{Relational, RelationalConfig};

/// The models of this family.
pub const MODELS: &[Entry<Database>] = &[relational::ENTRY];

/// Purposes of random numbers in this family.
mod purpose {
    use semblant_core::seeds::streams::{SAMPLING, TRAINING};

    semblant_core::streams! {
        in TRAINING;
        /// The rows of a matcher's step.
        pub(crate) const ROWS = 0..1;
        /// What a matcher is judged by.
        pub(crate) const HELD_OUT = 1..2;
    }

    semblant_core::streams! {
        in SAMPLING;
        /// The seeds of tables.
        pub(crate) const TABLES = 0..1;
        /// The order in which rows choose, and what they choose.
        pub(crate) const MATCHING = 1..2;
        /// Which rows may be referred to once more than others.
        pub(crate) const ROUNDING = 2..3;
        /// The order of rows with equal numbers of children.
        pub(crate) const TIES = 3..4;
    }
}
