//! The kernel of [`ConditionSampler`](super::ConditionSampler): one cube, whose units share the order in which rows are drawn. All of it is arithmetic of whole
//! numbers of 32 bits, so that every device draws what the host draws.

use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::IntTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, cubecl};
use cubecl::prelude::*;
use semblant_core::custom::empty_of;
use semblant_core::seeds::kernel::split;

use super::{SampledConditions, SamplerStreams};

/// Units that work on one draw.
const UNITS: u32 = 256;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    streams: SamplerStreams,
    row: u64,
    count: usize,
}

impl Request {
    /// Values that the units share: two arrays, of a length that many counts have in common, since each is a kernel of its own.
    fn shared(&self) -> usize {
        self.count.next_power_of_two().max(UNITS as usize)
    }
}

pub(super) fn draw(
    blocks: Tensor<2, Int>,
    values: Tensor<2, Int>,
    rows: Tensor<1, Int>,
    count: usize,
    streams: SamplerStreams,
    row: u64,
) -> SampledConditions {
    let request = Request { streams, row, count };
    let (asked, outputs, reordered, rows) = Dispatch::choose(blocks.into_dispatch(), values.into_dispatch(), rows.into_dispatch(), request);
    let [asked, outputs, reordered, rows] = [asked, outputs, reordered, rows].map(Tensor::from_dispatch);
    SampledConditions { asked, outputs, reordered, rows }
}

fn described(
    _blocks: &TensorSpec,
    _values: &TensorSpec,
    _rows: &TensorSpec,
    request: &Request,
) -> (TensorSpec, TensorSpec, TensorSpec, TensorSpec) {
    let one = || TensorSpec::new([request.count].into(), DType::I32);
    (one(), one(), one(), one())
}

/// The operation, as burn's dispatch and fusion know it.
#[backend_extension(Cube, Fusion)]
pub(super) trait Choose: Backend {
    #[fusion(meta = described)]
    fn choose(
        blocks: IntTensor<Self>,
        values: IntTensor<Self>,
        rows: IntTensor<Self>,
        request: Request,
    ) -> (IntTensor<Self>, IntTensor<Self>, IntTensor<Self>, IntTensor<Self>);
}

impl Choose for CubeBackend {
    fn choose(
        blocks: CubeTensor,
        values: CubeTensor,
        rows: CubeTensor,
        request: Request,
    ) -> (CubeTensor, CubeTensor, CubeTensor, CubeTensor) {
        let (blocks, values, rows) = (into_contiguous(blocks), into_contiguous(values), into_contiguous(rows));
        let (client, count) = (rows.client.clone(), blocks.meta.shape()[0] as u32);
        let [asked, outputs, reordered, chosen] = [(); 4].map(|()| empty_of(&rows, [request.count], DType::I32));
        let SamplerStreams { asked: by, order, rows: by_row } = request.streams;
        choose_kernel::launch(
            &client,
            CubeCount::Static(1, 1, 1),
            CubeDim::new_1d(UNITS),
            rows.required_address_type(),
            blocks.into_buffer_arg(),
            values.into_buffer_arg(),
            rows.into_buffer_arg(),
            asked.clone().into_buffer_arg(),
            outputs.clone().into_buffer_arg(),
            reordered.clone().into_buffer_arg(),
            chosen.clone().into_buffer_arg(),
            by.words()[0],
            by.words()[1],
            by.words()[2],
            order.words()[2],
            by_row.words()[2],
            request.row as u32,
            (request.row >> 32) as u32,
            request.count as u32,
            count,
            UNITS,
            request.shared(),
        );
        (asked, outputs, reordered, chosen)
    }
}

#[cube(launch, address_type = "dynamic")]
fn choose_kernel(
    blocks: &[i32],
    values: &[i32],
    rows: &[i32],
    asked: &mut [i32],
    outputs: &mut [i32],
    reordered: &mut [i32],
    chosen: &mut [i32],
    key_low: u32,
    key_high: u32,
    by: u32,
    by_order: u32,
    by_row: u32,
    row_low: u32,
    row_high: u32,
    count: u32,
    block_count: u32,
    #[comptime] units: u32,
    #[comptime] shared: usize,
) {
    let mut order = Shared::<[u32]>::new_slice(shared);
    let mut swaps = Shared::<[u32]>::new_slice(shared);
    let mut at = UNIT_POS;
    while at < count {
        order[at as usize] = at;
        swaps[at as usize] = split(key_low, key_high, by_order, row_low, row_high, at, at + 1u32).0;
        let value = value_of(blocks, values, key_low, key_high, by, row_low, row_high, at, block_count);
        asked[at as usize] = i32::cast_from(value);
        outputs[at as usize] = values[(6u32 * value + 5u32) as usize];
        at += units;
    }
    sync_cube();
    // Fisher and Yates change one place after the other.
    if UNIT_POS == 0u32 {
        let mut last = count - 1u32;
        while last > 0u32 {
            let (held, with) = (order[last as usize], swaps[last as usize]);
            order[last as usize] = order[with as usize];
            order[with as usize] = held;
            last -= 1u32;
        }
    }
    sync_cube();
    let mut at = UNIT_POS;
    while at < count {
        // SampledConditions again instead of read from where another unit wrote it.
        let value = value_of(blocks, values, key_low, key_high, by, row_low, row_high, order[at as usize], block_count);
        let (first, of) = (u32::cast_from(values[(6u32 * value + 3u32) as usize]), u32::cast_from(values[(6u32 * value + 4u32) as usize]));
        reordered[at as usize] = i32::cast_from(value);
        chosen[at as usize] = rows[(first + split(key_low, key_high, by_row, row_low, row_high, at, of).0) as usize];
        at += units;
    }
}

/// See [`super::Alias::draw`], of any of the blocks.
#[cube]
fn value_of(
    blocks: &[i32],
    values: &[i32],
    key_low: u32,
    key_high: u32,
    by: u32,
    row_low: u32,
    row_high: u32,
    at: u32,
    block_count: u32,
) -> u32 {
    let block = 2u32 * split(key_low, key_high, by, row_low, row_high, 2u32 * at, block_count).0;
    let (first, width) = (u32::cast_from(blocks[block as usize]), u32::cast_from(blocks[(block + 1u32) as usize]));
    let (index, rest_high, rest_low) = split(key_low, key_high, by, row_low, row_high, 2u32 * at + 1u32, width);
    let value = first + index;
    let (keep_high, keep_low) =
        (u32::reinterpret(values[(6u32 * value) as usize]), u32::reinterpret(values[(6u32 * value + 1u32) as usize]));
    let stays = rest_high < keep_high || (rest_high == keep_high && rest_low < keep_low);
    select(stays, value, u32::cast_from(values[(6u32 * value + 2u32) as usize]))
}
