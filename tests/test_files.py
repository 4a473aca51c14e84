"""Files are written whole or not at all, also when the disk is full."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmark.results.files import append_whole, drop_cut_line, write_whole

LIMIT = 1000
WRITE = """
import resource, sys
from pathlib import Path
from benchmark.results.files import append_whole, write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))  # as a full disk: a write comes short
try:
    {write}(Path(sys.argv[1]), b"y" * 700)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("write", ["append_whole", "write_whole"])
@pytest.mark.parametrize(("size", "fits"), [(200, True), (600, False)])
def test_what_does_not_fit_leaves_the_file_as_it_was(tmp_path, write, size, fits):
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    limit = LIMIT if write == "append_whole" else LIMIT if fits else 600
    code = WRITE.format(limit=limit, write=write)
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    new = b"y" * 700
    whole = b"x" * size + new if write == "append_whole" else new
    assert path.read_bytes() == (whole if fits else b"x" * size)
    assert done.stdout == ("" if fits else "OSError\n")
    assert list(tmp_path.iterdir()) == [path]


def test_appending_begins_a_file(tmp_path):
    for text in (b"a\n", b"b\n"):
        append_whole(tmp_path / "file", text)
    assert (tmp_path / "file").read_bytes() == b"a\nb\n"


def test_writing_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "deep" / "file"
    for text in (b"long text", b"short"):
        write_whole(path, text)
    assert path.read_bytes() == b"short"


@pytest.mark.parametrize(
    ("before", "after"), [(b"a\nb\n", b"a\nb\n"), (b"a\nb", b"a\n"), (b"a", b""), (b"", b"")]
)
def test_a_line_without_its_end_is_dropped(tmp_path, before, after):
    path = tmp_path / "file"
    path.write_bytes(before)
    drop_cut_line(path)
    assert path.read_bytes() == after
    drop_cut_line(tmp_path / "absent")
