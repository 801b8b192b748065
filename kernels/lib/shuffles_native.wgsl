// Values of other lanes of a subgroup, where the device has subgroups. The same functions as shuffles_emulated.wgsl.
enable subgroups;

fn fromLane(value: vec4f, lane: u32) -> vec4f {
  return vec4f(subgroupShuffle(value.x, lane), subgroupShuffle(value.y, lane), subgroupShuffle(value.z, lane), subgroupShuffle(value.w, lane));
}

fn bitsFromLane(value: vec4u, lane: u32) -> vec4u {
  return vec4u(subgroupShuffle(value.x, lane), subgroupShuffle(value.y, lane), subgroupShuffle(value.z, lane), subgroupShuffle(value.w, lane));
}

fn pairFromLane(value: vec2i, lane: u32) -> vec2i {
  return vec2i(subgroupShuffle(value.x, lane), subgroupShuffle(value.y, lane));
}

fn numberFromLane(value: f32, lane: u32) -> f32 {
  return subgroupShuffle(value, lane);
}

// The partner's lane number is one's own, xor mask.
fn fromPartner(value: f32, mask: u32) -> f32 {
  return subgroupShuffleXor(value, mask);
}

fn bitsFromPartner(value: u32, mask: u32) -> u32 {
  return subgroupShuffleXor(value, mask);
}

fn quadFromPartner(value: vec4f, mask: u32) -> vec4f {
  return vec4f(subgroupShuffleXor(value.x, mask), subgroupShuffleXor(value.y, mask), subgroupShuffleXor(value.z, mask), subgroupShuffleXor(value.w, mask));
}
