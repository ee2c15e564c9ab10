"""Writes table.csv, the sample of the task "tables": a year of loans of a small library.

Run it as `python make_table.py [table.csv]`. It needs the standard library only, and writes the same
table every time. Branches, readers and books are invented.
"""

import csv
import random
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

ROWS = 2_000
SEED = 1851
FIRST_DAY = date(2025, 1, 2)

BRANCHES = {"Lantern Quay": 9, "Old Mill": 6, "Northgate": 4, "Upper Field": 2, "Book bus": 1}
SHELVES = {"Novels": 10, "Crime": 8, "Children": 8, "Travel": 4, "History": 3, "Cooking": 3, "Poetry": 1}
NOTES = ["cover torn", "reserved by another reader", 'asked for the "large print" edition', "returned,\nthen renewed"]

type Row = dict[str, object]


def loans() -> Iterator[Row]:
    chance = random.Random(SEED)  # a fixed seed: the same table every time
    for number in range(1, ROWS + 1):
        yield loan(number, chance)


def loan(number: int, chance: random.Random) -> Row:
    lent = FIRST_DAY + timedelta(days=int(chance.betavariate(1.2, 1.4) * 364))
    days = min(int(chance.gammavariate(4, 5)) + 1, 120)
    late = max(0, days - 28)
    back = datetime.combine(lent, datetime.min.time()) + timedelta(days=days, minutes=chance.randint(9 * 60, 19 * 60))
    return {
        "loan": number,
        "lent_on": lent,
        "returned_at": back.isoformat(sep=" ", timespec="minutes") if chance.random() > 0.06 else "",
        "branch": pick(BRANCHES, chance),
        "shelf": pick(SHELVES, chance),
        "pages": max(24, int(chance.gauss(310, 120))),
        "reader_age": "NA" if chance.random() < 0.04 else int(6 + 80 * chance.betavariate(1.6, 2)),
        "renewed": "yes" if days > 21 and chance.random() < 0.7 else "no",
        "days": days,
        "fee": f"{late * 0.15:.2f}" if late else "",
        "shelf_mark": f"{chance.choice('ABCDEFGH')}{chance.randint(100, 999)}.{number % 7}",
        "note": chance.choice(NOTES) if chance.random() < 0.05 else "",
    }


def pick(weights: dict[str, int], chance: random.Random) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]


def write(path: Path) -> None:
    rows = list(loans())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("table.csv"))
