"""A tiny MuJoCo reaching task: no download, milliseconds per episode; used by the core tests."""
