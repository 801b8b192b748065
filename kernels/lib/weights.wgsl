requires packed_4x8_integer_dot_product;
// Weights of the narrow family: rows interleaved in tiles of ROW_TILE, so that neighbouring lanes read
// neighbouring 16-byte vectors. Vector v of (row, block) lies at
// ((row / ROW_TILE * blocks + block) * BLOCK_VECTORS + v) * ROW_TILE + row % ROW_TILE.
@group(0) @binding(0) var<storage, read> weightCodes: array<vec4u>;
@group(0) @binding(1) var<storage, read> weightAffine: array<u32>;

const ROW_TILE = 8u;

// Places of block 0 of a row; hoist them out of the loop over blocks.
struct RowPlace {
  codes: u32,
  affine: u32,
}

fn rowPlace(row: u32, blocks: u32) -> RowPlace {
  let affine = row / ROW_TILE * (blocks * ROW_TILE) + row % ROW_TILE;
  let codes = row / ROW_TILE * (blocks * ROW_TILE * BLOCK_VECTORS) + row % ROW_TILE;
  return RowPlace(codes, affine);
}

// 16 products of int8 codes.
fn dotCodes(a: vec4u, b: vec4u) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}
