"""``python -m sandbox contacts``: write the contact list that belongs to a generated company, as CSV for a CRM import.

The truth about who is who goes to a second file, if asked, for benches that count right and wrong matches. The list of
``--size N --seed S`` belongs to the company of the same size and seed: the sandbox's first company has its own
``--size`` and ``--seed``, the second one seed + 1.
"""

import argparse
import sys
from pathlib import Path

from sandbox import seed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox contacts", description="The firm's own contact list.")
    parser.add_argument("--size", type=int, default=300, help="rows, and customers of the company it belongs to")
    parser.add_argument("--seed", type=int, default=7, help="the same as the company's")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument("--labels", type=Path, help="CSV file for the truth: row, customer_id, also, case")
    given = parser.parse_args(arguments)
    try:
        rows = seed.write_contacts(given.out, given.size, given.seed, given.labels)
    except (OSError, ValueError) as error:
        print(f"The list was not written: {error}.", file=sys.stderr)
        return 1
    print(f"{rows} contacts written to {given.out}" + (f", the truth to {given.labels}" if given.labels else ""))
    return 0
