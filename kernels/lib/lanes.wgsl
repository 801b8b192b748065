// One workgroup is one subgroup of LANES lanes: no barrier, no workgroup memory.
// Butterflies (shuffle by xor) cost a fraction of subgroupAdd on CPU devices and add in an order that
// depends on LANES alone, so that a sum is the same in every batch.

fn lanesSum(value: f32) -> f32 {
  var sum = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    sum += subgroupShuffleXor(sum, mask);
  }
  return sum;
}

fn lanesMax(value: f32) -> f32 {
  var largest = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    largest = max(largest, subgroupShuffleXor(largest, mask));
  }
  return largest;
}
