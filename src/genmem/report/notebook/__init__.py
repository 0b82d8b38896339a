"""What results show of themselves in a notebook: `genmem.presenters` imports these modules by name.

score.py audit.py duplicates.py query.py
                 a kind of result each: its HTML, its `pandas` table, its plots
saved_score.py   the folder of a score: `Score.save` and `Score.load`
fragment.py      a table with a finding and pictures, as HTML for any page
plots.py         histograms of distances and rows of pairs on matplotlib axes
frames.py        tables as `pandas.DataFrame`
"""
