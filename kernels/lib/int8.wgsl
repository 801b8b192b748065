// Activations as int8 blocks of 32: eight words of codes, then (scale, scale * sum of codes) as f32 bits
// and two words of padding: three vec4u a block. scale = largest magnitude / 127.
@group(0) @binding(OUTPUT) var<storage, read_write> stored: array<vec4u>;

fn storeBlock(row: u32, blocks: u32, block: u32, values: array<vec4f, 8>) {
  var largest = 0.0;
  for (var i = 0u; i < 8u; i++) {
    let size = abs(values[i]);
    largest = max(largest, max(max(size.x, size.y), max(size.z, size.w)));
  }
  let scale = largest / 127.0;
  let inverse = select(0.0, 127.0 / largest, largest > 0.0);
  var words: array<u32, 8>;
  var total = vec4i(0);
  for (var i = 0u; i < 8u; i++) {
    let codes = vec4i(round(values[i] * inverse));
    total += codes;
    words[i] = pack4xI8(codes);
  }
  let sum = f32(total.x + total.y + total.z + total.w);
  let index = (row * blocks + block) * 3u;
  stored[index] = vec4u(words[0], words[1], words[2], words[3]);
  stored[index + 1u] = vec4u(words[4], words[5], words[6], words[7]);
  stored[index + 2u] = vec4u(bitcast<u32>(scale), bitcast<u32>(scale * sum), 0u, 0u);
}
