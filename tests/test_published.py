"""Published results: facts with sources, beside ours and never among them."""

from __future__ import annotations

import re

import pytest
from boards import add_run
from test_report import Page
from toy import bench

from benchmark.report.published import FILE, Published, published
from envs import CARDS

LIFT = published("Robomimic/lift-v0")
OURS = {"Robomimic", "Adroit", "DexArt", "RoboTwin"}


def result(rate, episodes):
    return Published("E", "B", "t", "s", "p", rate, episodes, "arXiv 1")


def test_known_facts():
    # Diffusion Policy, arXiv 2303.04137v1, Table I; RoboTwin 2.0's leaderboard.
    wanted = ("tool_hang-ph", "low_dim; max checkpoint", "LSTM-GMM")
    found = {(r.task, r.setting, r.policy): r for r in published("Robomimic/tool_hang-v0")}
    assert found[wanted].rate == 0.67
    setting = "demo_clean (Easy); single-task; 50 demo_clean demos"
    hammer = {(r.setting, r.policy): r for r in published("RoboTwin/beat_block_hammer-v0")}
    assert hammer[setting, "RDT"].rate == 0.77
    assert published("Toy/reach-v0") == []


def test_every_row_is_complete_and_belongs_to_a_task_of_ours():
    lines = FILE.read_text().splitlines()[1:]
    envs = sorted({line.split(",")[0] for line in lines})
    results = [r for env in envs for r in published(env)]
    assert len(results) == len(lines) > 600
    assert FILE.stat().st_size < 150_000
    for r in results:
        assert 0 <= r.rate <= 1
        assert all((r.benchmark, r.task, r.setting, r.policy, r.episodes, r.source))
        simulator, task = re.fullmatch(r"(\w+)/(\w+)-v0", r.env).groups()
        assert simulator in OURS
        assert r.task in (task, f"{task}-ph", f"{task}-mh")
    registered = {e for e in envs if not e.startswith(("RoboTwin/", "DexArt/"))}
    assert registered <= set(CARDS)
    assert len({(r.env, r.task, r.setting, r.policy, r.source) for r in results}) == len(results)


@pytest.mark.parametrize(
    ("rate", "episodes", "wanted"),
    [
        (0.77, "100", (0.6785, 0.8416)),  # Wilson, by hand
        (1.0, "100", (0.9630, 1.0)),
        (0.625, "100", None),  # not a number of episodes: a mean of several evaluations
        (0.77, "not stated", None),
        (0.77, "20 per evaluation", None),
    ],
)
def test_an_interval_only_where_episodes_are_known(rate, episodes, wanted):
    found = result(rate, episodes).interval
    assert found == (None if wanted is None else pytest.approx(wanted, abs=5e-5))


def test_on_the_page_they_stand_apart_and_only_when_asked(out):
    add_run(out, "uniform", "0011")
    path = out / "leaderboard.html"
    assert bench("leaderboard", "--out", out, "--html") == 0
    assert "Published, not run here" not in path.read_text()
    assert bench("leaderboard", "--out", out, "--html", "--published") == 0
    page = Page(path.read_text())
    assert f"Published, not run here ({len(LIFT)})" in page.visible
    assert sum("data-published" in attributes for attributes in page.all("div")) == len(LIFT)
    drawn = [attributes for attributes in page.all("svg") if "theirs" in attributes["class"]]
    assert len(drawn) == len(LIFT)
    assert [c["data-sort"] for c in page.all("td") if c["data-name"] == "policy"] == ["uniform"]
    assert "https://arxiv.org/abs/2303.04137v1" in {a.get("href") for a in page.all("a")}


def test_without_rows_of_the_task_they_can_be_asked_for(out, capsys):
    add_run(out, "uniform", "0011", env="Toy/reach-v0")
    assert bench("leaderboard", "--out", out, "--published", "--env", "Adroit/pen-v0") == 0
    assert "DP3" in capsys.readouterr().out
