"""HTTP only: parse, authorise, one call, respond."""
