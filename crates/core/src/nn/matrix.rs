//! Matrix products on slices.

use gemm::Parallelism;
use rayon::prelude::*;

/// A strided view of a matrix.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major `[rows, columns]`.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows of `columns` values that begin `row_stride` apart.
    pub(crate) fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(columns <= row_stride && reach(rows, columns, row_stride, 1) <= values.len(), "a matrix lies within its values");
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_stride: self.column_stride, column_stride: self.row_stride, values: self.values }
    }
}

/// The sums of the columns of a row-major `[rows, columns]` matrix, over chunks of rows that do not depend on the number of threads.
pub(crate) fn column_sums(values: &[f32], columns: usize) -> Vec<f32> {
    /// Rows that one task sums.
    const PART_ROWS: usize = 512;
    let parts: Vec<Vec<f32>> = values
        .par_chunks(PART_ROWS * columns)
        .map(|part| {
            let mut sums = vec![0.0; columns];
            part.chunks_exact(columns).for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value));
            sums
        })
        .collect();
    let mut total = vec![0.0; columns];
    parts.iter().for_each(|part| total.iter_mut().zip(part).for_each(|(sum, value)| *sum += value));
    total
}

/// One more than the last index that a matrix of this shape reads.
fn reach(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + (columns - 1) * column_stride + 1 }
}

/// Products of fewer multiplications than this stay on one thread.
const PARALLEL_FROM: usize = 1 << 22;

/// `out = a b`, or `out += a b` when `add`; `out` is `[a.rows, b.columns]` with its rows `row_stride` apart.
///
/// # Panics
/// When the shapes do not fit.
pub(crate) fn multiply(out: &mut [f32], row_stride: usize, add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    let parallel = a.rows * a.columns * b.columns >= PARALLEL_FROM;
    product(out, row_stride, add, a, b, if parallel { Parallelism::Rayon(0) } else { Parallelism::None });
}

/// As [`multiply`], always on the calling thread: for products that are themselves done side by side.
pub(crate) fn multiply_here(out: &mut [f32], row_stride: usize, add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    product(out, row_stride, add, a, b, Parallelism::None);
}

fn product(out: &mut [f32], row_stride: usize, add: bool, a: Matrix<'_>, b: Matrix<'_>, parallelism: Parallelism) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "the inner sizes agree");
    assert!(n <= row_stride && reach(m, n, row_stride, 1) <= out.len(), "the product fits its place");
    if m == 0 || n == 0 {
        return;
    }
    // SAFETY: gemm reads a at (i * row_stride + j * column_stride) for i < m, j < k, b likewise for k and n, and writes out at
    // (i * row_stride + j) for i < m, j < n. `Matrix` was checked to lie within its values when it was made (transposing permutes the
    // same indices), and out was checked above; out is borrowed mutably, so it overlaps neither. All indices fit isize, because they
    // are indices of slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            row_stride as isize,
            add,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_strided_and_transposed_matrices() {
        // a = [[1, 2, 3], [4, 5, 6]] inside rows of four; b = [[1, 0], [0, 1], [1, 1]].
        let a = [1.0, 2.0, 3.0, 9.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        let (a, b) = (Matrix::strided(&a, 2, 3, 4), Matrix::new(&b, 3, 2));
        let mut out = [7.0; 5];
        multiply(&mut out, 3, false, a, b);
        assert_eq!(out, [4.0, 5.0, 7.0, 10.0, 11.0]);
        multiply_here(&mut out, 3, true, a, b);
        assert_eq!(out, [8.0, 10.0, 7.0, 20.0, 22.0]);
        let mut out = [0.0; 4];
        multiply(&mut out, 2, false, b.transposed(), a.transposed());
        assert_eq!(out, [4.0, 10.0, 5.0, 11.0]);
    }

    #[test]
    #[should_panic(expected = "within its values")]
    fn a_matrix_beyond_its_values_is_refused() {
        let _ = Matrix::new(&[0.0; 5], 2, 3);
    }
}
