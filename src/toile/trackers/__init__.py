"""What other tools are told of stored runs: MLflow, TensorBoard."""
