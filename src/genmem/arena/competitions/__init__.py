"""Competitions and their splits: what is asked, until when, and how it is scored.

models.py      Competition, Split
forms.py       the rules for their fields, for the browser and for YAML
setup.py       create and change them; each change goes to the audit log
yaml_file.py   create a competition from a YAML file
"""
