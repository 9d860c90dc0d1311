//! What surrounds a graph: inputs that are written over in place, outputs that are copied out.

use burn::tensor::Tensor;
use semblant_core::graph::{Recorded, Replay};
use semblant_core::host;
use semblant_core::nn;
use semblant_core::seeds::Stream;

use super::gpu;

const ROWS: usize = 5;

#[test]
fn a_loop_of_replays_is_the_loop_itself() {
    let Some(gpu) = gpu() else { return };
    let layer = nn::linear(8, 8, Stream::new(1, 0), &gpu);
    let compute = |inputs: &[Tensor<1>]| {
        let x = inputs[0].clone().reshape([ROWS, 8]);
        vec![(layer.forward(x) * inputs[1].clone().reshape([ROWS, 1])).tanh().flatten::<1>(0, 1)]
    };
    let drawn = |number: u32, width: usize| {
        let values = Stream::new(2, number).matrix(0..ROWS as u64, width, Stream::normals);
        host::tensor::<1>(values, [ROWS * width], &gpu)
    };
    let (first, second) = ([drawn(0, 8), drawn(1, 1)], [drawn(2, 8), drawn(3, 1)]);
    let mut recorded =
        Recorded::new(&first, &second, &compute(&second), Replay::Anything, compute).expect("a replay gives what the computation gives");
    let (mut x, mut expected) = (drawn(4, 8), drawn(4, 8));
    let (mut kept, mut expected_kept) = (Vec::new(), Vec::new());
    for step in 0..6 {
        let factor = drawn(5 + step, 1);
        let out = recorded.replay(&[x.clone(), factor.clone()]).expect("the same thread").remove(0);
        // As a multistep solver does, this holds what was given before.
        kept.push(out.clone());
        x = x * 0.5 + out;
        let out = compute(&[expected.clone(), factor]).remove(0);
        expected_kept.push(out.clone());
        expected = expected * 0.5 + out;
    }
    let values = |tensor: &Tensor<1>| host::read(tensor, <[f32]>::to_vec);
    assert_eq!(values(&x), values(&expected));
    for (step, (kept, expected)) in kept.iter().zip(&expected_kept).enumerate() {
        assert_eq!(values(kept), values(expected), "what step {step} gave");
    }
    assert_ne!(values(&kept[0]), values(&kept[1]));
    let inputs = [x, drawn(0, 1)];
    let elsewhere = std::thread::scope(|scope| scope.spawn(|| recorded.replay(&inputs).is_none()).join());
    assert!(elsewhere.expect("no panic"), "a graph belongs to its thread");
}

/// A computation that is not a function of its inputs is found out.
#[test]
fn a_replay_that_differs_is_not_used() {
    let Some(gpu) = gpu() else { return };
    let calls = std::sync::atomic::AtomicU32::new(0);
    let compute = |inputs: &[Tensor<1>]| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        vec![inputs[0].clone() + f64::from(call)]
    };
    let input = [Tensor::<1>::from_floats([1.0, 2.0], &gpu)];
    assert!(Recorded::new(&input, &input, &compute(&input), Replay::Anything, compute).is_none());
}

/// A state that stays where it is, of more tensors than one launch covers, and is read back in between.
#[test]
fn a_state_goes_through_its_replays() {
    let Some(gpu) = gpu() else { return };
    const STATE: usize = 40;
    let compute = |inputs: &[Tensor<1>]| {
        let (state, given) = inputs.split_at(STATE);
        // Each takes up its neighbour: an order of writes that loses one is seen.
        let mixed = (0..STATE).map(|at| state[at].clone() * 0.5 + state[(at + 1) % STATE].clone().slice([0..2]).sum() + given[0].clone());
        let mut all: Vec<Tensor<1>> = mixed.collect();
        all.push(state[0].clone().sum());
        all
    };
    let start = || -> Vec<Tensor<1>> { (0..STATE).map(|at| Tensor::<1>::full([3 + at], at as f32 / 40.0, &gpu)).collect() };
    let given = |step: u64| Tensor::<1>::full([1], step as f32 / 8.0, &gpu);
    let with = |step: u64| start().into_iter().chain([given(step)]).collect::<Vec<_>>();
    let expected = compute(&with(1));
    let mut recorded = Recorded::new(&with(0), &with(1), &expected[..STATE], Replay::Anything, compute);
    assert!(recorded.is_none(), "one value too many");
    recorded = Recorded::new(&with(0), &with(1), &expected, Replay::Anything, compute);
    let mut recorded = recorded.expect("a replay gives what the computation gives");
    recorded.set_state(start());
    let mut state = start();
    let values = |tensors: &[Tensor<1>]| tensors.iter().map(|tensor| host::read(tensor, <[f32]>::to_vec)).collect::<Vec<_>>();
    for step in 0..5 {
        let rest = recorded.advance(&[given(step)]).expect("the same thread");
        state.push(given(step));
        let mut out = compute(&state);
        let last = out.split_off(STATE);
        state = out;
        assert_eq!(values(&rest), values(&last), "step {step}");
        if step % 2 == 1 {
            assert_eq!(values(&recorded.state(STATE)), values(&state), "the state after step {step}");
        }
    }
}

#[test]
fn without_graphs_in_hardware_nothing_is_recorded() {
    let Some(gpu) = gpu() else { return };
    let input = [Tensor::<1>::from_floats([1.0, 2.0], &gpu)];
    // CUDA has them; what it gives is then what the computation gives, which is what the recording was tried on.
    let twice = |inputs: &[Tensor<1>]| vec![inputs[0].clone() * 2.0];
    if let Some(mut recorded) = Recorded::new(&input, &input, &twice(&input), Replay::Graph, twice) {
        let found = recorded.replay(&[Tensor::from_floats([3.0, 4.0], &gpu)]).expect("the same thread");
        assert_eq!(host::read(&found[0], <[f32]>::to_vec), [6.0, 8.0]);
    }
}
