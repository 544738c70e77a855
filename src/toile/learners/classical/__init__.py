"""Classical models on pixels, HOG features or principal components, through scikit-learn."""
