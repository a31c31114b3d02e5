"""The page and the figure."""

import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from melanet.comparison._comparison import Comparison, Summary
from melanet.comparison._measures import MEASURES
from melanet.comparison._report import _ticks
from melanet.comparison._runs import Store

NASTY = "<mine> & 'yours'"


@pytest.fixture(scope="module")
def comparison():
    store, rng = Store(None, {}), np.random.default_rng(0)
    for fold in range(6):
        for remedy in ("nothing", NASTY):
            values = {name: 0.5 + rng.normal(0, 0.1) for name in MEASURES}
            fits = {"m": {**values, "seconds": 0.5}}
            store.add({"remedy": remedy, "fold": fold, "seconds": 0.25, "fits": fits})
    store.add({"remedy": "broken", "fold": 0, "seconds": 0.0, "fits": {}, "error": "E: <b>"})
    sources = np.zeros((3, 16, 16, 1), "float32")
    store.add_pictures(NASTY, sources, sources + 0.5)
    summary = Summary({"a": 40, "b": 10}, "b", 6, 1, 0.3, 5, "b", "images", False)
    return Comparison(["m"], ["nothing", NASTY, "broken"], "auc", summary, store)


def test_differences_are_on_the_folds_that_both_have(tmp_path):
    store = Store(None, {})
    for remedy, n_folds in (("nothing", 4), ("slow", 2)):
        for fold in range(n_folds):  # the first two are easy
            auc = 0.9 - 0.2 * (fold > 1) - 0.05 * (remedy == "slow")
            fits = {"m": {**dict.fromkeys(MEASURES, auc), "seconds": 0.5}}
            store.add({"remedy": remedy, "fold": fold, "seconds": 0.25, "fits": fits})
    summary = Summary({"a": 40, "b": 10}, "b", 4, 1, 0.3, 5, "b", "rows", False)
    found = Comparison(["m"], ["nothing", "slow"], "auc", summary, store)
    (line,) = (line for line in str(found).splitlines() if line.startswith("slow"))
    assert line.split()[1] == "0.850"  # of nothing 0.800
    assert "-0.050" in line.split()
    found.to_html(tmp_path / "report.html")
    assert "<td>-0.050</td>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_is_well_formed_escaped_and_loads_nothing(comparison, tmp_path):
    comparison.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert html.escape(NASTY) in page
    assert "<mine>" not in page
    assert "E: &lt;b&gt;" in page
    assert html.escape(comparison.advice_) in page
    assert "Not for diagnosis" in page
    assert not re.findall(r"href=|url\(|@import|<script|<link", page)
    assert re.findall(r"src='(.{5})", page) == ["data:"] * page.count("src=")
    opened, voids = [], {"meta", "img", "line", "circle", "br"}

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in voids:
                opened.append(tag)

        def handle_endtag(self, tag):
            if tag not in voids:
                assert opened.pop() == tag

    Parser().feed(page)
    assert not opened


@pytest.mark.parametrize(("tuned", "suffix"), [(-0.1, ""), (0.1, " with a tuned threshold")])
def test_the_chosen_remedy_is_marked_and_not_one_whose_name_begins_alike(tmp_path, tuned, suffix):
    store, names = Store(None, {}), ["nothing", "nothing, tuned threshold", "a", "a with b"]
    rng = np.random.default_rng(0)
    for fold in range(8):
        for remedy, score in (("nothing", 0.5), ("a", 0.6), ("a with b", 0.8)):
            values = dict.fromkeys(MEASURES, score) | {"balanced_accuracy_tuned": score + tuned}
            fit = {name: v + rng.normal(0, 1e-3) for name, v in values.items()}
            fits = {"m": {**fit, "seconds": 0.5}}
            store.add({"remedy": remedy, "fold": fold, "seconds": 0.25, "fits": fits})
    summary = Summary({"a": 40, "b": 10}, "b", 8, 1, 0.1, 5, "b", "rows", False)
    found = Comparison(["m"], names, "auc", summary, store)
    assert found.best_["m"]["ranking"] == "a with b"
    found.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall("<tr class=chosen><td>(.*?)</td>", page) == ["a with b"]
    assert found.best_["m"]["decision"] == f"a with b{suffix}"


def test_intervals_are_drawn_for_every_remedy_that_ran(comparison, tmp_path):
    figure = comparison.plot(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["nothing", NASTY]
    row = comparison.rows("m")[1]
    low_high = figure.axes[0].lines[2].get_xdata()
    assert list(low_high) == pytest.approx([row["auc_low"], row["auc_high"]])


def test_ticks_are_round_and_inside():
    for low, high in ((-0.013, 0.041), (-0.5, 0.2), (-1e-4, 2e-4)):
        ticks = _ticks(low, high)
        assert 2 <= len(ticks) <= 11
        assert low <= min(ticks)
        assert max(ticks) <= high
        assert 0 in ticks
