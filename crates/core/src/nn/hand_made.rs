//! What operations with a gradient written by hand have in common on all backends: their place in autodiff's graph.

use std::fmt;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend};

/// The autodiff backend that tensors of an autodiff device live on.
pub(crate) type Tracked<B> = Autodiff<B, NoCheckpointing>;

/// One input of an operation: its value, its shape, and its place in the autodiff graph if it has one.
pub(crate) struct Input<B: Backend> {
    pub(crate) value: FloatTensor<B>,
    pub(crate) shape: Vec<usize>,
    pub(crate) node: Option<NodeGuard>,
}

/// The gradient function: from the output's gradient, and which inputs want one, to the inputs' gradients.
type GradientFn<B, const N: usize> = dyn Fn(FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N] + Send + Sync;

/// An output, in the autodiff graph where one of the inputs is.
pub(crate) enum Recorded<B: Backend> {
    Plain(FloatTensor<B>),
    Tracked(FloatTensor<Tracked<B>>),
}

/// Puts an operation into the graph: its output, and the function that gives its inputs' gradients, of the inputs' shapes.
pub(crate) fn record<B: Backend, const N: usize>(
    inputs: [Input<B>; N],
    output: FloatTensor<B>,
    gradient: impl Fn(FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N] + Send + Sync + 'static,
) -> Recorded<B> {
    if inputs.iter().all(|input| input.node.is_none()) {
        return Recorded::Plain(output);
    }
    // A plain tensor among tracked ones becomes a leaf that wants no gradient.
    let nodes = inputs.map(|input| match input.node {
        Some(node) => node,
        None => Tracked::<B>::from_inner(input.value).into_parts().1,
    });
    let state = State { gradient: Arc::new(gradient) };
    Recorded::Tracked(match HandMade.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(state, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    })
}

#[derive(Debug)]
struct HandMade;

struct State<B: Backend, const N: usize> {
    gradient: Arc<GradientFn<B, N>>,
}

impl<B: Backend, const N: usize> Clone for State<B, N> {
    fn clone(&self) -> Self {
        Self { gradient: self.gradient.clone() }
    }
}

impl<B: Backend, const N: usize> fmt::Debug for State<B, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl<B: Backend, const N: usize> Backward<B, N> for HandMade {
    type State = State<B, N>;

    fn backward(self, ops: Ops<State<B, N>, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = (ops.state.gradient)(gradient, wanted);
        for (parent, gradient) in ops.parents.iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}
