// Whole numbers below 2^23 as floats without a conversion: they are the low bits of a float of 2^23, which is taken off again; exact. GPUs
// convert far fewer numbers at a time than they add (an H200 16 of a multiprocessor in a turn, beside 128).
const CONVERTS = false;
const HIGH_BITS = 0x4b000000u;

fn asNumbers(codes: vec4u) -> vec4f {
  return bitcast<vec4f>(codes | vec4u(HIGH_BITS)) - 8388608.0;
}

// The bytes of a word, signed: 128 more than each is unsigned.
fn signedBytes(bytes: u32) -> vec4f {
  let shifted = bytes ^ 0x80808080u;
  let all = vec4u(shifted & 0xffu, (shifted >> 8u) & 0xffu, (shifted >> 16u) & 0xffu, shifted >> 24u);
  return bitcast<vec4f>(all | vec4u(HIGH_BITS)) - 8388736.0;
}
