"""Decisions as plain functions: no Flask, no SQLAlchemy, no HTTP, no clock, no randomness."""
