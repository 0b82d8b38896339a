"""One file per metric: pure functions on feature arrays, each `metric(*, generated, train)`.

Nothing here opens a file, decodes an image, prints, or reaches the network.
"""
