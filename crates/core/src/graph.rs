//! A computation whose kernels are recorded once and then replayed by one launch, which is what a loop over a small network is held up by.
//!
//! Recording needs a backend with graphs in hardware: CUDA's. A graph works on the very buffers that it was recorded with, so its inputs are
//! written over in place and what it gives is copied out.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "graph/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use std::thread::{self, ThreadId};

use burn::tensor::{Device, Graph, Tensor, capture};

use crate::device::has_kernels;
use crate::host;

/// What is recorded, with its inputs at hand.
type Compute<'a> = Box<dyn FnMut() -> Tensor<1> + Send + 'a>;

/// By what a recording is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// A graph in hardware; without one there is no recording.
    Graph,
    /// Where the backend has no graphs, the computation itself: a test of what is around a graph.
    Anything,
}

/// How far a replayed value may lie from a computed one, in units of the greatest computed value: the kernels are the same, so that only
/// sums whose order is open may differ.
const TOLERANCE: f32 = 1e-4;

/// A recorded computation.
pub struct Recorded<'a> {
    inputs: Vec<Tensor<1>>,
    graph: Graph<Tensor<1>, Compute<'a>>,
    thread: ThreadId,
}

impl<'a> Recorded<'a> {
    /// Records `compute` on inputs like `first`, and tries the recording on `second`, which must have the same lengths: values are read back for
    /// that. None where the device of the inputs records nothing, or where a replay does not give what `compute` gives.
    ///
    /// `compute` must be a function of its inputs: what it computes on the CPU, and numbers that it passes to kernels, are recorded as they are.
    ///
    /// # Panics
    /// When there are no inputs, or the lengths differ.
    pub fn new(
        first: &[Tensor<1>],
        second: &[Tensor<1>],
        by: Replay,
        compute: impl Fn(&[Tensor<1>]) -> Tensor<1> + Send + Sync + Clone + 'a,
    ) -> Option<Self> {
        let device: Device = first.first().expect("a computation has an input").device();
        if !has_kernels(&device) {
            return None;
        }
        let inputs: Vec<Tensor<1>> = first.iter().cloned().map(kernel::copy).collect();
        let (held, recorded) = (inputs.clone(), compute.clone());
        let graph = capture(&device, Box::new(move || recorded(&held)) as Compute<'a>);
        if by == Replay::Graph && !graph.is_hardware() {
            return None;
        }
        let mut this = Self { inputs, graph, thread: thread::current().id() };
        let (found, expected) = (this.replay(second)?, compute(second));
        let agree = host::read(&found, |found| host::read(&expected, |expected| same(found, expected)));
        agree.then_some(this)
    }

    /// What the computation gives for these inputs, in a tensor of its own. None on another thread than that of the recording: a graph is
    /// bound to the queue of the thread that recorded it.
    ///
    /// # Panics
    /// When the lengths are not those of the recording, or the driver refuses the graph.
    pub fn replay(&mut self, inputs: &[Tensor<1>]) -> Option<Tensor<1>> {
        if thread::current().id() != self.thread {
            return None;
        }
        assert_eq!(inputs.len(), self.inputs.len(), "a graph has the inputs that it was recorded with");
        let pairs = self.inputs.iter().zip(inputs);
        // Kept until they are written: what nobody holds is not computed.
        let written: Vec<Tensor<1>> = pairs.map(|(held, new)| kernel::write_over(held.clone(), new.clone())).collect();
        // SAFETY: what `Graph::replay` asks for holds as long as `self` lives.
        // - Liveness: the inputs are owned by `self` and by the recorded closure, the output by the graph, whatever lies between them by the
        //   graph's own pool, and what the closure borrows outlives `'a`, hence `self`. No caller has the inputs or the output: the former
        //   are copies made above, the latter is copied below.
        // - No concurrent use: `&mut self` allows one replay at a time, and no other thread has a tensor of the graph.
        // - One stream: the thread is that of the recording, checked above; writes before and the copy after are queued on it in this order,
        //   and a replay first hands over everything that is queued.
        let output = unsafe { self.graph.replay() }.clone();
        drop(written);
        Some(kernel::copy(output))
    }
}

fn same(found: &[f32], expected: &[f32]) -> bool {
    let greatest = expected.iter().fold(0.0f32, |greatest, value| greatest.max(value.abs()));
    found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= TOLERANCE * greatest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_that_differs_is_told_from_one_that_agrees() {
        assert!(same(&[1.0, -20.0, 0.001], &[1.0, -20.0, 0.0]));
        assert!(!same(&[1.0, -20.0, 0.01], &[1.0, -20.0, 0.0]));
        assert!(!same(&[f32::NAN], &[0.0]));
        assert!(!same(&[0.0], &[0.0, 0.0]));
    }

    #[test]
    fn the_cpu_records_nothing() {
        let input = [Tensor::<1>::from_floats([1.0], &Device::flex())];
        assert!(Recorded::new(&input, &input, Replay::Anything, |inputs| inputs[0].clone() * 2.0).is_none());
    }
}
