"""What a trained model computes: probabilities for new images, several models as one under a rule, files for other programs."""
