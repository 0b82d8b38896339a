"""Exports of a competition's data as files.

export.py       write an export: a folder of files, complete or not at all
schema.py       columns and tables; writing them as Parquet and CSV
tables.py       the tables and where their rows come from
results_csv.py  results.csv, which `genmem analyze` reads
datasheet.py    competition.json and DATASHEET.md
snapshot.py     read the database as it was at one moment
jobs.py         exports started from the browser
command.py      `genmem arena export`
views.py        the page of exports and their files; the ratings of a round as CSV
"""
