// Scores kept within (-CAP, CAP): CAP tanh(score / CAP) (Gemma Team 2024). By way of exp of a negative number, which cannot overflow.
const CAP = bitcast<f32>(CAP_BITS);

fn finishScore(score: f32) -> f32 {
  let shrunk = exp(-2.0 / CAP * abs(score));
  return sign(score) * CAP * (1.0 - shrunk) / (1.0 + shrunk);
}
