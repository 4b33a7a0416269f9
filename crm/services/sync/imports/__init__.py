"""The import: a run reads everything, finds each contact and links it; steps, their pages, and the hands."""
