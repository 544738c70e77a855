"""What a trained model says: asked, joined with others under a rule, written for other programs."""
