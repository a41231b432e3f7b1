"""A night at a synthetic observatory with known truth."""
