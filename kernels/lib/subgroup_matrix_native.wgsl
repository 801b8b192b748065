// Matrices that a subgroup holds together: M x K (left) times K x N (right) is added to M x N (result), by the units of a GPU.
// Left and right come from workgroup memory, the result goes there: leftTile, rightTile, resultTile of lib/matrix_tiles.wgsl. W3C draft "Subgroup Matrix", as Dawn has it. The same functions as subgroup_matrix_emulated.wgsl.
enable chromium_experimental_subgroup_matrix;
enable subgroups;
// Offsets are the same in all lanes of a subgroup, which the compiler cannot see: they come from lane / LANES.
diagnostic(off, chromium.subgroup_matrix_uniformity);

alias Left = subgroup_matrix_left<Element, K, M>;
alias Right = subgroup_matrix_right<Element, N, K>;
alias Result = subgroup_matrix_result<f32, N, M>;

fn loadLeft(offset: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&leftTile, offset, STRIDE);
}

// Its columns lie one after the other, as rows of weights do, and keys.
fn loadRightColumns(offset: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&rightTile, offset, STRIDE);
}

// Its rows do, as values do.
fn loadRightRows(offset: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&rightTile, offset, STRIDE);
}

fn multiplyAdd(left: Left, right: Right, sum: Result, lane: u32) -> Result {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

fn storeResult(offset: u32, result: Result, lane: u32) {
  subgroupMatrixStore<row_major>(&resultTile, offset, result, RESULT_STRIDE);
}
