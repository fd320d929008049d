"""How long things take: latency, post-processing, starting, training steps; and what a network computes."""
