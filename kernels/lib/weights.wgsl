requires packed_4x8_integer_dot_product;
// Packed weights: rows in quads of four neighbouring ones, quads in tiles of eight. One row of a tile's numbers holds, for
// each block of 32 columns, one vector of each quad, so that neighbouring lanes read neighbouring vectors. Vector v of row r
// of a quad in (tile, block) is at x = block * 8 + quad % 8, y = tile * TILE_ROWS + v * 4 + r; below these the scales of the
// quad's four rows, a word each, are one vector. PLACE_W (place/weights_*.wgsl) says where that lies.
#include PLACE_W

const QUAD_TILE = 8u;
const TILE_ROWS = BLOCK_VECTORS * 4u + select(0u, 1u, HAS_SCALE);

// Places of block 0 of a quad; hoist them out of the loop over blocks.
struct QuadPlace {
  x: u32,
  y: u32,
  width: u32,
}

fn quadPlace(quad: u32, blocks: u32) -> QuadPlace {
  return QuadPlace(quad % QUAD_TILE, quad / QUAD_TILE * TILE_ROWS, blocks * QUAD_TILE);
}

// Vector v of the block, of row r of the quad.
fn blockVector(place: QuadPlace, r: u32, block: u32, v: u32) -> vec4u {
  return packedAt(place.x + block * QUAD_TILE, place.y + v * 4u + r, place.width);
}

// A word for each row of the quad.
fn quadAffine(place: QuadPlace, block: u32) -> vec4u {
  return packedAt(place.x + block * QUAD_TILE, place.y + BLOCK_VECTORS * 4u, place.width);
}

// 16 products of int8 codes.
fn dotCodes(a: vec4u, b: vec4u) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}
