"""Products between our own rows and the books' items, both ways."""
