// What a kernel writes, in a buffer: rows of `width` quads.
@group(0) @binding(Y) var<storage, read_write> yVectors: array<vec4f>;

fn storeY(row: u32, width: u32, quad: u32, value: vec4f) {
  yVectors[row * width + quad] = value;
}
