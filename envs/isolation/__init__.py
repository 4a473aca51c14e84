"""Environments in worker processes: any interpreter, the same bits, through shared memory."""
