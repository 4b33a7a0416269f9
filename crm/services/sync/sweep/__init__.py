"""Asking at intervals what changed in the books, so that nothing rests on webhooks alone."""
