import hashlib
import threading

import numpy as np
import pytest

from magic.geometry import Box
from magic.scene.memory import PictureList
from pipelines.pictures.crops import crop, draw_batch, fixed_memory, pool_of
from pipelines.pictures.settings import CropConfig, SourceConfig
from pipelines.pictures.sources import survey
from pipelines.pictures.stream import RoundRobin, batch_dataset, keep_order, read_batches
from tests.conftest import killing, ray_processes, textured

SMALL = {"patch_px": 32, "num_templates": 3, "batch_size": 2}


@pytest.fixture(scope="module")
def sources(ray_here, pictures):
    keep_order()
    return tuple(
        survey(SourceConfig(urls=(str(pictures / name),)), min_side_px=32, name=name) for name in ("content", "style")
    )


def digests(dataset, seen: list | None = None) -> list[tuple[int, str]]:
    """Each batch's number and digest; they are put into `seen` as they come."""
    seen = [] if seen is None else seen
    for number, batch in read_batches(dataset.iterator()):
        parts = b"".join(part.numpy().tobytes() for part in batch if part is not None)
        seen.append((int(number), hashlib.sha256(parts).hexdigest()))
    return seen


def test_crops_do_not_depend_on_the_number_of_workers(sources):
    one, three = (
        digests(batch_dataset(*sources, CropConfig(**SMALL, data_workers=n), first=0, count=150)) for n in (1, 3)
    )
    assert one == three
    assert [number for number, _ in one] == list(range(150))
    assert len({digest for _, digest in one}) == 150


def test_killed_readers_change_no_batch(sources):
    config, seen = CropConfig(**SMALL, data_workers=2), []
    expected = digests(batch_dataset(*sources, config, first=0, count=1200))
    with killing("crop_batches", lambda: len(seen) > 100 and ray_processes("crop_batches")) as killed:
        assert digests(batch_dataset(*sources, config, first=0, count=1200), seen) == expected
    assert killed


def test_a_stream_can_begin_anywhere(sources):
    config = CropConfig(**SMALL)
    whole = digests(batch_dataset(*sources, config, first=0, count=20))
    assert digests(batch_dataset(*sources, config, first=13, count=7)) == whole[13:]
    assert digests(batch_dataset(*sources, config, first=20, count=0)) == []


def test_another_seed_gives_other_crops(sources):
    one, other = (digests(batch_dataset(*sources, CropConfig(**SMALL, seed=seed), first=0, count=3)) for seed in (0, 1))
    assert not {digest for _, digest in one} & {digest for _, digest in other}


def test_training_workers_get_every_nth_batch(sources):
    dataset = batch_dataset(*sources, CropConfig(**SMALL), first=6, count=14)
    shards = [shard["train"] for shard in RoundRobin().configure({"train": dataset}, 2)]

    seen = {}

    def consume(rank):
        seen[rank] = [int(number) for number, _ in read_batches(shards[rank])]

    threads = [threading.Thread(target=consume, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {0: [6, 8, 10, 12, 14, 16, 18], 1: [7, 9, 11, 13, 15, 17, 19]}


def test_shapes_and_places_of_crops():
    rng = np.random.default_rng(0)
    pictures = [textured(rng, 40, 60), textured(rng, 32, 33)]
    batch = draw_batch(PictureList(pictures[:1]), PictureList(pictures), 5, CropConfig(**SMALL))
    assert {name: array.shape for name, array in batch.items()} == {
        "content": (2, 3, 32, 32),
        "templates": (2, 3, 3, 32, 32),
        "style": (2, 3, 32, 32),
    }
    windows = np.lib.stride_tricks.sliding_window_view(pictures[0], (32, 32), axis=(0, 1)).reshape(-1, 3, 32, 32)
    assert all((windows == patch).all((1, 2, 3)).any() for patch in batch["content"])


def test_a_crop_can_be_the_whole_picture():
    picture = textured(np.random.default_rng(0), 32, 32)
    patch = crop(picture, 32, np.random.default_rng(0), mirror=False)
    assert np.array_equal(patch.pixels, picture.transpose(2, 0, 1))


def test_many_pictures_take_turns():
    config = CropConfig(**SMALL, pool_pictures=4, batches_per_pool=10)
    assert pool_of([1.0] * 3, 99, config) == [0, 1, 2]
    pools = [pool_of([1.0] * 50, number, config) for number in (0, 9, 10, 25)]
    assert pools[0] == pools[1] != pools[2]
    assert all(len(set(pool)) == 4 for pool in pools)
    assert len({i for number in range(0, 2000, 10) for i in pool_of([1.0] * 50, number, config)}) == 50


def test_pictures_are_used_as_often_as_their_shares_say():
    shares = [6.0] + [1.0] * 60
    config = CropConfig(**SMALL, pool_pictures=11, batches_per_pool=1)
    pools = [pool_of(shares, number, config) for number in range(600)]
    assert all(len(pool) == 11 for pool in pools)
    used = sum(pool.count(0) for pool in pools) / (600 * 11)
    assert used == pytest.approx(6 / 66, rel=0.1)


def test_k_is_drawn_anew_for_every_batch(sources):
    config = CropConfig(**{**SMALL, "num_templates": 5}, min_templates=2)
    batches = [
        batch for _, batch in read_batches(batch_dataset(None, sources[1], config, first=0, count=40).iterator())
    ]
    assert {batch.templates.shape[1] for batch in batches} == {2, 3, 4, 5}
    assert all(batch.content is None for batch in batches)


def test_a_fixed_memory_lies_where_the_content_lies():
    rng = np.random.default_rng(0)
    content, style = PictureList([textured(rng, 60, 70)]), PictureList([textured(rng, 40, 60)])
    config = CropConfig(**SMALL, memory="fixed", rotate=True)
    memory = fixed_memory(style, config)
    batches = [draw_batch(content, style, number, config) for number in range(8)]
    places = np.lib.stride_tricks.sliding_window_view(content.get(0), (32, 32), axis=(0, 1))
    for batch in batches:
        for patch, templates in zip(batch["content"], batch["templates"], strict=True):
            top, left = np.argwhere((places == patch).all((2, 3, 4)))[0].tolist()
            expected = memory.window(Box(top, left, top + 32, left + 32)).transpose(0, 3, 1, 2)
            assert np.array_equal(templates, expected)


def test_patches_are_mirrored_and_turned_only_when_told():
    picture = PictureList([np.arange(32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 32, 3)])

    def seen(**settings):
        config = CropConfig(patch_px=32, num_templates=8, batch_size=8, **settings)
        return {patch.tobytes() for patch in draw_batch(None, picture, 0, config)["templates"].reshape(-1, 3, 32, 32)}

    assert len(seen(mirror=False)) == 1
    assert len(seen()) == 2
    assert len(seen(mirror=False, rotate=True)) == 4
    assert len(seen(rotate=True)) == 8
