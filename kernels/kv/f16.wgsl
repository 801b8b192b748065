// K and V stored as f16, four values in two words; computed in f32 (f16 arithmetic is slower on CPU devices).
alias KvQuad = vec2u;

fn unpackQuad(quad: KvQuad) -> vec4f {
  return vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));
}

fn packQuad(value: vec4f) -> KvQuad {
  // Outside the range of f16 the packed value would be indeterminate.
  let inside = clamp(value, vec4f(-65504.0), vec4f(65504.0));
  return vec2u(pack2x16float(inside.xy), pack2x16float(inside.zw));
}
