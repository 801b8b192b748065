// Packed weights: rows in quads of four neighbouring ones, quads in tiles of eight; columns in blocks of 32. For each tile the
// plane has one row for each vector v of codes of each row r of a quad, then one for each word that a block has besides (a vector
// is the words of the quad's four rows): vector v of r at y = tile * TILE_ROWS + v * 4 + r, word w at y = tile * TILE_ROWS +
// BLOCK_VECTORS * 4 + w, both at x = block * 8 + quad % 8, so that neighbouring lanes read neighbouring vectors. Formats with
// super-blocks of 256 columns have a word for each below all tiles, those of eight tiles in one row of the plane:
// y = tiles * TILE_ROWS + tile / 8, x = tile % 8 * blocks + block / 8 * 8 + quad % 8.
// PLACE_W (place/weights_*.wgsl) says where the plane lies; the format's codes and scales say how many of each there are.
#include PLACE_W

const QUAD_TILE = 8u;
const BLOCK_WORDS = SCALE_WORDS + CODE_WORDS;
const TILE_ROWS = BLOCK_VECTORS * 4u + BLOCK_WORDS;

// Places of block 0 of a quad; hoist them out of the loop over blocks.
struct QuadPlace {
  x: u32,
  y: u32,
  width: u32,
  superX: u32,
  superY: u32,
}

// `quads`: of the whole plane.
fn quadPlace(quad: u32, blocks: u32, quads: u32) -> QuadPlace {
  let tile = quad / QUAD_TILE;
  let tiles = (quads + QUAD_TILE - 1u) / QUAD_TILE;
  let inTile = quad % QUAD_TILE;
  return QuadPlace(inTile, tile * TILE_ROWS, blocks * QUAD_TILE, tile % 8u * blocks + inTile, tiles * TILE_ROWS + tile / 8u);
}

// Vector v of the block, of row r of the quad.
fn blockVector(place: QuadPlace, r: u32, block: u32, v: u32) -> vec4u {
  return packedAt(place.x + block * QUAD_TILE, place.y + v * 4u + r, place.width);
}

// Word w of the block, for each row of the quad.
fn blockWord(place: QuadPlace, block: u32, w: u32) -> vec4u {
  return packedAt(place.x + block * QUAD_TILE, place.y + BLOCK_VECTORS * 4u + w, place.width);
}

// The word of the block's super-block, for each row of the quad.
fn superWord(place: QuadPlace, block: u32) -> vec4u {
  return packedAt(place.superX + block / 8u * QUAD_TILE, place.superY, place.width);
}

// Four codes in the bytes of a word as numbers, each times a power of two that byteScale takes back: what is not shifted costs
// an operation less. By way of i32: CPUs convert signed numbers in one instruction, unsigned ones in several.
fn byteCodes(bytes: u32) -> vec4f {
  return vec4f(vec4i(vec4u(bytes & 0xffu, bytes & 0xff00u, bytes & 0xff0000u, bytes >> 24u)));
}

// What the activations of such a quad of columns are multiplied by; exact.
const byteScale = vec4f(1.0, 1.0 / 256.0, 1.0 / 65536.0, 1.0);
