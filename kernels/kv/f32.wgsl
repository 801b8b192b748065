// K and V stored as f32 (exact mode).
alias KvQuad = vec4f;

fn unpackQuad(quad: KvQuad) -> vec4f {
  return quad;
}

alias KvWord = f32;
const KV_VALUES = 1u;

fn kvWord(value: f32, next: f32) -> KvWord {
  return value;
}
