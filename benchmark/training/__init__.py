"""Training: behaviour cloning from demonstrations."""
