"""What runs are worth together: their stored probabilities combined, weighted and compared. Nothing here trains."""
