// Whole numbers as floats by the device's conversions. By way of i32: CPUs convert signed numbers in one instruction, unsigned ones in several.
const CONVERTS = true;

fn asNumbers(codes: vec4u) -> vec4f {
  return vec4f(vec4i(codes));
}

// The bytes of a word, signed.
fn signedBytes(bytes: u32) -> vec4f {
  return vec4f(unpack4xI8(bytes));
}
