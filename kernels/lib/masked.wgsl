// The score of a position that does not count: WGSL has no infinities.
const MASKED = -1e30;
