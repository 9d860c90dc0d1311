//! Data-parallel training: each device computes the gradients of its part of every batch; their sum is that of the whole batch.
//!
//! Every worker holds the whole model and takes the same steps. What differs is its part of the batch
//! ([`Step::part`](crate::model::Step::part)); before an optimizer moves the weights, [`Communicator::sum`] adds the gradients of all workers, weighted
//! by their shares of the rows. The sum is taken in one order, by whoever comes last, so that all workers go on with the same bits, and a run on
//! two devices is as reproducible as one on one.
//!
//! CUDA devices take the sum among themselves, by NCCL through burn's collective, where a trial of it succeeds. Elsewhere gradients meet in the
//! memory of this process: that works between any two devices, at the price of a transfer there and back for each step.

mod collective;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use burn::tensor::{Device, Tensor};

use crate::host;
use crate::model::Part;

/// What the workers share.
#[derive(Debug)]
struct Group {
    devices: Vec<Device>,
    /// Why the devices cannot take sums among themselves; nothing where they can.
    by_host: Option<String>,
    round: Mutex<Round>,
    changed: Condvar,
}

/// One sum.
#[derive(Debug, Default)]
struct Round {
    /// How many sums there were before.
    number: u64,
    /// What each worker adds, weighted.
    parts: Vec<Option<Vec<f32>>>,
    /// The last sum and how many have not taken it yet.
    sum: Option<(Arc<Vec<f32>>, usize)>,
    /// Whether a worker has gone: no further sum will come about.
    broken: bool,
}

/// One worker's place. When it is dropped, by an error or at the end, no other worker waits for this one.
#[derive(Debug)]
pub struct Rank {
    group: Arc<Group>,
    worker: usize,
}

/// What a rank's optimizers hold of it.
#[derive(Debug, Clone)]
pub struct Communicator {
    group: Arc<Group>,
    worker: usize,
}

/// Seats for workers on these devices, one on each.
pub fn ranks(devices: &[Device]) -> Vec<Rank> {
    let workers = devices.len();
    let round = Round { parts: vec![None; workers], ..Round::default() };
    let by_host = if workers > 1 { collective::try_out(devices).err() } else { Some("a worker alone has nobody to sum with".into()) };
    let group = Arc::new(Group { devices: devices.to_vec(), by_host, round: Mutex::new(round), changed: Condvar::new() });
    (0..workers).map(|worker| Rank { group: group.clone(), worker }).collect()
}

impl Rank {
    /// Which worker this is, from 0, which leads: it keeps the log, the state and the average.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// This worker's part of every batch.
    pub fn part(&self) -> Part {
        Part { worker: self.worker as u64, workers: self.group.devices.len() as u64 }
    }

    /// Where the gradients meet, in one line for the user.
    pub fn backend_note(&self) -> String {
        let workers = self.group.devices.len();
        match &self.group.by_host {
            None => format!("gradients of {workers} devices are added by NCCL"),
            Some(why) => format!("gradients of {workers} devices are added in memory: {why}"),
        }
    }

    /// For the optimizers.
    pub fn communicator(&self) -> Communicator {
        Communicator { group: self.group.clone(), worker: self.worker }
    }
}

impl Drop for Rank {
    fn drop(&mut self) {
        self.group.lock().broken = true;
        self.group.changed.notify_all();
    }
}

impl Group {
    /// A worker that panicked while it held the lock has left no half-done round: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, round: MutexGuard<'a, Round>) -> MutexGuard<'a, Round> {
        self.changed.wait(round).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Communicator {
    /// The sums over all workers of each of `tensors` times `weight`; every worker brings tensors of the same lengths. None when a worker has gone.
    pub(crate) fn sums(&self, tensors: Vec<Tensor<1>>, weight: f32) -> Option<Vec<Tensor<1>>> {
        let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
        // One transfer for all of them.
        let all = Tensor::cat(tensors, 0);
        let sum = match self.group.by_host {
            Some(_) => {
                let sum = self.sum(host::read(&all, <[f32]>::to_vec), weight)?;
                host::tensor(sum.to_vec(), all.dims(), &all.device())
            }
            None => {
                // Nobody begins a sum that another worker will not come to any more.
                self.sum(Vec::new(), weight)?;
                collective::sum(all * weight, &self.group.devices)
            }
        };
        Some(sum.split_with_sizes(lengths, 0))
    }

    /// The sum over all workers of `values` times `weight`; every worker calls this equally often and with equally many values. None when a
    /// worker has gone.
    ///
    /// # Panics
    /// When workers bring different numbers of values.
    pub fn sum(&self, mut values: Vec<f32>, weight: f32) -> Option<Arc<Vec<f32>>> {
        values.iter_mut().for_each(|value| *value *= weight);
        let group = &*self.group;
        let mut round = group.lock();
        // The last sum must have been taken by all before a new one begins.
        while round.sum.is_some() && !round.broken {
            round = group.wait(round);
        }
        let number = round.number;
        round.parts[self.worker] = Some(values);
        if round.parts.iter().all(Option::is_some) {
            let mut parts = round.parts.iter_mut().filter_map(Option::take);
            let mut sum = parts.next()?;
            for part in parts {
                assert_eq!(part.len(), sum.len(), "workers of one model have equally many gradients");
                sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
            round.sum = Some((Arc::new(sum), group.devices.len()));
            round.number += 1;
            group.changed.notify_all();
        }
        while round.number == number {
            if round.broken {
                return None;
            }
            round = group.wait(round);
        }
        // A sum that came about is given to all, also when a worker goes right afterwards.
        let (sum, left) = round.sum.as_mut()?;
        let sum = sum.clone();
        *left -= 1;
        if *left == 0 {
            round.sum = None;
            group.changed.notify_all();
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_gets_the_weighted_sum_of_every_round() {
        let work = |rank: &Rank| -> Vec<Vec<f32>> {
            let (communicator, own) = (rank.communicator(), rank.worker() as f32);
            (0..200).map(|round| communicator.sum(vec![own, round as f32], 0.5).expect("nobody has gone").to_vec()).collect()
        };
        let ranks = ranks(&[(); 3].map(|()| Device::flex()));
        let found: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = ranks.iter().map(|rank| scope.spawn(move || work(rank))).collect();
            workers.into_iter().map(|worker| worker.join().expect("ends")).collect()
        });
        let expected: Vec<Vec<f32>> = (0..200).map(|round| vec![1.5, 1.5 * round as f32]).collect();
        assert!(found.iter().all(|found| *found == expected));
    }

    #[test]
    fn nobody_waits_for_one_who_has_gone_and_nobody_loses_a_sum_that_came_about() {
        let mut two = ranks(&[Device::flex(), Device::flex()]);
        assert!(two[0].backend_note().contains("memory"), "the CPU has no collective");
        let (second, first) = (two.remove(1), two.remove(0));
        let leaves = std::thread::spawn(move || {
            let sum = second.communicator().sum(vec![1.0], 1.0);
            drop(second);
            sum.map(|sum| sum[0])
        });
        // The other may have gone by the time this one takes its sum.
        assert_eq!(first.communicator().sum(vec![2.0], 1.0).map(|sum| sum[0]), Some(3.0));
        assert_eq!(leaves.join().expect("ends"), Some(3.0));
        assert_eq!(first.communicator().sum(vec![2.0], 1.0), None);
    }
}
