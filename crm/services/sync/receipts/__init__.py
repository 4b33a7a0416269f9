"""Payments recorded here and the payments of the books that they are: `taking` keeps ours in step with theirs."""
