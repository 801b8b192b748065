// A row of weights for each channel of the latent, a column for each plain channel of the query, which is W^T as it stands: a quad of
// rows to a lane, which goes along the columns.
fn absorb(head: u32, firstRow: u32, first: u32, end: u32, lane: u32) {
  for (var quad = lane; quad < shape.rowQuads; quad += INVOCATIONS) {
    let place = quadPlace(firstRow + quad, shape.blocks, shape.planeQuads);
    var sums = array<vec4f, TOKENS>();
    for (var block = 0u; block < shape.blocks; block++) {
      let words = loadCodeWords(place, block);
      let scales = loadScales(place, block);
      var weights: array<WeightBlock, 4>;
      #unroll
      for (var r = 0u; r < 4u; r++) {
        weights[r] = loadBlock(place, r, block);
      }
      for (var c = 0u; c < 8u; c++) {
        let one = weightQuad(weights[0], words, scales, 0u, c);
        let two = weightQuad(weights[1], words, scales, 1u, c);
        let three = weightQuad(weights[2], words, scales, 2u, c);
        let four = weightQuad(weights[3], words, scales, 3u, c);
        #unroll
        for (var t = 0u; t < TOKENS; t++) {
          let x = plainQuad(min(first + t, end - 1u), head, block * 8u + c);
          sums[t] += vec4f(dot(one, x), dot(two, x), dot(three, x), dot(four, x));
        }
      }
    }
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      if (first + t < end) {
        storeQuery(first + t, head, quad, sums[t]);
      }
    }
  }
}
