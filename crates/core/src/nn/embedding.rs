//! Rows of a table by their numbers, with the gradient of the table.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::host_op::{HostOp, on_host};

/// Row `ids[i]` of `table [entries, width]` for every `i`, `[ids, width]`.
///
/// # Panics
/// When the table has no such row.
pub fn embedding(table: Tensor<2>, ids: &[u32]) -> Tensor<2> {
    let [entries, width] = table.dims();
    assert!(ids.iter().all(|&id| (id as usize) < entries), "every number is one of the {entries} rows");
    if !on_host(&table) {
        return plain(table, ids);
    }
    let op = HostOp::new([table.into()]);
    let [table] = op.values();
    let mut out = vec![0.0; ids.len() * width];
    out.par_chunks_mut(width).with_min_len(256).zip(ids).for_each(|(out, &id)| {
        out.copy_from_slice(&table.get()[id as usize * width..][..width]);
    });
    let (shape, ids) = ([ids.len(), width], ids.to_vec());
    op.finish(out, shape, move |gradient, _| {
        let mut found = vec![0.0; entries * width];
        // In their order: a row that comes often is a sum whose bits depend on it.
        for (gradient, &id) in gradient.get().chunks_exact(width).zip(&ids) {
            found[id as usize * width..][..width].iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
        }
        [Some(found)]
    })
}

fn plain(table: Tensor<2>, ids: &[u32]) -> Tensor<2> {
    let values: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
    let ids = Tensor::from_data(TensorData::new(values, [ids.len()]), &table.device());
    table.select(0, ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host_op::tests::same_as_plain;

    #[test]
    fn rows_and_gradients_are_those_of_the_plain_operation() {
        let ids = [3, 0, 3, 4, 3, 0];
        same_as_plain([[5, 7]], |[table]| embedding(table, &ids), |[table]| plain(table, &ids));
    }
}
