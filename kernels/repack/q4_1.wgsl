// File block: f16 scale, f16 offset, 16 bytes of nibbles.
const FILE_BLOCK_SIZE = 20u;
const BLOCK_VECTORS = 1u;
const HAS_AFFINE = true;

fn fileVector(at: u32, i: u32) -> vec4u {
  return rawVector(at + 4u);
}

fn fileAffine(at: u32) -> u32 {
  return rawWord(at);
}
