"""The page and files of `genmem audit`.

page.py           the folder and the page
page_data.py      the page's rows as JSON
tables.py         CSV and Parquet tables
stored_pairs.py   `pairs.json`, from which `report.dossier` renders its pairs
regions.py        the region that a generated image shares with its match
text.py           sentences about an audit
images.py         images beside each other
power.py          what the audit would have flagged, as a table and sentences
"""
