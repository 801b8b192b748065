// What a kernel reads, in a buffer: rows of `width` quads.
@group(0) @binding(X) var<storage, read> xVectors: array<vec4f>;

fn xAt(row: u32, width: u32, quad: u32) -> vec4f {
  return xVectors[row * width + quad];
}
