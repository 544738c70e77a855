"""One process that stays, for trainings shorter than the start of a process; `toile.workers` says what for."""
