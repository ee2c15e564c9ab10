"""The rival's program, run by a Python that has Gradio: one button, whose function sleeps. Its argument is the port.

Two functions at a time, as our two workers; the rest is as Gradio comes.
"""

import sys
import time
from pathlib import Path

import gradio  # type: ignore[import-not-found]

# The places of the functions that run: what our workers are. The one that has been free for longest comes first.
FREE = [0, 1]


def rest(log: str, number: float, seconds: float) -> None:
    """Sleep, and write the line that `tests/benchmarks/rest.py` writes."""
    began, place = time.time(), FREE.pop(0)
    time.sleep(seconds)
    FREE.append(place)
    with Path(log).open("a") as file:
        file.write(f"{number:.0f} {began} {time.time()} {place}\n")


with gradio.Blocks() as app:
    gradio.Button().click(rest, [gradio.Textbox(), gradio.Number(), gradio.Number()], concurrency_limit=len(FREE))

app.launch(server_port=int(sys.argv[1]), quiet=True)
