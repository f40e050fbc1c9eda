"""Named SQL blocks beside the view that runs them: `-- name: find_threads` starts one, the next name ends it."""

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def blocks(file: str) -> dict[str, str]:
    """All blocks of one `.sql` file of this package."""
    text = (resources.files("crossdock.views") / file).read_text()
    parts = _NAME.split(text)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
