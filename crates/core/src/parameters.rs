//! The parameters of a module in the order in which it is visited, each flattened: looked at, or taken out to be changed and put back.

use std::any::Any;
use std::collections::{BTreeSet, VecDeque};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId, ParamMapper};
use burn::optim::GradientsParams;
use burn::tensor::{Shape, Tensor};

/// The ids of all parameters.
pub(crate) fn ids<M: Module>(module: &M) -> Vec<ParamId> {
    struct Ids(Vec<ParamId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.id);
        }
    }
    let mut ids = Ids(Vec::new());
    module.visit(&mut ids);
    ids.0
}

/// How many numbers all parameters hold, by their shapes alone: none where that is beyond any count. Nothing is drawn for it.
pub(crate) fn count<M: Module>(module: &M) -> Option<u64> {
    struct Count(Option<u64>);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let sides = param.lazy_shape();
            let here = sides.iter().try_fold(1u64, |count, &side| count.checked_mul(side as u64));
            self.0 = self.0.zip(here).and_then(|(before, here)| before.checked_add(here));
        }
    }
    let mut count = Count(Some(0));
    module.visit(&mut count);
    count.0
}

/// The values of all parameters.
pub(crate) fn values<M: Module>(module: &M) -> Vec<Tensor<1>> {
    struct Values(Vec<Tensor<1>>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().inner().flatten::<1>(0, D - 1));
        }
    }
    let mut values = Values(Vec::new());
    module.visit(&mut values);
    values.0
}

/// The gradients of the parameters that have one, with whose they are; a parameter that is visited twice comes once.
pub(crate) fn gradients<M: Module>(module: &M, gradients: GradientsParams) -> Vec<(ParamId, Tensor<1>)> {
    struct Found<'a>(&'a GradientsParams, BTreeSet<ParamId>, Vec<(ParamId, Tensor<1>)>);
    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.1.insert(param.id) {
                self.2.extend(self.0.get::<D>(param.id).map(|gradient| (param.id, gradient.inner().flatten::<1>(0, D - 1))));
            }
        }
    }
    let mut found = Found(&gradients, BTreeSet::new(), Vec::new());
    module.visit(&mut found);
    found.2
}

/// What is kept of a parameter while its values are out.
struct Kept {
    id: ParamId,
    shape: Shape,
    tracked: bool,
    /// A `ParamMapper` of the parameter's rank.
    mapper: Box<dyn Any>,
}

/// What [`put`] needs to put back what [`take`] took.
pub(crate) struct Out(VecDeque<Kept>);

/// Takes values out of a module, so that they are not shared while they are changed: of the parameters of `wanted`, whose ids are in the
/// order of the module, or of all.
pub(crate) fn take<M: Module>(module: M, wanted: Option<VecDeque<ParamId>>) -> (M, Out, Vec<Tensor<1>>) {
    struct Take {
        wanted: Option<VecDeque<ParamId>>,
        kept: VecDeque<Kept>,
        values: Vec<Tensor<1>>,
    }
    impl ModuleMapper for Take {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if let Some(wanted) = &mut self.wanted
                && wanted.pop_front_if(|id| *id == param.id).is_none()
            {
                return param;
            }
            let (id, value, mapper) = param.consume();
            let (tracked, value) = (value.is_require_grad(), value.inner());
            let (shape, device) = (value.shape(), value.device());
            self.values.push(value.flatten::<1>(0, D - 1));
            self.kept.push_back(Kept { id, shape: shape.clone(), tracked, mapper: Box::new(mapper) });
            // Nobody looks at it before its values are put back.
            let later = shape.clone();
            Param::uninitialized(id, move |device, _| Tensor::empty(later, device), device, false, shape)
        }
    }
    let mut take = Take { wanted, kept: VecDeque::new(), values: Vec::new() };
    let module = module.map(&mut take);
    (module, Out(take.kept), take.values)
}

/// Puts values back where they were taken from, in the order in which they were taken.
pub(crate) fn put<M: Module>(module: M, out: Out, values: Vec<Tensor<1>>) -> M {
    struct Put {
        kept: VecDeque<Kept>,
        values: std::vec::IntoIter<Tensor<1>>,
    }
    impl ModuleMapper for Put {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(Kept { id, shape, tracked, mapper }) = self.kept.pop_front_if(|kept| kept.id == param.id) else { return param };
            let value = self.values.next().expect("as many as were taken").reshape(shape);
            let mapper = *mapper.downcast::<ParamMapper<Tensor<D>>>().expect("taken from a parameter of this rank");
            Param::from_mapped_value(id, if tracked { Tensor::from_inner(value).require_grad() } else { value }, mapper)
        }
    }
    module.map(&mut Put { kept: out.0, values: values.into_iter() })
}
