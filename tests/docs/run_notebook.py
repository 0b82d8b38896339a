"""Run a notebook in the current folder: FILE.ipynb, which gets its outputs.

A process of its own, since Jupyter's client leaves sockets to the garbage collector.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

if __name__ == "__main__":
    path = Path(sys.argv[1])
    book = nbformat.read(path, as_version=4)
    # Sockets in a folder, not ports, which other tests may take in between; the path of a socket
    # may have 107 characters.
    sockets = Path(tempfile.mkdtemp(prefix="genmem-", dir="/tmp"))
    manager = AsyncKernelManager(transport="ipc", ip=str(sockets / "kernel"), kernel_name="python3")
    try:
        NotebookClient(book, km=manager, timeout=900).execute()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    nbformat.write(book, path)
