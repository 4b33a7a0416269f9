"""Read only: functions that return rows, pages and counts for pages and services."""
