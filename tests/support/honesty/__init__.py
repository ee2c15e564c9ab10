"""A walk of random moves through the whole site, and all numbers that are told of it.

walk.py   the moves: visitors, workers, the keeper and staff, by the real verbs
truth.py  the numbers as rows and keys have them, computed anew in plain Python
told.py   the numbers that the board, `queue_stats`, /metrics, the pages and the CSV tell

tests/unit/test_honesty.py compares them.
"""
