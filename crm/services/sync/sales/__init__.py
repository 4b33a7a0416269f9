"""Quotes and invoices between their own rows and the books' records, both ways."""
