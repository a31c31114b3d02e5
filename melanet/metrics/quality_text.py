"""The text of a quality report."""

import math

_LISTED = 5  # copies named in the text; all are in the report


def _number(value, form=".2f"):
    return "-" if value is None or math.isnan(value) else format(value, form)


def _line(name, value, yardstick="", meaning="", form=".2f"):
    shown = yardstick if isinstance(yardstick, str) else _number(yardstick, form)
    return f"  {name:<32}{_number(value, form):>9}{shown:>10}  {meaning}".rstrip()


def report_text(report):
    """Give a `QualityReport` as aligned text: a table for each class, then the verdict."""
    parts = [class_text(label, measures) for label, measures in report.classes.items()]
    verdict = f"verdict: {report.verdict}"
    if report.reasons:
        verdict += " (" + "; ".join(report.reasons) + ")"
    return "\n\n".join([*parts, f"{verdict}\nNo basis for a diagnosis."])


def class_text(label, m):
    """Give the table of one class."""
    test = m["two_sample"]
    title = f"class {label}: {m['n_synthetic']} synthetic, {m['n_real']} real"
    if m["n_translations"] is not None:
        title += f", {m['n_translations']} made from other classes"
    if m["n_non_finite"]:
        title += f", {m['n_non_finite']} not finite and left out"
    lines = [
        title,
        f"  {'':<32}{'measured':>9}{'yardstick':>10}",
        _line("recognised as the class", m["success"], m["success_real"], "real, held out"),
        _line("kernel inception distance", m["kid"], m["kid_others"], "other classes", ".3g"),
        _line("  sd over subsets", m["kid_sd"], form=".3g"),
        _line("precision", m["precision"]),
        _line("recall", m["recall"]),
        _line("density", m["density"], 1.0, "if of one distribution"),
        _line("coverage", m["coverage"], m["coverage_expected"], "if of one distribution"),
        _line("told from real, AUC", test["auc"], 0.5, _interval(test)),
        _line("nearest real, relative", m["nearest"], 1.0, "between real ones"),
        _line("near or exact copies", m["copies"], m["copies_real"], "real ones with a twin"),
    ]
    if m["n_translations"]:
        lines += [
            _line("like its source", m["identity"], 0.0, "share of those from other classes"),
            _line("change from its source, relative", m["change"], 1.0, "between the classes"),
        ]
    lines += [
        _line("diversity, relative", m["diversity"], 1.0, "real ones"),
        _line("distinct", m["distinct"]),
    ]
    if m["constant"] > 0:
        lines.append(_line("images of one value", m["constant"], m["constant_real"], "real ones"))
    if m["copy_list"]:
        lines.append(_copies(m["copy_list"]))
    lines.append(f"  {m['verdict']}" + (": " + "; ".join(m["reasons"]) if m["reasons"] else ""))
    return "\n".join(lines)


def _interval(test):
    if math.isnan(test["auc"]):
        return ""
    if math.isnan(test["auc_low"]):
        return f"p = {test['p_value']:.2g}"
    return f"[{test['auc_low']:.2f}, {test['auc_high']:.2f}], p = {test['p_value']:.2g}"


def _copies(copies):
    shown = [
        f"{c['index']} {'=' if c['exact'] else '~'} X[{c['row']}]"
        + ("" if c["same_class"] else " of another class")
        for c in copies[:_LISTED]
    ]
    more = f" and {len(copies) - _LISTED} more" if len(copies) > _LISTED else ""
    return f"  copies (= exact, ~ near): {', '.join(shown)}{more}"
