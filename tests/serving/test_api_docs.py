"""The reference of an endpoint that is made up, read as HTML."""

from html.parser import HTMLParser

import pytest

from melanet.serving._api_docs import reference_page

OPERATION = {
    "summary": "Answer & <ask>",
    "description": "First `a<b` and `c`.\n\nSecond.",
    "parameters": [
        {"name": "deep", "in": "query", "schema": {"type": "boolean", "default": False}},
        {"name": "any", "in": "path"},
    ],
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "properties": {
                        "image": {"type": "string", "format": "binary"},
                        "images": {"items": {"format": "binary"}, "maxItems": 3},
                        "names": {"items": {"type": "string"}},
                    }
                }
            }
        }
    },
    "responses": {"200": {"description": "Fine"}, "413": {"description": "Too <large>"}, "500": {}},
}
DESCRIPTION = {
    "info": {"title": "<t>", "version": "1.0", "description": "Not & never"},
    "paths": {"/a": {"post": OPERATION, "get": {"summary": "Short"}}, "/b/{n}": {"get": {}}},
}


class Reader(HTMLParser):
    """Collects the texts of tags, and checks that each is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.texts, self.rows = [], {}, []

    def handle_starttag(self, tag, attrs):
        if tag in ("meta", "link"):
            return
        self.open.append(tag)
        self.texts.setdefault(tag, []).append("")
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.texts[tag][-1] += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def page():
    reader = Reader()
    reader.feed(reference_page(DESCRIPTION))
    assert not reader.open
    return reader


def test_texts_of_the_description_are_escaped(page):
    assert page.texts["h1"] == ["<t> 1.0: endpoint"]
    assert page.texts["p"][0] == "Not & never"
    assert "Answer & <ask>." in page.texts["p"]


def test_each_method_of_each_path_has_a_section(page):
    assert page.texts["h2"] == ["POST /a", "GET /a", "GET /b/{n}"]
    assert len(page.texts["section"]) == 3
    assert len(page.texts["table"]) == 2  # only the first has parameters and responses


def test_paragraphs_and_code_of_a_description_are_kept(page):
    assert {"First a<b and c.", "Second."} <= set(page.texts["p"])
    assert {"a<b", "c"} <= set(page.texts["code"])


def test_parameters_and_fields_are_listed_with_type_and_default(page):
    assert page.rows[:6] == [
        ["parameter", "type", "default"],
        ["deep", "query, boolean", "False"],
        ["any", "path, any", ""],
        ["image", "multipart/form-data, file", ""],
        ["images", "multipart/form-data, up to 3 of: file", ""],
        ["names", "multipart/form-data, up to any of: string", ""],
    ]


def test_statuses_are_listed_with_their_meaning(page):
    assert page.rows[6:] == [
        ["status", "meaning"], ["200", "Fine"], ["413", "Too <large>"], ["500", ""],
    ]  # fmt: skip
