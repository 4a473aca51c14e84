"""The leaderboard for readers: published rates beside it, charts, one self-contained HTML page."""
