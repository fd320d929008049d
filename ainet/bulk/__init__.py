"""Many photos on many machines with Ray Data: `ainet segment --ray`."""
