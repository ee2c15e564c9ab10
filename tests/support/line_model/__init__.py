"""A model of the line, and a machine that drives the real line beside it.

model/    the line in plain Python, without Redis, database or clock
machine/  rules that do the same thing to the real line and to the model, and then compare both

Both are cut by actor: pages, workers, the keeper, faults. tests/unit/line/test_line_model.py runs the machine.
"""

import pytest

# Before the import of these modules: only rewritten asserts tell what differs.
pytest.register_assert_rewrite(f"{__name__}.machine")
