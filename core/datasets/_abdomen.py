"""A drawn abdomen without its liver: body wall, lungs, spine, ribs, great vessels and the other organs, in HU.

Lengths are in mm of a standard adult, 330 mm wide and 230 mm deep; z = 0 is the top of the right diaphragm and the
liver hangs 150 mm below it. Levels are those of the portal venous phase, rounded from textbook ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.datasets._ct import Point, Scene, Shape, bumps, ellipsoid, together, tube

FAT, MUSCLE, LUNG, GAS = -100.0, 58.0, -850.0, -980.0
CORTEX, MARROW, DISC, CARTILAGE = 620.0, 165.0, 85.0, 105.0
SPLEEN, KIDNEY, PANCREAS, BOWEL = 118.0, 150.0, 92.0, 62.0
AORTA, VEIN, BILE = 155.0, 140.0, 8.0


@dataclass(frozen=True, eq=False)
class Room:
    """The space that organs share: depths in mm over the whole volume, and noise to make surfaces uneven.

    cavity  inside the body wall;  abdomen  the same, below the diaphragm
    """

    cavity: np.ndarray
    abdomen: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray


def wall(scene: Scene) -> Room:
    """Paint skin, fat, muscle, lungs and heart; returns the room for the organs."""
    rng = scene.rng
    fine, coarse = bumps(scene, 9), bumps(scene, 30)
    flat_x, flat_y = scene.x[0], scene.y[0]
    angle = np.arctan2(flat_y, flat_x)  # 0 patient left, quarter turn to the back
    radius = np.hypot(flat_x, flat_y)
    edge = (np.abs(np.cos(angle) / 165) ** 2.35 + np.abs(np.sin(angle) / 115) ** 2.35) ** (-1 / 2.35)
    back = np.exp(-(((angle - np.pi / 2) / 0.16) ** 2))
    side = np.abs(np.cos(angle))
    front = np.exp(-(((angle + np.pi / 2) / 0.5) ** 2))
    edge = edge * (1 + 0.012 * np.cos(3 * angle + rng.uniform(0, 6))) - 6 * back
    fat = rng.uniform(8, 24) + 5 * side + rng.uniform(0, 6) * front
    muscle = 13 + 2 * side + 26 * np.exp(-(((angle - np.pi / 2) / 0.62) ** 2))
    midline = np.exp(-((flat_x / 3.5) ** 2)) * (flat_y < 0)
    wider = 1 - 0.02 * (scene.z / 100)  # the trunk widens towards the feet
    body = (wider * edge - radius).astype(np.float32)
    everywhere = scene.whole
    scene.paint(Shape(everywhere, body), 30.0)
    septa = -105 + 6 * fine + 35 * np.clip(fine + coarse - 2.1, 0, 1)
    scene.paint(Shape(everywhere, body - np.float32(2.2)), septa)
    under = body - fat.astype(np.float32)
    streaks = MUSCLE - 60 * np.clip(np.abs(fine) - 1.5, 0, 1) - (60 * midline)[None]
    scene.paint(Shape(everywhere, under + 0.8 * coarse), streaks)
    cavity = (under - muscle.astype(np.float32) + 1.2 * coarse).astype(np.float32)
    scene.paint(Shape(everywhere, cavity), FAT + 5 * fine + 4 * coarse)
    abdomen = _chest(scene, cavity, fine)
    return Room(cavity, abdomen, fine, coarse)


def _chest(scene: Scene, cavity: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Lungs above two domes of the diaphragm, heart between them; returns the depth below the diaphragm."""
    rng, x, y = scene.rng, scene.x[0], scene.y[0]

    def dome(at: tuple[float, float], top: float, wide: float) -> np.ndarray:
        return np.asarray(top - 62 * (((x - at[0]) / wide) ** 2 + ((y - at[1]) / wide) ** 2))

    left = rng.uniform(-18, -8)
    roof = np.maximum(np.maximum(dome((-66, -4), 0, 74), dome((72, 0), left, 70)), dome((4, -38), -10, 80))
    steep = np.sqrt(1 + sum(part**2 for part in np.gradient(roof, float(y[1, 0] - y[0, 0]))))
    below = np.minimum(cavity, ((roof - scene.z) / steep).astype(np.float32))
    beside = np.maximum(np.abs(x) - 19, 16 - y)  # no lung in front of the spine
    lung = np.minimum(np.minimum(cavity - 1, (scene.z - roof) / steep - 2.5), beside).astype(np.float32)
    vessels = np.clip(fine - 1.35, 0, 1)
    scene.paint(Shape(scene.whole, lung), LUNG + 40 * fine + 800 * vessels)
    sac = ellipsoid(scene, (18, -42, 34), (62, 46, 60), turn=0.45).within(cavity - 1)
    scene.paint(sac, FAT)
    _heart(scene, sac.smaller(6).within(-below - 3))
    scene.paint(Shape(scene.whole, below), MUSCLE)  # the diaphragm
    scene.paint(Shape(scene.whole, below - np.float32(2.5)), FAT + 5 * fine)
    return np.asarray(below, np.float32)


def _heart(scene: Scene, whole: Shape) -> None:
    """Muscle, and the blood of the two ventricles."""
    scene.paint(whole, 105.0)
    for centre, radii in (((34, -36, 30), (24, 17, 42)), ((-2, -56, 30), (32, 15, 44))):
        blood = ellipsoid(scene, centre, radii, turn=0.45)
        scene.paint(blood.within(scene.spread(whole.smaller(5))), AORTA)


def spine(scene: Scene) -> None:
    """Vertebrae with cortex, marrow, discs, canal and processes, and the muscles beside them."""
    rough, grain = bumps(scene, 7), bumps(scene, 6)
    for side in (-1, 1):
        erector = ellipsoid(scene, (side * 31, 76, -80), (27, 20, 400))
        scene.paint(erector, MUSCLE - 70 * np.clip(np.abs(rough[erector.box]) - 1.3, 0, 1))
        psoas = tube(scene, [(side * 30, 42, -95), (side * 36, 40, -150), (side * 46, 36, -230)], (4, 15, 20))
        scene.paint(psoas, MUSCLE + 2)
    pitch = 33.0  # of vertebrae
    phase = scene.rng.uniform(0, pitch)

    def level(half_mm: float, lower_mm: float = 0.0) -> np.ndarray:
        """Depth in slabs of this half height, one per vertebra; the processes hang lower than the bodies."""
        away = np.abs((scene.z + phase + lower_mm) % pitch - pitch / 2)
        return np.broadcast_to((half_mm - away).astype(np.float32), scene.levels.shape)

    column = ellipsoid(scene, (0, 33, -80), (23, 17.5, 900))
    scene.paint(column, DISC)
    waist = np.float32(1.6) * np.clip(level(11) / 11, 0, 1)
    body = Shape(column.box, column.depth - waist[column.box]).within(level(12.5))
    _bone(scene, body, 1.6, MARROW + 25 * grain[body.box])
    _bone(scene, ellipsoid(scene, (0, 59, -80), (18, 14, 900)).within(level(11)), 2.2)
    for side in (-1, 1):
        across = ellipsoid(scene, (side * 29, 60, -80), (21, 5, 900), turn=side * 0.25)
        _bone(scene, across.within(level(5.5)), 1.8)
        facet = ellipsoid(scene, (side * 15, 57, -80), (6, 8, 900), turn=side * 0.6)
        _bone(scene, facet.within(level(10, 14)), 1.8)
    _bone(scene, ellipsoid(scene, (0, 80, -80), (4, 15, 900)).within(level(12, 14)), 1.8)
    canal = ellipsoid(scene, (0, 59, -80), (11, 9, 900))
    scene.paint(canal, 5.0)
    scene.paint(canal.smaller(2.5), 32.0)


def _bone(scene: Scene, shape: Shape, cortex_mm: float, marrow: float | np.ndarray = MARROW) -> None:
    scene.paint(shape, CORTEX)
    scene.paint(shape.smaller(cortex_mm), marrow)


def ribs(scene: Scene, room: Room) -> None:
    """Oblique ribs in the body wall, falling from the spine to the front; the lowest end early."""
    x, y, z = scene.x, scene.y, scene.z
    turn = np.abs(np.arctan2(-x, y + 20))  # 0 at the back, pi at the front
    fall = 48 * turn
    height = 29.0
    phase = scene.rng.uniform(0, height)
    rung = (z + fall + phase) / height
    place = (rung - np.floor(rung) - 0.5) * height
    reach = np.clip(2.5 + (z + 10) / 95, 0.5, 2.35)  # the costal margin rises towards the midline
    out = room.cavity + 6
    depth = 1 - np.sqrt((place / 7.5) ** 2 + (out / 4.2) ** 2)
    depth = np.minimum(depth * 4.5, (turn - 0.42) * 60)
    gristle = np.minimum(depth, (reach + 0.55 - turn) * 60)
    scene.paint(Shape(scene.whole, gristle.astype(np.float32)), CARTILAGE)
    depth = np.minimum(depth, (reach - turn) * 60)
    _bone(scene, Shape(scene.whole, depth.astype(np.float32)), 1.7)


def vessels(scene: Scene) -> None:
    """Aorta and vena cava along the spine, with the vessels of the bowel in front of them."""
    wave = scene.rng.uniform(-3, 3)
    aorta = [(13.0, 14.0, 60.0), (9 + wave, 4.0, -40.0), (6.0 + wave, 3.0, -130.0), (3.0, 6.0, -240.0)]
    scene.paint(tube(scene, aorta, (12, 11, 9.5, 8.5)), AORTA)
    cava = [(-22.0, -14.0, 6.0), (-23.0, -4.0, -30.0), (-21.0, 2.0, -110.0), (-19.0, 8.0, -240.0)]
    scene.paint(tube(scene, cava, (12, 11, 10, 10), flat=1.25), VEIN)
    for side in (-1, 1):
        scene.paint(
            tube(scene, [(side * 14, 8, 0), (side * 17, 14, -60), (side * 14, 22, -110)], (4, 5, 3)), MUSCLE
        )
    scene.paint(tube(scene, [(3, -9, -92), (0, -20, -130), (-4, -28, -230)], (4, 3.6, 3)), AORTA)
    scene.paint(tube(scene, [(-6, -20, -95), (-10, -24, -140), (-14, -32, -230)], (6.5, 5.5, 4)), VEIN)


def hollow(scene: Scene, shape: Shape, wall_mm: float, gas_above: float, contents: float) -> None:
    """A bowel loop or stomach: wall, contents, and gas in front of the plane y = ``gas_above`` (supine)."""
    scene.paint(shape, BOWEL + 22)
    inner = shape.smaller(wall_mm)
    scene.paint(inner, contents)
    gas = np.minimum(inner.depth, np.float32(gas_above) - scene.y[:, shape.box[1]])
    scene.paint(Shape(shape.box, np.asarray(gas, np.float32)), GAS)


def organs(scene: Scene, room: Room, liver: np.ndarray) -> None:
    """Stomach, spleen, kidneys, pancreas and bowel, none of them inside the liver."""
    free = np.minimum(room.abdomen - 2, -liver - 1.5)
    _bowel(scene, room, free)
    rng = scene.rng
    shift = rng.uniform(-4, 4, 6)
    fundus = ellipsoid(scene, (62 + shift[0], -14, -52 + shift[1]), (44, 52, 44), turn=-0.3)
    antrum = tube(
        scene, [(66, -45, -80), (35, -58, -108), (-8, -48, -112), (-26, -34, -104)], (26, 21, 16, 11)
    )
    grown = together(scene, [fundus, antrum], 20) + np.float32(2) * room.coarse
    stomach = Shape(scene.whole, np.minimum(grown, free))
    scene.paint(stomach.smaller(-3).within(free), FAT)
    hollow(scene, stomach, 4.5, rng.uniform(-66, -38), rng.uniform(8, 45))
    body = ellipsoid(scene, (112, 38 + shift[2], -62 + shift[3]), (42, 58, 54), turn=0.35)
    hilum = ellipsoid(scene, (70, 22, -66), (38, 44, 80))
    spleen = body.within(room.abdomen - 2).within(-scene.spread(hilum)).wavy(room.coarse, 1.2)
    scene.paint(spleen.smaller(-3), FAT)
    scene.paint(spleen, SPLEEN + 3 * room.coarse[spleen.box])
    for side, low in ((-1, -128 + shift[4]), (1, -112 + shift[5])):
        _kidney(scene, room, side, low)
    duct = [(-28, -14, -112), (-12, -22, -98), (18, -20, -88), (48, -2, -78), (80, 18, -70)]
    pancreas = tube(scene, duct, (13, 11, 9, 10, 8))
    scene.paint(pancreas.wavy(room.fine, 2.2).within(-liver), PANCREAS)
    scene.paint(tube(scene, [(-4, -16, -93), (40, 4, -80), (82, 22, -68)], (6, 4.5, 4)), VEIN)


def _kidney(scene: Scene, room: Room, side: int, middle: float) -> None:
    """Cortex brighter than medulla, fat and vessels in the sinus, which opens to the front and the midline."""
    centre = (side * 62.0, 44.0, middle)
    lean = (-side * 0.12, 0.1)
    whole = ellipsoid(scene, centre, (26, 31, 56), turn=-side * 0.5, lean=lean)
    scene.paint(whole.smaller(-9).within(room.cavity), FAT)
    scene.paint(whole.wavy(room.coarse, 0.8), KIDNEY + 18)
    scene.paint(whole.smaller(7).wavy(room.fine, 2.5), KIDNEY - 12)
    inward = (side * 47.0, 37.0, middle)
    sinus = ellipsoid(scene, inward, (12, 8, 27), turn=-side * 0.5, lean=lean)
    scene.paint(sinus.wavy(room.fine, 3.5), FAT + 20)
    scene.paint(tube(scene, [(side * 54.0, 42.0, middle), (side * 26.0, 12.0, middle + 8)], (3.5, 5)), VEIN)


def _bowel(scene: Scene, room: Room, free: np.ndarray) -> None:
    """Colon as a frame with gas and stool, small bowel and mesentery inside it."""
    rng = scene.rng
    for _ in range(36):
        start = rng.uniform((-80, -78, -250), (98, -8, -118))
        bend, end = start + rng.normal(0, 20, 3), start + rng.normal(0, 30, 3)
        loop = tube(scene, (start, bend, end), rng.uniform(9, 14, 3)).within(free - 3)
        gas = float(min(start[1], end[1])) - (5 if rng.random() < 0.25 else 40)
        hollow(scene, loop, 2.6, gas, rng.uniform(15, 45))
    frame: tuple[tuple[Point, ...], ...] = (
        ((-96, 20, -250), (-100, 12, -190), (-92, -20, -160)),
        ((-92, -20, -160), (-60, -66, -172), (0, -76, -165), (60, -68, -140), (104, -20, -98)),
        ((104, -20, -98), (112, 28, -130), (112, 38, -250)),
    )
    for points, wide in zip(frame, (22, 18, 14), strict=True):
        colon = tube(scene, points, [wide] * len(points)).wavy(room.fine, 2.0).within(free - 2)
        stool = 20 + 45 * room.fine[colon.box] - 250 * np.clip(room.fine[colon.box] - 0.9, 0, 1)
        hollow(scene, colon, 2.6, points[0][1] - rng.uniform(2, 16), 20.0)
        inner = colon.smaller(3)
        dense = np.minimum(inner.depth, scene.y[:, colon.box[1]] - np.float32(points[0][1] - 10))
        scene.paint(Shape(colon.box, np.asarray(dense, np.float32)), stool)
