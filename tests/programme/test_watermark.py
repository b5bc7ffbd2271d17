"""The watermark on what the embedded model makes is measured by bench/watermark.py; here, its properties on pictures with structure."""

import numpy as np
import pytest
from PIL import Image

from lanterne.programme import watermark
from lanterne.programme.watermark import detect, embed, find, number_of, pattern, residue
from lanterne.video import MediaError, VideoWriter, write_png

SECRET, NUMBER = b"a secret of the tests, 32 bytes!", 0x9A12F0345C


def _scene(frames, width=256, height=144, seed=0):
    """Clouds of every size that drift: (T, H, W, 3) uint8."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    planes = [np.fft.irfft2(np.fft.rfft2(random.standard_normal((height, width))) / (frequency + 0.01) ** 1.5) for _ in range(3)]
    picture = np.stack(planes, axis=-1)
    picture = 120 + 45 * (picture - picture.mean()) / picture.std()
    return np.stack([np.roll(picture, 2 * t, axis=1) for t in range(frames)]).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def marked():
    return embed(_scene(33), pattern(SECRET, NUMBER, 256, 144))


def _written(path, frames, width=256, height=144, crf="17"):
    """As VideoWriter writes it, or encoded again more coarsely."""
    with VideoWriter(path, width, height, {}) as writer:
        writer._stream.codec_context.options = {**writer._stream.codec_context.options, "crf": crf}
        writer.write(frames)
    return path


def test_it_cannot_be_seen_and_does_not_vary(marked):
    frames = _scene(33)
    errors = ((marked.astype(np.float32) - frames) ** 2).mean(axis=(1, 2, 3))
    assert (10 * np.log10(255**2 / errors) >= 40).all()
    pieces = [embed(frames[at : at + 5], pattern(SECRET, NUMBER, 256, 144)) for at in range(0, 33, 5)]
    assert (np.concatenate(pieces) == marked).all()


@pytest.mark.parametrize("crf", ["17", "23", "28"])
def test_it_survives_encoding(marked, tmp_path, crf):
    found = find(_written(tmp_path / "v.mp4", marked, crf=crf), SECRET)
    assert found.number == NUMBER and found.share == (1, 1) and found.false_positive_rate < 1e-6


def test_it_survives_scaling_up_and_down(marked, tmp_path):
    for width, height in ((128, 72), (640, 360)):
        assert find(_written(tmp_path / "v.mp4", marked, width, height, "23"), SECRET).number == NUMBER


def test_it_survives_a_crop_and_tells_how_much_is_left(marked, tmp_path):
    """10 % of each side, off the middle; then half the size as well."""
    cropped = marked[:, 4:134, 20:250]
    for width, height in ((230, 130), (114, 64)):
        found = find(_written(tmp_path / "v.mp4", cropped, width, height, "23"), SECRET)
        assert found.number == NUMBER and found.share == pytest.approx((0.9, 0.9), abs=0.03)


@pytest.mark.parametrize(("width", "height"), [(144, 256), (192, 192)])
def test_every_shape_of_the_model_has_its_own(tmp_path, width, height):
    frames = embed(_scene(17, width, height), pattern(SECRET, NUMBER, width, height))
    assert find(_written(tmp_path / "v.mp4", frames, width, height), SECRET).number == NUMBER


def test_a_size_of_another_aspect_is_a_crop_of_ours(marked, tmp_path):
    assert find(_written(tmp_path / "v.mp4", marked, 320, 200), SECRET).number == NUMBER


def test_a_still_has_it_too(marked, tmp_path):
    write_png(tmp_path / "p.png", marked[0], 256, 144, {})
    Image.fromarray(marked[0]).save(tmp_path / "p.jpg", quality=85)
    assert find(tmp_path / "p.png", SECRET).number == find(tmp_path / "p.jpg", SECRET).number == NUMBER


def test_without_the_secret_there_is_nothing(marked):
    """Nor in what is unmarked, flat or black: by a search of all crops."""
    kept = residue(marked[..., 1].astype(np.float32))
    assert detect(kept, (256, 144), SECRET).number == NUMBER
    assert detect(kept, (256, 144), b"another") is None
    for frames in (_scene(9), np.zeros((3, 144, 256, 3), np.uint8), np.full((3, 144, 256, 3), 255, np.uint8)):
        assert detect(residue(frames[..., 1].astype(np.float32)), (256, 144), SECRET) is None


def test_chance_is_as_it_is_said_to_be():
    """300 keys on an unmarked picture, at one place: the fit of the pilot and of each symbol is normal, which the rate rests on."""
    _, phases = next(watermark.placements(residue(_scene(9)[..., 1].astype(np.float32)), (256, 144)))
    fits = [(watermark._carriers.__wrapped__(b"%d" % key, 256, 144).conj() @ phases).real for key in range(300)]
    fits = np.concatenate(fits) * np.sqrt(2 / len(phases))
    assert abs(fits.mean()) < 0.02 and abs(fits.std() - 1) < 0.02
    assert abs((np.abs(fits) > 2).mean() - 0.0455) < 0.006 and abs((np.abs(fits) > 3).mean() - 0.0027) < 0.0015


def test_the_code_mends_what_noise_breaks():
    """Words at a fit of 12 standard deviations in all, 1.1 for a symbol, so that one symbol in seven is wrong."""
    random = np.random.default_rng(3)
    for _ in range(20):
        bits = list(random.integers(0, 2, watermark.BITS))
        fits = (1.0 - 2.0 * watermark._encode(bits)) * 12 / np.sqrt(120) + random.standard_normal(120)
        assert watermark._decode(fits) == bits


def test_numbers_name_a_generation_and_tell_nothing_of_it():
    assert number_of(SECRET, "one") == number_of(SECRET, "one") != number_of(SECRET, "two")
    assert number_of(SECRET, "one") != number_of(b"another", "one") and 0 <= number_of(SECRET, "one") < 1 << watermark.BITS


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("This is a text.")
    with pytest.raises(MediaError, match="cannot be read"):
        find(tmp_path / "text.mp4", SECRET)
