"""Text of others in one line of ours."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str) -> str:
    """Without line ends and other control characters, so that no name becomes a header."""
    return " ".join(_CONTROL.sub(" ", text).split())
