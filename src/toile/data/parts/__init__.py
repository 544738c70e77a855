"""How a data set falls into parts: train, validation and test, or folds."""
