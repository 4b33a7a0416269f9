"""Chaos: everything that can go wrong at once, seeded, and the proof afterwards that nothing was lost or doubled.

`python -m tools.chaos` starts a whole installation against the simulated company (with its throttles on), edits both
sides at random, kills processes, empties the broker, cuts database connections, drops answers, and lets webhooks get
lost, repeated and mixed up. Then the trouble ends, a sweep runs, and both sides are compared. See docs/sync.md.
"""
