"""The leaderboard's page: what it shows is right, it needs nothing else and breaks on nothing."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from boards import FILM, TASK, add_run
from toy import bench

from benchmark.report.rows import best_first
from benchmark.results.leaderboard import read_rows

VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """A page read strictly: every element is closed, in order."""

    def __init__(self, text):
        super().__init__()
        self.text, self.stack, self.elements, self.words = text, [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.stack)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.stack)))

    def handle_endtag(self, tag):
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs, _ in self.elements if name == tag]

    @property
    def visible(self):
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture
def page(out):
    """Writes the page of what was added to ``out`` and reads it."""

    def write(*arguments):
        assert bench("leaderboard", "--out", out, "--html", *arguments) == 0
        return Page((out / "leaderboard.html").read_text())

    return write


def cells(page, column):
    """Sort keys of the table's column, in the order of the rows."""
    return [c["data-sort"] for c in page.all("td") if c["data-name"] == column]


def test_the_page_is_one_well_formed_file_that_loads_nothing(out, page):
    add_run(out, "expert", "1110")
    add_run(out, "uniform", "0001")
    found = page("--published")
    for tag, attributes, _ in found.elements:
        for name in ("src", "srcset", "poster", "data", "action", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), tag
        if tag in ("link", "script"):
            assert attributes in ({}, {"rel": "icon", "href": "data:,"})
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|import\(", found.text)
    (policy,) = [m["content"] for m in found.all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none';")
    outside = [a["href"] for a in found.all("a") if not a["href"].startswith("#")]
    assert outside
    assert all(href.startswith("https://arxiv.org/abs/") for href in outside)
    anchors = {a["id"] for _, a, _ in found.elements if "id" in a}
    assert {a["href"][1:] for a in found.all("a")} - set(anchors) == {h[1:] for h in outside}


def test_every_text_of_a_row_is_escaped(out, page):
    nasty = "<script>alert('x')</script>"
    add_run(out, nasty, "10", run="a-1", machine="<img src=x onerror=1>", env="No/<b>-v0")
    found = page()
    assert len(found.all("script")) == 1
    assert not found.all("img")
    assert nasty in found.visible
    assert "<img src=x onerror=1>" in found.visible
    assert "No/<b>-v0" in found.visible
    assert "This version has no card of this task" in found.visible


def test_sort_keys_are_numbers_or_empty(out, page):
    add_run(out, "expert", "1110", nfe=2)
    add_run(out, "uniform", "eeee")
    found = page()
    assert cells(found, "success") == ["0.75", ""]
    assert cells(found, "NFE") == ["2", ""]
    heads = [h["class"] for h in found.all("th")]
    for column, kind in zip(found.all("td")[: len(heads)], heads, strict=True):
        if "num" in kind.split():
            float(column["data-sort"] or 0)


def test_the_row_s_interval_and_errors_are_on_the_page(out, page):
    add_run(out, "maniflow", "111111" + "0000" + "ee")
    found = page()
    whiskers = [a for a in found.all("line") if a["class"] == "whisker"]
    dots = [a for a in found.all("circle") if a["class"] == "dot"]
    bands = [a for a in found.all("line") if a["class"] == "bounds"]
    # 6 of 10: Wilson's interval by hand; 6 of 12 if both errors failed, 8 of 12 if they succeeded.
    assert {(a["x1"], a["x2"]) for a in whiskers} == {("31.27%", "83.18%")}
    assert {a["cx"] for a in dots} == {"60.0%"}
    assert {(a["x1"], a["x2"]) for a in bands} == {("50.0%", "66.67%")}
    assert "6/10/2" in found.visible
    assert "2 errors: 50 % if failed, 66.7 % if succeeded" in found.visible


def test_runs_that_share_seeds_are_compared_in_pairs(out, page):
    add_run(out, "a", "11111111" + "00")
    add_run(out, "b", "00000000" + "01")
    add_run(out, "elsewhere", "1111", protocol="mh")
    found = page()
    pairs = [div for div in found.all("div") if div.get("class") == "names"]
    assert len(pairs) == 1  # the other protocol is not comparable
    # 9 discordant pairs, 8 to 1: p = 2 (1 + 9) / 2^9.
    assert "a against b" in found.visible
    assert "+70 [" in found.visible
    assert "p = 0.039" in found.visible
    assert "Not only the policy differs" not in found.visible
    counts = "10 episodes: both succeeded 0, only the first 8, only the second 1, neither 1"
    assert counts in found.visible


def test_pairs_under_other_rules_say_so(out, page):
    add_run(out, "a", "11", config={"warm_up": 3})
    add_run(out, "b", "01", config={"warm_up": 5})
    assert "warm_up: 5 in A, 3 in B" in page().visible
    shutil.rmtree(out / "a-abc" / "conditions")
    assert "not known whether they ran under the same rules: " in page().visible


def test_several_comparisons_have_adjusted_p_values(out, page):
    add_run(out, "a", "1111111111")
    add_run(out, "b", "0000000000")
    add_run(out, "c", "0000000000")
    # Two with p = 2 / 2^10, one with p = 1: Holm multiplies the smallest by 3, the next likewise.
    found = page().visible
    assert found.count("adjusted p = 0.0059") == 2
    assert found.count("adjusted p = 1 ") == 1


def test_rows_that_differ_in_latency_alone_make_a_chart(out, page):
    add_run(out, "act", "1111", run="act-0")
    add_run(out, "act", "1100", run="act-3", latency="hold 3")
    add_run(out, "act", "1000", run="act-u", latency="hold uniform:4:8")
    add_run(out, "act", "0000", run="act-p", latency="hold 3", perturbation="action_noise=0.1")
    found = page()
    assert "delay of the policy, control ticks" in found.visible
    assert "act, hold: 3.0, 0.5" in found.visible
    (curve,) = [a["points"] for a in found.all("polyline")]
    assert curve == "0,0 50,50 100,75"
    assert "act, latency hold 3" in found.visible
    assert "act, action_noise=0.1, latency hold 3" in found.visible


def test_the_learning_curve_is_read_from_beside_the_checkpoint(out, page):
    folder = out / "training" / "maniflow-lift"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"weights")
    lines = [{"step": 50, "loss": 10.0}, {"step": 100, "loss": 0.1}]
    lines += [{"step": 100, "validation_loss": 1.0}, {"step": 150, "loss": float("nan")}]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 200, "lo'
    (folder / "metrics.jsonl").write_text(text)
    add_run(out, "maniflow", "1", checkpoint="training/maniflow-lift/checkpoint.pt")
    found = page()
    assert [a["points"] for a in found.all("polyline")] == ["50,0 100,100", "100,50"]
    assert "Not found" not in found.visible


def test_films_are_embedded_until_the_page_is_full(out, page):
    add_run(out, "uniform", "0010")
    found = page()
    sources = [v["src"].removeprefix("data:video/mp4;base64,") for v in found.all("video")]
    assert [base64.b64decode(s) for s in sources] == [FILM, FILM]
    assert "First filmed success: episode 2, 3 steps" in found.visible
    assert "First filmed failure: episode 0, 3 steps" in found.visible
    size = len(found.text)
    tight = page("--max-mb", (size - 1000) / 1e6)
    assert len(tight.all("video")) == 1
    assert len(tight.text) < size - 1000
    none = page("--max-mb", 0)
    assert not none.all("video")
    links = [a["href"] for a in none.all("a") if a["href"].endswith(".mp4")]
    assert links == ["uniform-abc/videos/2.mp4", "uniform-abc/videos/0.mp4"]
    assert all((out / link).is_file() for link in links)


def test_what_is_missing_is_named_and_breaks_nothing(out, page):
    add_run(out, "gone", "11", checkpoint="/nowhere/checkpoint.pt")
    shutil.rmtree(out / "gone-abc")
    broken = add_run(out, "broken", "10")
    (broken / "videos" / "0.mp4").write_bytes(b"not a film")
    (broken / "videos" / "1.mp4").unlink()
    damaged = add_run(out, "damaged", "01")
    (damaged / "episodes.jsonl").write_text("{}\n")
    (damaged / "config.yaml").write_bytes(b"\xff\xfe")
    found = page()
    assert "Not found: the run's folder gone-abc; the checkpoint /nowhere" in found.visible
    assert "the film is not a readable MP4 file" in found.visible
    assert "the film is no longer there" in found.visible
    assert "Not found: config.yaml; readable episode records" in found.visible
    assert not found.all("video")
    assert cells(found, "policy") == ["gone", "broken", "damaged"]


def test_provenance_holds_every_column_and_how_to_repeat(out, page):
    add_run(out, "uniform", "01", checkpoint_sha256="5" * 64)
    found = page()
    (row,) = read_rows(out / "leaderboard.csv")
    assert [t for t, _, _ in found.elements].count("dt") == len(row)
    for text in ("5" * 64, "policy: uniform", "benchmark replay uniform-abc", "benchmark verify"):
        assert text in found.visible


def test_the_newest_row_of_a_run_is_shown_unless_all_are(out, page):
    add_run(out, "uniform", "0")
    shutil.rmtree(out / "uniform-abc")
    add_run(out, "uniform", "0011")
    assert cells(page(), "success") == ["0.5"]
    assert cells(page("--all"), "success") == ["0.5", "0"]


def test_only_the_tasks_asked_for(out, page, capsys):
    add_run(out, "uniform", "0")
    add_run(out, "uniform", "1", env="Toy/reach-v0", run="uniform-toy")
    assert cells(page("--env", "Toy/reach-v0"), "task") == ["Toy/reach-v0"]
    assert bench("leaderboard", "--out", out, "--env", "Toy/reech-v0") == 2
    assert "nearest: Toy/reach-v0" in capsys.readouterr().err


def test_csv_holds_our_rows_alone_best_first(out, tmp_path):
    add_run(out, "worse", "0001")
    add_run(out, "better", "0111")
    target = tmp_path / "new" / "board.csv"
    assert bench("leaderboard", "--out", out, "--csv", target, "--published") == 0
    with target.open(newline="") as file:
        written = list(csv.DictReader(file))
    assert written == best_first(read_rows(out / "leaderboard.csv"))
    assert [row["policy"] for row in written] == ["better", "worse"]
    board = out / "leaderboard.csv"
    before = board.read_bytes()
    assert bench("leaderboard", "--out", out, "--csv", board, "--env", TASK) == 2
    assert board.read_bytes() == before


def test_the_page_goes_where_it_is_told(out, tmp_path):
    add_run(out, "uniform", "01")
    for told, place in (
        ([], out / "leaderboard.html"),
        ([tmp_path / "new" / "page.html"], tmp_path / "new" / "page.html"),
        ([tmp_path], tmp_path / "leaderboard.html"),
    ):
        assert bench("leaderboard", "--out", out, "--max-mb", 0, "--html", *told) == 0
        links = [a["href"] for a in Page(place.read_text()).all("a")]
        films = [link for link in links if link.endswith(".mp4")]
        assert len(films) == 2
        assert all((place.parent / film).is_file() for film in films)


def test_markdown_reads_back_and_marks_what_is_published(out, capsys):
    add_run(out, "a|b", "0111", run="ab-1")
    assert bench("leaderboard", "--out", out, "--markdown", "--published") == 0
    text = capsys.readouterr().out
    ours, theirs = text.split("Published, not run here:")
    head, _, row = [re.split(r"(?<!\\)\|", line)[1:-1] for line in ours.strip().splitlines()]
    read = {h.strip(): c.strip().replace("\\|", "|") for h, c in zip(head, row, strict=True)}
    assert (read["environment"], read["policy"], read["rate"]) == (TASK, "a|b", "0.75")
    assert "LSTM-GMM" in theirs
    assert "LSTM-GMM" not in ours
