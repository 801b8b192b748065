// For formats whose codes are worked out one by one: the includer says fileCode(at, block, column), 4 bits.
fn fileVector(at: u32, block: u32, v: u32) -> vec4u {
  var words: vec4u;
  for (var column = 0u; column < 16u; column++) {
    let byte = fileCode(at, block, column) | (fileCode(at, block, column + 16u) << 4u);
    words[column / 4u] |= byte << (column % 4u * 8u);
  }
  return words;
}
