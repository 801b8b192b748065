// What the sums are added to, in a buffer: rows of `width` quads.
@group(0) @binding(EPILOGUE) var<storage, read> sumVectors: array<vec4f>;

fn sumAt(row: u32, width: u32, quad: u32) -> vec4f {
  return sumVectors[row * width + quad];
}
