"""Policies side by side: paired episodes, one plain sentence, averages over tasks."""
