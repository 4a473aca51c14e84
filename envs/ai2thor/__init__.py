"""AI2-THOR's Stretch robot in iTHOR rooms, with the 20 discrete actions of SPOC."""
