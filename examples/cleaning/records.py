"""Tables as lists of dictionaries, read from CSV files and written to them."""

import csv


def read(path):
    """Return the rows of a CSV file, without those that hold nothing."""
    with open(path, encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if any(row.values())]


def write(path, rows):
    """Write rows to a CSV file, with the columns of the first."""
    rows = list(rows)
    if not rows:
        raise ValueError("there is nothing to write")
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
