"""A neural network in NumPy alone: layers with forward and backward passes, and a network of them.

What the fourth document describes and does not show. `toile.training.scratch` trains it and checks its gradients; nothing here
needs Keras, except to hand the finished weights over to it.
"""
