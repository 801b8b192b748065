// Matrices that a subgroup holds together: M x K (left) times K x N (right) of int8 is added to M x N (result) of i32, by the units of a GPU.
// Left and right come from workgroup memory, the result goes there; the kernel declares leftTile and rightTile of u32, four int8 a word, and
// resultTile of i32. W3C draft "Subgroup Matrix", as Dawn has it. The same functions as subgroup_matrix_int8_emulated.wgsl.
// Offsets and strides count elements of the array, here words, not int8, as the draft has it since its pull request 6275. Dawn of the npm
// package webgpu 0.6.2 too: of K = 32 it takes strides from 8 words on ("must be greater than the minimum stride (32 bytes)"), and an offset of
// one word past what an array has room for is four bytes too far.
enable chromium_experimental_subgroup_matrix;
enable subgroups;
// Offsets are the same in all lanes of a subgroup, which the compiler cannot see: they come from lane / LANES.
diagnostic(off, chromium.subgroup_matrix_uniformity);

alias Left = subgroup_matrix_left<i8, K, M>;
alias Right = subgroup_matrix_right<i8, N, K>;
alias Result = subgroup_matrix_result<i32, N, M>;

fn loadLeft(offset: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&leftTile, offset, STRIDE);
}

// Its columns lie one after the other, as rows of weights do.
fn loadRight(offset: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&rightTile, offset, STRIDE);
}

fn multiplyAdd(left: Left, right: Right, sum: Result, lane: u32) -> Result {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

fn storeResult(offset: u32, result: Result, lane: u32) {
  subgroupMatrixStore<row_major>(&resultTile, offset, result, RESULT_STRIDE);
}
