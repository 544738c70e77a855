"""Classical models on pixels, HOG features or principal components of either, through scikit-learn."""
