"""What went wrong in an installation, and what to do: from the log of uv or pip."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from envs.provision.process import tail
from envs.schema import ManigymError

# The first pattern found in the log decides: pip also says "No matching distribution" when it
# could not ask, and a compiler that fails for want of space should not be reported as missing.
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"No space left on device|os error 28\b|Disk quota exceeded",
        "no space left. Make room, or let MANIGYM_CACHE name a folder on another disk (downloads "
        "pass through TMPDIR)",
    ),
    (
        r"python-build-standalone|No interpreter found",
        "uv could not get a Python of the right version. Install one yourself, e.g. python3.11",
    ),
    (
        r"Failed to establish a new connection|Connection refused|[Nn]ame resolution|"
        r"Max retries exceeded|Read timed out|ConnectTimeout|NewConnectionError|dns error|"
        r"error sending request|tcp connect error|Connection reset|Failed to resolve|"
        r"Could not connect|CERTIFICATE_VERIFY_FAILED|ProxyError",
        "the package index could not be reached. Check the connection, or name a mirror: "
        "PIP_INDEX_URL for pip, UV_DEFAULT_INDEX for uv (which does not read pip's settings; "
        "MANIGYM_INSTALLER=pip does without uv)",
    ),
    (
        r"No module named '?(venv|ensurepip)|ensurepip is not available",
        "this Python cannot make virtual environments: apt-get install python3-venv",
    ),
    (
        r"command '[^']*(gcc|cc|clang)[^']*' failed|Unable to find (acceptable )?C compiler|"
        r"No such file or directory: '[^']*(gcc|cc|clang)'|Python\.h: No such|"
        r"include files are missing",
        "a package has to be compiled: apt-get install gcc libc6-dev python3-dev",
    ),
    (
        r"from versions: none",
        "the index has no version of a package. It may be out of reach, an incomplete mirror, or "
        "without wheels for this Python and platform",
    ),
    (
        # What pip makes of an index that does not answer, where it may not retry.
        r"The user requested (\S+)\s+The user requested \(constraint\) \1\s",
        "the index did not offer a pinned version. It may be out of reach, or an incomplete mirror",
    ),
    (
        r"No matching distribution|ResolutionImpossible|No solution found|conflicting dependencies",
        "the index has no set of packages with these versions for this Python and platform",
    ),
)
_TELLING = re.compile(r"error|failed|cause|no solution|not available", re.IGNORECASE)
_LINES, _WIDTH = 4, 400


def failed(what: str, log: Path) -> ManigymError:
    """The error to raise for a log: cause, what to do, the last telling lines, the log's path."""
    text = tail(log, 200_000)
    found = ((re.search(pattern, text), remedy) for pattern, remedy in _CAUSES)
    match, cause = next((row for row in found if row[0]), (None, "the installer failed"))
    return ManigymError(f"{what}: {cause}\n{_quote(text, match)}\n  full log: {log}")


def unwritable(folder: Path, error: OSError) -> ManigymError:
    """For an error of the operating system on our own files."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ManigymError(f"{folder}: {_CAUSES[0][1]}")
    return ManigymError(
        f"cannot write to the cache folder {folder}: {error.strerror or error}. Let MANIGYM_CACHE "
        "name a folder that you may write to"
    )


def _quote(text: str, match: re.Match[str] | None) -> str:
    """The line that told the cause, then the last ones that tell of an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = [line for line in lines if _TELLING.search(line)] or lines
    if match is not None:
        chosen = [line for line in lines if match.group() in line][-1:] + chosen[-_LINES:]
    return "\n".join(f"  | {line[:_WIDTH]}" for line in dict.fromkeys(chosen[-_LINES - 1 :]))
