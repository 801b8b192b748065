// Values of other lanes, for devices without subgroups: each goes through workgroup memory, between two barriers, so every
// invocation of the workgroup must come along (the control flow of whoever calls is uniform). LANES neighbouring invocations are
// what a subgroup would be. Sums come out the same, bit for bit: the functions are those of shuffles_native.wgsl.
var<workgroup> exchanged: array<vec4u, LANES * SUBGROUPS>;
// Index in the workgroup; compose sets it at the start of main.
var<private> ownLane: u32;

fn exchange(value: vec4u, lane: u32) -> vec4u {
  exchanged[ownLane] = value;
  workgroupBarrier();
  let found = exchanged[lane];
  workgroupBarrier();
  return found;
}

fn bitsFromLane(value: vec4u, lane: u32) -> vec4u {
  return exchange(value, ownLane / LANES * LANES + lane);
}

fn fromLane(value: vec4f, lane: u32) -> vec4f {
  return bitcast<vec4f>(bitsFromLane(bitcast<vec4u>(value), lane));
}

fn pairFromLane(value: vec2i, lane: u32) -> vec2i {
  return bitcast<vec4i>(bitsFromLane(vec4u(bitcast<vec2u>(value), 0u, 0u), lane)).xy;
}

fn numberFromLane(value: f32, lane: u32) -> f32 {
  return bitcast<f32>(bitsFromLane(vec4u(bitcast<u32>(value)), lane).x);
}

fn fromPartner(value: f32, mask: u32) -> f32 {
  return bitcast<f32>(exchange(vec4u(bitcast<u32>(value)), ownLane ^ mask).x);
}

fn bitsFromPartner(value: u32, mask: u32) -> u32 {
  return exchange(vec4u(value), ownLane ^ mask).x;
}

fn quadFromPartner(value: vec4f, mask: u32) -> vec4f {
  return bitcast<vec4f>(exchange(bitcast<vec4u>(value), ownLane ^ mask));
}
