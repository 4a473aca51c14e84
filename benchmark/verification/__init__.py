"""Is a result what it says? Hashes, recounting, executing again, in every other way."""
