"""What all benchmarks share: measuring in fresh processes, the machine and its peak, the table and the JSON."""
