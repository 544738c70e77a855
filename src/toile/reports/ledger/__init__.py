"""Every published figure beside the measured one, from small result files that live with the code."""
