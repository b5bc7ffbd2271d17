"""A scene becomes frames and their ground truth: depth, optical flow, semantic classes. Same scene, same bytes."""
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np

from lanterne.world import kernels
from lanterne.world.camera import camera_at, highest_ground
from lanterne.world.kernels import Ground, View
from lanterne.world.light import clouds_of, make_light
from lanterne.world.noise import fractal
from lanterne.world.scene import AIRLESS
from lanterne.world.surface import bake
from lanterne.world.things import stage
from lanterne.world.things.draw import draw
from lanterne.world.things.shapes import BIRDS
from lanterne.world.things.strokes import draw_strokes, strokes_at
from lanterne.world.waves import WaveField

# Where in the pixel (x, y) and when in the open shutter each of a frame's passes is taken: anti-aliasing and motion blur at once.
_PASSES = ((0.5, 0.17, 0.17), (0.17, 0.5, 0.83), (0.83, 0.83, 0.5))
SHUTTER = 0.5  # of a frame's time, the 180 degrees of film
_LINEAR = np.linspace(0.0, 1.0, 8192)
_SRGB = np.round(255 * np.where(_LINEAR <= 0.0031308, 12.92 * _LINEAR, 1.055 * _LINEAR ** (1 / 2.4) - 0.055)).astype(np.uint8)


@dataclass(frozen=True)
class Render:
    """frames_THWC uint8 sRGB; depth_THW float32 metres along the view axis (inf: sky); flow_THW2 float32, pixels from each frame
    to the next by the camera's motion; classes_THW uint8 (surface.CLASSES)."""

    frames_THWC: np.ndarray
    depth_THW: np.ndarray
    flow_THW2: np.ndarray
    classes_THW: np.ndarray


def _detail_texture(size=256):
    """(size, size, 3) float32: a texture's height in about [-1, 1] and its two slopes per texel, scaled to about unit size."""
    h = fractal(size, 8, 6, 0.62, 0, 0.0, 9001) * 2.2
    gx, gy = (np.roll(h, -1, 1) - np.roll(h, 1, 1)), (np.roll(h, -1, 0) - np.roll(h, 1, 0))
    scale = 1.0 / gx.std()
    return np.ascontiguousarray(np.stack([h, -0.45 * scale * gx, -0.45 * scale * gy], -1).astype(np.float32))


_detail = None  # the same for every scene; made at first use


def _flow(depth, cam, after):
    """(H, W, 2) float32 pixels: where the camera's motion carries each pixel of `depth` (H, W). Sky moves with rotation only."""
    rows, columns = depth.shape
    focal = 1.225 * np.sqrt(rows * columns)
    u = (np.arange(columns)[None, :] + 0.5 - 0.5 * columns) / focal
    v = (0.5 * rows - np.arange(rows)[:, None] - 0.5) / focal + cam.tilt
    t = np.where(np.isfinite(depth), depth, 1e7)
    wx = cam.x + t * (np.cos(cam.yaw) + u * np.sin(cam.yaw)) - after.x
    wy = cam.y + t * (np.sin(cam.yaw) - u * np.cos(cam.yaw)) - after.y
    wz = cam.z + t * v - after.z
    forward = np.maximum(wx * np.cos(after.yaw) + wy * np.sin(after.yaw), 1e-3)
    right = wx * np.sin(after.yaw) - wy * np.cos(after.yaw)
    return np.stack([(right / forward - u) * focal, -(wz / forward - after.tilt - v + cam.tilt) * focal], -1).astype(np.float32)


def _draw_subject(place, brushes, subject, scene, picture, before, depth, classes, camera, jitter, seconds, light):
    """A scene's subject into the pass that was just added to picture; before: the picture without that pass."""
    height, width = picture.shape[:2]
    weight = 1.0 / len(_PASSES)
    if subject.kind != BIRDS:
        thing = stage.thing_at(subject, scene, camera, light, seconds)
        brushes[0](picture, before, depth, classes, camera, *jitter, thing, light, subject.swell, weight)
    strokes = strokes_at(subject, scene, camera, seconds, width, height, jitter, light)
    if strokes is not None:
        brushes[1](picture, before, depth, classes, place.to_device(strokes), weight)


def _view(camera, width, height):
    """What a frame sees of the sky, in itself and mirrored in water, with room for the camera's way during the shutter."""
    focal = 1.225 * np.sqrt(width * height)
    half, tall = 0.5 * width / focal, 0.5 * height / focal
    return View(yaw=float(camera.yaw), half=float(np.arctan(half) + 0.02), top=float(max(tall + abs(camera.tilt) + 0.02, 0.05)))


def _seen(surface, camera, width, height):
    """(M, 4) float32: column, row, radius in pixels and brightness of the lamps in the picture that nothing hides."""
    focal = 1.225 * np.sqrt(width * height)
    away = surface.lamps - np.float32((camera.x, camera.y, camera.z))
    forward = away[:, 0] * np.cos(camera.yaw) + away[:, 1] * np.sin(camera.yaw)
    right = away[:, 0] * np.sin(camera.yaw) - away[:, 1] * np.cos(camera.yaw)
    near = forward > 1.0
    away, forward, right = away[near], forward[near], right[near]
    part = np.linspace(0.02, 0.97, 96)[:, None]
    x, y, z = (start + part * along[None, :] for start, along in zip((camera.x, camera.y, camera.z), away.T, strict=True))
    n = surface.height.shape[0]
    clear = (surface.height[(y // surface.cell).astype(int) % n, (x // surface.cell).astype(int) % n] < z).all(0)
    column, row = 0.5 * width + focal * right / forward, 0.5 * height - focal * (away[:, 2] / forward - camera.tilt)
    radius = np.maximum(0.30 * focal / forward, 0.6 * height / 144.0)
    seen = np.stack([column, row, radius, np.minimum(60.0 / forward, 1.0)], -1)[clear]
    inside = (seen[:, 0] > -0.2 * width) & (seen[:, 0] < 1.2 * width) & (seen[:, 1] > -0.2 * height) & (seen[:, 1] < 1.2 * height)
    return np.ascontiguousarray(seen[inside].astype(np.float32))


def _render_airless(scene, width, height, num_frames, fps, device, step):
    """As render, for the families without ground, weather and hour: each has a kernel of its own for its whole picture."""
    place = kernels if device == "cpu" else import_module("lanterne.world.cuda")
    family = import_module(f"lanterne.world.families.{scene.family}")
    render_pass = family.render_pass if device == "cpu" else getattr(place, f"render_{scene.family}")
    pose, at = family.build(scene, np.random.Generator(np.random.Philox(key=scene.seed)))
    noon = replace(scene, family="ocean", time_of_day="noon", weather="clear", features=(), solids=(), relation=None)
    film = make_light(noon, np.random.Generator(np.random.Philox(key=0)), pose, 1.0)(0.0)._replace(exposure=1.0)
    frames = place.to_device(np.empty((num_frames, height, width, 3), np.uint8))
    depth = place.to_device(np.empty((num_frames, height, width), np.float32))
    classes = place.to_device(np.empty((num_frames, height, width), np.uint8))
    srgb = place.to_device(_SRGB)
    for n in range(num_frames):
        picture = place.to_device(np.zeros((height, width, 3), np.float32))
        for k, (jx, jy, moment) in enumerate(_PASSES):
            now = (n * step + SHUTTER * moment) / fps
            shown, array = at(now)
            render_pass(picture, depth[n], classes[n], camera_at(scene, pose, 0.0, now), jx, jy, shown, place.to_device(array), now,
                        1.0 / len(_PASSES), k == 0)
        place.develop(picture, frames[n], film, n * step / fps, 0.0, min(width, height) / 144.0, srgb)
    return _with_flow(scene, pose, 0.0, fps / step, *map(place.to_host, (frames, depth, classes)))


def _with_flow(scene, pose, base, fps, frames, depth, classes):
    poses = [camera_at(scene, pose, base, n / fps) for n in range(len(frames) + 1)]
    flow = np.stack([_flow(depth[n], poses[n], poses[n + 1]) for n in range(len(frames))])
    return Render(frames, depth, flow, classes)


def render(scene, width, height, num_frames, fps=16, device="cpu", step=1):
    """Render a Scene. width, height in pixels; device: "cpu" or "cuda"; returns a Render of num_frames frames.

    step: of a video at `fps`, every step-th frame alone, as it is there.
    """
    global _detail
    if scene.family in AIRLESS:
        return _render_airless(scene, width, height, num_frames, fps, device, step)
    place = kernels if device == "cpu" else import_module("lanterne.world.cuda")
    brushes = (draw, draw_strokes) if device == "cpu" else (place.draw, place.draw_strokes)
    if _detail is None:
        _detail = _detail_texture()
    rng = np.random.Generator(np.random.Philox(key=scene.seed))
    family = import_module(f"lanterne.world.families.{scene.family}")
    surface, subject = stage.prepare(scene, family.build(scene, rng))
    pose = surface.pose
    light_at = make_light(scene, rng, pose, surface.scale)
    light, later = light_at(0.0), light_at(1e3)
    heights, maps = bake(surface, light, later)
    clouds, shadows = clouds_of(scene, light, int(rng.integers(1 << 30)))
    stormy = scene.weather == "storm"
    tile = 260.0 if surface.wave_height > 0.8 else 140.0
    field = WaveField(rng, tile, 18.0 if surface.wave_height > 0.8 else 9.0) if surface.wave_height > 0 else None
    still_water = np.zeros((2, 2, 4), np.float32)
    ground = Ground(
        cell=float(surface.cell), top=float(max(surface.height.max(), surface.water_level + 3 * surface.wave_height)),
        water_level=float(surface.water_level), water_colour=surface.water_colour, shallow_colour=surface.shallow_colour,
        wave_height=float(surface.wave_height), wave_tile=tile, whitecaps=float(surface.whitecaps), surf=float(surface.surf),
        detail=float(surface.detail), streak=float(surface.streak), blocks=bool(surface.blocks), street=bool(surface.street),
        glowing=surface.heat is not None, plume=surface.plume, far=float(4.0 * surface.scale))
    base = highest_ground(scene, pose, surface.height, surface.cell, surface.water_level)
    flashes = np.add(rng.uniform(0.1, 1.0), (0.0, 0.17)) if stormy else ()  # two strokes of lightning, every two seconds

    frames = place.to_device(np.empty((num_frames, height, width, 3), np.uint8))
    depth = place.to_device(np.empty((num_frames, height, width), np.float32))
    classes = place.to_device(np.empty((num_frames, height, width), np.uint8))
    heights, maps, kinds, detail, clouds, shadows, srgb = map(
        place.to_device, (heights, maps, surface.classes, _detail, clouds, shadows, _SRGB))
    notepad = place.to_device(np.empty((height, width), np.float32)), place.to_device(np.empty((height, width), np.uint8))
    for n in range(num_frames):
        picture = place.to_device(np.zeros((height, width, 3), np.float32))
        seconds = n * step / fps
        light = light_at(seconds)
        waves = place.to_device(field.at(seconds, surface.whitecaps).astype(np.float32) if field else still_water)
        middle = camera_at(scene, pose, base, seconds + 0.5 * SHUTTER / fps)
        view = _view(middle, width, height)
        sky = place.to_device(np.empty((max(height // 2, 2), max(width // 2, 2), 4), np.float32))
        place.render_sky(sky, view, middle, clouds, light, seconds)
        for k, (jx, jy, moment) in enumerate(_PASSES):
            now = seconds + SHUTTER * moment / fps
            camera = camera_at(scene, pose, base, now)
            # A subject is hidden by what stands before it in its own pass, so that it needs the depth of every pass.
            truth = (depth[n], classes[n]) if k == 0 else notepad
            before = place.copy(picture) if subject else None
            place.render_pass(picture, *truth, camera, jx, jy, heights, maps, kinds, detail, shadows, sky, view, waves, ground,
                              light, now, 1.0 / len(_PASSES), k == 0 or subject is not None)
            if subject:
                _draw_subject(place, brushes, subject, scene, picture, before, *truth, camera, (jx, jy), now, light)
        if surface.lamps is not None:
            place.render_lamps(picture, _seen(surface, middle, width, height), light)
        flash = sum(0.9 * max(0.0, 1.0 - abs((seconds % 2.0) - at) / 0.12) for at in flashes)
        place.develop(picture, frames[n], light, seconds, flash, min(width, height) / 144.0, srgb)
    return _with_flow(scene, pose, base, fps / step, *map(place.to_host, (frames, depth, classes)))
