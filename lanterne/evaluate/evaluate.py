"""`lanterne evaluate`: every figure of the model card, each beside what is possible and what is chance.

Finished clips and figures are kept under `<runs>/evaluate/`, so an interrupted evaluation goes on where it stopped.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lanterne.evaluate import metrics
from lanterne.evaluate.judge import AXES, FOUR_SECONDS, NUM_FRAMES, Judge
from lanterne.evaluate.sample import sample
from lanterne.generate import SAMPLING, Engine, generate
from lanterne.request import GUIDANCE, STEPS, Request
from lanterne.train.data import LANDSCAPE, read_shards
from lanterne.train.judge import reconstruct
from lanterne.video import FPS
from lanterne.world.prompts import reader, solids_asked, understand
from lanterne.world.scene import (
    AIRLESS,
    FEATURES,
    HELD_OUT_PAIRS,
    SEASONAL,
    Scene,
    beginning,
    draw_scene,
    events_of,
    is_held_out,
    is_sensible,
    to_dict,
)

PROMPTS = Path(__file__).parent.parent / "world" / "held_out_prompts.txt"
CHOSEN = Path(__file__).parent / "chosen_prompts.txt"
_RANDOM = 40  # held-out prompts drawn blindly, each with the next seed from 0 on
_UNSEEN = 20_000_000  # seeds of scenes that no training has seen
_BATCH = 8
_PARTS = ("paraphrases", "pairs", "roundabout")  # of the held-out prompts, beside the plain ones
_SEEDS = 4  # videos of one prompt, for diversity
_ROLLOUTS = (
    "ocean waves at sunset, a few clouds, static camera",
    "a forest in autumn in the morning, clear sky, slow push in",
    "mountains at noon, cloudy, slow pan right",
    "sand dunes at dawn, clear sky, slow pull back",
)


def read_prompts(limit: int | None = None, path: Path = PROMPTS) -> list[dict]:
    """The held-out prompts, or those of another file like theirs: {"family", "time_of_day", "weather", "camera", "subject", "event",
    "prompt"}, None where it does not say.

    "part" is "paraphrases" for those written in words that no caption uses, "roundabout" for those that avoid the plain word for what they
    mean, "pairs" for those that count among unseen combinations alone, "plain" for others. A limit takes them evenly from the whole list.
    """
    rows, part = [], "plain"
    for line in path.read_text().splitlines():
        part = next((name for name in _PARTS if line.startswith(f"# {name.capitalize()}:")), part)
        if line and not line.startswith("#"):
            *axes, prompt = line.split("|")
            row = {axis: None if value == "-" else value for axis, value in zip(AXES, axes, strict=True)}
            rows.append(row | {"prompt": prompt, "part": part})
    return rows if limit is None else rows[:: max(1, len(rows) // limit)][:limit]


def scene_for(row: dict, seed: int) -> Scene:
    """An unseen scene that shows what the prompt says; what it leaves open follows from the seed."""
    drawn = draw_scene(seed, "any")
    family, camera, event = row["family"], row["camera"] or drawn.camera, row["event"]
    begins = beginning(event) if event else {}
    time_of_day = row["time_of_day"] or begins.get("time_of_day") or drawn.time_of_day or "noon"
    weather = row["weather"] or begins.get("weather") or drawn.weather or "clear"
    if event and event not in events_of(family, time_of_day, weather):
        weather = "clear"
    season = drawn.season if family in SEASONAL else None
    if family in SEASONAL and (season is None or weather == "snow"):
        season = "winter" if weather == "snow" else "summer"
    said = understand(row["prompt"])
    scene = Scene(
        seed=seed,
        family=family,
        time_of_day=None if family in AIRLESS else time_of_day,
        weather=None if family in AIRLESS else weather,
        season=season,
        camera=camera,
        speed=drawn.speed if camera != "static" else "steady",
        features=said.features if family == "table" else tuple(one for one in drawn.features if one in FEATURES[family]),
        subject=row["subject"],
        event=event,
        solids=solids_asked(said, seed) if family == "table" else (),
        relation=said.relation if family == "table" else None,
    )
    return scene if row["weather"] or is_sensible(scene) else replace(scene, weather="clear")  # no campfire in the drawn rain


class Evaluation:
    """One set of weights measured. `say` gets a line for each part as it is done."""

    def __init__(self, engine: Engine, judge: Judge, runs: Path, say: Callable[[str], None], limit: int | None = None):
        self.engine, self.judge, self.runs, self.say = engine, judge, runs, say
        self.rows = read_prompts(limit)
        self.prompts = [row["prompt"] for row in self.rows]
        # All that the model's clips depend on is in the folder's name: nothing stale is ever measured.
        self.read = reader(engine.metadata, engine.guess)
        told = [self.read(prompt) for prompt in (*self.prompts, *_ROLLOUTS)]
        settings = _digest([STEPS, GUIDANCE, SAMPLING, str(engine.dtype), told])
        self.folder = runs / "evaluate" / f"{engine.weights[:12]}-{settings}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def clips(self) -> dict[str, np.ndarray]:
        """Clips (N, 17, 144, 256, 3) of every prompt: "renders", "reconstructions", "model"."""
        return self._clips(range(len(self.rows)), NUM_FRAMES, "")

    def eventful(self) -> tuple[list[int], dict[str, np.ndarray]]:
        """Which prompts tell of an event, and clips of those as `clips` gives them, of four seconds (N, 65, 144, 256, 3)."""
        chosen = [index for index, row in enumerate(self.rows) if row["event"]]
        return chosen, self._clips(chosen, FOUR_SECONDS * (NUM_FRAMES - 1) + 1, "eventful ") if chosen else {}

    def _clips(self, chosen: Sequence[int], num_frames: int, kind: str) -> dict[str, np.ndarray]:
        from lanterne.world.render import render

        scenes = [scene_for(self.rows[index], _UNSEEN + index) for index in chosen]
        told = [to_dict(scene) for scene in scenes]
        shared = self.runs / "evaluate" / f"renders-{_digest([num_frames, *told] if kind else told)}.npy"  # whatever the weights
        shape, own = (len(scenes), num_frames), kind.replace(" ", "-")
        renders = self._kept(
            shared, lambda start: (render(scene, *LANDSCAPE, num_frames).frames_THWC for scene in scenes[start:]), f"{kind}renders", shape
        )
        self.engine.autoencoder.float()
        painted = self._kept(
            self.folder / f"{own}reconstructions.npy",
            lambda start: (reconstruct(self.engine.autoencoder, clip[None])[0] for clip in renders[start:]),
            f"{kind}reconstructions", shape,
        )
        self.engine.autoencoder.to(self.engine.dtype)
        prompts = [self.prompts[index] for index in chosen]
        made = self._kept(
            self.folder / f"{own}model.npy",
            lambda start: sample(self.engine, prompts[start:], list(chosen[start:]), num_frames, STEPS, GUIDANCE, _BATCH),
            f"{kind}generations", shape,
        )
        return {"renders": renders, "reconstructions": painted, "model": made}

    def samples(self) -> dict[str, tuple[list[str], np.ndarray]]:
        """Prompts and the middle frames (N, 144, 256, 3) of their clips: "chosen" by hand, one seed each, and "random" ones."""
        drawn = np.random.default_rng(0).permutation([row["prompt"] for row in read_prompts() if row["part"] in ("plain", "paraphrases")])
        result = {}
        for name, prompts in {"chosen": CHOSEN.read_text().splitlines(), "random": drawn[:_RANDOM].tolist()}.items():
            path = self.folder / f"{name}-{_digest(prompts)}.npy"
            if not path.exists():
                made = sample(self.engine, prompts, list(range(len(prompts))), NUM_FRAMES, STEPS, GUIDANCE, _BATCH)
                np.save(path, np.stack([clip[NUM_FRAMES // 2] for clip in made]))
                self.say(f"{name} samples done")
            result[name] = prompts, np.load(path)
        return result

    def _kept(self, path: Path, make: Callable[[int], Iterator[np.ndarray]], name: str, shape: tuple[int, int]) -> np.ndarray:
        """The clips at path, as many and of as many frames as shape says; those it lacks are made by make(index of the first) and written
        as they come."""
        if not path.exists():
            count, partial, counter = shape[0], path.with_suffix(".partial"), path.with_suffix(".done")
            done = int(counter.read_text()) // _BATCH * _BATCH if counter.exists() and partial.exists() else 0
            clips = np.lib.format.open_memmap(partial, "r+" if done else "w+", np.uint8, (*shape, LANDSCAPE[1], LANDSCAPE[0], 3))
            for index, clip in enumerate(make(done), start=done):
                clips[index] = clip
                clips.flush()
                counter.write_text(str(index + 1))
                if (index + 1) % 20 == 0 or index + 1 == count:
                    self.say(f"{name}: {index + 1} of {count}")
            partial.replace(path)
            counter.unlink()
        return np.load(path, mmap_mode="r")

    def verdicts(self, clips: dict[str, np.ndarray]) -> dict[str, dict[str, list[str | None]]]:
        """What the judge sees in each clip, by row and axis; events in four seconds where the prompt tells of one, and None elsewhere."""
        verdicts = {name: self.judge.verdicts(value) | {"event": [None] * len(value)} for name, value in clips.items()}
        chosen, eventful = self.eventful()
        for name, value in eventful.items():
            for index, seen in zip(chosen, self.judge.verdicts(value[:, ::FOUR_SECONDS])["event"], strict=True):
                verdicts[name]["event"][index] = seen
        return verdicts

    def cameras(self, verdicts: dict[str, dict[str, list[str]]], clips: dict[str, np.ndarray]) -> dict[str, dict]:
        """For each camera move that a prompt states, other than in a roundabout way: how many do, the share that the judge sees in them, by
        row, and, over the renders' motion, the model's and what the autoencoder leaves of it, in pixels and in means of 4 x 4 ("broad")."""
        measures = {"": metrics.motion, "broad_": metrics.broad_motion}
        stated = [(index, row["camera"]) for index, row in enumerate(self.rows) if row["camera"] and row["part"] != "roundabout"]
        moved = {
            (name, scale): {index: measure(value[index]) for index, _ in stated}
            for name, value in clips.items()
            for scale, measure in measures.items()
        }
        result = {}
        for camera in AXES["camera"]:
            places = [index for index, value in stated if value == camera]
            if places:
                shares = {name: float(np.mean([seen["camera"][i] == camera for i in places])) for name, seen in verdicts.items()}
                result[camera] = {"count": len(places)} | shares
                for scale in measures:
                    renders, painted, model = (
                        np.mean([moved[name, scale][i] for i in places]) for name in ("renders", "reconstructions", "model")
                    )
                    result[camera][f"{scale}motion"] = float(model / max(renders, 1e-6))
                    result[camera][f"painted_{scale}motion"] = float(painted / max(renders, 1e-6))
        return result

    def attributes(self, verdicts: dict[str, dict[str, list[str]]]) -> dict:
        """Accuracy by row and axis with a 90 % bootstrap interval, over the prompts that state the axis.

        "unseen": the model on combinations of family, time and weather, or of family and subject, that training never showed.
        "paraphrases", "roundabout": the model on prompts in words that no caption uses, and on those told in a roundabout way, which the
        other rows leave out. "floor": the model's clips against the words of every other prompt, which is what a model deaf to its prompt
        would get.
        """
        unseen = {index for index, row in enumerate(self.rows) if _held_out(row)}
        of = {part: {index for index, row in enumerate(self.rows) if row["part"] == part} for part in ("plain", *_PARTS)}
        table: dict[str, dict] = {name: {} for name in (*verdicts, "unseen", "paraphrases", "roundabout", "floor")}
        for axis in AXES:
            stated = [(index, row[axis]) for index, row in enumerate(self.rows) if row[axis]]
            plain = [(index, value) for index, value in stated if index in of["plain"]]
            for name in verdicts:
                table[name][axis] = _with_interval([verdicts[name][axis][index] == value for index, value in plain])
            seen = verdicts["model"][axis]
            apart = {part: of[part] for part in ("paraphrases", "roundabout")}
            among = {"unseen": unseen - of["paraphrases"] - of["roundabout"]} | apart
            for name, chosen in among.items():
                table[name][axis] = _with_interval([seen[index] == value for index, value in stated if index in chosen])
            others = [[other for place, other in enumerate(seen) if place != index and other is not None] for index, _ in plain]
            table["floor"][axis] = _with_interval(
                [other.count(value) / len(other) for other, (_, value) in zip(others, plain, strict=True) if other]
            )
        return table

    def dynamics(self, clips: dict[str, np.ndarray]) -> dict:
        """Means over clips of motion, flicker and sharpness, by row."""
        measures = {"motion": metrics.motion, "flicker": metrics.flicker, "sharpness": metrics.sharpness}
        return {
            name: {key: float(np.mean([measure(clip) for clip in value])) for key, measure in measures.items()}
            for name, value in clips.items()
        }

    def autoencoder(self, clips: dict[str, np.ndarray]) -> dict:
        pairs = list(zip(clips["reconstructions"], clips["renders"], strict=True))
        return {
            "psnr": float(np.mean([metrics.psnr(painted, truth) for painted, truth in pairs])),
            "sharpness_ratio": float(np.mean([metrics.sharpness(p) / max(metrics.sharpness(t), 1e-6) for p, t in pairs])),
        }

    def rollout(self, seconds: float, count: int) -> dict:
        """Means over rollouts of drift, seam ratio and motion; and each measure by 4 s window."""
        videos = (
            np.concatenate(list(generate(self.engine, Request(prompt=prompt, seed=index, seconds=seconds), read=self.read)))
            for index, prompt in enumerate(_ROLLOUTS[:count])
        )
        return self._lasting(self.folder / f"rollout-{seconds:g}-{count}.json", videos, f"rollout of {seconds:g} s", count)

    def minute(self) -> tuple[list[str], list[list[np.ndarray]]]:
        """Prompts of the rollouts of a minute, and pictures of each, one every 12 s; after `rollout` has made them."""
        stem = f"rollout-60-{len(_ROLLOUTS)}"
        return list(_ROLLOUTS), [list(np.load(self.folder / f"{stem}-{index}.npy")[::3]) for index in range(len(_ROLLOUTS))]

    def rollout_of_renders(self, seconds: float, count: int) -> dict:
        """The same of renders of the same prompts: cameras that move change what is seen, and so do waves and clouds."""
        from lanterne.world.render import render

        scenes = []
        for place, prompt in enumerate(_ROLLOUTS[:count]):
            said = understand(prompt)
            row = {axis: getattr(said, axis) for axis in AXES} | {"prompt": prompt}
            scenes.append(scene_for(row, _UNSEEN + 600_000 + place))
        path = self.runs / "evaluate" / f"rollout-{_digest([seconds, *(to_dict(scene) for scene in scenes)])}.json"
        videos = (render(scene, *LANDSCAPE, round(seconds * FPS)).frames_THWC for scene in scenes)
        return self._lasting(path, videos, f"renders of {seconds:g} s", count)

    def _lasting(self, path: Path, videos: Iterator[np.ndarray], name: str, count: int) -> dict:
        if path.exists():
            return json.loads(path.read_text())
        results, windows = [], []
        for index, frames in enumerate(videos):
            results.append(
                {f"drift_{measure}": value for measure, value in metrics.drift(frames).items()}
                | {"seam": metrics.seam_ratio(frames), "motion": metrics.motion(frames), "flicker": metrics.flicker(frames)}
            )
            cuts = range(0, len(frames) - metrics.WINDOW + 1, metrics.WINDOW)
            parts = [frames[cut : cut + metrics.WINDOW] for cut in cuts]
            windows.append([[float(p.mean()), metrics.saturation(p), metrics.sharpness(p), metrics.motion(p)] for p in parts])
            np.save(path.with_name(f"{path.stem}-{index}.npy"), frames[:: 4 * FPS])
            self.say(f"{name}: {index + 1} of {count}")
        summary = {key: float(np.mean([result[key] for result in results])) for key in results[0]}
        for measure in ("mean", "saturation", "sharpness"):
            summary[f"worst_drift_{measure}"] = max(result[f"drift_{measure}"] for result in results)
        summary["windows"] = windows
        path.write_text(json.dumps(summary))
        return summary

    def diversity(self, count: int = 6) -> dict:
        """Spread of the middle frames of one prompt's videos over that of as many renders of the same description."""
        from lanterne.world.render import render

        path = self.folder / "diversity.json"
        if path.exists():
            return json.loads(path.read_text())
        model, renders = [], []
        for row in self.rows[:: max(1, len(self.rows) // count)][:count]:
            made = sample(self.engine, [row["prompt"]] * _SEEDS, [1000 + seed for seed in range(_SEEDS)], NUM_FRAMES, STEPS, GUIDANCE)
            model.append(metrics.spread(metrics.thumbnails(np.stack([clip[NUM_FRAMES // 2] for clip in made]))))
            scenes = [scene_for(row, _UNSEEN + 500_000 + seed) for seed in range(_SEEDS)]
            same = [replace(scene, camera=scenes[0].camera, time_of_day=scenes[0].time_of_day, weather=scenes[0].weather,
                            season=scenes[0].season, speed=scenes[0].speed) for scene in scenes]
            shown = np.stack([render(scene, *LANDSCAPE, 1).frames_THWC[0] for scene in same])
            renders.append(metrics.spread(metrics.thumbnails(shown)))
        self.say("diversity done")
        result = {"model": float(np.mean(model)), "renders": float(np.mean(renders))}
        path.write_text(json.dumps(result))
        return result

    def nearest_training_clip(self, clips: dict[str, np.ndarray]) -> tuple[dict, list[list[np.ndarray]]] | None:
        """Distance at a glance of generations, and of unseen renders, to the nearest training picture, flipped ones included.

        A model that copied would be much nearer to its training clips than unseen renders are. Also the four nearest pairs:
        [what was made, the training picture]. None without the data.
        """
        frames, glances, middle = [], [], NUM_FRAMES // 2
        for shard in read_shards(self.runs / "data"):
            if shard.frames_NFHWC.shape[2:4] != LANDSCAPE[::-1]:
                continue
            for place in range(0, shard.frames_NFHWC.shape[1], middle):
                pictures = np.asarray(shard.frames_NFHWC[:, place])
                for flip in (1, -1):
                    glances.append(metrics.thumbnails(pictures[:, :, ::flip]))
                    frames += [(shard, index, place, flip) for index in range(len(pictures))]
        if not frames:
            return None
        among, result = np.concatenate(glances), {"pictures": len(frames)}
        for name in ("renders", "model"):
            distances, places = metrics.nearest(metrics.thumbnails(np.asarray(clips[name][:, middle])), among)
            result[name] = float(np.median(distances))
        pairs = []
        for made in distances.argsort()[:4]:
            shard, index, place, flip = frames[places[made]]
            pairs.append([np.asarray(clips["model"][made, middle]), np.asarray(shard.frames_NFHWC[index, place])[:, ::flip]])
        return result, pairs

    def all(self, quick: bool) -> tuple[dict, list[list[np.ndarray]]]:
        """Every figure, and the pairs of `nearest_training_clip`. quick: without the rollouts of a minute."""
        clips = self.clips()
        nearest, pairs = self.nearest_training_clip(clips) or (None, [])
        verdicts = self.verdicts(clips)
        report = {
            "weights": self.engine.weights, "judge": self.judge.name, "prompts": len(self.rows),
            "attributes": self.attributes(verdicts), "cameras": self.cameras(verdicts, clips),
            "dynamics": self.dynamics(clips), "autoencoder": self.autoencoder(clips), "diversity": self.diversity(),
            "nearest": nearest, "renders_8": self.rollout_of_renders(8, 4), "rollout_8": self.rollout(8, 4),
        }
        if not quick:
            report["rollout_60"] = self.rollout(60, len(_ROLLOUTS))
        (self.folder / "report.json").write_text(json.dumps(report, indent=1))
        return report, pairs


def _with_interval(scores: list) -> dict | None:
    """Mean of scores from 0 to 1, the 90 % interval of its bootstrap, and how many there are; None without any."""
    if not scores:
        return None
    values = np.array(scores, float)
    means = np.random.default_rng(0).choice(values, (1000, len(values))).mean(axis=1)
    low, high = np.quantile(means, (0.05, 0.95))
    return {"accuracy": float(values.mean()), "low": float(low), "high": float(high), "count": len(values)}


def _digest(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _held_out(row: dict) -> bool:
    """Whether the prompt names a combination of family, time and weather, or of family and subject, that training never showed."""
    if (row["family"], row["subject"]) in HELD_OUT_PAIRS:
        return True
    if row["family"] in AIRLESS or None in (row["family"], row["time_of_day"], row["weather"]):
        return False
    return is_held_out(scene_for(row, 0))
