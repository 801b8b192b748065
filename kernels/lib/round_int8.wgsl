// f32 rounded to int8 with a scale for each block of 32 columns, eight quads: its largest number over 127, halves to even.

// 1.5 * 2^23: added to a number of at most 127 it leaves the nearest whole one, halves to even, in the lowest bits of the sum. Conversions
// to i32, which WGSL keeps within bounds, cost several times as much.
const ROUNDS = 12582912.0;
const ROUNDS_BITS = 0x4b400000;
// Four times that, of which the overflow is gone.
const FOUR_ROUNDS_BITS = 0x2d000000;
// A block whose largest number is smaller is zero: 127 divided by it must be a number.
const SMALLEST = 1e-36;

// Largest of a quad's numbers by their bits without signs, which are in order as whole numbers, NaN last: an f32 maximum of a CPU
// device takes three instructions.
fn quadMax(value: vec4f) -> u32 {
  let size = bitcast<vec4u>(value) & vec4u(0x7fffffffu);
  return max(max(size.x, size.y), max(size.z, size.w));
}

// Largest number of a block, of what quadMax gave. Past eight lanes the eight quads come again, or those of another token.
fn blockMax(bits: u32) -> f32 {
  var largest = bits;
  for (var mask = min(LANES, 8u) / 2u; mask > 0u; mask /= 2u) {
    largest = max(largest, bitsFromPartner(largest, mask));
  }
  return bitcast<f32>(largest);
}

// What the numbers of a block are multiplied by to be rounded.
fn inverseOf(largest: f32) -> f32 {
  return select(0.0, 127.0 / largest, largest > SMALLEST);
}

// What the whole numbers of a block are multiplied by to be numbers again.
fn stepOf(largest: f32) -> f32 {
  return largest * (1.0 / 127.0);
}

// Whole numbers, each plus ROUNDS_BITS; their lowest bytes are int8.
fn roundedBits(value: vec4f, inverse: f32) -> vec4i {
  return bitcast<vec4i>(value * inverse + ROUNDS);
}

fn quadSum(rounded: vec4i) -> f32 {
  return f32(rounded.x + rounded.y + rounded.z + rounded.w - FOUR_ROUNDS_BITS);
}
