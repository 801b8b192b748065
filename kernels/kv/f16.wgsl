// K and V stored as f16, four values in two words; computed in f32 (f16 arithmetic is slower on CPU devices).
alias KvQuad = vec2u;

fn unpackQuad(quad: KvQuad) -> vec4f {
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

// One stored word holds KV_VALUES neighbouring values.
alias KvWord = u32;
const KV_VALUES = 2u;

fn kvWord(value: f32, next: f32) -> KvWord {
  // Outside the range of f16 the packed value would be indeterminate.
  return pack2x16float(clamp(vec2f(value, next), vec2f(-65504.0), vec2f(65504.0)));
}
