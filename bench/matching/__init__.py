"""`python -m bench.matching`: how right and how fast the matcher is, on made-up books, beside other ways.

`generate` makes the books and the contact list with the dirt of `errors`; `ours`, `exact`, `by_recordlinkage` and
`by_splink` each match the same two files in a process of their own; `score` holds what they found against the truth;
`hard_cases.json` has the cases written by hand. Measuring only: nothing of the CRM calls this.
"""
