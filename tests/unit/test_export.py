"""Every format written, read back by somebody else's reader where there is one, and imported again."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.core.annotations import FrameLabels, PackedMap
from app.core.document import Document
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from app.io.export import EXPORTERS, CheckFailed, Done, Labelled, export, unusable
from app.io.export.masks import object_folder
from app.io.export.yolo import filled, polygons
from app.io.imports import import_labels, read_foreign
from model.types import KeypointSet, LabelMap, Origin
from model.video import open_video
from tests.videos import MemoryVideo

SIZE = 41, 60  # odd height: video formats have to pad it
FRAMES = 5


@pytest.fixture
def video() -> MemoryVideo:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 255, (FRAMES, 6, 8, 3), np.uint8)
    return MemoryVideo([cv2.resize(p, SIZE[::-1], interpolation=cv2.INTER_CUBIC) for p in small])


@pytest.fixture
def document(video: MemoryVideo) -> Document:
    """Two objects (one with a hole, one that leaves) and a skeleton of three on frames 0, 1, 3 and 4."""
    document = Document(Media(Path("/films/swan lake.mp4"), SIZE, FRAMES, 25.0))
    points = ("head", "tail", "knee")
    frames = {}
    for frame in (0, 1, 3, 4):
        ids = np.zeros(SIZE, np.uint8)
        ids[5 : 25 + frame, 10:30] = 3
        ids[12:15, 15:18] = 0
        ids[36, 50] = 3  # a part of one pixel
        if frame < 3:
            ids[20:35, 25:45] = 7
        xy = np.array([[frame + 1.25, 2.5], [np.nan, np.nan], [7.0, 8 - frame / 3]], np.float32)
        keypoints = KeypointSet(points, xy, np.array([True, False, frame != 3]), np.array([1, 0, 0.5], np.float32))
        origin = Origin.HUMAN if frame == 0 else Origin.PROPAGATED
        frames[frame] = FrameLabels(origin, PackedMap.pack(LabelMap(ids, (3, 7))), keypoints, {3: 0.9}, weights="ab12")
    objects = [ObjectInfo(3, "swan"), ObjectInfo(7, 'the "other": ä/b')]
    document.put_frames(frames, objects, "Import", Skeleton(points, ((0, 1), (1, 2))))
    return document


def write(document: Document, video: MemoryVideo, kind: str, target: Path, **options: object) -> Done:
    *steps, done = export(document, video, kind, target, options)
    assert isinstance(done, Done) and steps
    return done


def target_of(kind: str, folder: Path) -> Path:
    return folder / f"out{EXPORTERS[kind].suffix}"


@pytest.mark.parametrize("kind", EXPORTERS)
def test_every_format_is_written_checked_and_tells_its_provenance(
    kind: str, document: Document, video: MemoryVideo, tmp_path: Path
) -> None:
    if (missing := EXPORTERS[kind].missing()) is not None:
        pytest.skip(missing)
    target = target_of(kind, tmp_path)
    done = write(document, video, kind, target)
    assert done.target == target and target.exists() and done.files >= 2
    beside = target / "provenance.json" if target.is_dir() else tmp_path / f"{target.name}.provenance.json"
    told = json.loads(beside.read_text())
    assert told["frames"]["0"]["origin"] == "human"
    assert told["frames"]["3"] == {"origin": "propagated", "weights_sha256": "ab12", "certainty": {"3": 0.9}}
    hidden = [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert not hidden, "the staging folder is still there"


@pytest.mark.parametrize("kind", ["davis", "binary", "coco", "youtube-vis", "yolo"])
def test_masks_come_back_through_import(kind: str, document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    target = target_of(kind, tmp_path)
    write(document, video, kind, target)
    other = Document(document.media)
    _, found = import_labels(other, target)
    assert other.store.human == (0, 1, 3, 4)
    order = {3: 1, 7: 2} if kind == "yolo" else {3: 3, 7: 7}  # YOLO numbers its classes
    for frame in (0, 1, 3, 4):
        wanted, got = document.labels(frame), other.labels(frame)
        assert wanted is not None and got is not None
        for old, new in order.items():
            mask = wanted.ids == old
            if kind == "yolo":
                mask = filled(mask) & ~(filled(wanted.ids == 7) if old == 3 else np.zeros(SIZE, bool))
            assert np.array_equal(got.ids == new, mask), f"object {old} of frame {frame}"
    if kind != "davis":
        assert found.names[order[3]] == "swan"
    assert other.undo() is not None and other.is_empty, "an import is one undo item"


@pytest.mark.parametrize(("name", "folder"), [("white goat", "2_white goat"), (" a/b: c. ", "2_a_b_ c"), ("…", "2")])
def test_folders_are_named_as_objects_are(name: str, folder: str) -> None:
    assert object_folder(ObjectInfo(2, name)) == folder


@pytest.mark.parametrize("kind", ["keypoints-csv", "coco", "deeplabcut", "sleap"])
def test_keypoints_come_back_through_import(kind: str, document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    if (missing := EXPORTERS[kind].missing()) is not None:
        pytest.skip(missing)
    target = target_of(kind, tmp_path)
    write(document, video, kind, target)
    paths = [target]
    if kind == "deeplabcut":
        paths = [target / "CollectedData_MER.csv", target / "CollectedData_MER.h5"]
    for path in paths:
        found = read_foreign(path, SIZE)
        assert found.skeleton.names == ("head", "tail", "knee")
        if kind in ("coco", "sleap"):
            assert found.skeleton.bones == ((0, 1), (1, 2))
        assert sorted(found.keypoints) == [0, 1, 3, 4]
        for frame, points in found.keypoints.items():
            wanted = document.keypoints(frame)
            assert wanted is not None
            keeps_hidden = kind in ("coco", "keypoints-csv")
            xy = wanted.xy if keeps_hidden else np.where(wanted.visible[:, None], wanted.xy, np.nan)
            assert np.allclose(points.xy, xy, atol=1e-3, equal_nan=True)
            assert np.array_equal(points.visible, wanted.visible)


def test_davis_is_what_an_evaluator_expects(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    write(document, video, "davis", tmp_path / "out", images=True)
    with Image.open(tmp_path / "out/Annotations/480p/swan lake/00003.png") as mask:
        assert mask.mode == "P" and mask.size == SIZE[::-1]
        assert mask.getpalette()[:6] == [0, 0, 0, 128, 0, 0]
        assert set(np.unique(mask)) == {0, 3}
    assert len(list((tmp_path / "out/JPEGImages/480p/swan lake").glob("*.jpg"))) == 4


def test_coco_is_read_by_its_own_tools(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    write(document, video, "coco", tmp_path / "out.json")
    coco = COCO(str(tmp_path / "out.json"))
    (entry,) = coco.loadAnns(coco.getAnnIds(imgIds=[1], catIds=[7]))
    labels = document.labels(1)
    assert labels is not None
    assert np.array_equal(coco.annToMask(entry) > 0, labels.ids == 7)
    assert entry["bbox"] == [25, 20, 20, 15] and entry["area"] == 300


def test_alpha_is_soft_at_edges_only_and_follows_them(document: Document, tmp_path: Path) -> None:
    picture = np.full((*SIZE, 3), 30, np.uint8)
    picture[5:25, 10:30] = 220  # the object stands out, but its mask was drawn a pixel too wide on the left
    video = MemoryVideo([picture] * FRAMES)
    ids = np.zeros(SIZE, np.uint8)
    ids[5:25, 9:30] = 3
    document.set_labels(0, LabelMap(ids, (3, 7)))
    write(document, video, "alpha", tmp_path / "out", content="cutout")
    cutout = np.asarray(Image.open(tmp_path / "out/3_swan/00000.png"))
    assert cutout.shape == (*SIZE, 4)
    alpha = cutout[..., 3]
    assert alpha[15, 20] == 255 and alpha[15, 2] == 0
    assert alpha[15, 9] < 128 < alpha[15, 11]


@pytest.mark.parametrize("kind", ["webm", "prores"])
def test_transparent_videos_are_transparent(kind: str, document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    import av

    target = target_of(kind, tmp_path)
    write(document, video, kind, target)
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        codec = "libvpx-vp9" if kind == "webm" else stream.codec_context.name  # the native decoder skips alpha
        context = av.CodecContext.create(codec, "r")
        if stream.codec_context.extradata:
            context.extradata = stream.codec_context.extradata
        frames = [f for packet in container.demux(stream) for f in context.decode(packet)]
    assert len(frames) == FRAMES
    alpha = frames[0].to_ndarray(format="rgba")[..., 3]
    assert alpha[8, 20] > 230 and alpha[40, 5] < 25
    assert frames[2].to_ndarray(format="rgba")[..., 3].max() < 25, "frame 2 has no labels"


def test_span_and_human_only_limit_what_is_written(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    document.set_span(1, 4)
    write(document, video, "davis", tmp_path / "a")
    assert [p.stem for p in sorted((tmp_path / "a").rglob("*.png"))] == ["00001", "00003"]
    document.set_span(0, FRAMES)
    list(export(document, video, "davis", tmp_path / "b", human_only=True))
    assert [p.stem for p in sorted((tmp_path / "b").rglob("*.png"))] == ["00000"]


def test_what_is_there_is_not_replaced_without_leave(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("mine")
    with pytest.raises(ValueError, match="exists already"):
        list(export(document, video, "coco", tmp_path / "out.json"))
    assert (tmp_path / "out.json").read_text() == "mine"
    list(export(document, video, "coco", tmp_path / "out.json", overwrite=True))
    assert json.loads((tmp_path / "out.json").read_text())["images"]


def test_closing_the_export_leaves_nothing(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    steps = export(document, video, "davis", tmp_path / "out")
    next(steps)
    steps.close()
    assert list(tmp_path.iterdir()) == []


def test_damage_between_writing_and_checking_is_found(
    document: Document, video: MemoryVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(path: Path, labels: LabelMap) -> None:
        ids = labels.ids.copy()
        ids[0, 0] ^= 1
        Image.fromarray(ids, mode=None).convert("P").save(path.parent.mkdir(parents=True, exist_ok=True) or path)

    monkeypatch.setattr("app.io.export.masks.write_labels", damaged)
    with pytest.raises(CheckFailed, match="does not read back"):
        list(export(document, video, "davis", tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_reasons_why_a_format_cannot_be_used(video: MemoryVideo, tmp_path: Path) -> None:
    empty = Document(Media(Path("/x.mp4"), SIZE, FRAMES, 25.0))
    assert "no frame is labelled" in str(unusable(EXPORTERS["davis"], Labelled(empty)))
    empty.set_skeleton(Skeleton(("nose",)))
    empty.set_keypoints(0, KeypointSet.of({"nose": (1, 2)}))
    assert "no object" in str(unusable(EXPORTERS["davis"], Labelled(empty)))
    assert unusable(EXPORTERS["keypoints-csv"], Labelled(empty)) is None
    with pytest.raises(ValueError, match="unknown format 'tiff'"):
        list(export(empty, video, "tiff", tmp_path / "out"))
    with pytest.raises(ValueError, match=r"written to a \.json file"):
        list(export(empty, video, "coco", tmp_path / "out.txt"))


def test_polygons_hold_every_pixel_of_thin_parts() -> None:
    mask = np.zeros((9, 9), bool)
    mask[1, 1:8] = mask[3, 3] = mask[5:7, 5] = True
    drawn = np.zeros((9, 9), np.uint8)
    for polygon in polygons(mask):
        cv2.fillPoly(drawn, [np.rint(polygon * 9 - 0.5).astype(np.int32)], 1)
    assert np.array_equal(drawn > 0, mask)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "a.json"),
        ("a.json", "[]", "neither COCO nor YouTube-VIS"),
        ("a.json", '{"images": [], "annotations": [{}], "categories": []}', "neither COCO nor"),
        (
            "a.json",
            '{"images": [{"id": 0, "file_name": "0.jpg"}], "categories": [{"id": 1, "name": "a"}], "annotations": '
            '[{"image_id": 0, "category_id": 1, "segmentation": {"size": [99999, 99999], "counts": "abc"}}]}',
            "a mask is",
        ),
        ("a.csv", "scorer,x\nbodyparts,nose\n", "coords"),
        ("a.slp", "no hdf5", "cannot be read as a SLEAP file"),
        ("a.h5", "no hdf5", "cannot be read as a DeepLabCut table"),
    ],
)
def test_strangers_files_are_refused_in_words(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_foreign(tmp_path / name, SIZE)


def test_a_table_of_another_video_is_refused(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    write(document, video, "coco", tmp_path / "out.json")
    short = Document(Media(Path("/x.mp4"), SIZE, 3, 25.0))
    with pytest.raises(ValueError, match="labels frame 4, but the video has frames"):
        import_labels(short, tmp_path / "out.json")
    assert short.is_empty
    with pytest.raises(ValueError, match="a mask is"):
        read_foreign(tmp_path / "out.json", (40, 60))


def test_overlay_video_has_the_videos_times(document: Document, video: MemoryVideo, tmp_path: Path) -> None:
    document.set_span(1, 5)
    write(document, video, "overlay", tmp_path / "out.mp4")
    with open_video(tmp_path / "out.mp4") as written:
        assert len(written) == 4 and np.allclose(written.times, np.arange(4) / 25, atol=1e-3)
