"""The endpoint's reference as one plain page, from its OpenAPI description, loading nothing."""

import re
from html import escape

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
<p>The same for programs: <a href="/openapi.json">openapi.json</a>. The page: <a href="/">/</a>.</p>
<pre><code>curl -F image=@picture.jpg http://127.0.0.1:8000/api/predict</code></pre>
<p>A request that cannot be answered gets a status of 4xx and
<code>{{"success": false, "error": "a sentence"}}</code>.</p>
{operations}
</main>
</body>
</html>
"""


def reference_page(description):
    """Turn an OpenAPI description into HTML.

    Parameters
    ----------
    description : dict
        As ``fastapi.FastAPI.openapi`` returns it.

    Returns
    -------
    str

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
        _operation(method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    return _PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        notice=escape(info["description"]),
        operations="\n".join(operations),
    )


def _operation(method, path, operation):
    lines = [
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>",
        f"<p>{escape(operation.get('summary', ''))}.</p>",
    ]
    for paragraph in filter(None, operation.get("description", "").split("\n\n")):
        marked = re.sub("`(.+?)`", r"<code>\1</code>", escape(paragraph))
        lines.append(f"<p>{marked}</p>")
    rows = [_parameter(value) for value in operation.get("parameters", ())]
    content = operation.get("requestBody", {}).get("content", {})
    for kind, body in content.items():
        rows += [
            (name, f"{kind}, {_kind(schema)}", "")
            for name, schema in body["schema"].get("properties", {}).items()
        ]
    if rows:
        lines.append(_table(("takes", "kind", "default"), rows))
    answers = [
        (status, answer.get("description", ""))
        for status, answer in operation.get("responses", {}).items()
    ]
    if answers:
        lines.append(_table(("status", "when"), answers))
    return "\n".join([*lines, "</section>"])


def _parameter(value):
    schema = value.get("schema", {})
    return value["name"], f"{value['in']}, {_kind(schema)}", schema.get("default", "")


def _kind(schema):
    if "items" in schema:
        return f"up to {schema.get('maxItems', 'any')} of: {_kind(schema['items'])}"
    return "file" if schema.get("format") == "binary" else schema.get("type", "any")


def _table(head, rows):
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
