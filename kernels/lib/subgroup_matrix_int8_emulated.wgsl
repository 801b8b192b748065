// What subgroup_matrix_int8_native.wgsl does, in plain WGSL, so that tile logic runs where there are no such units. Left and right are
// places in workgroup memory: they must still hold the same when they are multiplied. A lane has every LANES-th number of a result.
alias Left = u32;
alias Right = u32;
alias Result = array<i32, M * N / LANES>;

// 1, which the compiler does not know: it would write the loops below out, and take a CPU device minutes to compile them.
fn one() -> u32 {
  return min(shape.blocks, 1u);
}

fn loadLeft(offset: u32) -> Left {
  return offset;
}

fn loadRight(offset: u32) -> Right {
  return offset;
}

fn multiplyAdd(left: Left, right: Right, sum: Result, lane: u32) -> Result {
  var result = sum;
  for (var i = 0u; i < M * N / LANES * one(); i++) {
    let row = (i * LANES + lane) / N;
    let column = (i * LANES + lane) % N;
    var total = result[i];
    for (var word = 0u; word < K / 4u * one(); word++) {
      total += dot4I8Packed(leftTile[left + row * STRIDE + word], rightTile[right + column * STRIDE + word]);
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
