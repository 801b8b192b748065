// Rows of a file's blocks -> the packed layout of lib/weights.wgsl. One invocation takes one block of 32 columns of a quad of
// rows; rows past the end of the matrix, which fill its last quad, become zeros.
struct Shape {
  blocks: u32,      // of 32 columns, in a row
  rows: u32,        // that `raw` holds; its first one begins a quad
  firstQuad: u32,   // place of its first quad in the packed matrix
  quadStep: u32,    // from a quad to the next one there
  rowSize: u32,     // bytes of a row in the file
  tiles: u32,       // of the packed matrix
}
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

#include PLACE_REPACKED

const QUAD_TILE = 8u;
const TILE_ROWS = BLOCK_VECTORS * 4u + BLOCK_WORDS;

// Little-endian word at any byte.
fn rawWord(at: u32) -> u32 {
  let shift = at % 4u * 8u;
  let low = raw[at / 4u];
  if (shift == 0u) {
    return low;
  }
  return (low >> shift) | (raw[at / 4u + 1u] << (32u - shift));
}

fn rawVector(at: u32) -> vec4u {
  return vec4u(rawWord(at), rawWord(at + 4u), rawWord(at + 8u), rawWord(at + 12u));
}

fn rawHalf(at: u32) -> u32 {
  return rawWord(at) & 0xffffu;
}

fn rawByte(at: u32) -> u32 {
  return (raw[at / 4u] >> (at % 4u * 8u)) & 0xffu;
}

// Of a block of the file, and of the block of 32 columns in it: fileVector(at, block, v), fileWord(at, block, w), fileSuper(at).
#include REPACK

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  let row = index / shape.blocks * 4u;
  if (row >= shape.rows) {
    return;
  }
  let block = index % shape.blocks;
  let quad = shape.firstQuad + row / 4u * shape.quadStep;
  let tile = quad / QUAD_TILE;
  let x = block * QUAD_TILE + quad % QUAD_TILE;
  let y = tile * TILE_ROWS;
  let width = shape.blocks * QUAD_TILE;
  let inRow = block / FILE_BLOCKS * FILE_BLOCK_SIZE;
  let inBlock = block % FILE_BLOCKS;
  for (var r = 0u; r < 4u; r++) {
    for (var v = 0u; v < BLOCK_VECTORS; v++) {
      var vector = vec4u();
      if (row + r < shape.rows) {
        vector = fileVector((row + r) * shape.rowSize + inRow, inBlock, v);
      }
      storePacked(x, y + v * 4u + r, width, vector);
    }
  }
  for (var w = 0u; w < BLOCK_WORDS; w++) {
    var words = vec4u();
    for (var r = 0u; r < min(4u, shape.rows - row); r++) {
      words[r] = fileWord((row + r) * shape.rowSize + inRow, inBlock, w);
    }
    storePacked(x, y + BLOCK_VECTORS * 4u + w, width, words);
  }
  if (HAS_SUPER && block % 8u == 0u) {
    var words = vec4u();
    for (var r = 0u; r < min(4u, shape.rows - row); r++) {
      words[r] = fileSuper((row + r) * shape.rowSize + inRow);
    }
    storePacked(tile % 8u * shape.blocks + block + quad % QUAD_TILE, shape.tiles * TILE_ROWS + tile / 8u, width, words);
  }
}
