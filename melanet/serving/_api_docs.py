"""The endpoint's reference as one static page, rendered from its OpenAPI description."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: endpoint</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><h1>{title} {version}: endpoint</h1></header>
<p class="notice" role="note">{notice}</p>
<main>
<p>Machine-readable: <a href="/openapi.json">openapi.json</a>. Web page: <a href="/">/</a>.</p>
<pre><code>curl -F image=@lesion.jpg http://127.0.0.1:8000/api/predict</code></pre>
<p>Errors have a 4xx status and the body
<code>{{"success": false, "error": "a sentence"}}</code>.</p>
{operations}
</main>
</body>
</html>
"""


def reference_page(description: Mapping[str, Any]) -> str:
    """Render an OpenAPI description as HTML.

    Parameters
    ----------
    description : dict
        OpenAPI description, as ``fastapi.FastAPI.openapi`` returns it.

    Returns
    -------
    str
        A complete page.

    Examples
    --------
    >>> from melanet.serving._api_docs import reference_page
    >>> page = reference_page({
    ...     "info": {"title": "a", "version": "1", "description": "b"},
    ...     "paths": {"/x": {"get": {"summary": "1 < 2"}}},
    ... })
    >>> "<h2><code>GET /x</code></h2>" in page, "1 &lt; 2" in page
    (True, True)
    """
    info = description["info"]
    operations = [
        _operation_html(method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    return _PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        notice=escape(info["description"]),
        operations="\n".join(operations),
    )


def _operation_html(method, path, operation):
    lines = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{escape(operation.get('summary', ''))}.</p>",
    ]
    for paragraph in filter(None, operation.get("description", "").split("\n\n")):
        marked = re.sub("`(.+?)`", r"<code>\1</code>", escape(paragraph))
        lines.append(f"<p>{marked}</p>")
    rows = [_parameter_row(value) for value in operation.get("parameters", ())]
    content = operation.get("requestBody", {}).get("content", {})
    for media_type, body in content.items():
        rows += [
            (name, f"{media_type}, {_type_name(schema)}", "")
            for name, schema in body["schema"].get("properties", {}).items()
        ]
    if rows:
        lines.append(_table_html(("parameter", "type", "default"), rows))
    responses = [
        (status, response.get("description", ""))
        for status, response in operation.get("responses", {}).items()
    ]
    if responses:
        lines.append(_table_html(("status", "meaning"), responses))
    return "\n".join([*lines, "</section>"])


def _parameter_row(value):
    schema = value.get("schema", {})
    return value["name"], f"{value['in']}, {_type_name(schema)}", schema.get("default", "")


def _type_name(schema):
    if "items" in schema:
        return f"up to {schema.get('maxItems', 'any')} of: {_type_name(schema['items'])}"
    return "file" if schema.get("format") == "binary" else schema.get("type", "any")


def _table_html(head, rows):
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
