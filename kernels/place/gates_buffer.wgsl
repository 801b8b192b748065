// Rows with gates in a buffer: rows of `width` quads.
@group(0) @binding(GATES) var<storage, read> gateVectors: array<vec4f>;

fn gateAt(row: u32, width: u32, quad: u32) -> vec4f {
  return gateVectors[row * width + quad];
}
