"""What can be concluded from episode outcomes: pure functions of counts, see docs/statistics.md."""
