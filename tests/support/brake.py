"""The work that a browser does for the brake's check."""

import re
from itertools import count

from queueing.web.brake import is_proof


def solve(page: str) -> dict[str, str]:
    """The fields that a browser adds to the form on this page."""
    (challenge,) = re.findall(r'name="challenge" value="([^"]+)"', page)
    _, _, bits, seed = challenge.split(":")
    proof = next(f"{number:08x}" for number in count() if is_proof(seed, f"{number:08x}", int(bits)))
    return {"challenge": challenge, "proof": proof}
