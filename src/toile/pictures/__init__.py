"""How a picture becomes a model's input: one description, and one reader for training, predictions, server and page."""
