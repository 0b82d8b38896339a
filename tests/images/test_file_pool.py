import io
import threading

from genmem.images.file_pool import FilePool, PooledFile


class Counted(io.BytesIO):
    open = 0

    def __init__(self, content):
        super().__init__(content)
        Counted.open += 1

    def close(self):
        Counted.open -= not self.closed
        super().close()


def build(number, pool, size=0):
    content = [bytes([i]) * 4 for i in range(number)]
    return [
        PooledFile(lambda part=part: Counted(part), pool, lambda file: size) for part in content
    ]


def read(file):
    with file.use() as opened:
        opened.seek(0)
        return opened.read()


def test_files_are_opened_again_when_the_pool_closed_them():
    files = build(9, FilePool(max_open=3))
    for number in [*range(9), *range(9), 0, 8, 1]:
        assert read(files[number]) == bytes([number]) * 4
        assert Counted.open <= 3
    for file in files:
        file.close()
    assert Counted.open == 0


def test_copies_are_bounded_by_their_bytes():
    files = build(5, FilePool(max_bytes=250), size=100)
    for file in files:
        read(file)
        assert Counted.open <= 2
    for file in files:
        file.close()


def test_a_file_that_is_read_is_not_closed():
    files = build(3, FilePool(max_open=1))
    with files[0].use() as first:
        assert [read(file)[:1] for file in files[1:]] == [b"\1", b"\2"]
        assert not first.closed
    for file in files:
        file.close()
    assert Counted.open == 0


def test_many_threads_read_what_is_in_their_files():
    files = build(8, FilePool(max_open=2))
    wrong = []

    def work(seed):
        for step in range(200):
            number = (seed * 7 + step * 3) % 8
            if read(files[number]) != bytes([number]) * 4:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for file in files:
        file.close()
    assert not wrong
    assert Counted.open == 0
