"""HTML → PDF, by WeasyPrint: no browser, no network, the same bytes for the same page."""

from __future__ import annotations

import logging
from typing import Any

from genmem.errors import UsageError


def check_pdf() -> None:
    """Check that PDFs can be written, before hours of work end in an error.

    Raises:
        UsageError: WeasyPrint, or a library that it needs, is missing.
    """
    _weasyprint()


def to_pdf(page: str) -> bytes:
    """A page as a PDF with tags for screen readers.

    Args:
        page: HTML whose style and pictures are in it; anything else is not loaded.

    Returns:
        The file: the same bytes for the same page, fonts and version of WeasyPrint.

    Raises:
        UsageError: WeasyPrint, or a library that it needs, is missing.
    """
    weasyprint = _weasyprint()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    fetch = weasyprint.urls.URLFetcher(allowed_protocols={"data"})
    return weasyprint.HTML(string=page, url_fetcher=fetch).write_pdf(pdf_tags=True)


def _weasyprint() -> Any:
    try:
        import weasyprint
    except ImportError as error:
        raise UsageError(
            "a PDF needs WeasyPrint: pip install 'genmem[pdf]', or leave out --pdf and print "
            "report.html in a browser."
        ) from error
    except OSError as error:  # Pango, a library of the system
        raise UsageError(
            f"a PDF needs the library Pango ({error}); install it (Debian: libpango-1.0-0 and "
            "libpangoft2-1.0-0), or leave out --pdf and print report.html in a browser."
        ) from error
    return weasyprint
