"""Frozen backbones: which there are, where their weights come from, and their features, computed once."""
