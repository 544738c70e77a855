"""Updates that are not Keras's own, or not as it computes them."""
