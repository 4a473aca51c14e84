"""Episodes: planned, run with a policy, chunk by chunk."""
