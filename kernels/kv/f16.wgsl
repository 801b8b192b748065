// K and V stored as f16, eight values in a vector; computed in f32 (f16 arithmetic is slower on CPU devices).
fn unpackQuad(vector: vec4u, i: u32) -> vec4f {
  let words = select(vector.xy, vector.zw, i == 1u);
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn packQuad(value: vec4f) -> vec2u {
  // Outside the range of f16 the packed value would be indeterminate.
  let inside = clamp(value, vec4f(-65504.0), vec4f(65504.0));
  // A NaN stays one, which clamp does not promise: what it was made of may not look like a number to later tokens.
  let isNan = (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
  let nans = select(vec4u(), vec4u(0x7fffu, 0x7fff0000u, 0x7fffu, 0x7fff0000u), isNan);
  return vec2u(pack2x16float(inside.xy), pack2x16float(inside.zw)) | (nans.xz | nans.yw);
}

// The only vector of two quads.
fn packVector(first: vec4f, second: vec4f, i: u32) -> vec4u {
  return vec4u(packQuad(first), packQuad(second));
}
