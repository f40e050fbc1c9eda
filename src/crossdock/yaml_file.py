"""Reading a YAML file of the landscape directory; what is wrong with it is told in one sentence, with the place."""

from pathlib import Path
from typing import Any

import yaml

from crossdock.errors import Misconfigured


def read_yaml(path: Path) -> Any:
    """What stands in the file. Raises `Misconfigured`, naming line and column where there are some."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); `crossdock init` writes a landscape"
        raise Misconfigured(str(path), reason) from None
    except UnicodeDecodeError as error:
        raise Misconfigured(str(path), f"not UTF-8 at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}: line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise Misconfigured(place, error.problem or "not YAML") from None
    except yaml.YAMLError as error:
        raise Misconfigured(str(path), " ".join(str(error).split())) from None
