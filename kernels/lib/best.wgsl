// The larger of two values, the lower id among equals; over all lanes by a butterfly.
const LOWEST = -3.0e38;

struct Best {
  value: f32,
  id: u32,
}

fn better(a: Best, b: Best) -> Best {
  if (b.value > a.value || (b.value == a.value && b.id < a.id)) {
    return b;
  }
  return a;
}

fn lanesBest(value: Best) -> Best {
  var best = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    best = better(best, Best(fromPartner(best.value, mask), bitsFromPartner(best.id, mask)));
  }
  return best;
}
