"""The page and the terminal table of `genmem score`.

page.py                the page
terminal.py            the table on the terminal
tables.py              the metrics as tables of text
verdict.py             the verdict in one sentence
interpretation.py      what each value says, and what it cannot
interpret_copying.py   … of the metrics of copying
interpret_quality.py   … of the metrics of quality
"""
