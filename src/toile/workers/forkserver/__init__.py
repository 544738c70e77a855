"""Training processes forked from one that has loaded the libraries; `toile.workers` says what for."""
