"""What a study would train, with whom it belongs together, and whether it can be."""
