"""A neural network in NumPy alone: layers with forward and backward passes, momentum SGD, a gradient check.

What the fourth document describes and does not show. `training.Training` is an engine like those of
`toile.learners.engines`; nothing here needs Keras, except to hand the finished weights over to it.
"""
