// K and V stored as f32 (exact mode).
alias KvQuad = vec4f;

fn unpackQuad(quad: KvQuad) -> vec4f {
  return quad;
}

fn packQuad(value: vec4f) -> KvQuad {
  return value;
}
