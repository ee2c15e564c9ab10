"""Crowds replayed against the expected wait: a discrete-event simulation of lines, workers and a keeper.

- `crowds`: the kinds of crowds.
- `stage`: visitors, runs, workers and lines.
- `play`: the events.
- `told`: the facts that a keeper would publish, and what a page shows from them, ours and the rival's.
- `scores`: coverage and interval score.

What a visitor is told comes from the site's own functions, with the facts that a keeper would have at that moment. The
rest is drawn, and the same for a seed: arrivals, runs, patience, absences, deaths.
"""
