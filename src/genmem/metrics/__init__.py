"""One file per metric: pure functions on feature arrays, each `metric(*, generated, train)`.

Nothing here opens a file, decodes an image, prints, or reaches the network.

    built_in.py               genmem's metrics: the file, title and source of each
    metric.py                 what an entry says: inputs, title, interpretation, source
    registry.py               all metrics by name, those of plugins too

The files of metrics are those that built_in.py names. What they share:

    frechet.py                FD (FID) and FD∞ from moments, and FD's rounding floor
    frechet_interval.py       influence of each image on FD, and FD's interval
    intervals.py              Clopper-Pearson, and the interval of a mean
    kid_interval.py           KD's interval
    kmeans_cells.py           C_T's cells: principal components and k-means
    moments.py                running mean and covariance
    symmetric_eigen.py        linear algebra of symmetric matrices
    tie_correction.py         C_T's z-score with its tie correction
"""
