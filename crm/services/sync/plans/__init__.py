"""What would be written, shown before it is; carrying it out, and taking it back."""
