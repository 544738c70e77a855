"""A first look at somebody's pictures, and the study that is drafted for them."""
