"""``plan``: the printed numbers are those of benchmark.statistics.power."""

from __future__ import annotations

import pytest

from benchmark.__main__ import main
from benchmark.statistics.power import Comparison, paired_episodes, width_episodes


def shown(capsys, *arguments):
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out


def cells(text, first):
    """The row of a table that starts with these words, after them."""
    (row,) = (line for line in text.splitlines() if line.startswith(first))
    return row.removeprefix(first).split()


def test_two_policies(capsys):
    text = shown(capsys, "--difference", "0.1")
    assert text.startswith("408 episodes per policy on shared seeds")
    powers = (0.5, 0.8, 0.9, 0.95)
    expected = [str(paired_episodes(Comparison(0.5, 0.2), power)) for power in powers]
    assert cells(text, "+20 points") == expected
    assert "run --policy NAME --env ID --episodes 408" in text
    assert "compare RUN_A RUN_B" in text


def test_rate_power_confidence_and_correlation_count(capsys):
    asked = ["--difference", "-0.2", "--rate", "0.9", "--correlation", "0.3"]
    text = shown(capsys, *asked, "--power", "0.9", "--confidence", "0.99")
    expected = paired_episodes(Comparison(0.9, -0.2, 0.3), 0.9, 0.01)
    assert text.startswith(f"{expected} episodes")
    assert expected > paired_episodes(Comparison(0.9, -0.2, 0.3), 0.8, 0.05)
    assert cells(text, "-20 points")[2] == str(expected)


def test_rows_without_a_plan_are_left_out_or_empty(capsys):
    text = shown(capsys, "--difference", "0.05", "--rate", "0.6", "--correlation", "0.8")
    assert cells(text, "+5 points")[0].isdigit()
    assert cells(text, "+30 points") == []  # 60 % and 90 % cannot be correlated by 0.8
    text = shown(capsys, "--difference", "0.05", "--rate", "0.8")
    assert "+20 points" in text
    assert "+30 points" not in text  # beyond 100 %


def test_one_rate(capsys):
    text = shown(capsys, "--half-width", "0.05")
    assert text.startswith(f"{width_episodes(0.05)} episodes give a 95% Wilson interval")
    assert cells(text, "+- 10 points")[0] == str(width_episodes(0.1))
    wilson, jeffreys, exact = map(int, cells(text, "+- 5 points"))
    assert wilson <= jeffreys < exact


def test_one_rate_against_another(capsys):
    text = shown(capsys, "--against", "0.5", "--rate", "0.7")
    assert text.startswith("54 episodes, looked at once, tell 70% from 50%")
    assert "the same power needs at most 83 episodes, 48 on average" in " ".join(text.split())
    assert "--episodes 83 run.stop_rate=0.5" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--difference", "0.6"], "other sign"),
        (["--difference", "0"], "zero"),
        (["--against", "0.5"], "--rate 0.7"),
        (["--half-width", "0.5"], "half-width"),
        (["--difference", "nan"], "0..1"),
    ],
)
def test_impossible_plans_say_why(capsys, arguments, message):
    assert main(["plan", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--half-width", "5"], ["--against", "x"]])
def test_wrong_arguments_are_refused(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(["plan", *arguments])
    assert stop.value.code == 2


def test_an_interval_takes_no_power(capsys):
    assert main(["plan", "--half-width", "0.05", "--power", "0.9"]) == 2
    assert "--power is for --difference and --against" in capsys.readouterr().err
