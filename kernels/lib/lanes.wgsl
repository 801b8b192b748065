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

// Four sums at the cost of one exchange each time.
fn lanesSums(values: vec4f) -> vec4f {
  var sums = values;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    sums += quadFromPartner(sums, mask);
  }
  return sums;
}

fn lanesMax(value: f32) -> f32 {
  var largest = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    largest = max(largest, fromPartner(largest, mask));
  }
  return largest;
}
