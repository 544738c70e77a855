"""What a run is worth: metrics of stored probabilities, and tests of which differences are real."""
