// Four columns of a block's row as numbers. Lookups and the kernels for GPUs take these; narrow ones multiply codes first.
fn weightQuad(block: WeightBlock, words: CodeWords, scales: Scales, r: u32, quad: u32) -> vec4f {
  let affine = affineOf(scales, r, quad * PARTS / 8u);
  return blockCodes(block, words, r, quad) * codeScale(quad) * affine.x + affine.y;
}
