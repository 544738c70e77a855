"""The NumPy network's training: an engine, momentum SGD, and the gradient check."""
