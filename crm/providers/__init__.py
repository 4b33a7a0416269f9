"""Adapters to the outside: each speaks to the house only in records and errors."""
