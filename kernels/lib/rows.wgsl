// Quad q of a lane: a lane owns neighbouring quads of rows.
fn quadOf(group: u32, q: u32, lane: u32) -> u32 {
  return (group * LANES + lane) * QUADS + q;
}

// What a workgroup multiplies: rows of activations, TOKENS at most (inputRow says where they lie, outputRow where the result goes),
// by the rows of the matrix from a quad of the plane on. ROWS (rows/*.wgsl) says which.
struct RowRange {
  first: u32,
  end: u32,
  firstQuad: u32,
  firstBias: u32,    // quad
}
