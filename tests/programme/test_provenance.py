"""`lanterne verify` as a user runs it: words, JSON, exit codes."""

import json
import sys
from types import SimpleNamespace

import pytest
from signed_files import SETTINGS, clip, signed, unsigned

from lanterne import cli
from lanterne.programme import watermark
from lanterne.programme.identity import identity
from lanterne.video import VideoWriter


def test_the_watermark_is_told_with_the_odds(verify, tmp_path):
    secret = identity().watermark_secret
    with VideoWriter(tmp_path / "w.mp4", 256, 144, SETTINGS) as writer:
        writer.write(watermark.embed(clip(8), watermark.pattern(secret, 0x123456789A, 256, 144)))
    found = verify("w.mp4")
    assert found.returncode == 5 and "Watermark: found, number 123456789a" in found.stdout and "by chance in one of" in found.stdout
    signed(tmp_path / "v.mp4")
    assert "Watermark: none of this installation's found" in verify("v.mp4").stdout


@pytest.fixture
def verify(tmp_path, monkeypatch, capfd):
    """`lanterne verify`, run in this process and in the folder of the files."""

    def run(*arguments):
        with monkeypatch.context() as changed:
            changed.chdir(tmp_path)
            changed.setattr(sys, "argv", ["lanterne", "verify", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capfd.readouterr()
        return SimpleNamespace(returncode=ended.value.code or 0, stdout=said.out, stderr=said.err)

    return run


def test_who_made_it_with_what_and_when(verify, tmp_path):
    video = signed(tmp_path / "v.mp4")
    signed(tmp_path / "e.mp4", "edited", parent=video)
    done = verify("e.mp4")
    assert done.returncode == 0, done.stderr
    for words in ("not changed", "By a machine-learning model", "Lanterne ", "lanterne, weights abababab", "not allowed", "a lake at dawn",
                  "Parent: created", "it is not the C2PA trust list's", "Signed by: Lanterne, installation "):
        assert words in done.stdout, done.stdout
    told = json.loads(verify("e.mp4", "--json").stdout)
    assert told["state"] == "trusted" and [made["kind"] for made in told["lineage"]] == ["edited", "created"]


def test_each_state_has_its_exit_code(verify, tmp_path, monkeypatch):
    video = signed(tmp_path / "v.mp4")
    (tmp_path / "root.pem").write_text(identity().root)
    data = bytearray(video.read_bytes())
    data[-200] ^= 1
    (tmp_path / "bad.mp4").write_bytes(data)
    unsigned(tmp_path / "u.mp4")
    signed(tmp_path / "p.png")
    assert [verify(name).returncode for name in ("v.mp4", "bad.mp4", "u.mp4", "p.png")] == [0, 4, 5, 0]
    assert "CHANGED" in verify("bad.mp4").stdout
    monkeypatch.setenv("LANTERNE_HOME", str(tmp_path / "elsewhere"))
    assert verify("v.mp4").returncode == 3 and verify("v.mp4", "--trust", "root.pem").returncode == 0
    assert not (tmp_path / "elsewhere" / "provenance").exists()


def test_bad_input_is_one_sentence_and_exit_code_2(verify, tmp_path):
    video = signed(tmp_path / "v.mp4")
    data, still = video.read_bytes(), signed(tmp_path / "p.png").read_bytes()
    (tmp_path / "text.mp4").write_text("This is a text.")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "half.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "head.mp4").write_bytes(data[:40])
    (tmp_path / "half.png").write_bytes(still[: len(still) // 2])
    (tmp_path / "sound.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0")
    for arguments, message in (
        (["text.mp4"], "neither"), (["empty.mp4"], "neither"), (["half.mp4"], "cut short"), (["head.mp4"], "cut short"),
        (["half.png"], "cut short"), (["sound.wav"], "neither"), (["none.mp4"], "no file"), (["."], "no file"),
        (["v.mp4", "--trust", "text.mp4"], "no certificate"),
    ):
        done = verify(*arguments)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert done.stderr.count("\n") == 1 and message in done.stderr and done.stderr.startswith("Error: "), done.stderr
