"""Accounting providers and the one table that names them."""
