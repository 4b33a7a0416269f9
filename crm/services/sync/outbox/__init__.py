"""What goes out: entries, how they are sent and settled, and what becomes of those that a person must decide."""
