//! A computation whose kernels are recorded once and then replayed by one launch, which is what a loop over a small network is held up by.
//!
//! Recording needs a backend with graphs in hardware: CUDA's. A graph works on the very buffers that it was recorded with, so its inputs are
//! written over in place and what it gives is copied out.

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
#[path = "graph/absent.rs"]
mod kernel;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod kernel;

use std::ops::Range;
use std::thread::{self, ThreadId};

use burn::tensor::{Device, Graph, Tensor, capture};

use crate::device::has_kernels;
use crate::host;

/// What is recorded, with its inputs at hand.
type Compute<'a> = Box<dyn FnMut() -> Vec<Tensor<1>> + Send + 'a>;

/// By what a recording is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// A graph in hardware; without one there is no recording.
    Graph,
    /// Where the backend has no graphs, the computation itself: a test of what is around a graph.
    Anything,
}

/// How far a replayed value may lie from a computed one, in units of the greatest computed value of its tensor: the kernels are the same, so that
/// only sums whose order is open may differ.
const TOLERANCE: f32 = 1e-4;

/// A recorded computation.
pub struct Recorded<'a> {
    /// What the graph reads, by the latest handles of its buffers: a queue keeps the order of what it knows to depend on each other.
    inputs: Vec<Tensor<1>>,
    graph: Graph<Vec<Tensor<1>>, Compute<'a>>,
    device: Device,
    thread: ThreadId,
}

impl<'a> Recorded<'a> {
    /// Records `compute` on inputs like `first`, and tries the recording on `second`, which must have the same lengths and should differ in all that
    /// changes from one replay to the next: values are read back, and must be the `expected` ones. None where the device of the inputs records
    /// nothing, or where a replay gives other values.
    ///
    /// `compute` must be a function of its inputs: what it computes on the CPU, and numbers that it passes to kernels, are recorded as they are.
    ///
    /// # Panics
    /// When there are no inputs, or the lengths differ.
    pub fn new(
        first: &[Tensor<1>],
        second: &[Tensor<1>],
        expected: &[Tensor<1>],
        by: Replay,
        compute: impl Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + Send + 'a,
    ) -> Option<Self> {
        let device: Device = first.first().expect("a computation has an input").device();
        if !has_kernels(&device) {
            return None;
        }
        let inputs = kernel::copies(first.to_vec());
        let held = inputs.clone();
        let graph = capture(&device, Box::new(move || compute(&held)) as Compute<'a>);
        if by == Replay::Graph && !graph.is_hardware() {
            return None;
        }
        let mut this = Self { inputs, graph, device, thread: thread::current().id() };
        let found = this.replay(second)?;
        let agree = |(found, expected): (&Tensor<1>, &Tensor<1>)| host::read(found, |found| host::read(expected, |e| same(found, e)));
        (found.len() == expected.len() && found.iter().zip(expected).all(agree)).then_some(this)
    }

    /// What the computation gives for these inputs, in tensors of their own. None on another thread than that of the recording: a graph is
    /// bound to the queue of the thread that recorded it.
    ///
    /// # Panics
    /// When the lengths are not those of the recording, or the driver refuses the graph.
    pub fn replay(&mut self, inputs: &[Tensor<1>]) -> Option<Vec<Tensor<1>>> {
        self.advance(inputs)
    }

    /// As [`Recorded::replay`] for a loop: `given` are the last inputs. What stands before them is the loop's state, and becomes what the
    /// computation gives first; the rest of what it gives is returned.
    ///
    /// # Panics
    /// As [`Recorded::replay`], and when there is less given back than state.
    pub fn advance(&mut self, given: &[Tensor<1>]) -> Option<Vec<Tensor<1>>> {
        if thread::current().id() != self.thread {
            return None;
        }
        let state = self.inputs.len().checked_sub(given.len()).expect("a graph has the inputs that it was recorded with");
        self.write(state..self.inputs.len(), given.to_vec());
        if !self.graph.is_hardware() {
            // A graph waits for what is queued; a computation that knows its inputs by earlier handles does not.
            self.device.sync().ok()?;
        }
        // SAFETY: what `Graph::replay` asks for holds as long as `self` lives.
        // - Liveness: the inputs are owned by the recorded closure, the outputs by the graph, whatever lies between them by the graph's own
        //   pool, and what the closure borrows outlives `'a`, hence `self`. No caller has an input or an output: the former are copies made in
        //   `new`, the latter are copied below.
        // - No concurrent use: `&mut self` allows one replay at a time, and no other thread has a tensor of the graph.
        // - One stream: the thread is that of the recording, checked above; writes before and copies after are queued on it in this order,
        //   and a replay first hands over everything that is queued.
        let mut outputs = unsafe { self.graph.replay() }.clone();
        let rest = kernel::copies(outputs.split_off(state));
        self.write(0..state, outputs);
        Some(rest)
    }

    /// The loop's state, its first `count` inputs, in tensors of their own.
    ///
    /// # Panics
    /// When there are fewer inputs.
    pub fn state(&self, count: usize) -> Vec<Tensor<1>> {
        kernel::copies(self.inputs[..count].to_vec())
    }

    /// Puts another state in its place.
    ///
    /// # Panics
    /// When the lengths are not those of the recording.
    pub fn set_state(&mut self, state: Vec<Tensor<1>>) {
        self.write(0..state.len(), state);
    }

    /// Writes into inputs.
    fn write(&mut self, which: Range<usize>, values: Vec<Tensor<1>>) {
        let written = kernel::write_over(self.inputs[which.clone()].to_vec(), values);
        self.inputs.splice(which, written);
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
        let twice = |inputs: &[Tensor<1>]| vec![inputs[0].clone() * 2.0];
        assert!(Recorded::new(&input, &input, &twice(&input), Replay::Anything, twice).is_none());
    }
}
