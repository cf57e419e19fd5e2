"""The command line: ``python -m textreport FILE --sum COLUMN``."""

import argparse
import sys

from .reader import BadTable, read
from .report import report


def main(arguments=None):
    """Print the report of a file. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="textreport", description="Print a CSV file as a paged report.")
    parser.add_argument("file")
    parser.add_argument("--sum", metavar="COLUMN", help="add up this column")
    parser.add_argument("--page", metavar="ROWS", type=int, default=40, help="rows a page (default: 40)")
    options = parser.parse_args(arguments)
    try:
        with open(options.file, newline="", encoding="utf-8") as lines:
            table = read(lines)
        sys.stdout.write(report(table, summed=options.sum, page_size=options.page))
    except (OSError, BadTable, ValueError) as error:
        print("textreport: {}".format(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
