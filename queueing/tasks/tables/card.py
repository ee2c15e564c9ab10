"""One column as a card on the result page: its facts in words, its chart and its frequent values."""

from queueing.tasks.tables import charts
from queueing.tasks.tables.words import Json, counted, extreme, figure, listed, rounded, share, short

VALUES = 6  # frequent values shown


def card(column: Json) -> Json:
    """The card of one column of the profile, as `tables/result.html` reads it."""
    top = _top(column)
    return overview(column) | {
        "facts": [{"label": label, "value": value} for label, value in _facts(column).items()],
        "chart": _histogram(column) if "histogram" in column else _bars(column, top),
        "top": top,
    }


def overview(column: Json) -> Json:
    """The line of one column in the overview."""
    present = column["rows"] - column["missing"]
    top = column.get("top", [])
    counts = column["histogram"]["counts"] if "histogram" in column else [item["count"] for item in top]
    return {
        "name": short(column["name"]),
        "type": column["type"],
        "missing": share(column["missing"], column["rows"]) if column["missing"] else "",
        "spark": charts.spark(counts[: charts.SPARKS]) if counts and counts[0] < present else "",
        "gist": _gist(column, top, present),
    }


def _gist(column: Json, top: list[Json], present: int) -> str:
    """The range of a column of numbers or dates; else its most frequent value."""
    if "quantiles" in column:
        low, high = extreme(column["min"]), extreme(column["max"])
        range_ = " ".join(filter(None, [low if low == high else f"{low} to {high}", short(column.get("unit", ""), 12)]))
        return "; ".join(filter(None, [range_, _unread(column)]))
    if column.get("distinct_is_estimate") and (not top or top[0]["count"] * 100 < present):
        return "hardly any value repeats"
    if not top:
        return ""
    if top[0]["count"] == 1:
        return "each value once"
    return f"{short(top[0]['value'], 30)} ({share(top[0]['count'], present)})"


def _facts(column: Json) -> dict[str, str]:
    facts = {"Missing": _missing(column), "Different values": _distinct(column)}
    if "quantiles" in column:
        facts |= _measured(column)
    elif "longest" in column:
        shortest, longest = column["shortest"], column["longest"]
        facts["Length"] = (
            counted(longest, "character") if shortest == longest else f"{shortest:,} to {longest:,} characters"
        )
    return facts


def _missing(column: Json) -> str:
    if not column["missing"]:
        return "none"
    words = [f"{count:,} written {short(word)}" for word, count in column["missing_written_as"].items()]
    return ", ".join([f"{column['missing']:,} ({share(column['missing'], column['rows'])})", *words])


def _distinct(column: Json) -> str:
    if column.get("distinct_is_estimate"):
        return f"about {rounded(column['distinct'])}; hardly any value repeats"
    if column["distinct"] == column["rows"] - column["missing"] > 1:
        return f"{column['distinct']:,}, each occurs once"
    return f"{column['distinct']:,}"


def _measured(column: Json) -> dict[str, str]:
    """The facts about a column of numbers or dates."""
    q = {name: figure(value) for name, value in column["quantiles"].items()}
    is_date = isinstance(column["min"], str)
    about = "about " if column.get("quantiles_are_estimates") else ""
    facts = {
        "First" if is_date else "Smallest": extreme(column["min"]),
        "Last" if is_date else "Largest": extreme(column["max"]),
        "Mean": figure(column["mean"]),
        "Median": f"{about}{q['0.5']}",
        "Half lie from": f"{about}{q['0.25']} to {q['0.75']}",
        "90 % lie from": f"{about}{q['0.05']} to {q['0.95']}",
    }
    if unit := column.get("unit"):
        facts["Unit"] = short(unit)
    if column.get("decimal") == ",":
        facts["Decimal mark"] = "comma"
    if written := column.get("written_as"):
        facts["Read as"] = f"{written}; day and month may be swapped" if column.get("dates_fit") == "both" else written
    if unread := _unread(column):
        facts["Not read"] = unread
    return facts


def _unread(column: Json) -> str:
    """The values that are no numbers or dates as the others are: "5 no numbers: many, few"."""
    count = column["rows"] - column["missing"] - column["readable"]
    if not count:
        return ""
    kind = "date" if isinstance(column["min"], str) else "number"
    texts = [short(item["value"], 20) for item in column.get("unread", [])]
    return f"{count:,} no {kind if count == 1 else kind + 's'}" + (f": {listed(texts)}" if texts else "")


def _top(column: Json) -> list[Json]:
    """The most frequent values with their counts; empty if no value occurs twice."""
    top = column.get("top", [])[:VALUES]
    if not top or top[0]["count"] == 1:
        return []
    present = column["rows"] - column["missing"]
    return [
        {
            "value": short(item["value"]),
            "count": item["count"],
            "text": f"{item['count']:,} ({share(item['count'], present)})",
        }
        for item in top
    ]


def _histogram(column: Json) -> Json:
    found, q = column["histogram"], column["quantiles"]
    counts = found["counts"]
    return {
        "kind": "histogram",
        "label": f"Histogram of {short(column['name'])}: half of the values lie from {figure(q['0.25'])} "
        f"to {figure(q['0.75'])}, the median is {figure(q['0.5'])}.",
        "bars": charts.histogram(counts),
        "low": figure(found["from"]) + (" or less" if found["first_holds_less"] else ""),
        "high": figure(found["to"]) + (" or more" if found["last_holds_more"] else ""),
    }


def _bars(column: Json, top: list[Json]) -> Json | None:
    if not top:
        return None
    bars = charts.bars([item["count"] for item in top], column["rows"] - column["missing"])
    finding = ", ".join(f"{item['value']} {item['text']}" for item in top[:3])
    return {
        "kind": "bars",
        "label": f"Most frequent in {short(column['name'])}: {finding}.",
        "bars": [bar | _label(item) for bar, item in zip(bars, top, strict=True)],
        "height": len(top) * charts.ROW,
    }


def _label(item: Json) -> Json:
    """The two texts on a bar: the count, and as much of the value as fits beside it."""
    room = charts.LETTERS - len(item["text"])
    return {"value": short(item["value"], room), "text": item["text"]}
