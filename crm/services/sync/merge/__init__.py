"""Both sides, field by field: comparing, taking over, filling in, and the conflicts that a person decides."""
