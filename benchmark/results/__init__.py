"""What a run leaves behind: records, rows, where they came from."""
