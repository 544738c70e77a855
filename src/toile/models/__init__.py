"""What learns: architectures, the layers and option types that they share, backbones, the NumPy network, classical models."""
