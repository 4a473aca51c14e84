"""What the two SAPIEN lines share: one facade over both, and the smallest reaching task."""
