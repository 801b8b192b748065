// Repacked weights in a buffer: row y of `width` vectors.
@group(0) @binding(1) var<storage, read_write> packed: array<vec4u>;

fn storePacked(x: u32, y: u32, width: u32, value: vec4u) {
  packed[y * width + x] = value;
}
