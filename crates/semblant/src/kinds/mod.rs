//! The kinds of data of this library. A kind is one line here: its families of models, its evaluation, and what it can import.

#[cfg(all(feature = "metrics", feature = "databases"))]
mod databases;
#[cfg(all(feature = "metrics", any(feature = "databases", feature = "images", feature = "series", feature = "tables", feature = "text")))]
mod evaluation;
#[cfg(all(feature = "metrics", feature = "images"))]
mod features;
#[cfg(all(feature = "metrics", feature = "images"))]
mod images;
#[cfg(all(feature = "metrics", feature = "series"))]
mod series;
#[cfg(all(feature = "metrics", feature = "tables"))]
mod tables;
#[cfg(all(feature = "metrics", feature = "text"))]
mod text;

#[cfg(any(feature = "databases", feature = "images", feature = "series", feature = "tables", feature = "text"))]
use crate::modality::Kind;

/// Tables with their models.
#[cfg(feature = "tables")]
pub(crate) fn tables() -> Kind<semblant_data::table::Table> {
    let kind =
        Kind::new(&[semblant_tabular_masked::MODELS, semblant_tabular_ctgan::MODELS, semblant_copula::MODELS, &[crate::rules::ENTRY]]);
    #[cfg(feature = "metrics")]
    let kind = kind.with_evaluator(tables::TableEvaluator);
    kind
}

/// Images with their models.
#[cfg(feature = "images")]
pub(crate) fn images() -> Kind<semblant_data::image::Images> {
    use crate::modality::Import;
    use semblant_diffusion::exchange;

    let kind = Kind::new(&[semblant_diffusion::MODELS, semblant_gan::MODELS, semblant_vae::MODELS, crate::latent::MODELS])
        .with_import(Import { recognizes: semblant_vae::kl::folder::is_autoencoder, open: semblant_vae::open_folder })
        .with_import(Import { recognizes: std::path::Path::is_dir, open: exchange::open_folder });
    #[cfg(feature = "metrics")]
    let kind = kind.with_evaluator(images::ImageEvaluator);
    kind
}

/// Series with their models.
#[cfg(feature = "series")]
pub(crate) fn series() -> Kind<semblant_data::series::Series> {
    let kind = Kind::new(&[semblant_series::MODELS]);
    #[cfg(feature = "metrics")]
    let kind = kind.with_evaluator(series::SeriesEvaluator);
    kind
}

/// Databases with their models.
#[cfg(feature = "databases")]
pub(crate) fn databases() -> Kind<semblant_data::database::Database> {
    let kind = Kind::new(&[semblant_database::MODELS]);
    #[cfg(feature = "metrics")]
    let kind = kind.with_evaluator(databases::DatabaseEvaluator);
    kind
}

/// Text with its models.
#[cfg(feature = "text")]
pub(crate) fn text() -> Kind<semblant_data::text::Text> {
    let kind = Kind::new(&[semblant_text::MODELS]);
    #[cfg(feature = "metrics")]
    let kind = kind.with_evaluator(text::TextEvaluator);
    kind
}
