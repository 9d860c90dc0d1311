//! The training of an image model on one device or on several.

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use burn::tensor::Device;
use semblant_core::model::Step;
use semblant_core::parallel::{Rank, ranks};
use semblant_core::progress::Event;
use semblant_core::synthesizer::Run;
use semblant_core::train_config::LastBatch;
use semblant_core::trainer::{Trained, Trainer, Watch, fingerprint};
use semblant_core::{Error, Result};
use semblant_data::image::Images;

use crate::kind::ImageKind;
use crate::model::{Batch, ImageModel, MakeBatch, Sampled};

/// What every worker of a fit begins with.
pub(crate) struct Begin<'a, C: ImageModel> {
    pub(crate) config: &'a C,
    pub(crate) kind: &'a ImageKind,
    pub(crate) data: &'a Images,
}

impl<C: ImageModel> Begin<'_, C> {
    /// A fresh model and its batches on a device; equal seeds give every worker the same.
    pub(crate) fn on(&self, device: &Device, seed: u64) -> Result<(C::Model, MakeBatch<Batch<C>>)> {
        Ok((self.config.init(self.kind, seed, &device.clone().autodiff())?, self.config.batches(self.data, device)?))
    }

    fn trainer<'t>(&self, batch: &'t mut dyn FnMut(&Step) -> Batch<C>, fingerprint: String) -> Trainer<'t, C::Model> {
        let train = self.config.train();
        Trainer::new(train.schedule(self.data.count(), LastBatch::Filled), train.ema, fingerprint, batch)
    }

    fn fingerprint(&self, seed: u64) -> String {
        let (settings, data) = (serde_json::to_string(self.config).ok(), self.data);
        fingerprint((C::NAME, seed, settings, data.shape(), data.class_names(), data.pixels(), data.classes()))
    }

    /// Trains on the run's device, and on its further ones at the same time.
    pub(crate) fn trained(
        &self,
        model: C::Model,
        batches: &mut dyn FnMut(&Step) -> Batch<C>,
        watch: Watch<'_, Sampled<C>>,
        run: &mut Run,
    ) -> Result<Trained<C::Model>> {
        let fingerprint = self.fingerprint(run.seed);
        let devices: Vec<Device> = std::iter::once(&run.device).chain(&run.extra_devices).cloned().collect();
        let mut ranks = ranks(&devices).into_iter();
        // Worker 0 leads; alone, it needs nobody.
        let rank = ranks.next().filter(|_| !run.extra_devices.is_empty());
        rank.iter().for_each(|rank| run.observer.event(Event::Note(&rank.backend_note())));
        std::thread::scope(|scope| {
            let help = |(device, rank): (&Device, Rank)| {
                let (mut own, fingerprint) = (run.for_worker(device.clone()), fingerprint.clone());
                scope.spawn(move || {
                    let (model, mut batches) = self.on(&own.device, own.seed)?;
                    self.trainer(&mut *batches, fingerprint).with_rank(rank).fit_worker(model, self.config.optimizers(), &mut own)
                })
            };
            let helpers: Vec<_> = run.extra_devices.iter().zip(ranks).map(help).collect();
            let trainer = self.trainer(batches, fingerprint).with_watch(watch);
            let trainer = match rank {
                Some(rank) => trainer.with_rank(rank),
                None => trainer,
            };
            let done = trainer.fit(model, self.config.optimizers(), run);
            let join = |helper: ScopedJoinHandle<'_, Result<()>>| helper.join().unwrap_or_else(|panic| resume_unwind(panic));
            // A helper that failed says why; the leader only that it had gone.
            match (done, helpers.into_iter().try_for_each(join)) {
                (Err(Error::Worker { .. }), Err(why)) => Err(why),
                (done, _) => done,
            }
        })
    }
}
