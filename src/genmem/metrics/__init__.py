"""One file per metric: pure functions on feature arrays, each `metric(*, generated, train)`.

Nothing here opens a file, decodes an image, prints, or reaches the network.

    registry.py               the metrics by name: inputs, title, interpretation, source

    authpct.py                AuthPct
    c_t.py                    C_T, the data-copying test, over cells and classes
    copied_fraction.py        share of images closer to train than held-out images ever are
    frechet.py                FD (FID), and FD∞
    inception_score.py        Inception Score
    kid.py                    KD (KID)
    memorization_distance.py  mean distance to the nearest training image
    memorization_ratio.py     share of images with d1/d2 < 1/3
    mifid.py                  MiFID: FD times the penalty for copying
    nearest_quantiles.py      quantiles of the distance to the nearest training image
    prdc.py                   precision, recall, density, coverage

    tie_correction.py         C_T's z-score with its tie correction
    kmeans_cells.py           C_T's cells: principal components and k-means
    frechet_interval.py       influence of each image on FD, and FD's interval
    intervals.py              Clopper-Pearson, and the interval of a mean
    moments.py                running mean and covariance
    symmetric_eigen.py        linear algebra of symmetric matrices
"""
