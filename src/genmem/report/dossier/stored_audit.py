"""The folder of an audit, read again: its numbers and its pairs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genmem.errors import InputError, UsageError, os_reason
from genmem.io.paths import to_path
from genmem.report.audit import stored_pairs
from genmem.report.audit.page import AUDIT
from genmem.report.audit.stored_pairs import StoredPair, StoredPairs
from genmem.report.common.verdict import Banner, render_verdict, without_p_values
from genmem.report.dossier.schema import AuditNumbers, check_json
from genmem.results import Json, Verdict


@dataclass(frozen=True, kw_only=True)
class StoredAudit:
    """What the folder of an audit holds.

    Attributes:
        folder: the folder, whose pictures the pairs name.
        numbers: `audit.json`.
        pairs: `pairs.json`, smallest p-value first.
    """

    folder: Path
    numbers: Mapping[str, Json]
    pairs: tuple[StoredPair, ...]

    @property
    def label(self) -> str:
        """The label of the verdict."""
        return str(self.numbers["verdict"]["label"])

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        verdict = self.numbers["verdict"]
        comparable = bool(verdict.get("comparable", True))
        return Verdict(
            label=verdict["label"],
            sentence=str(verdict["sentence"]),
            reasons=tuple(map(str, verdict["reasons"])),
            comparable=comparable and verdict["label"] != "no-yardstick",
            basis=tuple(verdict.get("basis", ())),
        )

    @property
    def banner(self) -> Banner:
        """The verdict as the audit's page words it."""
        return render_verdict(self.verdict)

    @property
    def why_incomparable(self) -> str:
        """Why there are no p- and q-values, in a sentence; empty where there are."""
        yardstick = self.numbers.get("yardstick")
        fails = yardstick is not None and not yardstick["holds"]
        return without_p_values(self.verdict, yardstick=fails or self.label == "no-yardstick")

    @property
    def notes(self) -> list[str]:
        """What must be known of the sets, the flags and the copied fraction."""
        estimate = self.numbers.get("copied_fraction") or {}
        return [str(note) for note in (*self.numbers["notes"], *estimate.get("notes", ()))]

    @property
    def flagged(self) -> int:
        """How many generated images are flagged."""
        return int(self.numbers["flagged"])

    @property
    def images(self) -> int:
        """How many generated images were audited."""
        return int(self.numbers["images"])

    def count(self, role: str) -> int | None:
        """The size of a set; None if there is none."""
        summary = self.numbers["inputs"].get(role)
        return None if summary is None else summary["count"]


def read_audit(folder: str | Path) -> StoredAudit:
    """Read the folder of an audit.

    Args:
        folder: the output directory of `genmem audit`.

    Raises:
        UsageError: it holds no audit, or one of an earlier version of genmem.
        InputError: a file in it is damaged.
    """
    folder = to_path(folder, name="the folder of the audit")
    numbers = _read(folder, AUDIT.numbers)
    if numbers is None or numbers.get("kind") != AUDIT.marker:
        raise UsageError(
            f"expected the output directory of `genmem audit`, with its {AUDIT.numbers}, got "
            f"{folder}."
        )
    pairs = _read(folder, stored_pairs.FILE)
    if pairs is None or not numbers.get("verdict"):
        raise UsageError(
            f"{folder} holds an audit of an earlier version of genmem, without "
            f"{stored_pairs.FILE} or a verdict; run `genmem audit` again."
        )
    check_json(AuditNumbers, numbers, folder / AUDIT.numbers)
    stored = check_json(StoredPairs, pairs, folder / stored_pairs.FILE)
    audit = StoredAudit(folder=folder, numbers=numbers, pairs=stored.pairs)
    verdict = audit.verdict
    if verdict.label == "copying" and not (verdict.comparable or verdict.basis):
        raise UsageError(
            f"{folder} holds an audit of an earlier version of genmem, whose {AUDIT.numbers} does "
            "not say what the verdict rests on (verdict.basis); run `genmem audit` again."
        )
    return audit


def _read(folder: Path, name: str) -> dict[str, Json] | None:
    """A JSON object; None where there is no such file."""
    try:
        document = json.loads((folder / name).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"cannot read {folder / name}: {os_reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{folder / name} is damaged: expected JSON; run `genmem audit` again."
        ) from error
    return document if isinstance(document, dict) else None
