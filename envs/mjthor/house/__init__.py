"""Houses: a floor plan with furniture and things, generated from a split and an index."""
