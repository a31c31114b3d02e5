"""Render formulas as MathML by docutils: a page with formulas needs no script and no font."""

import re

from docutils.utils.math.latex2mathml import tex2mathml


def _inline(writer, node):
    writer.body.append(re.sub(r"\n *", "", tex2mathml(node.astext())))
    raise _skip()


def _block(writer, node):
    writer.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise _skip()


def _skip():
    from docutils.nodes import SkipNode

    return SkipNode()


def setup(app):
    """Register the renderer and make it the default."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
