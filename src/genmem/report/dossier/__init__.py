"""`genmem report`: an audit's folder as a document for readers who are no statisticians.

write.py          `write_dossier`: the folder of an audit → report.html or report.pdf
stored_audit.py   reads the folder of an audit
schema.py         what its JSON files must hold
answers.py        five questions and their answers: the first page
method.py         method, limits and power in lay words
evidence.py       the pairs, with their pictures and the difference of the two
tables.py         sets, run, spaces and marks as tables
pdf.py            HTML → PDF
"""
