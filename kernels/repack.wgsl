// Rows of a file -> the packed layout of lib/weights.wgsl. One invocation takes one block of 32 columns of a quad of rows; rows past
// the end of the matrix, which fill its last quad, become zeros. `raw` holds a chunk of rows: runs of a file's blocks, or strips of the
// several tensors that a storage is made of (repack/strips.wgsl).
struct Shape {
  blocks: u32,        // of 32 columns, in a row
  rows: u32,          // to be packed; the first one begins a quad
  firstRow: u32,      // of them in the chunk
  tensorRow: u32,     // of the chunk in the tensor
  firstQuad: u32,     // place of the first quad in the packed matrix
  quadStep: u32,      // from a quad to the next one there
  tiles: u32,         // of the packed matrix
  headLength: u32,    // rows of a head whose halves are to take turns; 0: rows stay where they are
  rotaryLength: u32,  // rows of a head that do
  groupRows: u32,     // rows and blocks that share a scale
  groupBlocks: u32,
  zeroBias: u32,      // added to zero points
  rowStep: u32,       // from a row to the next one in the chunk
  strips: array<vec4u, 4>,  // (first byte in raw, bytes of a row, kind of number, -)
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

// Of a block of the file at a byte, and of the block of 32 columns in it: fileVector(at, block, v), fileWord(at, block, w), fileSuper(at).
// Where FILE_BLOCK_SIZE is 0 the storage is strips, and it is a row of the chunk, and the block of 32 columns in that.
#include REPACK

// Pair i of a head's rotated numbers is rows i and i + half in the files that need this, and rows 2i and 2i + 1 here.
fn sourceRow(row: u32) -> u32 {
  if (shape.headLength == 0u) {
    return row;
  }
  let inHead = row % shape.headLength;
  return row - inHead + select(inHead, inHead % 2u * (shape.rotaryLength / 2u) + inHead / 2u, inHead < shape.rotaryLength);
}

fn sourceAt(row: u32, block: u32) -> u32 {
  let source = sourceRow(shape.firstRow + row * shape.rowStep);
  return select(shape.strips[0].x + source * shape.strips[0].y + block / FILE_BLOCKS * FILE_BLOCK_SIZE, source, FILE_BLOCK_SIZE == 0u);
}

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
  let inBlock = select(block % FILE_BLOCKS, block, FILE_BLOCK_SIZE == 0u);
  for (var r = 0u; r < 4u; r++) {
    for (var v = 0u; v < BLOCK_VECTORS; v++) {
      var vector = vec4u();
      if (row + r < shape.rows) {
        vector = fileVector(sourceAt(row + r, block), inBlock, v);
      }
      storePacked(x, y + v * 4u + r, width, vector);
    }
  }
  for (var w = 0u; w < BLOCK_WORDS; w++) {
    var words = vec4u();
    for (var r = 0u; r < min(4u, shape.rows - row); r++) {
      words[r] = fileWord(sourceAt(row + r, block), inBlock, w);
    }
    storePacked(x, y + BLOCK_VECTORS * 4u + w, width, words);
  }
  if (HAS_SUPER && block % 8u == 0u) {
    var words = vec4u();
    for (var r = 0u; r < min(4u, shape.rows - row); r++) {
      words[r] = fileSuper(sourceAt(row + r, block));
    }
    storePacked(tile % 8u * shape.blocks + block + quad % QUAD_TILE, shape.tiles * TILE_ROWS + tile / 8u, width, words);
  }
}
