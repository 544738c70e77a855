"""What there is to say about a study: its trials, lines and committees, read from the store once."""
