"""The audit as a folder: tables, JSON, pictures and one page to look at them."""

from __future__ import annotations

import json
from pathlib import Path

from genmem.auditing.findings import Audit, copied
from genmem.report.audit_page import render
from genmem.report.audit_pictures import FOLDER, page_rows, write_pictures
from genmem.report.audit_tables import write_copied, write_duplicates, write_images
from genmem.report.folders import Kind, check_folder, written_folder

PAGE, NUMBERS = "audit.html", "audit.json"

AUDIT = Kind(name="audit", numbers=NUMBERS, page=PAGE, folders=(FOLDER,))


def write_audit(audit: Audit, folder: str | Path) -> None:
    """Write tables, numbers, pictures and the page into `folder`.

    `images.parquet` and `.csv` hold one row a generated image, `copied.parquet` and `.csv` one row
    a copied training image, `duplicates.csv` one row a pair of near-duplicates, `audit.json`
    everything else; `audit.html` shows them, with the images in `pictures`. It asks for nothing
    over the network. Ids stand in Parquet as they are; in CSV, where a spreadsheet would take one
    for a formula, with an apostrophe before it.

    An earlier audit stays as it was until the new one is complete (`written_folder`).

    Args:
        audit: what `genmem.audit` found.
        folder: made where it is missing. An earlier audit in it is replaced, its `pictures` as a
            whole; other files beside it stay.

    Raises:
        UsageError: the folder holds something else than an audit, or cannot be written.
    """
    with written_folder(folder, AUDIT) as new:
        found, rows = copied(audit), page_rows(audit)
        write_images(audit, new)
        write_copied(audit, found, new)
        write_duplicates(audit.duplicates, new)
        numbers = json.dumps(audit.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (new / NUMBERS).write_bytes(numbers.encode("utf-8", "backslashreplace"))
        album = write_pictures(audit, rows, found, new / FOLDER)
        page = render(audit, rows, found, album)
        (new / PAGE).write_bytes(page.encode("utf-8", "backslashreplace"))


def check_audit_folder(folder: str | Path) -> None:
    """Make sure that an audit can be written into `folder`, before hours of work end in an error.

    Raises:
        UsageError: it is a file, cannot be written, or holds files but no earlier audit.
    """
    check_folder(folder, AUDIT)
