// What subgroup_matrix_native.wgsl does, in plain WGSL, so that tile logic runs where there are no such units. Left and right are
// places in workgroup memory: they must still hold the same when they are multiplied. A lane has every LANES-th number of a result.
alias Left = u32;
alias Result = array<f32, M * N / LANES>;

struct Right {
  offset: u32,
  rowStep: u32,
  columnStep: u32,
}

// 1, which the compiler does not know: it would write the loops below out, and take a CPU device minutes to compile them.
fn one() -> u32 {
  return min(batch[0], 1u);
}

fn loadLeft(offset: u32) -> Left {
  return offset;
}

fn loadRightColumns(offset: u32) -> Right {
  return Right(offset, 1u, STRIDE);
}

fn loadRightRows(offset: u32) -> Right {
  return Right(offset, STRIDE, 1u);
}

fn multiplyAdd(left: Left, right: Right, sum: Result, lane: u32) -> Result {
  var result = sum;
  for (var i = 0u; i < M * N / LANES * one(); i++) {
    let row = (i * LANES + lane) / N;
    let column = (i * LANES + lane) % N;
    var total = result[i];
    for (var k = 0u; k < K * one(); k++) {
      total += f32(leftTile[left + row * STRIDE + k]) * f32(rightTile[right.offset + k * right.rowStep + column * right.columnStep]);
    }
    result[i] = total;
  }
  return result;
}

fn storeResult(offset: u32, result: Result, lane: u32) {
  for (var i = 0u; i < M * N / LANES * one(); i++) {
    resultTile[offset + (i * LANES + lane) / N * RESULT_STRIDE + (i * LANES + lane) % N] = result[i];
  }
}
