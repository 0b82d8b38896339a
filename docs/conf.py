"""Configuration of the documentation site, which `scripts/docs` builds."""

import re
from importlib.metadata import version as installed_version
from itertools import pairwise
from typing import Any

project = "genmem"
author = "The genmem authors"
project_copyright = "The genmem authors. Apache-2.0"
release = version = installed_version("genmem")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"genmem {release}"
html_copy_source = html_show_sourcelink = False

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",  # pages that begin with an include begin at level two
    "misc.highlighting_failure",  # snippets leave out what does not matter by …
]

nb_execution_mode = "auto"  # `scripts/docs --quick` sets "off"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars, and what Jupyter says of itself

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_use_rtype = False
napoleon_custom_sections = [("Result", "params_style")]
default_role = "code"  # docstrings put code between single backticks

_PART = re.compile(r"\s+\w+: ")
_MARKUP = re.compile(r"(`+[^`]*`+)|([*|])|(\w)_(?=[\s.,;:)]|$)")


def rewrite_docstring(
    app: Any, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Make reStructuredText of a docstring: literal blocks, and no markup outside of code.

    Indented blocks after an empty line become literal blocks, except lists; |x|, a*b and name_ are
    escaped. Doctests stay as they are.
    """
    del app, what, name, obj, options
    result: list[str] = []
    before, literal = 0, 0  # indentation of the last line with text; of a literal block, or 0
    for line in lines:
        indentation = len(line) - len(line.lstrip())
        if line.strip() and indentation < literal:
            literal = 0
        if line.strip() and not literal:
            is_list = line.lstrip().startswith("- ")
            if result and not result[-1].strip() and indentation > before and not is_list:
                result += [" " * before + "::", ""]
                literal = indentation
            before = indentation
        is_code = literal or line.lstrip().startswith((">>>", "..."))
        result.append(line if is_code else _MARKUP.sub(_escape, line))
    for number, (heading, first) in enumerate(pairwise(result)):
        if heading == "Returns:" and _PART.match(first):
            result[number] = "Result:"  # the parts of a result, each with its name
    lines[:] = result


def _escape(match: re.Match[str]) -> str:
    code, sign, letter = match.groups()
    return code or (rf"\{sign}" if sign else rf"{letter}\_")


def setup(app: Any) -> None:
    """Rewrite docstrings before napoleon reads them."""
    app.connect("autodoc-process-docstring", rewrite_docstring, priority=400)
