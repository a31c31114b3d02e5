"""The table of measures as Markdown, each aim marked as met or not."""

import numpy as np

from measuring.aims import aims
from measuring.arms import CONTROLS
from measuring.measures import WORTH


def page(title, bench, results):
    """Return the report of a data set and side.

    Parameters
    ----------
    title : str
        Heading.
    bench : measuring.measures.Bench
        Pictures and oracles.
    results : list of dict
        Results of all arms and seeds.

    Returns
    -------
    str
    """
    lines = [f"## {title}", "", _describe(bench), ""]
    head = ["arm", "seeds", "translations", *(f"evidence: {name}" for name in bench.aucs)]
    head += ["towards", "realism (seen / unseen)", "KID", "kept, the lowest", "similarity"]
    head += ["copied", "own source", "change", "strength", "CPU s", "aims not met"]
    rows, passed = [], []
    names = list(dict.fromkeys(r["arm"] for r in results))
    for name in names:
        found = [r for r in results if r["arm"] == name]
        merged = _mean(found)
        pretrained = bool(found[0].get("recipe", {}).get("features"))
        state = {aim.name: aim for aim in aims(merged, pretrained)}
        missed = [a.name for a in state.values() if not a.met]
        if name in CONTROLS and not missed:
            passed.append(name)
        rows.append(_row(name, found, merged, state, missed))
    lines += [_table(head, rows), ""]
    if results:
        lines += [_references(results[-1]), ""]
    lines += [
        "A mark follows each aim: ✓ met, ✗ not met. Means over the seeds ± their standard "
        "deviation; the interval of the evidence is the mean of the seeds' bootstrap intervals."
    ]
    if passed:
        lines += ["", f"**The aims are wrong: all of them are met by {', '.join(passed)}.**"]
    return "\n".join(lines)


def _describe(bench):
    parts = [
        f"{name} {value:.3f}" + ("" if value >= WORTH else f" (below {WORTH}: counts for nothing)")
        for name, value in bench.aucs.items()
    ]
    return (
        f"The sampler's part has {(~bench.y).sum()} common and {bench.y.sum()} rare pictures; "
        f"{len(bench.unseen)} rare ones are unseen. AUC of the oracles on the sampler's part: "
        f"{', '.join(parts)}."
    )


def _references(result):
    realism, kid = result["realism"], result["kid"]
    texts = [
        f"{name} {realism[name]['seen']:.3f} / {realism[name]['unseen']:.3f}"
        for name in ("sources", "augmented copies")
    ]
    return (
        f"Realism of real pictures (seen / unseen): {', '.join(texts)}. KID against unseen rare "
        f"pictures: common {kid['common']:.3f}, rare {kid['rare']:.3f}."
    )


def _mean(results):
    """Return the mean of results, number by number; anything else is taken from the first."""
    first = results[0]
    if isinstance(first, dict):
        return {key: _mean([r[key] for r in results]) for key in first}
    if isinstance(first, bool):
        return all(results)
    if isinstance(first, (int, float)):
        return float(np.mean([value for value in results if value is not None]))
    return first


def _row(name, found, merged, state, missed):
    def mark(text, aim):
        return f"{text} {'✓' if state[aim].met else '✗'}"

    def spread(of):
        values = [of(r) for r in found]
        return f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""

    oracles = merged["oracles"]
    evidence = [
        mark(
            f"{o['evidence']:.2f}{spread(lambda r, k=key: r['oracles'][k]['evidence'])} "
            f"[{o['low']:.2f}, {o['high']:.2f}]",
            "evidence",
        )
        for key, o in oracles.items()
    ]
    towards = " / ".join(f"{o['towards']:.2f}" for o in oracles.values())
    real = merged["realism"]["translations"]
    realism = spread(lambda r: r["realism"]["translations"]["auc"])
    realism = f"{real['auc']:.3f}{realism} ({real['seen']:.3f} / {real['unseen']:.3f})"
    kept = {key: value for key, value in merged["kept"].items() if value is not None}
    lowest = min(kept, key=kept.get, default=None)
    return [
        name,
        len(found),
        mark(f"{merged['n']:.0f} of {merged['asked']:.0f}", "sample"),
        *evidence,
        mark(towards, "towards"),
        mark(realism, "realism"),
        f"{merged['kid']['translations']:.3f}",
        mark(f"{kept[lowest]:.2f} {lowest}" if lowest else "-", "kept"),
        f"{merged['similarity']:.2f}",
        mark(f"{merged['copied']:.2f}", "copied"),
        f"{merged['own']:.2f}",
        f"{merged['change']:.1f}",
        "-" if merged.get("strength") is None else f"{merged['strength']:.2f}",
        f"{merged['cpu_s']:.0f}",
        ", ".join(missed) or "none",
    ]


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
