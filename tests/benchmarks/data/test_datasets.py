from __future__ import annotations

import hashlib
import io
import shutil
import socket
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from PIL import Image

from benchmarks.data import datasets, downloads
from benchmarks.data.datasets import Dataset, data_folder, download, find, without_small
from benchmarks.data.downloads import DownloadError, Remote
from nfcodec.errors import UsageError, WriteError

GARBAGE = bytes(range(256)) * 800


class Source(HTTPServer):
    """Files by path, with faults on request; `log` has the path, the Range and the bytes sent of each answer."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.break_after: dict[str, list[int]] = {}
        self.status: dict[str, list[int]] = {}
        self.ranges = True
        self.log: list[tuple[str, str | None, int]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def remote(self, name: str, content: bytes) -> Remote:
        self.files[name] = content
        return Remote(self.url(name), len(content), hashlib.sha256(content).hexdigest())

    def sent(self, name: str) -> list[tuple[str | None, int]]:
        return [(asked, n) for path, asked, n in self.log if path == name]


class Answer(BaseHTTPRequestHandler):
    server: Source

    def do_GET(self):
        name, asked = self.path[1:], self.headers["Range"]
        content = self.server.files.get(name)
        status = self.server.status[name].pop(0) if self.server.status.get(name) else 200
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if content is None:
            status = 404
        elif start >= len(content):
            status = 416
        if status != 200:
            self.server.log.append((name, asked, 0))
            self.send_error(status)
            return
        body = content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        if self.server.break_after.get(name):
            body = body[: self.server.break_after[name].pop(0)]
        self.server.log.append((name, asked, len(body)))  # before the client can know anything
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def source(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "PAUSE_S", 0.0)
    with Source() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (3, 2), shade).save(file, "PNG")
    return file.getvalue()


def archive(members: dict[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return file.getvalue()


def of_images(*images: Remote) -> dict[str, Dataset]:
    return {"few": Dataset("few", "A few", "", "", len(images), images=images)}


def of_archives(n_images: int, *archives: Remote) -> dict[str, Dataset]:
    return {"zipped": Dataset("zipped", "Zipped", "", "", n_images, archives=archives)}


def get(known: dict[str, Dataset], data, progress=lambda name, done, size: None):
    (name,) = known
    return download(name, data, progress=progress, manifest=known)


def files(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ------------------------------------------------------------------------------------------------------- downloading


def test_fresh_download(source, tmp_path):
    data = tmp_path / "not" / "yet"
    known = of_images(source.remote("a.png", GARBAGE), source.remote("b.png", png(1)))
    calls = []
    pictures = get(known, data, lambda *call: calls.append(call))
    assert files(data) == {"few/a.png": GARBAGE, "few/b.png": png(1)}
    assert (pictures.name, pictures.label) == ("few", "A few, 2 of 2, checksums verified")
    assert [picture.name for picture in pictures.pictures] == ["a", "b"]
    assert pictures.pictures[1].sha256 == hashlib.sha256(png(1)).hexdigest()
    done = [done for name, done, size in calls if name == "a.png" and size == len(GARBAGE)]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, len(GARBAGE))
    source.log.clear()
    assert get(known, data) == pictures
    assert not source.log


def test_only_missing_images_are_fetched_and_nothing_is_overwritten(source, tmp_path):
    known = of_images(source.remote("a.png", png(1)), source.remote("b.png", png(2)), source.remote("c.png", png(3)))
    (tmp_path / "few" / "deeper").mkdir(parents=True)
    (tmp_path / "few" / "a.png").write_bytes(b"edited by the user")
    (tmp_path / "few" / "deeper" / "b.png").write_bytes(png(2))
    assert get(known, tmp_path).label == "A few, 2 of 3, checksums verified; 1 picture not the original: a.png"
    assert source.log == [("c.png", None, len(png(3)))]
    assert (tmp_path / "few" / "a.png").read_bytes() == b"edited by the user"


def test_a_part_is_continued(source, tmp_path):
    known = of_images(source.remote("a.png", GARBAGE))
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.png.part").write_bytes(GARBAGE[:150_001])
    get(known, tmp_path)
    assert source.log == [("a.png", "bytes=150001-", len(GARBAGE) - 150_001)]
    assert files(tmp_path) == {"few/a.png": GARBAGE}


def test_a_part_with_all_bytes_is_only_verified(source, tmp_path):
    known = of_images(source.remote("a.png", GARBAGE))
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.png.part").write_bytes(GARBAGE)
    get(known, tmp_path)
    assert not source.log
    assert files(tmp_path) == {"few/a.png": GARBAGE}


def test_a_server_without_ranges_starts_again(source, tmp_path):
    source.ranges = False
    known = of_images(source.remote("a.png", GARBAGE))
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.png.part").write_bytes(b"x" * 1000)
    get(known, tmp_path)
    assert source.log == [("a.png", "bytes=1000-", len(GARBAGE))]
    assert files(tmp_path) == {"few/a.png": GARBAGE}


@pytest.mark.parametrize("ranges", [True, False])
def test_broken_connections_are_taken_up_again(source, tmp_path, ranges):
    source.ranges = ranges
    source.break_after["a.png"] = [70_000, 80_000]
    known = of_images(source.remote("a.png", GARBAGE))
    get(known, tmp_path)
    rest = [("bytes=70000-", 80_000), ("bytes=150000-", len(GARBAGE) - 150_000)]
    again = [("bytes=70000-", 80_000), ("bytes=80000-", len(GARBAGE))]
    assert source.sent("a.png") == [(None, 70_000), *(rest if ranges else again)]
    assert files(tmp_path) == {"few/a.png": GARBAGE}


def test_a_connection_that_brings_nothing_new_ends_it_and_keeps_the_part(source, tmp_path):
    source.break_after["a.png"] = [70_000] + [0] * downloads.FAILURES
    known = of_images(source.remote("a.png", GARBAGE))
    with pytest.raises(DownloadError, match=r"a\.png: the connection was closed early; what has come is kept"):
        get(known, tmp_path)
    assert files(tmp_path) == {"few/a.png.part": GARBAGE[:70_000]}
    get(known, tmp_path)
    assert source.log[-1] == ("a.png", "bytes=70000-", len(GARBAGE) - 70_000)


def test_nobody_listens(source, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    with pytest.raises(DownloadError, match="cannot download"):
        get(of_images(Remote(f"http://127.0.0.1:{port}/a.png", 5, "")), tmp_path)
    assert not files(tmp_path)


def test_an_interruption_keeps_the_part(source, tmp_path):
    known = of_images(source.remote("a.png", GARBAGE))

    def interrupt(name, done, size):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(known, tmp_path, interrupt)
    ((name, content),) = files(tmp_path).items()
    assert name == "few/a.png.part"
    assert content
    assert GARBAGE.startswith(content)
    get(known, tmp_path)
    assert files(tmp_path) == {"few/a.png": GARBAGE}


def test_busy_servers_are_asked_again_and_missing_files_are_not(source, tmp_path):
    source.status["a.png"] = [503, 429]
    get(of_images(source.remote("a.png", png(1))), tmp_path)
    assert source.sent("a.png") == [(None, 0), (None, 0), (None, len(png(1)))]
    with pytest.raises(DownloadError, match="404"):
        get(of_images(Remote(source.url("gone.png"), 5, "")), tmp_path)
    assert source.sent("gone.png") == [(None, 0)]


def test_another_file_of_the_same_size_leaves_nothing(source, tmp_path):
    known = of_images(source.remote("a.png", GARBAGE))
    source.files["a.png"] = GARBAGE[::-1]
    with pytest.raises(DownloadError, match="SHA-256 differs"):
        get(known, tmp_path)
    assert not files(tmp_path)


def test_a_part_of_another_file_leaves_nothing(source, tmp_path):
    known = of_images(source.remote("a.png", GARBAGE))
    for wrong in (b"x" * 10, GARBAGE + b"x"):
        (tmp_path / "few").mkdir(exist_ok=True)
        (tmp_path / "few" / "a.png.part").write_bytes(wrong)
        with pytest.raises(DownloadError, match="SHA-256 differs"):
            get(known, tmp_path)
        assert not files(tmp_path)
    get(known, tmp_path)


@pytest.mark.parametrize("content", [b"<html>sign in first</html>", GARBAGE + b"more"])
def test_a_file_of_another_size_is_refused_before_it_is_fetched(source, tmp_path, content):
    known = of_images(source.remote("a.png", GARBAGE))
    source.files["a.png"] = content
    with pytest.raises(DownloadError, match=f"it has {len(content):,} bytes, not the 204,800"):
        get(known, tmp_path)
    assert not files(tmp_path)


def test_a_range_beyond_a_shorter_file_starts_again(source, tmp_path):
    known = of_images(source.remote("a.png", GARBAGE))
    source.files["a.png"] = GARBAGE[:100]
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.png.part").write_bytes(GARBAGE[:150_000])
    with pytest.raises(DownloadError, match="it has 100 bytes"):
        get(known, tmp_path)
    assert source.sent("a.png") == [("bytes=150000-", 0), (None, 100)]


def test_a_full_disk_is_noticed_before_anything_is_asked(source, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    zipped = archive({"valid/a.png": png(1)})
    for known, needed in (
        (of_images(source.remote("a.png", GARBAGE)), len(GARBAGE)),
        (of_archives(1, source.remote("a.zip", zipped)), 2 * len(zipped)),
    ):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, n=needed: usage._replace(free=n - 1))
        with pytest.raises(WriteError, match="are needed"):
            get(known, tmp_path)
        assert not source.log
        monkeypatch.setattr(shutil, "disk_usage", lambda path, n=needed: usage._replace(free=n))
        get(known, tmp_path)
        source.log.clear()


def test_what_is_there_already_needs_no_space(source, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=len(GARBAGE) - 150_000))
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "a.png.part").write_bytes(GARBAGE[:150_000])
    get(of_images(source.remote("a.png", GARBAGE)), tmp_path)


def test_an_unwritable_place(source, tmp_path):
    (tmp_path / "few").write_bytes(b"a file where the folder should be")
    with pytest.raises(WriteError, match="few"):
        get(of_images(source.remote("a.png", png(1))), tmp_path)


def test_unknown_datasets(tmp_path):
    with pytest.raises(UsageError, match="no dataset imagenet; there are kodak, div2k, clic"):
        download("imagenet", tmp_path, progress=print)


# ---------------------------------------------------------------------------------------------------------- archives


def test_archives_become_one_flat_folder(source, tmp_path):
    first = archive(
        {"valid/": b"", "valid/a.png": png(1), "__MACOSX/valid/._a.png": b"fork", "valid/.b.png": b"hidden"}
    )
    second = archive({"valid/c.PNG": png(3), "readme.txt": b"text"})
    known = of_archives(2, source.remote("p.zip", first), source.remote("m.zip", second))
    assert get(known, tmp_path).label == "Zipped, 2 of 2"
    assert files(tmp_path) == {"zipped/a.png": png(1), "zipped/c.PNG": png(3)}
    source.log.clear()
    assert get(known, tmp_path).label == "Zipped, 2 of 2"
    assert not source.log


def test_names_that_lead_elsewhere_stay_inside(source, tmp_path):
    names = ("../../up.png", "/root.png", "..\\back.png", "C:drive.png", "a/../b/mid.png")
    data = tmp_path / "very" / "deep"
    get(of_archives(5, source.remote("a.zip", archive(dict.fromkeys(names, png(1))))), data)
    inside = {f"very/deep/zipped/{name}.png" for name in ("up", "root", "back", "drive", "mid")}
    assert set(files(tmp_path)) == inside


def test_links_are_not_extracted(source, tmp_path):
    link = zipfile.ZipInfo("valid/link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    zipped = archive({"valid/a.png": png(1), link: b"/etc/passwd"})
    get(of_archives(1, source.remote("a.zip", zipped)), tmp_path)
    assert files(tmp_path) == {"zipped/a.png": png(1)}


def test_two_pictures_of_one_name_are_refused(source, tmp_path):
    archives = [source.remote(f"{n}.zip", archive({f"{n}/a.png": png(n)})) for n in (1, 2)]
    with pytest.raises(DownloadError, match=r"2\.zip has two pictures of one name: a\.png"):
        get(of_archives(2, *archives), tmp_path)
    assert not (tmp_path / "zipped").exists()


def test_an_archive_that_is_none(source, tmp_path):
    with pytest.raises(DownloadError, match=r"a\.zip cannot be extracted"):
        get(of_archives(1, source.remote("a.zip", GARBAGE)), tmp_path)
    assert not (tmp_path / "zipped").exists()


def test_interrupted_between_two_archives(source, tmp_path):
    contents = [archive({"a.png": png(1)}), archive({"b.png": png(2)})]
    known = of_archives(2, source.remote("p.zip", contents[0]), source.remote("m.zip", contents[1]))

    def interrupt(name, done, size):
        if name == "m.zip":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(known, tmp_path, interrupt)
    assert not (tmp_path / "zipped").exists()
    source.log.clear()
    assert get(known, tmp_path).label == "Zipped, 2 of 2"
    assert not source.sent("p.zip")
    assert files(tmp_path) == {"zipped/a.png": png(1), "zipped/b.png": png(2)}


@pytest.mark.parametrize("last_step", ["copyfileobj", "rmtree"])
def test_interrupted_while_extracting_or_cleaning_up(source, tmp_path, monkeypatch, last_step):
    known = of_archives(2, source.remote("p.zip", archive({"a.png": png(1), "b.png": png(2)})))

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, last_step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            get(known, tmp_path)
    source.log.clear()
    get(known, tmp_path)
    assert not source.log
    assert files(tmp_path) == {"zipped/a.png": png(1), "zipped/b.png": png(2)}
    assert [path.name for path in tmp_path.iterdir()] == ["zipped"]


def test_a_folder_of_the_user_is_not_touched(source, tmp_path):
    known = of_archives(2, source.remote("a.zip", archive({"a.png": png(1), "b.png": png(2)})))
    (tmp_path / "zipped").mkdir()
    (tmp_path / "zipped" / "own.png").write_bytes(png(9))
    with pytest.raises(WriteError, match="exists and is not complete"):
        get(known, tmp_path)
    assert not source.log
    assert files(tmp_path) == {"zipped/own.png": png(9)}
    (tmp_path / "zipped" / "own.png").unlink()
    get(known, tmp_path)
    assert set(files(tmp_path)) == {"zipped/a.png", "zipped/b.png"}


# ---------------------------------------------------------------------------------------------------------- finding


def known_images(*names: str) -> dict[str, Dataset]:
    return of_images(
        *(Remote(f"http://x/{name}.png", 1, hashlib.sha256(png(i)).hexdigest()) for i, name in enumerate(names))
    )


def test_labels_of_verified_images(tmp_path):
    known = known_images("a", "b", "c", "d", "e")
    folder = tmp_path / "few"
    folder.mkdir()

    def label() -> str:
        return find("few", tmp_path, manifest=known).label

    (folder / "b.png").write_bytes(png(1))
    assert label() == "A few, 1 of 5, checksums verified"
    for i, name in enumerate("abcde"):
        (folder / f"{name}.png").write_bytes(png(i))
    assert label() == "A few, 5 of 5, checksums verified"
    (folder / "extra.png").write_bytes(png(0))
    assert label() == "A few, 5 of 5, checksums verified; 1 picture not of this dataset: extra.png"
    (folder / "extra.png").unlink()
    for name in "bcde":
        (folder / f"{name}.png").write_bytes(png(100))
    differing = "; 4 pictures not the original: b.png, c.png, d.png and 1 more"
    assert label() == "A few, 1 of 5, checksums verified" + differing
    (folder / "a.png").write_bytes(png(100))
    assert label().startswith("A few, 0 of 5; 5 pictures not the original: ")


def test_labels_of_counted_images(tmp_path):
    known = of_archives(2)
    folder = tmp_path / "zipped"
    (folder / "valid").mkdir(parents=True)
    for name, label in (("a", "1 of 2"), ("b", "2 of 2"), ("c", "3 pictures instead of 2")):
        (folder / "valid" / f"{name}.png").write_bytes(png(0))
        assert find("zipped", tmp_path, manifest=known).label == f"Zipped, {label}"
        assert find(str(folder), tmp_path / "elsewhere", manifest=known).label == f"Zipped, {label}"


def test_any_folder_of_images(tmp_path, monkeypatch):
    data = tmp_path / "data"
    for place in (data / "mine", tmp_path / "theirs"):
        (place / "z").mkdir(parents=True)
        for name in ("c.png", "z/a.JPG", "b.tiff", "notes.txt", ".hidden.png", "a.png.part"):
            (place / name).write_bytes(png(0))
    for name in ("mine", str(data / "mine"), str(tmp_path / "theirs")):
        found = find(name, data)
        assert [picture.path.name for picture in found.pictures] == ["a.JPG", "b.tiff", "c.png"]
        assert {picture.dataset for picture in found.pictures} == {found.name}
        assert found.label == f"{found.name}, 3 pictures, a folder of the user's"
    monkeypatch.chdir(tmp_path / "theirs" / "z")
    assert find(".", data).label == "z, 1 picture, a folder of the user's"


def test_nothing_there(tmp_path):
    (tmp_path / "div2k").mkdir()
    for name in ("kodak", "div2k"):
        with pytest.raises(UsageError, match=f"python -m benchmarks download {name}$"):
            find(name, tmp_path)
    with pytest.raises(UsageError, match=r"no pictures mine .* download NAME \(NAME: kodak, div2k, clic\)"):
        find("mine", tmp_path)


def test_pictures_of_one_name(tmp_path):
    for name in ("a.png", "a.jpg", "b.png"):
        (tmp_path / name).write_bytes(png(0))
    with pytest.raises(UsageError, match=r"several of a$"):
        find(str(tmp_path), tmp_path)


def test_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NFCODEC_DATA", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert data_folder(tmp_path / "option") == tmp_path / "option"
    assert data_folder(None) == tmp_path / "named"
    monkeypatch.delenv("NFCODEC_DATA")
    assert data_folder(None) == tmp_path / "cache" / "nfcodec" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_folder(None) == tmp_path / ".cache" / "nfcodec" / "data"


def test_the_manifest():
    known = datasets.manifest()
    assert {name: entry.n_images for name, entry in known.items()} == {"kodak": 24, "div2k": 100, "clic": 102}
    assert [image.name for image in known["kodak"].images] == [f"kodim{n:02}.png" for n in range(1, 25)]
    assert (known["clic"].min_side, known["kodak"].min_side) == (512, None)
    for entry in known.values():
        assert bool(entry.images) != bool(entry.archives)
        remotes = entry.images + entry.archives
        assert len({remote.name for remote in remotes}) == len({remote.sha256 for remote in remotes}) == len(remotes)
        for remote in remotes:
            assert remote.url.startswith("https://")
            assert remote.size_bytes > 0
            assert len(bytes.fromhex(remote.sha256)) == 32


def test_pictures_that_the_paper_leaves_out(tmp_path):
    for name, size in {"a": (600, 512), "b": (600, 511), "c": (900, 700)}.items():
        path = tmp_path / "clic" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", size).save(path)
    found = without_small(find("clic", tmp_path))
    assert [picture.name for picture in found.pictures] == ["a", "c"]
    assert found.label.endswith("less b.png with a side under 512")
    shutil.copytree(tmp_path / "clic", tmp_path / "others")
    assert len(without_small(find("others", tmp_path)).pictures) == 3
