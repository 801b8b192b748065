// K and V stored as whole numbers from -127 to 127, sixteen in a vector; a head of a slot has one factor for its keys and one for its
// values (scaled.wgsl): the largest magnitude / 127. So a value is off by at most 1/254 of the head's largest.
fn unpackQuad(vector: vec4u, i: u32) -> vec4f {
  return vec4f(unpack4xI8(vector[i]));
}

fn packCodes(value: vec4f) -> u32 {
  return pack4xI8(vec4i(round(value)));
}
