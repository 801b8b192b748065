// Codes come four in the bytes of a word.
fn codeScale(quad: u32) -> vec4f {
  return byteScale;
}
