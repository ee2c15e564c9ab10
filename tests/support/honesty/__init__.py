"""A walk of random moves through the whole site, and all numbers that are told of it.

walk.py   all moves, by the real verbs: of visitors.py, workers.py, and office.py (staff and the keeper)
stage.py  who is there, and what the moves have in common
truth.py  the numbers as rows and keys have them, computed anew in plain Python
told.py   the numbers that the board, `queue_stats`, /metrics, the pages and the CSV tell

tests/unit/test_honesty.py compares them.
"""
