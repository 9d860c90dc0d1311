//! The network: shown tokens of a row to logits of all positions.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use semblant_core::host;
use semblant_core::nn::{Init, Linear, LinearConfig, drawn, filled, modulated_norm, parameter, silu, times};
use semblant_core::seeds::Stream;
use semblant_core::seeds::streams::StreamRange;
use semblant_masked_diffusion::{Cell, Network, Spans};

use crate::tokens::TableTokens;

mod purpose {
    use semblant_core::seeds::streams::LAYERS;
    use semblant_core::streams;

    streams! {
        in LAYERS;
        pub(super) const EMBEDDING = 0..1;
        pub(super) const INNER = 1..2;
        pub(super) const HEAD = 2..3;
        pub(super) const BLOCKS = 0x100..0x200;
    }
}

/// What the sizes of a network follow from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Width of the trunk.
    pub width: usize,
    /// Residual blocks.
    pub depth: usize,
    /// Values of a token's embedding.
    pub embedding: usize,
    /// Sines and cosines, each, of the place of a number.
    pub frequencies: usize,
}

/// What the network must know of the positions.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The tokens of every position.
    pub spans: Spans,
    /// For every position its number among those of numbers, if it is one.
    pub numbers: Vec<Option<usize>>,
    /// For every position of numbers how many of its tokens are bins, in the order of the bins.
    pub bins: Vec<usize>,
    frequencies: usize,
}

impl Layout {
    /// The positions of a table.
    pub fn new(tokens: &TableTokens, frequencies: usize) -> Self {
        let mut numbers = Vec::new();
        let mut bins = Vec::new();
        for position in tokens.positions() {
            let of_numbers = tokens.bins(position).map(|found| found.bins.len()).filter(|&count| count > 2);
            numbers.push(of_numbers.map(|count| {
                bins.push(count);
                bins.len() - 1
            }));
        }
        Self { spans: Spans::new(tokens.widths()), numbers, bins, frequencies }
    }

    /// Values that tell the place of one number.
    pub fn place_width(&self) -> usize {
        2 * self.frequencies + 2
    }

    /// Values that tell the places of all numbers.
    pub fn places_width(&self) -> usize {
        self.bins.len() * self.place_width()
    }

    /// Where the embeddings of a position begin: its tokens and, last, the mask.
    pub fn first_embedding(&self, position: usize) -> usize {
        self.spans.range(position).start + position
    }

    /// The embedding of a token of a position, or of the mask.
    pub fn embedding_of(&self, position: usize, token: Option<u32>) -> usize {
        self.first_embedding(position) + token.map_or(self.spans.widths()[position], |token| token as usize)
    }

    /// The values that tell a cell's place among all bins of its column: whether it is shown, the place from -1 to 1, and its Fourier features
    /// (Tancik et al. 2020); `shift` moves the place. A missing value has its place beyond the bins, so that only its embedding tells it.
    pub fn write_place(&self, number: usize, cell: Cell, shift: f32, out: &mut [f32]) {
        let bins = self.bins[number];
        if cell.token as usize >= bins {
            out.fill(0.0);
            return;
        }
        let place = (cell.token as f32 + cell.place) / bins as f32 + shift;
        out[0] = 1.0;
        out[1] = 2.0 * place - 1.0;
        let (sines, cosines) = out[2..].split_at_mut(self.frequencies);
        let mut angle = std::f32::consts::PI * place;
        for (sine, cosine) in sines.iter_mut().zip(cosines) {
            (*sine, *cosine) = angle.sin_cos();
            angle *= 2.0;
        }
    }
}

/// A residual block: normalisation, linear, SiLU, dropout, linear.
#[derive(Module, Debug)]
pub struct Block {
    scale: Param<Tensor<2>>,
    shift: Param<Tensor<2>>,
    inner: Linear,
    outer: Linear,
}

/// Embeddings of tokens and places of numbers, a residual perceptron, and a head for every position.
#[derive(Module, Debug)]
pub struct Net {
    /// `[all tokens and a mask for each position, embedding]`.
    embedding: Param<Tensor<2>>,
    /// From the embeddings and places of all positions, `[positions * embedding + places, width]`.
    inner: Linear,
    blocks: Vec<Block>,
    scale: Param<Tensor<2>>,
    shift: Param<Tensor<2>>,
    /// `[width, spans.width]`.
    head: Linear,
}

/// A batch as the network sees it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The embeddings of all rows and positions, row-major.
    pub embeddings: Vec<i32>,
    /// The places of numbers, `[rows, places_width]`, 0 where masked.
    pub places: Vec<f32>,
}

const EPSILON: f32 = 1e-5;

impl Net {
    /// A fresh network. `rows` are the rows of every token: the head begins with their frequencies.
    pub fn new(layout: &Layout, sizes: &Sizes, rows: &[u64], seed: u64, device: &Device) -> Self {
        let &Sizes { width, depth, embedding, .. } = sizes;
        let positions = layout.spans.len();
        let entries = layout.spans.width() + positions;
        let stream = |range: StreamRange| range.of(seed);
        let spread = 1.0 / (embedding as f32).sqrt();
        let norm = || filled([1, width], device, 0.0);
        let block = |index: u32| Block {
            scale: norm(),
            shift: norm(),
            inner: LinearConfig::new(width, width).init(purpose::BLOCKS.nth(seed, index), device),
            outer: LinearConfig::new(width, width).with_init(Init::Zero).init(purpose::BLOCKS.nth(seed, index), device),
        };
        let mut head = LinearConfig::new(width, layout.spans.width()).with_init(Init::Zero).init(stream(purpose::HEAD), device);
        let logs: Vec<f32> = rows.iter().map(|&rows| (rows.max(1) as f32).ln()).collect();
        if logs.len() == layout.spans.width() {
            head.bias = Some(parameter([layout.spans.width()], device, move || logs));
        }
        Self {
            embedding: drawn(Init::Normal(spread), (entries, embedding), [entries, embedding], (stream(purpose::EMBEDDING), 0), device),
            inner: LinearConfig::new(positions * embedding + layout.places_width(), width).init(stream(purpose::INNER), device),
            blocks: (0..depth as u32).map(block).collect(),
            scale: norm(),
            shift: norm(),
            head,
        }
    }

    /// Logits of all positions. `masks` hold dropout's factors for each block, or nothing.
    ///
    /// # Shapes
    /// Gives `[rows, spans.width]`.
    pub fn forward(&self, input: &Input, layout: &Layout, masks: &[Tensor<2>]) -> Tensor<2> {
        self.logits(self.hidden(input, layout, None, masks))
    }

    /// What the heads see. `given` is added to the first layer: what a row depends on beside its own positions, such as rows before it.
    ///
    /// # Shapes
    /// `given` and the result `[rows, width]`.
    pub fn hidden(&self, input: &Input, layout: &Layout, given: Option<Tensor<2>>, masks: &[Tensor<2>]) -> Tensor<2> {
        let table = self.embedding.val();
        let (positions, [_, embedding]) = (layout.spans.len(), table.dims());
        let rows = input.embeddings.len() / positions;
        let device = table.device();
        let tokens = table.select(0, host::indices(input.embeddings.clone(), &device)).reshape([rows, positions * embedding]);
        let inputs = if layout.bins.is_empty() {
            tokens
        } else {
            let places = host::tensor(input.places.clone(), [rows, layout.places_width()], &device);
            Tensor::cat(vec![tokens, places], 1) // [rows, positions * embedding + places]
        };
        let first = self.inner.forward(inputs);
        self.trunk(given.into_iter().fold(first, |first, given| first + given), masks)
    }

    /// From the first layer's result to what the heads see, `[rows, width]`.
    fn trunk(&self, mut hidden: Tensor<2>, masks: &[Tensor<2>]) -> Tensor<2> {
        for (index, block) in self.blocks.iter().enumerate() {
            let mut inner = silu(block.inner.forward(norm(hidden.clone(), &block.scale, &block.shift)));
            if let Some(mask) = masks.get(index) {
                inner = times(inner, mask.clone());
            }
            hidden = hidden + block.outer.forward(inner);
        }
        norm(hidden, &self.scale, &self.shift)
    }

    /// The logits of what [`Net::hidden`] gives, `[rows, spans.width]`.
    pub fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        self.head.forward(hidden)
    }

    /// What the heads add to the logits, `[spans.width]`.
    pub(crate) fn head_bias(&self) -> Option<Tensor<1>> {
        self.head.bias.as_ref().map(|bias| bias.val())
    }

    /// Sets what the heads add to the logits.
    pub(crate) fn set_head_bias(&mut self, bias: Tensor<1>) {
        self.head.bias = Some(Param::from_tensor(bias));
    }

    /// The device that it is on.
    pub fn on(&self) -> Device {
        self.embedding.val().device()
    }

    /// The number of residual blocks.
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// The width of the trunk.
    pub fn width(&self) -> usize {
        self.inner.weight.dims()[1]
    }
}

/// Layer normalisation over the last dimension (Ba et al. 2016), `[rows, width]`.
fn norm(x: Tensor<2>, scale: &Param<Tensor<2>>, shift: &Param<Tensor<2>>) -> Tensor<2> {
    let modulation = Tensor::cat(vec![shift.val(), scale.val()], 1); // [1, 2 width]
    modulated_norm(x.unsqueeze_dim::<3>(0), modulation, 0, EPSILON).squeeze_dim::<2>(0)
}

/// A network prepared for sampling: what a token adds to the first layer is looked up, so that a pass costs no more than the trunk and one head.
pub struct Prepared<'a> {
    net: &'a Net,
    layout: &'a Layout,
    /// What every token, and the mask, of every position adds, `[tokens and masks, width]`.
    added: Vec<f32>,
    /// The first layer where nothing is shown, `[width]`.
    nothing: Vec<f32>,
    /// The first layer's weights of places, `[places, width]`.
    of_places: Vec<f32>,
    /// The head of every position.
    heads: Vec<Linear>,
    device: Device,
}

impl<'a> Prepared<'a> {
    /// Looks up what does not depend on the rows.
    pub fn new(net: &'a Net, layout: &'a Layout) -> Self {
        let weight = net.inner.weight.val();
        let (device, width) = (weight.device(), net.width());
        let table = net.embedding.val();
        let [_, embedding] = table.dims();
        let mut added = Vec::new();
        let mut nothing = net.inner.bias.as_ref().map_or(vec![0.0; width], |bias| host::read(&bias.val(), <[f32]>::to_vec));
        for (position, &tokens) in layout.spans.widths().iter().enumerate() {
            let first = layout.first_embedding(position);
            let of_position = table.clone().narrow(0, first, tokens + 1);
            let product = of_position.matmul(weight.clone().narrow(0, position * embedding, embedding)); // [tokens + 1, width]
            host::read(&product, |product| {
                added.extend_from_slice(product);
                nothing.iter_mut().zip(&product[tokens * width..]).for_each(|(sum, value)| *sum += value);
            });
        }
        let of_places = match layout.places_width() {
            0 => Vec::new(),
            places => host::read(&weight.narrow(0, layout.spans.len() * embedding, places), <[f32]>::to_vec),
        };
        let (head, bias) = (net.head.weight.val(), net.head.bias.as_ref().map(|bias| bias.val()));
        let heads = (0..layout.spans.len()).map(|position| {
            let range = layout.spans.range(position);
            Linear {
                weight: Param::from_tensor(head.clone().narrow(1, range.start, range.len())),
                bias: bias.clone().map(|bias| Param::from_tensor(bias.narrow(0, range.start, range.len()))),
            }
        });
        Self { net, layout, added, nothing, of_places, heads: heads.collect(), device }
    }
}

impl Prepared<'_> {
    /// What the heads see of rows whose first layer is `state`, `[rows, width]`.
    pub fn hidden(&self, state: &[f32]) -> Tensor<2> {
        let width = self.nothing.len();
        self.net.trunk(host::tensor(state.to_vec(), [state.len() / width, width], &self.device), &[])
    }

    /// The logits of one position of what [`Prepared::hidden`] gives, `[rows, width of the position]`.
    pub fn head(&self, position: usize, hidden: Tensor<2>) -> Tensor<2> {
        self.heads[position].forward(hidden)
    }
}

impl Network for Prepared<'_> {
    /// The first layer of every row, `[rows, width]`.
    type State = Vec<f32>;

    fn spans(&self) -> &Spans {
        &self.layout.spans
    }

    fn begin(&self, rows: usize) -> Vec<f32> {
        self.nothing.repeat(rows)
    }

    fn show(&self, state: &mut Vec<f32>, row: usize, position: usize, cell: Cell) {
        let width = self.nothing.len();
        let of = |token: Option<u32>| &self.added[self.layout.embedding_of(position, token) * width..][..width];
        let hidden = &mut state[row * width..(row + 1) * width];
        for ((sum, shown), masked) in hidden.iter_mut().zip(of(Some(cell.token))).zip(of(None)) {
            *sum += shown - masked;
        }
        let Some(number) = self.layout.numbers[position] else { return };
        let count = self.layout.place_width();
        let mut place = [0.0; 2 * MOST_FREQUENCIES + 2];
        self.layout.write_place(number, cell, 0.0, &mut place[..count]);
        let weights = self.of_places[number * count * width..(number + 1) * count * width].chunks_exact(width);
        for (&value, weights) in place.iter().zip(weights) {
            hidden.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
        }
    }

    fn logits(&self, state: &Vec<f32>, position: Option<usize>) -> Vec<f32> {
        let hidden = self.hidden(state);
        let logits = match position {
            Some(position) => self.head(position, hidden),
            None => self.net.logits(hidden),
        };
        host::read(&logits, <[f32]>::to_vec)
    }
}

/// The most sines of a place.
pub const MOST_FREQUENCIES: usize = 12;

/// Dropout's factors of a step, one tensor for each block.
pub fn dropout(stream: &Stream, rows: std::ops::Range<u64>, net: &Net, rate: f64, device: &Device) -> Vec<Tensor<2>> {
    if rate <= 0.0 {
        return Vec::new();
    }
    let width = net.width();
    let all = stream.dropout_on(rows, width * net.depth(), 1.0 - rate as f32, device); // [rows, depth * width]
    (0..net.depth()).map(|block| all.clone().narrow(1, block * width, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::BinsConfig;
    use semblant_data::table::simulate_patients;

    /// The way of training and the way of sampling give the same logits.
    #[test]
    fn prepared_logits_are_those_of_the_network() {
        let device = Device::flex();
        let table = simulate_patients(400, 0);
        let tokens = TableTokens::fit(&table, &BinsConfig { bins: 16, most_single: 20 }).expect("columns");
        let sizes = Sizes { width: 24, depth: 2, embedding: 4, frequencies: 3 };
        let layout = Layout::new(&tokens, sizes.frequencies);
        let mut net = Net::new(&layout, &sizes, &[], 3, &device);
        let random = |shape: [usize; 2], stream| {
            host::tensor(Stream::new(9, stream).matrix(0..shape[0] as u64, shape[1], Stream::normals), shape, &device)
        };
        net.head.weight = Param::from_tensor(random([24, layout.spans.width()], 0));
        net.blocks
            .iter_mut()
            .enumerate()
            .for_each(|(index, block)| block.outer.weight = Param::from_tensor(random([24, 24], 1 + index as u32)));
        let cells = tokens.encode(&table).expect("the same columns");
        let (rows, positions) = (7, layout.spans.len());
        let mut input = Input { embeddings: Vec::new(), places: vec![0.0; rows * layout.places_width()] };
        let prepared = Prepared::new(&net, &layout);
        let mut state = prepared.begin(rows);
        for row in 0..rows {
            for position in 0..positions {
                let cell = cells[position][row].filter(|_| (row + position) % 3 > 0);
                input.embeddings.push(layout.embedding_of(position, cell.map(|cell| cell.token)) as i32);
                let Some(cell) = cell else { continue };
                prepared.show(&mut state, row, position, cell);
                if let Some(number) = layout.numbers[position] {
                    let first = row * layout.places_width() + number * layout.place_width();
                    layout.write_place(number, cell, 0.0, &mut input.places[first..first + layout.place_width()]);
                }
            }
        }
        let expected = host::read(&net.forward(&input, &layout, &[]), <[f32]>::to_vec);
        let close = |a: f32, b: f32| assert!((a - b).abs() < 1e-3 * (1.0 + b.abs()), "{a} against {b}");
        prepared.logits(&state, None).into_iter().zip(&expected).for_each(|(a, &b)| close(a, b));
        for position in 0..positions {
            let range = layout.spans.range(position);
            let found = prepared.logits(&state, Some(position));
            for row in 0..rows {
                let expected = &expected[row * layout.spans.width() + range.start..][..range.len()];
                found[row * range.len()..(row + 1) * range.len()].iter().zip(expected).for_each(|(&a, &b)| close(a, b));
            }
        }
    }
}
