"""Submissions: uploading, checking, keeping.

models.py           Submission, Upload, Step
services.py         rules: whether a submission is allowed, and receiving one
selectors.py        submissions and steps that a viewer may see, by `teams.permissions`
uploads.py          partial uploads on disk: begin, append, finish, discard
tus.py              the tus 1.0 protocol, over `uploads`
upload_handler.py   uploads by a plain HTML form
validate.py         checks of a submitted zip of images, image by image
zip_index.py        size limits, and checks of a zip's list of files, before unpacking
storage.py          stores files in a folder or an S3 bucket
bucket.py           the S3 bucket
fs.py               files that survive a crash once written
orphans.py          remove what a killed process left behind
exceptions.py       StorageError
"""
