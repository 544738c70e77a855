"""Where jobs are carried out: here, in a process that stays, on a cluster."""
