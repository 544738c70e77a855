"""A look at the data, and what is suspicious about it."""
