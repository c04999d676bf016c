// The probabilities (V) of the next token from its logits, as microgpt/sampling.py computes them.
const nextTokenProbs = (logits, { temperature, top_k, top_p }) => {
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
  const largest = logits[order[0]], divisor = Math.max(temperature, 1e-60);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  let weights = order.map((token, rank) => {
    if (rank === 0) return 1;
    return temperature > 0 ? Math.exp((logits[token] - largest) / divisor) : 0;
  });
  if (top_k !== 0) weights = weights.map((weight, rank) => (rank < top_k ? weight : 0));
  if (top_p !== 1) {
    const total = sum(weights);
    let cumulative = 0;
    weights = weights.map((weight, rank) => {
      const share = weight / total;
      cumulative += share;
      const ahead = cumulative - share; // the probability of the likelier tokens
      return rank === 0 || ahead < top_p ? share : 0;
    });
  }
  const total = sum(weights), probs = new Float64Array(logits.length);
  order.forEach((token, rank) => (probs[token] = weights[rank] / total));
  return probs;
};

// The token that a uniform number from 0 to 1 draws: the first one where the cumulative sum of the
// probabilities, in the order of the vocabulary, exceeds it.
const drawnToken = (probs, uniform) => {
  const total = probs.reduce((sum, each) => sum + each, 0);
  let cumulative = 0;
  for (let token = 0; token < probs.length; token++) {
    cumulative += probs[token];
    if (cumulative > uniform * total) return token;
  }
  return probs.length - 1;
};
