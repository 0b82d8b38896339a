"""The page and the terminal table of `genmem score`.

page.py                   the page
terminal.py               the table on the terminal
tables.py                 rows, titles and directions of the metrics
histogram.py              the distance histogram
verdict.py                the verdict in one sentence
interpretation.py         what each value means, in a sentence
interpret_copying.py      … of the metrics of copying
interpret_quality.py      … of the metrics of quality
interpretation_types.py   what these functions take and return
"""
