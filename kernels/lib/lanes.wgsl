// One workgroup is one subgroup of LANES lanes: no barrier, no workgroup memory, where the device has subgroups (SHUFFLES).
// Butterflies (shuffle by xor) cost a fraction of subgroupAdd on CPU devices and add in an order that
// depends on LANES alone, so that a sum is the same in every batch.
#include SHUFFLES

fn lanesSum(value: f32) -> f32 {
  var sum = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    sum += fromPartner(sum, mask);
  }
  return sum;
}

fn lanesMax(value: f32) -> f32 {
  var largest = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    largest = max(largest, fromPartner(largest, mask));
  }
  return largest;
}
