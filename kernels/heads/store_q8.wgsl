// K and V as whole numbers with one factor a head (kv/q8.wgsl). Gives the factor: NaN where a value is, because patterns are compared
// as whole numbers, of which a NaN's is larger than any number's.
fn storeHead(slot: u32, first: u32, head: Head, lane: u32) -> f32 {
  var pattern = 0u;
  for (var quad = lane; quad < HEAD_QUADS; quad += LANES) {
    let size = bitcast<vec4u>(finishedQuad(head, quad)) & vec4u(0x7fffffffu);
    pattern = max(pattern, max(max(size.x, size.y), max(size.z, size.w)));
  }
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    pattern = max(pattern, bitsFromPartner(pattern, mask));
  }
  let largest = bitcast<f32>(pattern);
  // A head so small that the inverse would pass the range of f32 becomes zeros.
  let isLarge = pattern > bitcast<u32>(1e-30);
  let inverse = select(0.0, 127.0 / largest, isLarge);
  for (var v = lane; v < HEAD_VECTORS; v += LANES) {
    var codes = vec4u();
    for (var j = 0u; j < 4u; j++) {
      codes[j] = packCodes(finishedQuad(head, v * 4u + j) * inverse);
    }
    storePool(slot, first + v, codes);
  }
  return select(0.0, largest / 127.0, isLarge);
}

fn storeHeads(slot: u32, kvHead: u32, key: Head, value: Head, lane: u32) {
  let keyScale = storeHead(slot, kvHead * HEAD_VECTORS, key, lane);
  let valueScale = storeHead(slot, SLOT_VALUES + kvHead * HEAD_VECTORS, value, lane);
  if (lane == 0u) {
    storePool(slot, SLOT_SCALES + kvHead, bitcast<vec4u>(vec4f(keyScale, valueScale, 0.0, 0.0)));
  }
}
