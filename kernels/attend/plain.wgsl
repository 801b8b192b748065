// A score is query times key.
fn finishScore(score: f32) -> f32 {
  return score;
}
