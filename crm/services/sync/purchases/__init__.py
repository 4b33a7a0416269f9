"""Vendors and bills between their rows and the books' records, both ways: one row each holds what both sides say."""
