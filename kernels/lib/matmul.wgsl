// What every matmul kernel is told and given: its shape, the batch. PLACE_Y says where its output lies; what becomes of
// the sums is an epilogue's business (epilogue/*.wgsl).
const X = 1u;
const Y = 2u;

struct Shape {
  quads: u32,        // of rows; of one expert's
  blocks: u32,       // of 32 columns
  stride: u32,       // quads in a row of y
  offset: u32,       // of this matrix among the quads of a row of y
  count: u32,        // index in the batch header of the number of rows of x
  epsilon: f32,      // of the norm on the way in
  scale: f32,        // of the queries, or of all sums, on the way out
  limit: f32,        // of gate and up, or of a soft cap
  upOffset: f32,     // added to up
  planeQuads: u32,   // of rows that the plane of weights holds
  firstExpert: u32,  // in the plane; or head
  experts: u32,      // in the plane
  share: u32,        // of the router's choices, how many have a row of x in common
  headPitch: u32,    // quads from a head's first row to the next one's
  headStart: u32,    // quads of a head before its rows that are meant
  inputWidth: u32,   // quads in a row of x with all heads
}
@group(0) @binding(3) var<storage, read> batch: array<u32>;
@group(0) @binding(SHAPE) var<uniform> shape: Shape;

// What a workgroup multiplies: rows of activations, TOKENS at most (inputRow says where they lie, outputRow where the result goes),
// by the rows of the matrix from a quad of the plane on. ROWS (rows/*.wgsl) says which.
struct RowRange {
  first: u32,
  end: u32,
  firstQuad: u32,
  firstBias: u32,    // quad
}

// Quad q of a run of QUADS neighbouring quads of rows, which the epilogue takes at once; a workgroup has TILE_QUADS of them. Where the
// kernel is narrow a run is a lane.
fn quadOf(group: u32, q: u32, run: u32) -> u32 {
  return group * TILE_QUADS + run * QUADS + q;
}

#include PLACE_Y
