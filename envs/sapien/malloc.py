"""Keep freed memory: glibc gives it back to the system at once, and a picture needs it again."""

from __future__ import annotations

import ctypes

# mallopt(3): parameter -> bytes. 32 MiB is the most that glibc takes as the second.
_OPTIONS = {-1: 1 << 28, -3: 1 << 25, -2: 1 << 24}  # trim threshold, mmap threshold, top pad


def keep_freed_memory() -> bool:
    """Have malloc keep up to 256 MiB of freed memory, arrays of up to 32 MiB included.

    A software Vulkan driver frees and takes several MB for every picture, point clouds as much:
    page faults were up to three quarters of a small picture's time. Process-wide; ``False`` where
    malloc is not glibc's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*option) for option in _OPTIONS.items())
