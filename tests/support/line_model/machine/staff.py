"""Staff pause the line, and resume it."""

from hypothesis.stateful import precondition, rule

from tests.support.levers import set_levers
from tests.support.line_model.machine.stage import Stage

# A pause ends most consequences of the events before it, so an example has few of them.
MOST_PAUSES = 1


class Staff(Stage):
    def __init__(self) -> None:
        super().__init__()
        self.pauses = 0

    @precondition(lambda self: self.pauses < MOST_PAUSES and not self.model.is_paused)
    @rule()
    def pause(self) -> None:
        self.pauses += 1
        self.model.is_paused = True
        set_levers(state="paused")

    @precondition(lambda self: self.model.is_paused)
    @rule()
    def resume(self) -> None:
        self.model.is_paused = False
        set_levers(state="open")
