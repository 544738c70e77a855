"""How it learns: the one training path, recipes put to work, the engines that carry an epoch out, checkpoints, records."""
