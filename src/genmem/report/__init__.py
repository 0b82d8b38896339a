"""Results as pages and terminal tables. Nothing is computed here.

score/             the report of `genmem score`
comparison/        the table and page of `genmem compare`
audit/             the folder of `genmem audit`
dossier/           `genmem report`: that folder as a document to read and sign
duplicates/        the folder of `genmem duplicates`
query/             the table and page of `genmem query`
competition/       the folder of `genmem analyze`
denoiser/          the folder of `genmem study denoiser`
emm/               the page of `genmem study emm`
rejection_study/   the page of `genmem study rejection`
notebook/          what results show of themselves: HTML, `pandas` tables, plots, a score's folder
common/            what all pages share
templates/         Jinja templates, styles and scripts
"""

from genmem.report.score.page import write_report
from genmem.report.score.terminal import score_table

__all__ = ["score_table", "write_report"]
