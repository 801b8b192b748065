// File block: 32 halves.
const FILE_BLOCK_SIZE = 64u;
const BLOCK_VECTORS = 4u;
const HAS_AFFINE = false;

fn fileVector(at: u32, i: u32) -> vec4u {
  return rawVector(at + i * 16u);
}

fn fileAffine(at: u32) -> u32 {
  return 0u;
}
