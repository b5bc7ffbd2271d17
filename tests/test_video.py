"""Files, read back by a decoder that does not know who wrote them."""

import hashlib
import os
import resource
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from lanterne.errors import LanterneError, WriteError
from lanterne.video import (
    FPS,
    MediaError,
    VideoWriter,
    read_picture,
    read_settings,
    read_video,
    require_writable,
    write_png,
    write_segment,
    write_spritesheet,
    write_thumbnail,
)

SETTINGS = {"lanterne": "test", "request": {"prompt": "a lake — “dawn”"}}


def _clip(frames=20, height=144, width=256):
    """A gradient that moves, so that an encoder has something to do."""
    t, y, x = np.mgrid[0:frames, 0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + 6 * t) % 256], axis=-1).astype(np.uint8)


def _write(path, frames, size=(256, 144)):
    with VideoWriter(path, *size, SETTINGS) as writer:
        for start in range(0, len(frames), 7):
            writer.write(frames[start : start + 7])
    return path


@pytest.mark.parametrize("count", [1, 4, 33, 81])
@pytest.mark.parametrize("size", [(256, 144), (640, 360), (144, 256), (90, 90)])
def test_every_player_gets_what_was_asked_for(tmp_path, count, size):
    path = _write(tmp_path / "v.mp4", _clip(count), size)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, stream.average_rate) == ("h264", "yuv420p", FPS)
        assert (stream.width, stream.height, stream.frames) == (*size, count)
        assert sum(1 for _ in container.decode(stream)) == count
        assert float(stream.duration * stream.time_base) == pytest.approx(count / FPS, abs=2e-3)  # the container counts in 1024ths
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_colours_survive(tmp_path):
    frames = np.zeros((3, 144, 256, 3), np.uint8)
    frames[:, :, :128], frames[:, :, 128:] = (200, 60, 40), (30, 90, 180)
    seen = next(read_video(_write(tmp_path / "v.mp4", frames), 256, 144)).astype(int)
    assert np.abs(seen[72, 40] - (200, 60, 40)).max() <= 6
    assert np.abs(seen[72, 200] - (30, 90, 180)).max() <= 6


def test_the_same_frames_give_the_same_bytes(tmp_path):
    hashes = {hashlib.sha256(_write(tmp_path / name, _clip()).read_bytes()).hexdigest() for name in ("a.mp4", "b.mp4")}
    assert len(hashes) == 1


def test_settings_are_inside(tmp_path):
    assert read_settings(_write(tmp_path / "v.mp4", _clip(2))) == SETTINGS
    write_png(tmp_path / "p.png", _clip(1)[0], 256, 144, SETTINGS)
    assert read_settings(tmp_path / "p.png") == SETTINGS


def test_files_of_others_have_no_settings(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    (tmp_path / "v.mp4").write_text("hello")
    for name in ("p.png", "v.mp4"):
        with pytest.raises(MediaError, match="holds no settings"):
            read_settings(tmp_path / name)


def test_a_failure_inside_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "v.mp4", 256, 144, {}) as writer:
        writer.write(_clip(3))
        raise RuntimeError
    assert list(tmp_path.glob("*v*")) == []


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = _write(tmp_path / "v.mp4", _clip(2))
    before = path.read_bytes()
    with pytest.raises(RuntimeError), VideoWriter(path, 256, 144, {}) as writer:
        writer.write(_clip(3))
        raise RuntimeError
    assert path.read_bytes() == before


def test_a_file_gets_its_name_once_it_is_sealed_and_what_cannot_be_sealed_does_not_stay(tmp_path):
    for path, write in (
        (tmp_path / "v.mp4", _write_video), (tmp_path / "p.png", lambda path, seal: write_png(path, _clip(1)[0], 256, 144, {}, seal)),
    ):
        sealed = []

        def seal(file, path=path, sealed=sealed):
            assert not path.exists() and file.stat().st_size > 100
            sealed.append(file.read_bytes())

        def fail(file):
            raise RuntimeError

        with pytest.raises(RuntimeError):
            write(path, fail)
        assert list(tmp_path.glob("*.part*")) == list(tmp_path.glob(".*")) == [] and not path.exists()
        write(path, seal)
        assert path.read_bytes() == sealed[0]


def _write_video(path, seal):
    with VideoWriter(path, 256, 144, {}, seal=seal) as writer:
        writer.write(_clip(3))


def test_reading_keeps_the_rate(tmp_path):
    path = tmp_path / "v.mp4"
    with VideoWriter(path, 256, 144, {}, fps=24) as writer:
        writer.write(_clip(48))
    assert len(list(read_video(path, 256, 144))) == 32
    with VideoWriter(path, 256, 144, {}, fps=8) as writer:
        writer.write(_clip(8))
    assert len(list(read_video(path, 192, 192))) == 16


def test_what_is_no_video_is_refused(tmp_path):
    whole = _write(tmp_path / "v.mp4", _clip(40)).read_bytes()
    for name, content, message in (
        ("text.mp4", b"this is a text", "cannot be read as a video"),
        ("empty.mp4", b"", "cannot be read as a video"),
        ("half.mp4", whole[: len(whole) // 2], "cut short"),
        ("head.mp4", whole[:100], "no video in it"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=message) as error:
            list(read_video(tmp_path / name, 256, 144))
        assert "\n" not in str(error.value)
    with pytest.raises(MediaError, match="no file"):
        list(read_video(tmp_path / "none.mp4", 256, 144))


def test_pictures_fill_the_frame_and_others_are_refused(tmp_path):
    Image.fromarray(_clip(1, 300, 300)[0]).convert("RGBA").save(tmp_path / "p.png")
    assert read_picture(tmp_path / "p.png", 256, 144).shape == (144, 256, 3)
    (tmp_path / "p.txt").write_text("no picture")
    with pytest.raises(MediaError, match="cannot be read as a picture"):
        read_picture(tmp_path / "p.txt", 256, 144)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="is a file, not a folder"):
        _write(tmp_path / "file" / "v.mp4", _clip(1))


def test_a_name_that_is_too_long_is_refused_before_and_when_it_is_written(tmp_path):
    for suffix, write in ((".mp4", lambda path: _write(path, _clip(1))), (".png", lambda path: write_png(path, _clip(1)[0], 256, 144, {}))):
        for attempt in (require_writable, write):
            with pytest.raises(WriteError, match="name is too long"):
                attempt(tmp_path / ("n" * 300 + suffix))


def test_finding_out_whether_a_file_can_be_written_leaves_its_folder_and_what_is_in_it(tmp_path):
    require_writable(tmp_path / "new" / "v.mp4")
    assert list((tmp_path / "new").iterdir()) == []
    with VideoWriter(tmp_path / "v.mp4", 256, 144, {}) as writer:
        writer.write(_clip(40))
        require_writable(tmp_path / "v.mp4")  # another's, just now
    assert (tmp_path / "v.mp4").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(WriteError, match="does not let you write"):
        _write(tmp_path / "locked" / "v.mp4", _clip(1))


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_nothing(tmp_path):
    """In a process of its own: a limit on file size stands in for the disk."""
    code = f"""
import resource, signal, numpy as np
from lanterne.video import VideoWriter
from lanterne.errors import LanterneError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, {resource.RLIM_INFINITY}))
noise = np.random.default_rng(0).integers(0, 255, (40, 144, 256, 3), dtype=np.uint8)
try:
    with VideoWriter({str(tmp_path / "v.mp4")!r}, 256, 144, {{}}) as writer:
        writer.write(noise)
except LanterneError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.count("\n") == 1 and "could not be written" in told
    assert list(tmp_path.glob("*v*")) == []


def test_errors_of_files_are_the_users():
    assert issubclass(MediaError, LanterneError) and issubclass(WriteError, LanterneError)


def test_small_pictures_have_the_videos_aspect(tmp_path):
    pictures = [np.full((144, 256, 3), 20 * number, np.uint8) for number in range(12)]
    write_thumbnail(tmp_path / "t.webp", pictures[3], 1280, 720)
    write_spritesheet(tmp_path / "s.jpg", pictures, 720, 1280)
    with Image.open(tmp_path / "t.webp") as thumbnail, Image.open(tmp_path / "s.jpg") as sheet:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (512, 288))
        assert (sheet.format, sheet.size) == ("JPEG", (10 * 90, 2 * 160))
        assert abs(sheet.getpixel((45 + 90, 160 + 80))[0] - 11 * 20) < 4 and sheet.getpixel((45 + 180, 160 + 80))[0] < 4


def test_segments_stand_alone_and_go_on_from_each_other(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (32, 144, 256, 3), dtype=np.uint8)
    times = []
    for first in (0, 16):
        write_segment(tmp_path / "s.ts", frames[first:][:16], first)
        with av.open(str(tmp_path / "s.ts")) as container:
            times += [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert len(times) == 32 and np.allclose(np.diff(times), 1 / 16, atol=1e-4)
