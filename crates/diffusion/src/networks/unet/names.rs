//! A network's weights under the names, and in the layout, of diffusers' tensors.
//!
//! Fields of the network have the names of diffusers' modules, so a weight's name is its path; a linear layer's weight is turned, because
//! PyTorch keeps it as `[outputs, inputs]`. What diffusers does not know, the layer for labels of augmentation, is left out.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use semblant_core::{Error, Result, host};

/// Shapes and row-major values by name.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The field that diffusers does not know.
const OWN: &str = "augmentation";

/// Where a visit is in the network.
#[derive(Default)]
struct Place {
    /// The name of each level, `None` for the variant of an enum, which diffusers does not name.
    names: Vec<Option<String>>,
    containers: Vec<String>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.names.push((!container.starts_with("Enum:")).then(|| name.to_owned()));
        self.containers.push(container.to_owned());
    }

    fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    fn name(&self) -> String {
        self.names.iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".")
    }

    fn is_own(&self) -> bool {
        self.names.iter().flatten().any(|name| name == OWN)
    }

    /// Whether this is a linear layer's weight.
    fn is_turned(&self) -> bool {
        self.containers.last().is_some_and(|container| container == "Struct:Linear")
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn turn(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// The weights of `network`.
pub fn to_tensors<M: Module>(network: &M) -> Tensors {
    struct Read(Place, Tensors);
    impl ModuleVisitor for Read {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.0.enter(name, container);
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.0.is_own() {
                return;
            }
            let weight = param.val();
            let shape = weight.dims();
            let named = if D == 2 && self.0.is_turned() {
                (vec![shape[1], shape[0]], host::read(&weight, |values| turn(values, shape[0], shape[1])))
            } else {
                (shape.to_vec(), host::read(&weight, <[f32]>::to_vec))
            };
            self.1.insert(self.0.name(), named);
        }
    }
    let mut read = Read(Place::default(), Tensors::new());
    network.visit(&mut read);
    read.1
}

/// `network` with the weights of `tensors`; `path` is the file or folder that they came from, for messages. Names of old releases are
/// understood: `query`, `key`, `value` and `proj_attn` of an attention, whose weights may be those of 1 x 1 convolutions.
///
/// # Errors
/// Names a tensor that is missing, has another shape, or that the network has no place for.
pub fn load<M: Module>(network: M, tensors: Tensors, path: &Path) -> Result<M> {
    let tensors = tensors.into_iter().map(|(name, tensor)| (modern(&name), tensor)).collect();
    let mut write = Write { place: Place::default(), tensors, wrong: None };
    let network = network.map(&mut write);
    if let Some(what) = write.wrong {
        return Err(Error::checkpoint(path, what));
    }
    if let Some(name) = write.tensors.keys().next() {
        let count = write.tensors.len();
        let what = format!("tensor \"{name}\" has no place in the network ({count} such); the settings are those of another network");
        return Err(Error::checkpoint(path, what));
    }
    Ok(network)
}

/// Today's name of a tensor.
fn modern(name: &str) -> String {
    const NEW: [(&str, &str); 4] = [(".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0.")];
    NEW.iter().fold(name.to_owned(), |name, (old, new)| name.replace(old, new))
}

struct Write {
    place: Place,
    tensors: Tensors,
    /// The first thing that went wrong.
    wrong: Option<String>,
}

impl Write {
    /// The values for a weight of this shape.
    fn take(&mut self, shape: &[usize], turned: bool) -> Result<Vec<f32>, String> {
        let name = self.place.name();
        let expected = if turned { vec![shape[1], shape[0]] } else { shape.to_vec() };
        let Some((found, values)) = self.tensors.remove(&name) else {
            return Err(format!("tensor \"{name}\" of shape {expected:?} is missing"));
        };
        let squeezed = found.len() == 4 && expected.len() == 2 && found[2..] == [1, 1] && found[..2] == expected;
        let count = expected.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
        if (found != expected && !squeezed) || Some(values.len()) != count {
            return Err(format!("tensor \"{name}\" has the shape {found:?} and {} values, not {expected:?}", values.len()));
        }
        Ok(if turned { turn(&values, shape[1], shape[0]) } else { values })
    }
}

impl ModuleMapper for Write {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.wrong.is_some() || self.place.is_own() {
            return param;
        }
        // The network is not drawn before the file is known to hold what it asks for.
        let (shape, turned) = (param.lazy_shape().dims::<D>(), D == 2 && self.place.is_turned());
        let values = match self.take(&shape, turned) {
            Ok(values) => values,
            Err(wrong) => {
                self.wrong = Some(wrong);
                return param;
            }
        };
        let (id, device) = (param.id, param.lazy_device());
        param.transform_for_load(host::tensor(values, shape, &device), id)
    }
}
