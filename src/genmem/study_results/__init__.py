"""What studies find, as frozen dataclasses: `training` builds them, `report` renders them.

emm.py         a study of effective model memorization (emm.json)
rejection.py   a study of memorization rejection (study.json)
"""
